// This file is the only place that looks at a machine before a daemon starts there (vineyardd --doctor), and
// says what to change. It makes nothing that stays.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "daemon/options.h"

namespace vineyard::daemon {

struct Finding {
  enum class Weight {
    kFine,
    kHint,     // it works; this would make it better
    kProblem,  // a daemon with these options does not start, or will not do what they say
  };
  Weight weight = Weight::kFine;
  std::string what;  // "memory"
  std::string text;  // what is, and what to change
};

// `root`: in front of /proc and /sys, for tests.
std::vector<Finding> Examine(const Options& options, const std::string& root = "");

// Prints what Examine() finds. 0: nothing has to change, else 1.
int Doctor(const Options& options, std::FILE* out);

}  // namespace vineyard::daemon
