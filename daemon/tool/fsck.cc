#include "daemon/tool/fsck.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <thread>

#include "core/client/client.h"
#include "core/client/verify.h"

namespace vineyard::tool {
namespace {

using Count = unsigned long long;

// Of a process that died a moment ago the daemon may not know yet, for one second at most
// (daemon/liveness.cc); what is damaged stays.
constexpr int kAudits = 3;
constexpr auto kPause = std::chrono::milliseconds(1200);

constexpr uint64_t kMostShown = 100;

class Report {
 public:
  void Problem(const std::string& text) {
    if (++problems_ <= kMostShown) std::printf("problem: %s\n", text.c_str());
  }
  void Add(uint64_t problems) { problems_ += problems; }
  uint64_t problems() const { return problems_; }

 private:
  uint64_t problems_ = 0;
};

std::string Bytes(uint64_t bytes) {
  static const char* const kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  if (bytes < 1024) return Format("%llu bytes", Count{bytes});
  double scaled = static_cast<double>(bytes);
  int unit = 0;
  for (; scaled >= 1024 && unit < 4; ++unit) scaled /= 1024;
  return Format("%.1f %s", scaled, kUnits[unit]);
}

// Of all audiences: for the daemon's user and root.
Status CheckBooks(client::Client* client, Report* report) {
  wire::AuditAnswer audit;
  for (int i = 0; i < kAudits; ++i) {
    if (i > 0) std::this_thread::sleep_for(kPause);
    Result<wire::AuditAnswer> asked = client->Audit();
    if (asked.status().code() == Code::kPermission) {
      std::printf("books: not looked at: %s\n", asked.status().text().c_str());
      return OkStatus();
    }
    if (!asked.ok()) return asked.status();
    audit = *std::move(asked);
    if (audit.count == 0) break;
  }
  std::map<std::string, uint64_t> numbers(audit.numbers.begin(), audit.numbers.end());
  std::printf(
      "books: %llu slots: %llu objects, %llu blobs, %llu names, %llu leases, %llu deleted "
      "ones that somebody reads; %llu sessions\n",
      Count{numbers["slots"]}, Count{numbers["objects"]}, Count{numbers["blobs"]},
      Count{numbers["names"]}, Count{numbers["leases"]}, Count{numbers["deleted"]},
      Count{numbers["sessions"]});
  std::printf("memory: %s in segments: %llu bytes used + %llu free + %llu quarantined\n",
              Bytes(numbers["memory_bytes"]).c_str(), Count{numbers["memory_used_bytes"]},
              Count{numbers["memory_free_bytes"]}, Count{numbers["memory_quarantined_bytes"]});
  if (numbers["quarantined"] > 0) {
    report->Problem(
        Format("quarantine: %llu slots were damaged when a daemon adopted them: they are "
               "never served, and their memory is not used again",
               Count{numbers["quarantined"]}));
  }
  for (const std::string& problem : audit.problems) report->Problem(problem);
  report->Add(audit.count - std::min<uint64_t>(audit.count, audit.problems.size()));
  return OkStatus();
}

// `whose`: in front of what is said; empty, where there is one audience.
Status CheckBytes(client::Client* client, uint16_t audience, const std::string& whose,
                  Report* report) {
  bool shows_progress = isatty(STDERR_FILENO) != 0;
  client::Verified verified;
  Status status = client::VerifyAll(
      client, audience, &verified,
      [&](const Status& problem) { report->Problem(whose + problem.text()); },
      [shows_progress](uint64_t done, uint64_t all) {
        if (!shows_progress) return;
        std::fprintf(stderr, "\rfsck: %llu of %llu slots%s", Count{done}, Count{all},
                     done == all ? "\n" : "");
      });
  if (status.code() == Code::kNotFound) return OkStatus();  // the audience has ended meanwhile
  if (!status.ok()) return {status.code(), whose + status.text()};
  std::printf("bytes: %s%llu objects with %s compared with their checksums\n", whose.c_str(),
              Count{verified.objects}, Bytes(verified.bytes).c_str());
  if (verified.unchecked_objects > 0) {
    std::printf("       %llu with %s have none: see --checksum\n",
                Count{verified.unchecked_objects}, Bytes(verified.unchecked_bytes).c_str());
  }
  return OkStatus();
}

Status CheckDaemon(const std::string& socket, Report* report) {
  client::ConnectOptions options;
  options.path = socket;
  options.client_name = "fsck";
  ASSIGN_OR_RETURN(client::Client * client, client::Client::Connect(options));
  Status status = CheckBooks(client, report);
  Result<std::vector<wire::AudiencesAnswer::Item>> audiences = client->ListAudiences();
  if (status.ok()) status = audiences.status();
  if (audiences.ok()) {
    for (const auto& audience : *audiences) {
      std::string whose = audiences->size() > 1 ? "for " + audience.text + ": " : "";
      Status checked = CheckBytes(client, audience.number, whose, report);
      if (status.ok())
        status = checked;  // what is wrong with one leaves the others to be looked at
    }
  }
  client->Release();
  return status;
}

}  // namespace

int Check(const std::string& socket) {
  Report report;
  Status status = CheckDaemon(socket, &report);
  if (report.problems() > kMostShown) {
    std::printf("problem: and %llu more\n", Count{report.problems() - kMostShown});
  }
  if (!status.ok()) {
    std::fprintf(stderr, "vineyardd --fsck: %s\n", status.text().c_str());
  } else if (report.problems() == 0) {
    std::printf("%s: in order\n", socket.c_str());
  } else {
    std::printf("%s: %llu problems\n", socket.c_str(), Count{report.problems()});
  }
  bool printed = std::fflush(stdout) == 0;
  if (report.problems() > 0) return kDamaged;
  return status.ok() && printed ? kInOrder : kNotChecked;
}

}  // namespace vineyard::tool
