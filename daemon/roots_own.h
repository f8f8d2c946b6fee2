// This file is the only place that decides which files root may run: those that nobody but root can change.
#pragma once

#include <string>
#include <vector>

#include "core/base/result.h"

namespace vineyard::daemon {

// For anybody but root: `path` itself. For root: the same file without links on the way; kPermission, with
// who else could put another one there, when somebody could.
Result<std::string> RunnablePath(const std::string& path);
// The same for each of a Java class path: jars, folders, folders with "/*".
Result<std::string> RunnableClassPath(const std::string& path);
// What a program that is started inherits: everything, of root the few variables that make no program load
// or run anything (an allowlist: the Java VM alone knows half a dozen that do).
std::vector<std::string> RunnableEnvironment();

}  // namespace vineyard::daemon
