// vineyardd --fsck: what it says of a daemon in order, and of one whose memory somebody wrote into; and
// what a read with verification says.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <vineyard/vineyard.h>

#include <csignal>
#include <string>

#include "core/base/bytes.h"
#include "core/client/client.h"
#include "tests/integration/damage.h"
#include "tests/support/process.h"

namespace vineyard::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FsckTest : public ::testing::Test {
 protected:
  void Start(const std::vector<std::string>& arguments = {}) {
    daemon_ = std::make_unique<Vineyardd>(socket_, arguments);
    ASSERT_TRUE(daemon_->WaitUntilReady());
    ASSERT_EQ(vineyard_client_connect(socket_.c_str(), nullptr, &client_), VINEYARD_OK);
  }
  ~FsckTest() override { vineyard_client_release(client_); }

  vineyard_id Put(const std::string& bytes, int kind = VINEYARD_BLOB_BYTES) {
    vineyard_id id = 0;
    EXPECT_EQ(vineyard_blob_put(client_, bytes.data(), bytes.size(), kind, &id), VINEYARD_OK);
    return id;
  }
  // An object of type `t` with one member.
  vineyard_id PutParent(vineyard_id member) {
    vineyard_meta* meta = nullptr;
    EXPECT_EQ(vineyard_meta_create("t", &meta), VINEYARD_OK);
    EXPECT_EQ(vineyard_meta_add_id(meta, "m", member), VINEYARD_OK);
    vineyard_id id = 0;
    EXPECT_EQ(vineyard_object_put(client_, meta, nullptr, &id), VINEYARD_OK);
    vineyard_meta_release(meta);
    return id;
  }
  void Flip(vineyard_id id, uint64_t offset) {
    vineyard_blob* blob = nullptr;
    ASSERT_EQ(vineyard_blob_get(client_, id, &blob), VINEYARD_OK);
    FlipBit(daemon_->daemon(), static_cast<const char*>(vineyard_blob_stored_data(blob)) + offset);
    vineyard_blob_release(blob);
  }
  std::string IdText(vineyard_id id) {
    char text[VINEYARD_ID_TEXT_SIZE];
    uint64_t size = sizeof text;
    EXPECT_EQ(vineyard_id_print(id, text, &size), VINEYARD_OK);
    return text;
  }

  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  std::unique_ptr<Vineyardd> daemon_;
  vineyard_client* client_ = nullptr;
};

TEST_F(FsckTest, OfADaemonInOrderSaysWhatItLookedAt) {
  Start();
  vineyard_id small = Put("small"), large = Put(std::string(300'000, 'x'));
  vineyard_id huge = Put(std::string(2 << 20, 'y'));
  PutParent(small);
  ASSERT_EQ(vineyard_name_put(client_, "name", large, nullptr, nullptr), VINEYARD_OK);
  ASSERT_EQ(vineyard_label_set(client_, huge, "k", "v"), VINEYARD_OK);
  Fscked fsck = Fsck(socket_);
  EXPECT_EQ(fsck.status, 0) << fsck.text;
  EXPECT_THAT(fsck.text, HasSubstr("1 objects, 3 blobs, 1 names"));
  EXPECT_THAT(fsck.text, HasSubstr("bytes: 5 objects"));
  EXPECT_THAT(fsck.text, HasSubstr("1 with 2.0 MiB have none: see --checksum"));
  EXPECT_THAT(fsck.text, HasSubstr(socket_ + ": in order"));
  uint64_t unchecked = 77;
  EXPECT_EQ(vineyard_object_verify(client_, small, &unchecked), VINEYARD_OK);
  EXPECT_EQ(unchecked, 0u);
  EXPECT_EQ(vineyard_object_verify(client_, huge, &unchecked), VINEYARD_OK);
  EXPECT_EQ(unchecked, uint64_t{2} << 20);
}

TEST_F(FsckTest, NamesEveryPayloadThatIsNotWhatWasPut) {
  Start({"--checksum", "all"});
  vineyard_id in_message = Put("in the message"), leased = Put(std::string(300'000, 'x')),
              huge = Put(std::string(3 << 20, 'y'), VINEYARD_BLOB_BUFFER), good = Put("good");
  vineyard_id parent = PutParent(leased);
  EXPECT_EQ(vineyard_object_verify(client_, parent, nullptr), VINEYARD_OK);
  Flip(in_message, 20);
  Flip(leased, 250'000);
  Flip(huge, (3 << 20) - 1);
  Fscked fsck = Fsck(socket_);
  EXPECT_EQ(fsck.status, 1) << fsck.text;
  for (vineyard_id id : {in_message, leased, huge}) {
    EXPECT_THAT(fsck.text, HasSubstr("problem: blob " + IdText(id) + ": "));
  }
  EXPECT_THAT(fsck.text, HasSubstr("3 problems"));
  EXPECT_THAT(fsck.text, Not(HasSubstr(IdText(good))));
  EXPECT_EQ(vineyard_object_verify(client_, good, nullptr), VINEYARD_OK);
  // Also below another object.
  for (vineyard_id id : {in_message, huge, leased, parent}) {
    EXPECT_EQ(vineyard_object_verify(client_, id, nullptr), VINEYARD_E_CORRUPT);
    EXPECT_THAT(std::string(vineyard_error_text()),
                HasSubstr("blob " + IdText(id == parent ? leased : id) + ": "));
  }
}

TEST_F(FsckTest, LooksAtTheBytesAroundAValueToo) {
  Start();
  vineyard_id id = Put("value");
  Flip(id, 0);
  EXPECT_EQ(Fsck(socket_).status, 1);
  EXPECT_EQ(vineyard_object_verify(client_, id, nullptr), VINEYARD_E_CORRUPT);
  EXPECT_THAT(std::string(vineyard_error_text()), HasSubstr("the bytes around its value"));
}

// Small values are copied by the daemon, large ones written by the client: neither makes a checksum.
TEST_F(FsckTest, WithoutChecksumsFindsNothingInPayloads) {
  Start({"--checksum", "none"});
  vineyard_id small = Put("small"), large = Put(std::string(300'000, 'x'));
  Flip(small, 20);
  Flip(large, 200'000);
  Fscked fsck = Fsck(socket_);
  EXPECT_EQ(fsck.status, 0) << fsck.text;
  EXPECT_THAT(fsck.text, HasSubstr("2 with"));
}

TEST_F(FsckTest, OfADaemonThatTookOverIsTheSame) {
  Start();
  vineyard_id bad = Put(std::string(100'000, 'x'));
  PutParent(bad);
  ASSERT_EQ(kill(daemon_->daemon(), SIGKILL), 0);
  ASSERT_TRUE(daemon_->WaitUntilReady());
  EXPECT_EQ(Fsck(socket_).status, 0);
  Flip(bad, 99);
  EXPECT_EQ(Fsck(socket_).status, 1);
}

// Regression: who links to what is gone was in order.
TEST_F(FsckTest, ARecordThatIsDamagedIsQuarantinedAndMissedByItsParents) {
  Start();
  vineyard_id child = PutParent(Put("leaf")), parent = PutParent(child);
  client::ConnectOptions options;
  options.path = socket_;
  auto reader = client::Client::Connect(options);
  ASSERT_TRUE(reader.ok());
  auto view = (*reader)->GetView(child);
  ASSERT_TRUE(view.ok());
  FlipBit(daemon_->daemon(), (*view)->data + 8);
  client::ReleaseView(*view);
  (*reader)->Release();
  EXPECT_EQ(vineyard_object_verify(client_, parent, nullptr), VINEYARD_E_CORRUPT);

  ASSERT_EQ(kill(daemon_->daemon(), SIGKILL), 0);
  ASSERT_TRUE(daemon_->WaitUntilReady());
  EXPECT_THAT(daemon_->log(), HasSubstr("(object " + IdText(child) +
                                        ") is quarantined: its record does not have its checksum"));
  int32_t exists = 1;
  EXPECT_EQ(vineyard_object_exists(client_, child, &exists), VINEYARD_OK);
  EXPECT_EQ(exists, 0);
  EXPECT_EQ(vineyard_object_verify(client_, parent, nullptr), VINEYARD_E_CORRUPT);
  std::string missing = "its member " + IdText(child) + " is not there";
  EXPECT_THAT(std::string(vineyard_error_text()), HasSubstr(missing));
  Fscked fsck = Fsck(socket_);
  EXPECT_EQ(fsck.status, 1);
  EXPECT_THAT(fsck.text, HasSubstr("problem: quarantine: 1 slots"));
  EXPECT_THAT(fsck.text, HasSubstr(missing));
}

// Regression: a record of no kind was looked for until the time-out, "it changes faster than it can be pinned";
// one of another thing's kind was not found.
TEST_F(FsckTest, AnObjectWhoseKindIsDamagedIsDamagedWhoeverAsks) {
  Start();
  constexpr char kBits[] = {4, 1};
  for (char bits : kBits) {  // to none, and to that of a name
    vineyard_id child = PutParent(Put("leaf")), parent = PutParent(child);
    client::ConnectOptions options;
    options.path = socket_;
    auto reader = client::Client::Connect(options);
    ASSERT_TRUE(reader.ok());
    auto view = (*reader)->GetView(child);
    ASSERT_TRUE(view.ok());
    const auto& fields = (*view)->session->slot((*view)->slot).fields;
    ASSERT_EQ(fields[3].load() >> 48 & 0xff, static_cast<uint64_t>(shm::SlotKind::kObject));
    FlipBit(daemon_->daemon(), reinterpret_cast<const char*>(&fields[3]) + 6, bits);
    client::ReleaseView(*view);
    (*reader)->Release();
    for (vineyard_id id : {child, parent}) {
      EXPECT_EQ(vineyard_object_verify(client_, id, nullptr), VINEYARD_E_CORRUPT);
      EXPECT_THAT(std::string(vineyard_error_text()),
                  HasSubstr("object " + IdText(child) + ": its slot is damaged"));
    }
    vineyard_object* object = nullptr;
    EXPECT_EQ(vineyard_object_get(client_, child, &object), VINEYARD_E_CORRUPT);
    EXPECT_EQ(Fsck(socket_).status, 1);
  }
}

TEST_F(FsckTest, WithoutADaemonSaysThatItChecksNothing) {
  Fscked fsck = Fsck(folder_ / "nobody.sock");
  EXPECT_EQ(fsck.status, 2);
  EXPECT_THAT(fsck.text, HasSubstr("vineyardd --fsck: connect " + (folder_ / "nobody.sock")));
}

}  // namespace
}  // namespace vineyard::testing
