// A daemon whom everybody may connect to, a victim and an attacker, and what has to be true whatever the attacker
// did: the daemon never died, its books are in order, and all that strangers had comes back.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/object/ids.h"
#include "tests/support/process.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {

class TwoUsers : public ::testing::Test {
 protected:
  static constexpr uid_t kVictim = 1001, kAttacker = 1002, kThird = 1003;
  static constexpr gid_t kTeam = 2000;
  static constexpr uint64_t kLarge = 256 * 1024;  // goes into a lease

  void SetUp() override;
  void TearDown() override;
  // With --allow-uid=any, a quota of 64 MiB, and these.
  void Begin(const std::vector<std::string>& arguments = {});

  // A connection of this user; `Session`: that has said hello.
  RawClient ConnectAs(uid_t uid, const std::vector<gid_t>& groups = {}) const;
  RawClient Session(uid_t uid, const std::vector<gid_t>& groups = {});
  // Its session looks at, and puts into, what its user shares so.
  uint16_t Share(RawClient* client, wire::Share share, gid_t gid = 0);

  struct Lease {
    ObjectId id = kInvalidId;
    uint32_t segment = 0;
    uint64_t offset = 0;
    Fd writable;
    uint64_t file_size = 0;
  };
  // Of a buffer, in the client's audience; with the descriptor to write it.
  Lease MakeLease(RawClient* client, uint64_t number, uint64_t size = kLarge);
  // Puts what was leased, alone.
  Received PutLease(RawClient* client, ObjectId lease, uint64_t number, uint64_t size = kLarge);
  // A blob of kLarge times `fill`, written as a decent client does.
  ObjectId PutLarge(RawClient* client, char fill, uint64_t* number);
  ObjectId PutSmall(RawClient* client, std::string_view bytes, uint64_t* number);
  Received Segment(RawClient* client, uint32_t number, bool writable = false);
  Received Delete(RawClient* client, ObjectId id, uint64_t number);
  Received Clear(RawClient* client, uint64_t number);

  // What lies in the slot of this object, as seen through the index (files[at] of the client).
  struct Slot {
    uint64_t number = UINT64_MAX, owner = 0, offset = 0;
    uint32_t segment = 0;
  };
  Slot SlotOf(RawClient* client, ObjectId id, size_t at = 0);
  // The bytes of a blob as this client reads them: its slot, its segment, its bytes. Empty: it can not.
  std::string Read(RawClient* client, ObjectId id, size_t size, size_t at = 0);
  // Every cell of the first piece of the pin table that is files[at], as the client may write it.
  void Scribble(RawClient* client, size_t at, uint64_t word, uint64_t first = 0,
                uint64_t count = 8192);
  void GrantFirst(RawClient* client);

  // vineyardd --fsck, as root.
  int Fsck(std::string* text) const;
  // Until the daemon says so, asked again and again.
  static bool WaitForNumber(RawClient* client, std::string_view name, uint64_t value);

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  std::unique_ptr<Vineyardd> daemon_;
  std::unique_ptr<RawClient> root_;
  int fsck_ = 0;  // what it has to say at the end

 private:
  pid_t pid_ = 0;
  uint64_t next_session_ = 0x1000, memory_ = 0;
  size_t descriptors_ = 0;
  std::set<uint64_t> files_;
};

}  // namespace vineyard::testing
