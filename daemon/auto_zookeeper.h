// This file is the only place that knows how the daemons of a user on one machine share a ZooKeeper
// server, which the first of them starts and the last one ends.
//
// They meet in a folder:
//   lock      flock, exclusive: of who starts, joins, leaves or looks. It comes before all others
//   users     flock, shared: of every keeper as long as it or its daemon lives
//   server    flock, exclusive: of the server, which inherits it
//   endpoint  where the server is and what it was started with; written once it serves
//   auth      user:secret, for the owner only: all that is created there is for who knows it
//   data, zoo.cfg, log: the server's
//
// 1. `users` is touched only by who holds `lock`, always by a new descriptor (a refused upgrade of
//    a shared flock loses it), and before the port is looked at.
// 2. Nobody starts a server, or empties its data, while `server` is held: two servers on one folder
//    lose data.
// 3. Data is emptied only when nobody has `users`: it tells of memory that is gone.
// 4. Everything but the folder, if it was named, is removed when nobody has `users`.
//
// Nothing here needs a thread. Every wait has a deadline.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>

#include "core/base/clock.h"
#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/meta/zookeeper/probe.h"
#include "daemon/meta_options.h"
#include "daemon/zookeeper_program.h"

namespace vineyard::daemon {

class AutoZookeeper {
 public:
  // Waits for so many milliseconds or less; 0: only looks. False: give up.
  using Pause = std::function<bool(int64_t pause_ms)>;

  // REQUIRES, of what is called: options.kind == MetaKind::kAuto.
  AutoZookeeper(const MetaOptions& options, Pause pause);

  struct Place {
    Fd users;          // to be held for as long as this user lives; invalid: the server is foreign
    std::string auth;  // of the server; empty: it has none
  };
  // Finds the server that serves at the port, or starts one. A server that no daemon of this user
  // has started is used as it is. kPermission: "cluster of uid N", who lets nobody else in.
  // `timeout_ms`: for this user's own turn. Before it others may have theirs, which is waited for as well.
  Result<Place> Join(int64_t timeout_ms);

  // For one who has joined: starts the server again, on the same data, if it is dead. False: it
  // runs, or is being started.
  Result<bool> Revive(const std::string& auth, int64_t timeout_ms);

  // The last one ends the server and removes what lies in the folder.
  // REQUIRES: the descriptor of `users` is closed.
  Status Leave(const Deadline& deadline);

 private:
  std::string LockPath() const { return files_.folder + "/lock"; }
  std::string UsersPath() const { return files_.folder + "/users"; }
  std::string ServerPath() const { return files_.folder + "/server"; }
  std::string EndpointPath() const { return files_.folder + "/endpoint"; }
  std::string AuthPath() const { return files_.folder + "/auth"; }

  // How long another user's turn may last, with all that it ends.
  static Deadline TurnOfAnother(int64_t timeout_ms);
  // kNotFound: there is no folder, and `make` is false.
  Result<Fd> TakeLock(bool make, const Deadline& deadline);
  Result<Fd> OpenUsers();
  Result<Place> JoinAlone(Fd users, const Deadline& deadline);
  Result<Place> JoinOthers(Fd users, const Deadline& deadline);
  // Whether a server that anybody may use answers at the port.
  Result<bool> IsForeign(const Deadline& deadline);
  Place UseForeign();

  // On an empty folder: `fresh`.
  Status Start(bool fresh, const std::string& auth, const Deadline& deadline);
  Status AwaitSession(bool fresh, const std::string& auth, const Deadline& deadline);
  Status TakePrefix(meta::zookeeper::Probe* probe, bool fresh, const Deadline& deadline);
  // Whether the server's process lives.
  bool IsHeld() const;
  // Ends it and waits for its end.
  Status End(const Deadline& deadline);
  void Remove();

  Status WriteEndpoint();
  Status CheckEndpoint();
  Status Refused() const;
  std::string Where() const { return "ZooKeeper at " + options_.servers; }

  const MetaOptions options_;
  const Pause pause_;
  ServerFiles files_;
  pid_t child_ = 0;  // a server that was started here, and whose death has to be noticed
};

}  // namespace vineyard::daemon
