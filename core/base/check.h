// This file is the only place that ends the process on a broken invariant. CHECK stays in release
// builds: a daemon that goes on with a broken invariant corrupts what others read, a daemon that
// dies is replaced without loss. In libvineyard.so CHECK is used only where memory of the host
// program is already known to be damaged.
#pragma once

namespace vineyard {
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);
}

#define CHECK(condition)                                       \
  do {                                                         \
    if (!(condition)) [[unlikely]]                             \
      ::vineyard::CheckFailed(#condition, __FILE__, __LINE__); \
  } while (false)
