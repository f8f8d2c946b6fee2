// vineyardd: reads what it is told and becomes the keeper, which starts the daemon; or looks at one that
// runs, or at the machine.
#include <fcntl.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "daemon/doctor.h"
#include "daemon/keeper.h"
#include "daemon/log.h"
#include "daemon/options.h"
#include "daemon/tool/fsck.h"
#include "daemon/tool/upgrade.h"

namespace {

// A descriptor of the store must never be one that somebody prints to.
void OpenStandardDescriptors() {
  int fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = dup(fd);
  if (fd > STDERR_FILENO) close(fd);
}

// Of a program with more rights than whoever started it (setuid, capabilities of the file), the environment
// is the starter's: nothing in it is read, or handed on to what is started from here.
std::vector<std::string> Environment() {
  if (getauxval(AT_SECURE) != 0) clearenv();
  std::vector<std::string> environment;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    environment.emplace_back(*entry);
  }
  return environment;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace vineyard;
  OpenStandardDescriptors();
  Result<daemon::Command> command =
      daemon::ParseCommand(std::vector<std::string>(argv + 1, argv + argc), Environment());
  if (!command.ok()) {
    std::fprintf(stderr, "vineyardd: %s\n",
                 daemon::EscapeControls(command.status().text()).c_str());
    return 2;
  }
  if (command->text) {
    if (std::fputs(command->text->c_str(), stdout) >= 0 && std::fflush(stdout) == 0) {
      return EXIT_SUCCESS;
    }
    std::perror("vineyardd: standard output");
    return EXIT_FAILURE;
  }
  daemon::StartLog(command->options.log_level, command->options.log_format);
  if (command->fsck) return tool::Check(*command->fsck);
  if (command->upgrade) {
    return tool::Upgrade(*command->upgrade, [](const std::vector<std::string>& arguments) {
      return daemon::ParseCommand(arguments, /*environment=*/{}).status();
    });
  }
  if (command->doctor) return daemon::Doctor(command->options, stdout);
  for (const std::string& warning : command->options.warnings) {
    Log(LogLevel::kWarning, "%s", warning.c_str());
  }
  return daemon::RunKeeper(std::move(command->options));
}
