// This file is the only place that lists the type names all languages share, their numbers in the
// slot table and what each is-a. docs/types.md tells the rest (fields and members).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace vineyard {

// Part of the layout of shared memory: never renumber; 0 says "read the record".
enum class TypeNumber : uint16_t {
  kOther = 0,
  kBlob = 1,
  kScalar = 2,
  kString = 3,
  kSequence = 4,
  kTuple = 5,
  kPair = 6,
  kList = 7,
  kDict = 8,
  kTensor = 9,
  kArray = 10,
  kPickleBuffer = 11,
};

inline constexpr std::string_view kBlobTypeName = "vineyard::Blob";

TypeNumber TypeNumberOf(std::string_view type_name);
// Empty for kOther and numbers that are not in the table.
std::string_view TypeNameOf(TypeNumber number);
// The base of a type name: "vineyard::Tuple" for "vineyard::Pair"; empty when it has none.
std::string_view BaseTypeOf(std::string_view type_name);
// The type itself or one of its bases matches.
bool TypeMatches(std::string_view type_name, std::string_view glob);

// Shell pattern over bytes: * ? [abc] [!a-z], backslash quotes. No special case for '/' or '.'.
// Runs in time O(length of pattern x length of text); adds what it took to `steps`.
bool GlobMatches(std::string_view glob, std::string_view text, uint64_t* steps = nullptr);

inline constexpr uint64_t kMaxTypeName = 1024;  // bytes
inline constexpr uint64_t kMaxName = 1024;      // bytes of an object's name
inline constexpr uint64_t kMaxKey = 4096;       // bytes of a field's or member's name

// Not empty, UTF-8, at most `limit` bytes, no NUL; `what` names it in the error.
Status CheckText(std::string_view what, std::string_view text, uint64_t limit);

}  // namespace vineyard
