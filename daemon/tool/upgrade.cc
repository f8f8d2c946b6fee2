#include "daemon/tool/upgrade.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include "core/base/clock.h"
#include "core/client/client.h"

namespace vineyard::tool {
namespace {

constexpr int64_t kPatienceMs = 60'000;  // a large store takes a while to be adopted
constexpr auto kPause = std::chrono::milliseconds(20);

struct Serving {
  uint64_t epoch = 0, device = 0, inode = 0, keeper = 0, adopted = 0;
};

Result<Serving> AskWhoServes(client::Client* client) {
  ASSIGN_OR_RETURN(client::Client::Info info, client->GetInfo());
  Serving serving;
  for (const auto& [name, number] : info.numbers) {
    if (name == "epoch") serving.epoch = number;
    if (name == "program_device") serving.device = number;
    if (name == "program_inode") serving.inode = number;
    if (name == "keeper_pid") serving.keeper = number;
    if (name == "adopted") serving.adopted = number;
  }
  return serving;
}

// Until a daemon of a later epoch answers.
Result<Serving> AwaitNext(client::Client* client, uint64_t epoch) {
  Deadline deadline = Deadline::After(kPatienceMs);
  while (true) {
    Result<Serving> serving = AskWhoServes(client);
    if (serving.ok() && serving->epoch > epoch) return serving;
    if (deadline.passed()) {
      return Status(Code::kTimeout, "no daemon serves again: see its log");
    }
    std::this_thread::sleep_for(kPause);
  }
}

Status TakeOver(client::Client* client,
                const std::function<Status(const std::vector<std::string>&)>& understands) {
  ASSIGN_OR_RETURN(Serving before, AskWhoServes(client));
  ASSIGN_OR_RETURN(wire::UpgradeAnswer given, client->Upgrade(/*begin=*/false));
  Status understood = understands(given.arguments);
  if (!understood.ok()) {
    return {understood.code(), "the options of the program that serves: " + understood.text() +
                                   "; nothing was changed"};
  }
  RETURN_IF_ERROR(client->Upgrade(/*begin=*/true).status());
  ASSIGN_OR_RETURN(Serving now, AwaitNext(client, before.epoch));
  struct stat own {};
  if (stat("/proc/self/exe", &own) != 0 || own.st_dev != now.device || own.st_ino != now.inode) {
    return {Code::kUnavailable, "the other program goes on: see its log"};
  }
  std::printf("%s: this program serves now, keeper %llu, %llu slots adopted\n",
              client->path().c_str(), static_cast<unsigned long long>(now.keeper),
              static_cast<unsigned long long>(now.adopted));
  return OkStatus();
}

}  // namespace

int Upgrade(const std::string& socket,
            const std::function<Status(const std::vector<std::string>&)>& understands) {
  client::ConnectOptions options;
  options.path = socket;
  options.client_name = "upgrade";
  Result<client::Client*> client = client::Client::Connect(options);
  Status status = client.status();
  if (client.ok()) {
    status = TakeOver(*client, understands);
    (*client)->Release();
  }
  if (status.ok() && std::fflush(stdout) == 0) return 0;
  std::fprintf(stderr, "vineyardd --upgrade: %s\n", status.text().c_str());
  return 1;
}

}  // namespace vineyard::tool
