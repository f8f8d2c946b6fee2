// What is there is got without a system call: the kernel kills who makes one.
#include "tests/capi/fixture.h"
#include "tests/support/child.h"
#include "tests/support/no_system_calls.h"

namespace vineyard::testing {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kInstrumented = true;  // their runtimes make system calls of their own
#else
constexpr bool kInstrumented = false;
#endif

class HotPath : public WithClient {
 protected:
  void SetUp() override {
    if (kInstrumented) GTEST_SKIP() << "the sanitizer makes system calls";
  }
};

TEST_F(HotPath, GetsOfBlobsObjectsAndMembersMakeNoSystemCall) {
  vineyard_id blob_id = Put(client_, std::string(300000, 'x'));
  vineyard_id small_id = Put(client_, "small", VINEYARD_BLOB_BYTES);
  vineyard_id root = PutObject(client_, "test::Root", {{"large", blob_id}, {"small", small_id}});
  Child child([&](Talk&) {
    vineyard_client* client = nullptr;
    CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &client) == VINEYARD_OK);
    auto get = [&] {
      bool good = true;
      for (vineyard_id id : {blob_id, small_id}) {
        vineyard_blob* blob = nullptr;
        good = good && vineyard_blob_get(client, id, &blob) == VINEYARD_OK &&
               static_cast<const char*>(vineyard_blob_data(blob))[4] != 0;
        vineyard_blob_release(blob);
      }
      vineyard_object* object = nullptr;
      vineyard_blob* member = nullptr;
      good = good && vineyard_object_get(client, root, &object) == VINEYARD_OK &&
             vineyard_object_member_blob(object, "large", &member) == VINEYARD_OK &&
             vineyard_blob_length(member) == 300000;
      vineyard_object_release(object);
      vineyard_blob_release(member);
      return good;
    };
    for (int i = 0; i < 100; ++i) CHILD_CHECK(get());
    if (!ForbidSystemCalls()) return 77;
    bool good = true;
    for (int i = 0; i < 1000; ++i) good = good && get();
    syscall(SYS_exit_group, good ? 0 : 1);
    return 1;
  });
  int code = child.Wait();
  if (code == 77) GTEST_SKIP() << "the kernel lets nobody forbid system calls here";
  EXPECT_EQ(code, 0) << "-31 is SIGSYS: a get made a system call";
}

// That the filter kills: otherwise the test above could not fail.
TEST_F(HotPath, APutWouldDieOfItsSystemCall) {
  Child child([&](Talk&) {
    vineyard_client* client = nullptr;
    CHILD_CHECK(vineyard_client_connect(socket_.c_str(), nullptr, &client) == VINEYARD_OK);
    if (!ForbidSystemCalls()) return 77;
    vineyard_id id = 0;
    vineyard_blob_put(client, "x", 1, VINEYARD_BLOB_BUFFER, &id);
    syscall(SYS_exit_group, 0);
    return 1;
  });
  int code = child.Wait();
  if (code == 77) GTEST_SKIP() << "the kernel lets nobody forbid system calls here";
  EXPECT_EQ(code, -SIGSYS);
}

}  // namespace
}  // namespace vineyard::testing
