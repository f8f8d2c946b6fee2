// This file is the only place that turns a message into a call of the store or of the cluster, and its
// result into an answer. It knows neither connections nor loops; hello and goodbye are the server's.
// Thread-confined to the daemon's loop.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.h"
#include "core/store/store.h"
#include "core/wire/frame.h"
#include "core/wire/messages.h"
#include "daemon/cluster.h"
#include "daemon/holds.h"
#include "daemon/lookup.h"

namespace vineyard::daemon {

struct Reply {
  enum class Kind {
    kAnswer,  // body and descriptors
    kWait,    // nothing yet: until wait_for is there
    kGrow,    // nothing yet: again when the store has grown
    kSync,    // nothing yet: again, with `synced`, behind a barrier of the metadata service
    kPark,    // nothing yet: again when a change that is under way has ended
    kLater,   // nothing yet: `later` is called with the answer
    kLog,     // nothing yet: what `sync` asks of the metadata service's log
    kWatch,   // nothing yet: events, as `watch` asks
    kRefuse,  // the client breaks the protocol: error, then the connection ends
  };
  Kind kind = Kind::kAnswer;
  std::string body;
  std::vector<Fd> descriptors;
  Status error;           // kRefuse
  Code code = Code::kOk;  // kAnswer: of the error that the body is
  wire::Find wait_for;    // kWait; points into the request
  wire::Sync sync;        // kLog
  wire::Watch watch;      // kWatch
};
using Later = std::function<void(Reply)>;

// A request, who asks, and what was done for it already.
struct Inquiry {
  uint64_t session = 0;
  wire::FrameHeader header;
  std::string_view body;
  Deadline deadline = Deadline::Never();
  bool synced = false;
  bool is_owner = false;  // the daemon's own user, or root, asks
};

// The body of a request. kProtocol, kLimit.
Result<Value> UnpackBody(std::string_view body, Arena* arena);

class Handler {
 public:
  // `status`: what the daemon says about itself beside the store's numbers.
  Handler(store::Store* store, Cluster* cluster, Lookup* lookup,
          std::function<wire::StatusAnswer(uint64_t session)> status)
      : store_(store), cluster_(cluster), lookup_(lookup), status_(std::move(status)) {}

  // `later` is called when kLater is answered, maybe before that is.
  Reply Handle(const Inquiry& inquiry, Later later);

 private:
  Reply Dispatch(const Inquiry& inquiry, const Value& body, Later later);
  Reply Change(const Inquiry& inquiry, const Value& body, Later later);
  Result<Step> Apply(const Call& call, wire::MessageType type, const Value& body,
                     Cluster::Done done);
  Reply Segment(uint64_t session, const Value& body);
  bool ComesLater(const vineyard::Status& status) const;
  Reply Find(const Inquiry& inquiry, const Value& body);
  Reply Evict(const Inquiry& inquiry, const Value& body);
  Reply Status(uint64_t session);

  store::Store* const store_;
  Cluster* const cluster_;
  Lookup* const lookup_;
  const std::function<wire::StatusAnswer(uint64_t session)> status_;
};

}  // namespace vineyard::daemon
