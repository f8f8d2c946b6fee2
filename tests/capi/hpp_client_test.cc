// vineyard::Client: its life, objects, names, labels and lists.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <map>
#include <ranges>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/capi/hpp_fixture.h"

namespace vineyard_hpp {
namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<vineyard::Client>);
static_assert(std::is_nothrow_move_constructible_v<vineyard::Client>);
static_assert(std::is_nothrow_move_assignable_v<vineyard::Client>);
static_assert(sizeof(vineyard::Client) == sizeof(void*), "a handle costs nothing");
static_assert(std::ranges::input_range<vineyard::ObjectList>);
static_assert(std::ranges::input_range<vineyard::NameList>);
static_assert(std::ranges::input_range<vineyard::LabelList>);

class HppClient : public WithClient {};

TEST_F(HppClient, ConnectsAndSaysWhereTo) {
  EXPECT_TRUE(client_.is_connected());
  EXPECT_EQ(client_.socket(), socket_);
  EXPECT_NE(client_.instance(), 0u);
  vineyard::ConnectOptions options;
  options.name = "somebody";
  options.timeout = 5s;
  EXPECT_TRUE(vineyard::Client::connect(socket_, options).is_connected());
}

TEST_F(HppClient, WithoutAPathTheEnvironmentNamesTheSocket) {
  ASSERT_EQ(setenv("VINEYARD_IPC_SOCKET", socket_.c_str(), 1), 0);
  EXPECT_EQ(vineyard::Client::connect().socket(), socket_);
  EXPECT_EQ(vineyard::Client::connect(std::getenv("NO_SUCH_VARIABLE_AT_ALL")).socket(), socket_);
  EXPECT_ERROR(vineyard::Client::connect(""), InvalidError);
  unsetenv("VINEYARD_IPC_SOCKET");
}

TEST_F(HppClient, WhereNobodyListensItIsUnavailable) {
  try {
    vineyard::Client::connect(folder_ / "nobody.sock", {100ms, "", nullptr});
    FAIL() << "somebody answered";
  } catch (const vineyard::UnavailableError& error) {
    EXPECT_TRUE(error.is_retryable());
    EXPECT_NE(std::string(error.what()).find("nobody.sock"), std::string::npos) << error.what();
  }
}

TEST_F(HppClient, AfterCloseEveryCallIsInvalid) {
  vineyard::ObjectId id = client_.put_bytes("x");
  vineyard::ObjectList list = client_.list();
  client_.close();
  client_.close();
  EXPECT_FALSE(client_.is_connected());
  EXPECT_ERROR(client_.get_blob(id), InvalidError);
  EXPECT_ERROR(client_.get(id), InvalidError);
  EXPECT_ERROR(client_.put_bytes("y"), InvalidError);
  EXPECT_ERROR(client_.create_blob(8), InvalidError);
  EXPECT_ERROR(client_.put_string("y"), InvalidError);
  EXPECT_ERROR(client_.exists(id), InvalidError);
  EXPECT_ERROR(client_.wait(id), InvalidError);
  EXPECT_ERROR(client_.remove(id), InvalidError);
  EXPECT_ERROR(client_.names(), InvalidError);
  EXPECT_ERROR(client_.info(), InvalidError);
  EXPECT_ERROR(client_.watch(), InvalidError);
  EXPECT_ERROR(list.next(), InvalidError);
  EXPECT_GE(client_.statistics().requests, 1u) << "statistics need no daemon";
}

TEST_F(HppClient, AnEmptyHandleIsInvalidAndMayBeAssignedTo) {
  vineyard::Client other = std::move(client_);
  EXPECT_FALSE(client_);  // NOLINT(bugprone-use-after-move): what is promised of it
  EXPECT_FALSE(client_.is_connected());
  EXPECT_EQ(client_.socket(), "");
  EXPECT_ERROR(client_.put_bytes("x"), InvalidError);
  EXPECT_ERROR(client_.close(), InvalidError);
  EXPECT_ERROR(client_.statistics(), InvalidError);
  client_ = std::move(other);
  EXPECT_NO_THROW(client_.put_bytes("x"));
}

TEST_F(HppClient, ASelfMoveKeepsIt) {
  vineyard::Client& same = client_;
  client_ = std::move(same);
  EXPECT_NO_THROW(client_.put_bytes("x"));
}

TEST_F(HppClient, AHandleOfTheCInterfaceIsTakenOver) {
  vineyard_client* raw = nullptr;
  ASSERT_EQ(vineyard_client_connect(socket_.c_str(), nullptr, &raw), VINEYARD_OK);
  vineyard::Client client(raw);
  EXPECT_EQ(client.handle(), raw);
  EXPECT_EQ(client.instance(), client_.instance());
}

TEST_F(HppClient, ViewsOutliveTheClient) {
  vineyard::Blob blob = client_.get_blob(client_.put_bytes(OddText()));
  vineyard::Object object = client_.get(client_.put_array(std::vector<int>{1, 2, 3}));
  vineyard::TensorView<int> array = object.tensor<int>();
  client_ = vineyard::Client();
  EXPECT_EQ(blob.text(), OddText());
  EXPECT_EQ(array[2], 3);
  EXPECT_EQ(object.member_blob("buffer_").size(), 3 * sizeof(int));
}

TEST_F(HppClient, IsSharedByThreads) {
  vineyard::ObjectId id = client_.put_bytes("shared");
  std::vector<std::thread> threads;
  threads.reserve(4);
  std::atomic<int> right{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 100; ++j) right += client_.get_blob(id).text() == "shared" ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
}

TEST_F(HppClient, TellsOfObjects) {
  vineyard::ObjectId id = client_.put_bytes("x");
  EXPECT_TRUE(client_.exists(id));
  client_.wait(id, vineyard::kNoWait);
  vineyard::ObjectId outer = client_.put(vineyard::MetaBuilder("test::Outer").add("m", id));
  EXPECT_ERROR(client_.remove(id), InUseError);
  client_.remove(outer, {false, /*shallow=*/true});
  EXPECT_TRUE(client_.exists(id));
  const vineyard::ObjectId both[] = {id, client_.put_bytes("y")};
  client_.remove(both);
  EXPECT_FALSE(client_.exists(id));
  EXPECT_ERROR(client_.remove(id), NotFoundError);
  EXPECT_ERROR(client_.get(id), NotFoundError);
  EXPECT_ERROR(client_.get_blob(outer), TypeError);
  EXPECT_ERROR(client_.get_blob(VINEYARD_ID_INVALID), InvalidError);
  EXPECT_ERROR(client_.wait(id, 1ms), TimeoutError);
  EXPECT_ERROR(client_.wait(id, -5ms), InvalidError);
  client_.put_bytes("z");
  EXPECT_EQ(client_.clear(), 1u);
  EXPECT_NO_THROW(client_.trim());
  EXPECT_EQ(client_.verify(client_.put_bytes("checked")), 0u);
  vineyard::ObjectId kept = client_.put_bytes("kept");
  client_.pin(kept);
  client_.load(kept);
  client_.unpin(kept);
  EXPECT_ERROR(client_.unpin(kept), NotFoundError);
  EXPECT_ERROR(client_.evict(kept), UnsupportedError);
}

TEST_F(HppClient, AStoreThatIsFullSaysSo) {
  EXPECT_ERROR(client_.create_blob(std::size_t{1} << 40), OutOfMemoryError);
  std::vector<vineyard::BlobWriter> writers;
  EXPECT_ERROR(for (;;) writers.push_back(client_.create_blob(8 << 20)), OutOfMemoryError);
}

TEST_F(HppClient, NamesAreGivenFoundAndDropped) {
  vineyard::ObjectId one = client_.put_bytes("1"), two = client_.put_bytes("2");
  EXPECT_FALSE(client_.find_name("ñame 😀").has_value());
  EXPECT_ERROR(client_.get_name("ñame 😀"), NotFoundError);
  EXPECT_ERROR(client_.get_name("ñame 😀", {1ms, false}), TimeoutError);
  std::uint64_t revision = client_.put_name("ñame 😀", one);
  EXPECT_ERROR(client_.put_name("ñame 😀", two), ExistsError);
  vineyard::NameOptions options;
  options.expect = vineyard::kNoRevision;
  EXPECT_ERROR(client_.put_name("ñame 😀", two, options), ConflictError);
  options.expect = revision;
  std::uint64_t later = client_.put_name("ñame 😀", two, options);
  EXPECT_NE(later, revision);
  vineyard::NamedObject named = client_.get_name("ñame 😀");
  EXPECT_EQ(named.name, "ñame 😀");
  EXPECT_EQ(named.id, two);
  EXPECT_EQ(named.revision, later);
  EXPECT_EQ(client_.get("ñame 😀").id(), two);
  EXPECT_ERROR(client_.drop_name("ñame 😀", options), ConflictError);
  client_.drop_name("ñame 😀");
  EXPECT_ERROR(client_.drop_name("ñame 😀"), NotFoundError);
  EXPECT_ERROR(client_.put_name(std::string_view("a\0b", 3), one), InvalidError);
  EXPECT_ERROR(client_.put_name("\xff", one), InvalidError);
  EXPECT_ERROR(client_.put_name(std::string(2000, 'n'), one), LimitError);
}

TEST_F(HppClient, ANameLongerThanItsPlaceOnTheStackIsWhole) {
  for (std::size_t size : {95, 96, 97, 1024}) {
    std::string name(size, 'n');
    vineyard::ObjectId id = client_.put_bytes(name);
    client_.put_name(name, id);
    EXPECT_EQ(client_.get_name(name).id, id);
  }
}

TEST_F(HppClient, NamesAreListedInByteOrder) {
  std::map<std::string, vineyard::ObjectId> expected;
  for (const char* name : {"a/1", "a/2", "b"}) {
    expected[name] = client_.put_bytes(name);
    client_.put_name(name, expected[name]);
  }
  std::vector<vineyard::NamedObject> seen;
  for (const vineyard::NamedObject& named : client_.names("a/*")) seen.push_back(named);
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].name, "a/1");  // its own text, also behind the list
  EXPECT_EQ(seen[1].id, expected["a/2"]);
  vineyard::NameList all = client_.names();
  EXPECT_EQ(std::distance(all.begin(), all.end()), 3);
  EXPECT_FALSE(all.next().has_value());
}

TEST_F(HppClient, ObjectsAreListedByTypeAndLabel) {
  std::vector<vineyard::ObjectId> arrays;
  arrays.reserve(5);
  for (int i = 0; i < 5; ++i) arrays.push_back(client_.put_array(std::vector<int>(2, i)));
  client_.set_label(arrays[3], "stage", "raw");
  vineyard::ListOptions options;
  options.page = 2;
  vineyard::ObjectList list = client_.list("vineyard::Tensor", options);
  std::vector<vineyard::ObjectId> seen(list.begin(), list.end());
  EXPECT_EQ(seen, arrays) << "an Array is a Tensor";
  options.label = "stage";
  options.value = "raw";
  vineyard::ObjectList labelled = client_.list("*", options);
  EXPECT_EQ(labelled.next(), arrays[3]);
  EXPECT_EQ(labelled.next(), std::nullopt);
  options.label = "";
  EXPECT_ERROR(client_.list("*", options), InvalidError);
  for (vineyard::ObjectId id : client_.list("no::Such")) ADD_FAILURE() << id;
}

TEST_F(HppClient, LabelsTypesAndInfoAreRanges) {
  vineyard::ObjectId id = client_.put_string("labelled");
  client_.set_label(id, "owner", "ünï 😀");
  client_.set_label(id, "stage", "raw");
  client_.set_label(id, "stage", "");
  vineyard::LabelList labels = client_.labels(id);
  ASSERT_EQ(labels.size(), 1u);
  EXPECT_EQ(labels.find("owner"), "ünï 😀");
  EXPECT_EQ(labels.find("stage"), std::nullopt);
  EXPECT_ERROR(labels.at(1), NotFoundError);
  for (auto [key, value] : labels) EXPECT_EQ(key, "owner");

  std::map<std::string, std::uint64_t> types;
  for (auto [name, objects] : client_.types()) types[std::string(name)] = objects;
  EXPECT_EQ(types["vineyard::String"], 1u);

  vineyard::InfoList info = client_.info();
  ASSERT_TRUE(info.find("objects").has_value());
  EXPECT_EQ(info.find("objects")->as_uint64(), 1u);
  EXPECT_ERROR(info.find("objects")->as_string(), TypeError);
  EXPECT_FALSE(info.find("no such number").has_value());
  EXPECT_TRUE(vineyard::LabelList().empty());
}

TEST_F(HppClient, ReadsAreCountedWithoutACopy) {
  vineyard::ObjectId id = client_.put_array(std::vector<double>(100'000, 0.5));
  std::uint64_t before = client_.statistics().copied_payload_bytes;
  double sum = 0;
  vineyard::Object object = client_.get(id);
  for (double x : object.tensor<double>()) sum += x;
  EXPECT_EQ(sum, 50'000);
  EXPECT_EQ(client_.statistics().copied_payload_bytes, before);
}

TEST_F(HppClient, WhatIsSharedLiesInAStoreOfItsOwn) {
  vineyard::PutOptions for_all;
  for_all.share = vineyard::Share::all();
  vineyard::ObjectId id = client_.put_string("hello", for_all);
  EXPECT_EQ(client_.get(id).as_string(), "hello");
  EXPECT_NE(client_.get(id).instance(), client_.instance());
  EXPECT_EQ(client_.get(id).owner_uid(), geteuid());
  vineyard::BlobWriter writer =
      client_.create_blob(100'000, vineyard::PayloadKind::kBuffer, vineyard::Share::all());
  std::memset(writer.data(), 'x', writer.size());
  vineyard::ObjectId blob = writer.seal();
  EXPECT_EQ(client_.get_blob(blob).bytes().size(), 100'000u);
  vineyard::PutOptions for_a_group;
  for_a_group.share = vineyard::Share::group(0x7ffffff1);
  EXPECT_ERROR(client_.put_string("x", for_a_group), PermissionError);

  vineyard::ConnectOptions options;
  options.share = vineyard::Share::all();
  vineyard::Client sharing = vineyard::Client::connect(client_.socket(), options);
  EXPECT_EQ(client_.get(sharing.put_string("x")).instance(), client_.get(id).instance());
}

}  // namespace
}  // namespace vineyard_hpp
