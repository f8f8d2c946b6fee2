// This file is the only place that answers every request to ZooKeeper exactly once: from its own
// table, because the C client forgets what is under way when it is closed.
//
// A Connection is one session, from the first attempt to connect until it is expired or closed.
// It belongs to one thread, that of Post: everything is called, and calls back, there.
//
// 1. Every request is answered once, never before the call that made it returned: by the server,
//    at its deadline, when the link or the session is lost, or by Close() within that call.
// 2. What is asked while there is no link waits for one, in order; it is then sent, or its deadline
//    passes: unavailable, never sent, nothing done.
// 3. A write that was sent and has no answer is `unknown`. A read has another code, kTimeout or
//    kUnavailable. What comes behind a deadline is dropped.
// 4. A watch is called at most once, behind the answer to the request that set it, and only if that
//    was ok (of Exists: not found). A link that is lost and found again keeps its watches; the
//    end of the session calls them with kLost.
// 5. Nothing is sent behind the end of a session: who wants to go on makes a new Connection.
//
// A callback may call anything here, also Close() and the destructor.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/result.h"
#include "core/meta/zookeeper/link.h"
#include "core/meta/zookeeper/types.h"

namespace vineyard::meta::zookeeper {

class Connection final : private Link::Owner {
 public:
  using OnState = std::function<void(State)>;
  using OnEvent = std::function<void(WatchEvent)>;
  using OnNode = std::function<void(Result<Node>)>;
  using OnStat = std::function<void(Result<Stat>)>;
  using OnChildren = std::function<void(Result<Children>)>;
  using OnOpen = std::function<void(Result<bool>)>;
  using OnMulti = std::function<void(MultiResult)>;

  // Returns at once, in kConnecting. `on_state` is called after each change but Close().
  static Result<std::unique_ptr<Connection>> Open(const Options& options, Post post,
                                                  OnState on_state);
  // Close(), so that it calls back. What is asked by those callbacks is answered by Post.
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Ends the session: its ephemeral nodes go at once if the server can be reached, else with the
  // session's time-out. Answers all requests and calls all watches with kLost, then returns; a
  // thread does the rest, which takes up to 5 s.
  void Close();
  // Waits until the threads of all closed connections are done: for the end of a daemon. False: the
  // deadline passed.
  static bool JoinClosed(const Deadline& deadline) { return Link::JoinShut(deadline); }
  static std::unique_lock<std::mutex> HoldThreads() { return Link::HoldThreads(); }

  // Deadlines are noticed here, and a link that is idle is tried: call it every 100 ms or so.
  void Tick(int64_t now_ns);

  void Get(const std::string& path, const Deadline& deadline, OnNode done, OnEvent watch = {});
  // Not found: kNotFound, and the watch waits for its creation. Found: the watch is given up, at the server, too.
  void Exists(const std::string& path, const Deadline& deadline, OnStat done, OnEvent watch = {});
  void GetChildren(const std::string& path, const Deadline& deadline, OnChildren done,
                   OnEvent watch = {});
  // Whether anyone may change it or make and remove its children, by the access list that it has.
  void IsOpen(const std::string& path, const Deadline& deadline, OnOpen done);
  void Multi(std::vector<Op> ops, const Deadline& deadline, OnMulti done);

  // REQUIRES: it was connected once. Calls back that much later, those of several together with the
  // first; never, if it ends before.
  void After(int64_t ns, std::function<void()> what);

  State state() const { return state_; }
  bool has_digest_auth() const { return !options_.digest_auth.empty(); }
  // 0 until there was a session. Ephemeral nodes carry it as ephemeral_owner.
  int64_t session_id() const { return session_id_; }
  // What the server agreed to; what was asked for until then.
  uint32_t session_timeout_ms() const { return session_timeout_ms_; }
  // When the newest of the requests was made that the server has answered (CLOCK_MONOTONIC; 0:
  // none). No server ends the session before link_good_ns() + session_timeout_ms(): who must not
  // act without it stops by then, whatever state() says.
  int64_t link_good_ns() const { return link_good_ns_; }

 private:
  // Calls back one request with what became of it.
  using Answer = std::function<void(Status status, Reply reply)>;
  // Hands a request to the link.
  using Send = std::function<int(Link& link, uint64_t number)>;

  struct Pending {
    std::string what;
    bool write = false;
    int64_t deadline_ns = INT64_MAX;
    Send send;  // empty once sent
    int64_t sent_ns = 0;
    uint64_t watch = 0;
    std::string awaited = {};  // the node whose creation its watch waits for
    Status refused = {};       // not ok: never sent, and about to be answered with it
    Answer answer;
  };

  Connection(const Options& options, Post post, OnState on_state);

  // Link::Owner
  void OnOpened() override;
  void OnSession(Event event, Session session) override;
  void OnReply(uint64_t number, Reply reply) override;
  void OnWatch(uint64_t watch, WatchEvent event) override;
  void OnWake() override;

  // Puts it into the table and sends it if there is a link. `refused`: not ok, do not send it.
  void Ask(Status refused, Pending pending);
  using Read = int (Link::*)(const std::string& path, uint64_t watch, uint64_t number);
  void AskAbout(const char* verb, Read read, const std::string& path, const Deadline& deadline,
                OnEvent watch, Answer answer);
  void Dispatch(uint64_t number, Pending* pending);
  void RefuseLater(uint64_t number);
  void Connected();
  void Heartbeat();
  // `this` may be gone when it returns, as behind every callback.
  void TellState();
  // Takes it out of the table; what it returns calls back, and needs nothing of `this`.
  std::function<void()> Settle(std::map<uint64_t, Pending>::iterator pending, Reply reply);
  // The last thing of a session: answers everything, calls all watches.
  void End(State state, int error);

  const Options options_;
  const Post post_;
  OnState on_state_;
  std::shared_ptr<Link> link_;
  // Gone with the connection: who calls back and goes on looks at it.
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);

  State state_ = State::kConnecting;
  bool opened_ = false;         // the link has a handle
  bool link_up_ = false;        // by the last word of the library
  bool authenticated_ = false;  // or has nothing to say
  int64_t session_id_ = 0;
  uint32_t session_timeout_ms_;
  int64_t link_good_ns_ = 0;
  int64_t last_sent_ns_ = 0;
  bool heartbeat_ = false;  // one is under way

  uint64_t next_number_ = 1;
  std::map<uint64_t, Pending> pending_;  // in the order in which they were made
  std::map<uint64_t, OnEvent> watches_;
  std::vector<std::function<void()>> wakes_;  // what After() was told
};

}  // namespace vineyard::meta::zookeeper
