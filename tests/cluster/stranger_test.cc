// A user that is not the daemon's, where the daemon is a member of a cluster and shares its own store: what lies there
// it reads, and of the cluster it learns nothing.
#include <sys/stat.h>

#include "tests/cluster/fixture.h"
#include "tests/support/raw_client.h"

namespace vineyard::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using wire::MessageType;

class Stranger : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(chmod(folder_.path().c_str(), 0777), 0);
    std::string meta = "zookeeper://" + server_.address() + "/test";
    there_ = std::make_unique<Member>(folder_ / "there", meta);
    Vineyardd::Bare bare;
    bare.arguments = {"--socket=" + socket_, "--size=64Mi", "--meta=" + meta,
                      "--allow-uid=any",     "--share=all", "--log-level=debug"};
    here_ = std::make_unique<Vineyardd>(bare);
    ASSERT_TRUE(here_->WaitUntilReady()) << here_->log();
    root_ = ConnectTo(socket_);
    AsUser(kStranger, [&] {
      stranger_ = std::make_unique<RawClient>(socket_);
      ASSERT_TRUE(stranger_->Hello(1).ok());
    });
  }
  ~Stranger() override { vineyard_client_release(root_); }

  std::string TextOf(RawClient* client, const std::string& wanted) {
    auto answer = client->CallRaw(MessageType::kStatus).As<wire::StatusAnswer>();
    EXPECT_TRUE(answer.ok()) << answer.status().ToString();
    if (!answer.ok()) return "";
    for (const auto& [name, text] : answer->texts) {
      if (name == wanted) return text;
    }
    return "";
  }

  std::string cursor_;
  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  ZooKeeperServer server_;
  std::unique_ptr<Member> there_;
  std::unique_ptr<Vineyardd> here_;
  vineyard_client* root_ = nullptr;
  std::unique_ptr<RawClient> stranger_;
};

TEST_F(Stranger, ReadsWhatTheDaemonsUserSharesAndLearnsNothingOfItsCluster) {
  vineyard_id local = Put(root_, "shared");
  vineyard_id remote = Persisted(there_->client, "of another instance");
  ASSERT_OK(vineyard_name_put(there_->client, "remote", remote, nullptr, nullptr));
  Sync(root_);
  int32_t exists = 0;
  ASSERT_OK(vineyard_object_exists(root_, remote, &exists));
  ASSERT_EQ(exists, 1) << "its daemon knows";

  EXPECT_EQ(stranger_->Find(local).status().code(), Code::kOk);
  EXPECT_EQ(stranger_->Find(remote).status().code(), Code::kNotFound);
  EXPECT_EQ(stranger_->FindName("remote").status().code(), Code::kNotFound);
  wire::List list;
  list.type_glob = "*";
  list.limit = 100;
  for (;;) {  // page by page, through what it may read
    std::string body;
    list.Encode(&body);
    auto page = stranger_->CallRaw(MessageType::kList, body).As<wire::ListAnswer>();
    ASSERT_TRUE(page.ok()) << page.status().ToString();
    EXPECT_THAT(page->ids, Not(Contains(remote)));
    if (page->cursor.empty()) break;
    cursor_ = page->cursor;
    list.after = cursor_;
  }
  EXPECT_THAT(TextOf(stranger_.get(), "meta"), Not(HasSubstr("127.0.0.1")));
  EXPECT_EQ(stranger_->Number("cluster_instances"), 1u) << "its own";
  EXPECT_EQ(stranger_->Number("cluster_trees"), 0u);
  EXPECT_EQ(stranger_->Number("cluster_names"), 0u);
  auto instances = stranger_->CallRaw(MessageType::kInstances).As<wire::InstancesAnswer>();
  ASSERT_TRUE(instances.ok());
  EXPECT_EQ(instances->instances.size(), 1u);

  // Nor by the number of the store that is shared.
  wire::Attach attach;
  attach.audience = 1;
  ASSERT_TRUE(stranger_->Attach(attach).ok());
  stranger_->audience = 1;
  EXPECT_EQ(stranger_->Find(local).status().code(), Code::kOk);
  EXPECT_EQ(stranger_->Find(remote).status().code(), Code::kNotFound);
  EXPECT_EQ(stranger_->FindName("remote").status().code(), Code::kNotFound);
  EXPECT_THAT(TextOf(stranger_.get(), "meta"), Not(HasSubstr("127.0.0.1")));
  EXPECT_EQ(stranger_->CallRaw(MessageType::kInstances).status().code(), Code::kPermission);
  EXPECT_EQ(stranger_->Call(MessageType::kSync, wire::Sync{}).status().code(), Code::kPermission);
  wire::Watch watch;
  watch.limit = 10;
  EXPECT_EQ(stranger_->Call(MessageType::kWatch, watch).status().code(), Code::kPermission);
}

}  // namespace
}  // namespace vineyard::testing
