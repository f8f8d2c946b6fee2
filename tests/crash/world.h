// A daemon of its own with a client, for tests that kill one of them at every point of an operation and
// then look whether anything is lost, leaked or left behind.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/capi/fixture.h"

namespace vineyard::testing {

class World {
 public:
  explicit World(const std::vector<std::string>& arguments = {});
  ~World();

  const std::string& socket() const { return socket_; }
  Vineyardd& daemon() { return daemon_; }
  vineyard_client* client() { return client_; }
  // What the operation made or was given, by any name.
  vineyard_id& id(const std::string& name) { return ids_[name]; }

  // Bytes that must be there, whatever dies: put now, compared by CheckKept().
  vineyard_id Keep(const std::string& bytes);
  void CheckKept();
  // The daemon's books and all bytes, once it has noticed who is dead.
  void CheckAudit();
  // The client lets go of everything.
  void Disconnect();
  // Ends it in order; no process and no memory of it is left. `exit_code`: of the first keeper.
  void CheckEnd(int exit_code = 0);

 private:
  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Vineyardd daemon_;
  vineyard_client* client_ = nullptr;
  std::map<std::string, vineyard_id> ids_;
  std::map<vineyard_id, std::string> kept_;
};

// Sanitizers make everything slow: then every eighth point is looked at, from another one on each day.
int64_t FirstPoint();
int64_t NextPoint(int64_t point);
// They also make ten instructions of one.
int64_t NextInstruction(int64_t point);

}  // namespace vineyard::testing
