// This file is the only place that tells the service manager how the store is: systemd, or who else listens
// at NOTIFY_SOCKET as sd_notify(3) describes.
//
// Every process of the store speaks for itself, so the unit says NotifyAccess=all:
//   the daemon   READY=1 and MAINPID= once it serves; STOPPING=1 when it stops; MAINPID= of itself when
//                its keeper has died
//   the keeper   STATUS= when a daemon has died or none can start
//   both         FDSTORE= and FDSTOREREMOVE=, see daemon/descriptor_store.h
#pragma once

#include <sys/types.h>

#include <string>

namespace vineyard::daemon {

struct Options;

class Notifier {
 public:
  // Silent without NOTIFY_SOCKET, and for the private daemon of another program (--lifeline): there
  // it is that program which the service manager has started.
  explicit Notifier(const Options& options);

  void Ready(pid_t main, const std::string& status) const;
  void MainIs(pid_t main, const std::string& status) const;
  void Status(const std::string& status) const;
  void Stopping() const;

  bool is_silent() const { return socket_.empty(); }
  // Lines, and a descriptor that goes with them (-1: none). Returns 0 or an errno: EAGAIN when the service
  // manager does not take it at once.
  int Send(const std::string& text, int fd = -1) const;

 private:
  std::string socket_;  // empty: nobody asked
};

}  // namespace vineyard::daemon
