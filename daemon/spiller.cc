#include "daemon/spiller.h"

#include <utility>

namespace vineyard::daemon {

void Spiller::Check() {
  for (bool load : {true, false}) {
    if (busy_[load]) continue;
    std::optional<store::SpillJob> job = store_->NextSpillJob(load);
    if (job) Begin(load, std::move(*job));
  }
}

void Spiller::Begin(bool load, store::SpillJob job) {
  busy_[load] = true;
  // std::function is copied: the job is not.
  auto shared = std::make_shared<store::SpillJob>(std::move(job));
  workers_[load].Do([this, load, shared] {
    RunSpillJob(shared.get());
    asio::post(*loop_, [this, load, shared] { End(load, std::move(*shared)); });
  });
}

void Spiller::End(bool load, store::SpillJob job) {
  busy_[load] = false;
  bool is_awaited =
      job.kind == store::SpillJob::Kind::kRead || job.kind == store::SpillJob::Kind::kWrite;
  store_->SpillJobDone(std::move(job));
  if (is_awaited) on_done_();
  Check();
}

void Spiller::Stop() {
  for (Worker& worker : workers_) worker.Stop();
}

}  // namespace vineyard::daemon
