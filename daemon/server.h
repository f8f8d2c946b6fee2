// This file is the only place that knows all connections: it accepts them, greets sessions, hands
// their frames to the handler, keeps the timers, and ends in order.
//
// Invariants:
//  1. A session has at most one connection; a newer one replaces it.
//  2. Every accepted frame is answered once, or its connection is closed.
//  3. After Stop() nothing new is begun, and what run() of the loop waits for ends within seconds.
// Thread-confined to the daemon's loop.
#pragma once

#include <functional>
#include <memory>
#include <unordered_map>

#include "core/meta/local.h"
#include "core/store/store.h"
#include "core/wire/messages.h"
#include "daemon/asio.h"
#include "daemon/audiences.h"
#include "daemon/descriptor_store.h"
#include "daemon/options.h"
#include "daemon/session.h"
#include "daemon/waiters.h"

namespace vineyard::daemon {

class Server : public Session::Owner {
 public:
  // `store`: of the daemon's own audience; `budget`: of all.
  Server(asio::io_context* loop, store::Store* store, meta::Service* service, shm::StateFile* state,
         store::Budget* budget, DescriptorStore* descriptor_store, const Options* options);
  ~Server() override;

  // Called when another program is to take over: between two turns, and its descriptor is listed.
  std::function<void()> on_upgrade;

  // Accepts on this descriptor, which stays open when the server ends.
  void Start(int listener);
  // The metadata service serves: the cluster of before, or another.
  void OnServing(bool is_new_cluster);
  // Answers what is in flight, closes everything, and lets run() return. May be called twice.
  void Stop();
  // Behind run(): readers find nothing any more, and no file stays. Waits for the threads that work for it.
  void EndStores();

 private:
  struct Connection {
    std::shared_ptr<Session> session;
    Status refusal;  // not ok: what its first frame is answered
    store::SessionInfo info;
    Audience* audience = nullptr;      // of the session
    std::vector<Audience*> holding{};  // that hold something for it
    bool is_counted = false;           // in of_stranger_
  };

  void Accept();
  void AcceptSome();
  void Open(Fd socket);

  void OnFrame(Session& session, const wire::FrameHeader& header, std::string_view body) override;
  void OnClosed(Session& session) override;
  void ForgetStranger(const Peer& peer);
  Audience::Hooks HooksOfAudience();
  void OnHello(Session& session, const wire::FrameHeader& header, std::string_view body);
  Status Greet(Session& session, const wire::Hello& hello, wire::Welcome* welcome,
               std::vector<Fd>* descriptors);
  void OnAttach(Session& session, const wire::FrameHeader& header, std::string_view body);
  Status Attach(Connection& connection, const Peer& peer, std::string_view body,
                wire::AttachAnswer* answer, std::vector<Fd>* descriptors);
  Status OpenSession(Audience& audience, const store::SessionInfo& info,
                     std::vector<Fd>* descriptors);
  // Not null: it has to wait for growth there.
  Audience* Serve(const std::shared_ptr<Session>& session, const wire::FrameHeader& header,
                  std::string_view body, int64_t deadline_ns, bool synced);
  void ServeOrGrow(const std::shared_ptr<Session>& session, const wire::FrameHeader& header,
                   std::string_view body, int64_t deadline_ns, bool synced);
  void Answer(const std::shared_ptr<Session>& session, const wire::FrameHeader& header,
              Reply reply);
  void AskLog(const std::shared_ptr<Session>& session, const wire::FrameHeader& header,
              meta::Service& service, const wire::Sync& sync, int64_t deadline_ns);
  void OnUpgrade(Session& session, const wire::FrameHeader& header, std::string_view body);
  Result<wire::UpgradeAnswer> Upgrade(const Peer& peer, std::string_view body);
  void OnEvent(Audience& audience, const meta::Event& event);
  wire::StatusAnswer DescribeDaemon(const Session& session) const;

  // ---- routing.cc ----
  // Whose store a request is of. kPermission, kNotFound.
  Result<Audience*> Route(const Session& session, const wire::FrameHeader& header);
  // `audience`: where it was answered, or has to grow.
  Reply Handle(const std::shared_ptr<Session>& session, const Inquiry& inquiry,
               Audience** audience);
  Reply List(const Session& session, const Inquiry& inquiry, Audience** audience);
  Reply ListAudiences(const Session& session) const;
  Reply Trim(const Session& session);
  Reply Audit();
  bool AnswerWait(const Wait& wait);
  // This user may read that store, and not the cluster behind it.
  bool IsWithoutCluster(const Audience& audience, const Peer& peer) const;
  Lookup* LookupOf(Audience* audience, const Peer& peer);
  Handler* HandlerOf(Audience* audience, const Peer& peer);

  void Tick();
  void ScheduleTick();
  void Drain();

  meta::Service* const service_;
  shm::StateFile* const state_;
  DescriptorStore* const descriptor_store_;
  const Options* const options_;
  asio::io_context* const loop_;
  asio::posix::stream_descriptor listener_;
  asio::steady_timer ticker_;
  Waiters waiters_;
  Audiences audiences_;
  Audience* const own_;
  // The daemon's own store as other users see it, when it is shared.
  meta::LocalService no_cluster_;
  Lookup shared_lookup_;
  Handler shared_handler_;

  std::unordered_map<Session*, Connection> connections_;
  std::unordered_map<uint64_t, Session*> by_id_;
  const int64_t started_ns_;
  int64_t stop_ns_ = 0;  // deadline of the drain; 0: not stopping
  bool service_stopped_ = false, wake_posted_ = false;
  bool accepting_ = false;
  int descriptor_limit_ = 0;
  int64_t looked_ns_ = 0;
  std::unordered_map<uint32_t, size_t> of_stranger_;  // connections that are served, by uid
};

}  // namespace vineyard::daemon
