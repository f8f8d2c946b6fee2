// This file is the only place that calls the C client of ZooKeeper and is called by its threads.
//
// A Link is one handle of the C client, from the first attempt to open it until it is closed. What
// the library's threads bring is copied, posted to the owner's thread and handed to the Owner
// there, as long as there is one.
//
// Ownership: the Link's own thread opens the handle, sleeps until Shut() but for WakeAt(), closes it and
// holds the Link that long, because both calls may block for seconds (names are resolved; a server that does
// not answer is waited for). The handle is used by the owner's thread between the two, the library
// calls back only before zookeeper_close() returns, so that neither meets a freed one.
//
// Names of hosts are resolved by the library's only I/O thread, which sends no pings meanwhile:
// where a resolver may hang, say numbers.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/meta/zookeeper/types.h"

struct _zhandle;  // the C client's

namespace vineyard::meta::zookeeper {

// What came back for a request; which parts are filled depends on what it asked.
struct Reply {
  int error = 0;  // ZooKeeper's number
  std::string data = {};
  Stat stat = {};
  std::vector<std::string> names = {};
  bool open = false;                // anyone may change it
  std::vector<int> op_errors = {};  // one for each op, also when `error` is not 0
  std::vector<OpResult> ops = {};
};

class Link : public std::enable_shared_from_this<Link> {
 public:
  // Called on the owner's thread.
  class Owner {
   public:
    virtual void OnOpened() = 0;  // requests may be made from here on
    enum class Event { kConnected, kDisconnected, kExpired, kAuthFailed };
    struct Session {
      int64_t id;
      uint32_t timeout_ms;
    };
    virtual void OnSession(Event event, Session session) = 0;
    // Once for a request, unless the link is shut before.
    virtual void OnReply(uint64_t number, Reply reply) = 0;
    // At most once for a watch, never before the reply to what set it.
    virtual void OnWatch(uint64_t watch, WatchEvent event) = 0;
    // What WakeAt() asked for.
    virtual void OnWake() = 0;

   protected:
    ~Owner() = default;
  };

  static Result<std::shared_ptr<Link>> Open(const Options& options, Post post, Owner* owner);
  // Waits until every link that was shut is closed. False: the deadline passed.
  static bool JoinShut(const Deadline& deadline);
  // While it is held no link starts the library's threads. Not held when one took too long with it.
  static std::unique_lock<std::mutex> HoldThreads();

  // REQUIRES: OnOpened() came, Shut() was not called. `watch` is a number, 0 for none. They return
  // kOk, and a reply will come, or ZooKeeper's number for why nothing was sent.
  int AddAuth();
  int Get(const std::string& path, uint64_t watch, uint64_t number);
  int Exists(const std::string& path, uint64_t watch, uint64_t number);
  int GetChildren(const std::string& path, uint64_t watch, uint64_t number);
  int GetAcl(const std::string& path, uint64_t number);
  int Multi(const std::vector<Op>& ops, uint64_t number);
  // Takes back the watches of Get and Exists for this path. No reply comes.
  void Unwatch(const std::string& path);

  // REQUIRES: OnOpened() came. One at a time: no other until OnWake() came.
  void WakeAt(int64_t at_ns);

  // The owner is called no more, and neither is Post once this has returned.
  void Shut();

  ~Link();

 private:
  struct Call;
  struct FromLibrary;
  Link(const Options& options, Post post, Owner* owner);
  void Run();
  bool OpenHandle();
  void Deliver(std::function<void(Owner&)> what);
  Call* NewCall(uint64_t number);
  int Sent(Call* call, int error);
  // Takes what a completion is about. Null: nobody asked.
  std::unique_ptr<Call> Take(const void* call);

  const Options options_;
  Owner* owner_;                // null once shut; the owner's thread only
  _zhandle* handle_ = nullptr;  // written by the link's thread before OnOpened(), then constant

  std::mutex mutex_;
  std::condition_variable wake_;
  // Under mutex_.
  bool shut_ = false;
  int64_t wake_ns_ = INT64_MAX;
  Post post_;                                                     // empty once shut
  std::unordered_map<const void*, std::unique_ptr<Call>> calls_;  // in the library's hands
};

}  // namespace vineyard::meta::zookeeper
