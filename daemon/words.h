// This file is the only place that guesses what somebody meant who mistyped a word.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace vineyard::daemon {

// "; did you mean --socket?" when one of `known` is so near to `word` that a slip explains it, else "".
std::string DidYouMean(std::string_view word, const std::vector<std::string>& known);

}  // namespace vineyard::daemon
