// This file is the only place that turns a message into a call of the store, and its result into an
// answer. It knows neither connections nor loops; hello and goodbye are the server's.
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
#include "daemon/holds.h"

namespace vineyard::daemon {

struct Reply {
  enum class Kind {
    kAnswer,  // body and descriptors
    kWait,    // nothing yet: until wait_for is there
    kGrow,    // nothing yet: again when the store has grown
    kRefuse,  // the client breaks the protocol: error, then the connection ends
  };
  Kind kind = Kind::kAnswer;
  std::string body;
  std::vector<Fd> descriptors;
  Status error;         // kRefuse
  wire::Find wait_for;  // kWait; points into the request
};

class Handler {
 public:
  // `status`: what the daemon says about itself beside the store's numbers.
  Handler(store::Store* store, Holds* holds, std::function<wire::StatusAnswer()> status)
      : store_(store), holds_(holds), status_(std::move(status)) {}

  Reply Handle(uint64_t session, const wire::FrameHeader& header, std::string_view body);

  // The answer of a find that succeeds, its slot held for the session; else why not.
  Result<std::string> Find(uint64_t session, const wire::Find& find);

 private:
  Reply Dispatch(uint64_t session, const wire::FrameHeader& header, const Value& body);
  Reply Change(uint64_t session, const wire::FrameHeader& header, const Value& body);
  Result<store::Mutation> Apply(store::Request request, wire::MessageType type, const Value& body);
  Reply Segment(uint64_t session, const Value& body);
  Reply Wait(uint64_t session, const Value& body);
  Reply Status();

  store::Store* const store_;
  Holds* const holds_;
  const std::function<wire::StatusAnswer()> status_;
};

}  // namespace vineyard::daemon
