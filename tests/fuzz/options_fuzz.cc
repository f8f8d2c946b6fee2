// What a person says to the daemon: a command line, an environment and a file. It is taken or refused with one
// line, and what was taken can be said again: a daemon that becomes its own keeper is told so.
//
// One word or variable a line ("-…" and what does not look like a variable are words), then an empty line, then
// the file.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "daemon/duration.h"
#include "daemon/options.h"
#include "daemon/size.h"

namespace {

using namespace vineyard;

// Sizes and times are printed and read elsewhere, too.
void Figures(std::string_view text) {
  Result<uint64_t> size = daemon::ParseSize(text);
  if (size.ok()) {
    Result<uint64_t> again = daemon::ParseSize(std::to_string(*size));
    CHECK(again.ok());
    CHECK(*size > (uint64_t{1} << 53) || *again == *size);
    CHECK(!daemon::PrintSize(*size).empty());
  }
  (void)daemon::ParseDuration(text);
}

// Two paths of the same file, which a fuzzer can not guess; others that are read could wait for ever.
bool NamesAFile(std::string_view text) { return text.find('/') != std::string_view::npos; }

void CheckOneLine(const Status& status) {
  CHECK(!status.text().empty() && status.text().find('\n') == std::string::npos);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const int file = memfd_create("options", MFD_CLOEXEC);
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  if (rest.find('\0') != std::string_view::npos) return 0;  // no argument holds one
  std::vector<std::string> arguments, environment;
  while (!rest.empty()) {
    size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.empty()) break;
    Figures(line);
    bool is_variable = line.rfind("VINEYARD_", 0) == 0 || line.rfind("XDG_", 0) == 0;
    (is_variable ? environment : arguments).emplace_back(line);
  }
  bool reads_files = false;
  for (const auto* texts : {&arguments, &environment}) {
    for (const std::string& text : *texts) {
      std::string lower;
      for (char c : text) lower += c == '_' ? '-' : static_cast<char>(c | 0x20);
      bool reads =
          lower.find("config") != std::string::npos || lower.find("meta-auth") != std::string::npos;
      reads_files = reads_files || reads;
    }
  }
  if (reads_files) return 0;
  if (rest.find("auth") != std::string_view::npos && NamesAFile(rest)) return 0;
  if (!rest.empty()) {
    CHECK(ftruncate(file, 0) == 0);
    CHECK(pwrite(file, rest.data(), rest.size(), 0) == static_cast<ssize_t>(rest.size()));
    arguments.insert(arguments.begin(), "--config=" + path);
  }
  constexpr uint64_t kMachine = 16 * kGiB;
  Result<daemon::Command> command = daemon::ParseCommand(arguments, environment, kMachine);
  if (!command.ok()) {
    CheckOneLine(command.status());
    return 0;
  }
  if (command->text || command->fsck) return 0;
  const daemon::Options& options = command->options;
  CHECK(!options.socket.empty() && options.socket[0] == '/');
  CHECK(options.prefault_bytes <= options.size_bytes);
  std::vector<std::string> said = options.ToArguments();
  Result<daemon::Command> again = daemon::ParseCommand(said, {}, kMachine);
  CHECK(again.ok());
  CHECK(again->options.ToArguments() == said);
  return 0;
}
