// Several users of one daemon, each a process of its own, for tests that run as root.
#pragma once

#include <grp.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vineyard/vineyard.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "tests/support/child.h"
#include "tests/support/process.h"

namespace vineyard::testing {

constexpr uid_t kAnn = 1001, kBob = 1002;
constexpr gid_t kTeam = 2000, kOthers = 2001;

inline bool Become(uid_t uid, const std::vector<gid_t>& groups) {
  return setgroups(groups.size(), groups.data()) == 0 && setgid(uid) == 0 && setuid(uid) == 0;
}

// What a user says to the daemon. Nothing of gtest: it is used in children.
class User {
 public:
  explicit User(const std::string& socket, int32_t share = VINEYARD_SHARE_DEFAULT) {
    vineyard_connect_options options = VINEYARD_CONNECT_OPTIONS_INIT;
    options.timeout_ms = 20'000;
    options.share = share;
    status = vineyard_client_connect(socket.c_str(), &options, &client);
    if (status != VINEYARD_OK) std::fprintf(stderr, "connect: %s\n", vineyard_error_text());
  }
  ~User() { vineyard_client_release(client); }
  User(const User&) = delete;
  User& operator=(const User&) = delete;

  static std::string BytesOf(uint64_t size, char seed) {
    std::string bytes(size, '\0');
    for (uint64_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(seed + i % 61);
    return bytes;
  }
  // An object with one member. 0: `status` says why not.
  vineyard_id Put(const std::string& bytes, int32_t share = VINEYARD_SHARE_DEFAULT,
                  const char* name = nullptr, gid_t gid = 0, vineyard_id member = 0) {
    vineyard_meta* meta = nullptr;
    vineyard_meta_create("example::Bytes", &meta);
    vineyard_meta_add_bytes(meta, "bytes", bytes.data(), bytes.size(), VINEYARD_BLOB_BUFFER);
    if (member != 0) vineyard_meta_add_id(meta, "member", member);
    vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
    options.share = share;
    options.gid = gid;
    options.name = name;
    vineyard_id id = 0;
    status = vineyard_object_put(client, meta, &options, &id);
    vineyard_meta_release(meta);
    return status == VINEYARD_OK ? id : 0;
  }
  vineyard_object* Get(vineyard_id id) {
    vineyard_object* object = nullptr;
    status = vineyard_object_get(client, id, &object);
    return object;
  }
  bool Reads(vineyard_id id, const std::string& bytes) {
    vineyard_object* object = Get(id);
    bool same = Holds(object, bytes);
    vineyard_object_release(object);
    return same;
  }
  static bool Holds(vineyard_object* object, const std::string& bytes) {
    vineyard_blob* blob = nullptr;
    if (object == nullptr || vineyard_object_member_blob(object, "bytes", &blob) != VINEYARD_OK) {
      std::fprintf(stderr, "child: %s\n", vineyard_error_text());
      return false;
    }
    bool same = vineyard_blob_length(blob) == bytes.size() &&
                std::memcmp(vineyard_blob_data(blob), bytes.data(), bytes.size()) == 0;
    vineyard_blob_release(blob);
    return same;
  }
  int32_t GetName(const char* name, vineyard_id* id) {
    return status = vineyard_name_get(client, name, 0, id, nullptr);
  }
  int32_t Delete(vineyard_id id) {
    return status = vineyard_object_delete(client, &id, 1, nullptr);
  }
  std::vector<vineyard_id> List() {
    std::vector<vineyard_id> ids;
    vineyard_list* list = nullptr;
    vineyard_id id = 0;
    if (vineyard_list_open(client, "example::*", 0, &list) != VINEYARD_OK) return ids;
    while (vineyard_list_next(list, &id) == VINEYARD_OK && id != VINEYARD_ID_INVALID) {
      ids.push_back(id);
    }
    vineyard_list_release(list);
    return ids;
  }

  vineyard_client* client = nullptr;
  int32_t status = VINEYARD_OK;
};

class Audiences : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    ASSERT_EQ(chmod(folder_.path().c_str(), 0777), 0);
  }
  Vineyardd::Bare With(std::vector<std::string> more) {
    Vineyardd::Bare bare{Vineyardd::Defaults(socket_)};
    for (std::string& argument : more) bare.arguments.push_back(std::move(argument));
    return bare;
  }
  // Shared with the children, which are forked before anything is put.
  struct Board {
    std::atomic<uint64_t> ids[8];
  };
  TempFolder folder_;
  std::string socket_ = folder_ / "v.sock";
  Board* board_ = static_cast<Board*>(
      mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
};

// One word to go on, one when done; the exit code says which step failed.
using Step = std::function<bool()>;
inline int Walk(Talk& talk, const std::vector<Step>& steps) {
  for (size_t i = 0; i < steps.size(); ++i) {
    if (talk.Hear() != 'g') return 100;
    if (!steps[i]()) {
      std::fprintf(stderr, "child: step %zu failed, last error: %s\n", i, vineyard_error_text());
      return static_cast<int>(i) + 1;
    }
    talk.Say('d');
  }
  return 0;
}
inline bool Go(Child* child) {
  child->Say('g');
  return child->Hear() == 'd';
}

}  // namespace vineyard::testing
