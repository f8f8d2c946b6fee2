#include <cmath>
#include <cstring>
#include <limits>

#include "tests/capi/fixture.h"

namespace vineyard::testing {
namespace {

class Object : public WithClient {
 protected:
  vineyard_object* GetObject(vineyard_id id) {
    vineyard_object* object = nullptr;
    EXPECT_OK(vineyard_object_get(client_, id, &object));
    return object;
  }
  int32_t TryPut(vineyard_meta* meta, vineyard_id* id) {
    return vineyard_object_put(client_, meta, nullptr, id);
  }
};

vineyard_meta* NewMeta(const char* type = "test::Thing") {
  vineyard_meta* meta = nullptr;
  EXPECT_OK(vineyard_meta_create(type, &meta));
  return meta;
}

TEST_F(Object, FieldsComeBackWithTheirTypes) {
  vineyard_meta* meta = NewMeta();
  double nan = std::numeric_limits<double>::quiet_NaN();
  ASSERT_OK(vineyard_meta_set_null(meta, "null"));
  ASSERT_OK(vineyard_meta_set_bool(meta, "bool", 5));
  ASSERT_OK(vineyard_meta_set_int64(meta, "int", INT64_MIN));
  ASSERT_OK(vineyard_meta_set_uint64(meta, "uint", UINT64_MAX));
  ASSERT_OK(vineyard_meta_set_uint64(meta, "small uint", 7));
  ASSERT_OK(vineyard_meta_set_float64(meta, "float", nan));
  ASSERT_OK(vineyard_meta_set_string(meta, "string", "a\0b", 3));
  ASSERT_OK(vineyard_meta_set_bytes(meta, "bytes", "\xff\0", 2));
  vineyard_value one = {VINEYARD_VALUE_INT64, 0, 0, {0}};
  one.as.int64 = 1;
  vineyard_value list = {VINEYARD_VALUE_LIST, 0, 1, {0}};
  list.as.items = &one;
  ASSERT_OK(vineyard_meta_set_value(meta, "list", &list));
  vineyard_id id = 0;
  ASSERT_OK(TryPut(meta, &id));
  EXPECT_EQ(vineyard_meta_id(meta), id);
  vineyard_meta_release(meta);

  vineyard_object* object = GetObject(id);
  EXPECT_STREQ(vineyard_object_type_name(object), "test::Thing");
  EXPECT_EQ(vineyard_object_id(object), id);
  EXPECT_EQ(vineyard_object_field_count(object), 9u);
  EXPECT_EQ(vineyard_object_nbytes(object), 0u);
  uint64_t instance = 0;
  ASSERT_OK(vineyard_client_instance(client_, &instance));
  EXPECT_EQ(vineyard_object_instance(object), instance);

  int32_t boolean = 0;
  int64_t signed_value = 0;
  uint64_t unsigned_value = 0, size = 0;
  double real = 0;
  const char* text = nullptr;
  const vineyard_value* value = nullptr;
  ASSERT_OK(vineyard_object_field_bool(object, "bool", &boolean));
  EXPECT_EQ(boolean, 1);
  ASSERT_OK(vineyard_object_field_int64(object, "int", &signed_value));
  EXPECT_EQ(signed_value, INT64_MIN);
  ASSERT_OK(vineyard_object_field_uint64(object, "uint", &unsigned_value));
  EXPECT_EQ(unsigned_value, UINT64_MAX);
  ASSERT_OK(vineyard_object_field_int64(object, "small uint", &signed_value));
  EXPECT_EQ(signed_value, 7);
  ASSERT_OK(vineyard_object_field_float64(object, "float", &real));
  EXPECT_TRUE(std::isnan(real));
  ASSERT_OK(vineyard_object_field_string(object, "string", &text, &size));
  EXPECT_EQ(std::string(text, size), std::string("a\0b", 3));
  ASSERT_OK(vineyard_object_field_bytes(object, "bytes", &text, &size));
  EXPECT_EQ(std::string(text, size), std::string("\xff\0", 2));
  ASSERT_OK(vineyard_object_field(object, "list", &value));
  ASSERT_EQ(value->type, VINEYARD_VALUE_LIST);
  EXPECT_EQ(value->as.items[0].as.int64, 1);
  ASSERT_OK(vineyard_object_field(object, "small uint", &value));
  EXPECT_EQ(value->type, VINEYARD_VALUE_UINT64) << "signedness is kept";

  EXPECT_EQ(vineyard_object_field_int64(object, "uint", &signed_value), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_object_field_uint64(object, "int", &unsigned_value), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_object_field_bool(object, "int", &boolean), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_object_field_string(object, "bytes", &text, &size), VINEYARD_E_TYPE);
  EXPECT_EQ(vineyard_object_field_bool(object, "none", &boolean), VINEYARD_E_NOT_FOUND);
  EXPECT_NE(std::string(vineyard_error_text()).find("'none'"), std::string::npos);

  const char* name = nullptr;
  ASSERT_OK(vineyard_object_field_at(object, 2, &name, &size, &value));
  EXPECT_EQ(std::string(name, size), "int");
  EXPECT_EQ(vineyard_object_field_at(object, 9, &name, &size, &value), VINEYARD_E_NOT_FOUND);
  vineyard_object_release(object);
}

TEST_F(Object, AnObjectOfManyNamesIsReadByName) {
  vineyard_meta* meta = NewMeta();
  for (int i = 0; i < 5000; ++i) {
    ASSERT_OK(vineyard_meta_set_int64(meta, ("f" + std::to_string(i)).c_str(), i));
  }
  ASSERT_OK(vineyard_meta_add_bytes(meta, "m", "member", 6, VINEYARD_BLOB_BYTES));
  vineyard_id id = 0;
  ASSERT_OK(TryPut(meta, &id));
  vineyard_meta_release(meta);
  vineyard_object* object = GetObject(id);
  for (int i = 0; i < 5000; ++i) {
    int64_t value = -1;
    ASSERT_OK(vineyard_object_field_int64(object, ("f" + std::to_string(i)).c_str(), &value));
    EXPECT_EQ(value, i);
  }
  vineyard_id member = 0;
  EXPECT_OK(vineyard_object_member_id(object, "m", &member));
  EXPECT_EQ(vineyard_object_member_id(object, "f1", &member), VINEYARD_E_NOT_FOUND);
  const vineyard_value* value = nullptr;
  EXPECT_EQ(vineyard_object_field(object, "m", &value), VINEYARD_E_NOT_FOUND);
  vineyard_object_release(object);
}

// root -> a, b; a -> shared; b -> shared; shared -> bytes; root -> large (written), writer.
TEST_F(Object, ATreeIsPutAtOnceAndReadWithoutAMessage) {
  vineyard_meta *root = NewMeta("test::Root"), *a = NewMeta("test::A"), *b = NewMeta("test::B");
  vineyard_meta *shared = NewMeta("test::Shared"), *blob_meta = nullptr;
  std::string large(300000, 'L');
  ASSERT_OK(vineyard_meta_create_blob("tiny", 4, VINEYARD_BLOB_BYTES, &blob_meta));
  ASSERT_OK(vineyard_meta_add_meta(shared, "bytes", blob_meta));
  ASSERT_OK(vineyard_meta_add_meta(a, "shared", shared));
  ASSERT_OK(vineyard_meta_add_meta(b, "shared", shared));
  ASSERT_OK(vineyard_meta_add_meta(root, "a", a));
  ASSERT_OK(vineyard_meta_add_meta(root, "b", b));
  ASSERT_OK(
      vineyard_meta_add_bytes(root, "large", large.data(), large.size(), VINEYARD_BLOB_BUFFER));
  vineyard_blob_writer* writer = nullptr;
  ASSERT_OK(vineyard_blob_writer_create(client_, 70000, VINEYARD_BLOB_BUFFER, &writer));
  std::memset(vineyard_blob_writer_data(writer), 'W', 70000);
  ASSERT_OK(vineyard_meta_add_writer(root, "writer", writer));
  vineyard_id existing = Put(client_, "existing");
  ASSERT_OK(vineyard_meta_add_id(root, "existing", existing));
  vineyard_id id = 0;
  ASSERT_OK(TryPut(root, &id));
  EXPECT_EQ(TryPut(root, &id), VINEYARD_E_INVALID) << "a builder is put once";
  EXPECT_EQ(vineyard_blob_writer_seal(writer), VINEYARD_E_SEALED);
  vineyard_id shared_id = vineyard_meta_id(shared), blob_id = vineyard_meta_id(blob_meta);
  EXPECT_TRUE(vineyard_id_is_blob(blob_id));
  EXPECT_EQ(Get(client_, blob_id), "tiny");
  for (vineyard_meta* meta : {root, a, b, shared, blob_meta}) vineyard_meta_release(meta);
  vineyard_blob_writer_release(writer);

  vineyard_object* object = GetObject(id);
  vineyard_object_release(GetObject(shared_id));
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_object_member_blob(object, "large", &blob));  // maps the leased segment
  EXPECT_TRUE(BytesOf(blob) == large);
  vineyard_blob_release(blob);

  vineyard_client_statistics before = VINEYARD_CLIENT_STATISTICS_INIT, after = before;
  ASSERT_OK(vineyard_client_get_statistics(client_, &before));
  EXPECT_EQ(vineyard_object_member_count(object), 5u);
  vineyard_object *member_a = nullptr, *member_b = nullptr, *below_a = nullptr, *below_b = nullptr;
  ASSERT_OK(vineyard_object_member(object, "a", &member_a));
  ASSERT_OK(vineyard_object_member_by_index(object, 1, &member_b));
  EXPECT_STREQ(vineyard_object_type_name(member_b), "test::B");
  ASSERT_OK(vineyard_object_member(member_a, "shared", &below_a));
  ASSERT_OK(vineyard_object_member(member_b, "shared", &below_b));
  EXPECT_EQ(vineyard_object_id(below_a), vineyard_object_id(below_b)) << "one object, twice below";
  EXPECT_EQ(vineyard_object_id(below_a), shared_id);
  // The handles above may go first: the root's pin is theirs, too.
  vineyard_object_release(object);
  vineyard_object_release(member_a);
  ASSERT_OK(vineyard_object_member_blob(below_a, "bytes", &blob));
  EXPECT_EQ(BytesOf(blob), "tiny");
  vineyard_object_release(below_a);
  vineyard_object_release(member_b);
  vineyard_object_release(below_b);
  ASSERT_OK(vineyard_client_get_statistics(client_, &after));
  EXPECT_EQ(after.requests, before.requests);
  EXPECT_EQ(BytesOf(blob), "tiny");
  vineyard_blob_release(blob);
}

uint64_t Requests(vineyard_client* client) {
  vineyard_client_statistics statistics = VINEYARD_CLIENT_STATISTICS_INIT;
  EXPECT_OK(vineyard_client_get_statistics(client, &statistics));
  return statistics.requests;
}

TEST_F(Object, ATreeIsPutWithOneMessageWhateverItsDepthAndReadWithNone) {
  constexpr int kLevels = 60;
  vineyard_object_release(GetObject(PutObject(client_, "test::First", {})));  // maps what is there
  std::vector<vineyard_meta*> metas;
  for (int i = 0; i < kLevels; ++i) {
    std::string bytes = "level " + std::to_string(i);
    metas.push_back(NewMeta());
    vineyard_meta* blob = nullptr;
    ASSERT_OK(vineyard_meta_create_blob("twice", 5, VINEYARD_BLOB_BYTES, &blob));
    ASSERT_OK(vineyard_meta_add_meta(metas.back(), "blob", blob));
    ASSERT_OK(vineyard_meta_add_meta(metas.back(), "again", blob));
    if (i > 0) ASSERT_OK(vineyard_meta_add_meta(metas.back(), "below", metas[metas.size() - 2]));
    vineyard_meta_release(blob);
  }
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  options.name = "deep";
  vineyard_id id = 0;
  uint64_t before = Requests(client_);
  ASSERT_OK(vineyard_object_put(client_, metas.back(), &options, &id));
  EXPECT_EQ(Requests(client_), before + 1) << "its name included";
  for (vineyard_meta* meta : metas) vineyard_meta_release(meta);

  vineyard_object* object = GetObject(id);
  for (int i = kLevels - 1; i >= 0; --i) {
    vineyard_blob* blob = nullptr;
    ASSERT_OK(vineyard_object_member_blob(object, "again", &blob));
    EXPECT_EQ(BytesOf(blob), "twice");
    vineyard_blob_release(blob);
    vineyard_object* below = nullptr;
    if (i > 0) ASSERT_OK(vineyard_object_member(object, "below", &below));
    vineyard_object_release(object);
    object = below;
  }
  EXPECT_EQ(Requests(client_), before + 1);
}

// ---- persist -----------------------------------------------------------------------------------------

TEST_F(Object, PersistTakesTheWholeTreeAndIsSeenByTheNextGet) {
  vineyard_id blob = Put(client_, "below"), other = Put(client_, "beside");
  vineyard_id middle = PutObject(client_, "test::Middle", {{"x", blob}});
  vineyard_id root = PutObject(client_, "test::Root", {{"m", middle}});
  auto persisted = [&](vineyard_id id) {
    vineyard_object* object = GetObject(id);
    int32_t is = vineyard_object_is_persisted(object);
    vineyard_object_release(object);
    return is;
  };
  vineyard_object* early = GetObject(root);
  vineyard_id ids[] = {root, 12345};
  EXPECT_EQ(vineyard_object_persist(client_, ids, 2), VINEYARD_E_NOT_FOUND);
  EXPECT_EQ(persisted(root), 0) << "all or nothing";
  for (int times = 0; times < 2; ++times) {
    ASSERT_OK(vineyard_object_persist(client_, ids, 1));
    for (vineyard_id id : {root, middle, blob}) EXPECT_EQ(persisted(id), 1);
    EXPECT_EQ(persisted(other), 0);
  }
  EXPECT_EQ(vineyard_object_is_persisted(early), 0) << "it was not when it was got";
  vineyard_object_release(early);
  EXPECT_EQ(vineyard_object_is_persisted(nullptr), 0);
  EXPECT_OK(vineyard_object_persist(client_, nullptr, 0));
}

TEST_F(Object, APutMayPersist) {
  vineyard_meta* meta = NewMeta();
  ASSERT_OK(vineyard_meta_add_bytes(meta, "m", "member", 6, VINEYARD_BLOB_BYTES));
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  options.persist = 1;
  vineyard_id id = 0;
  ASSERT_OK(vineyard_object_put(client_, meta, &options, &id));
  vineyard_meta_release(meta);
  vineyard_object *object = GetObject(id), *member = nullptr;
  EXPECT_EQ(vineyard_object_is_persisted(object), 1);
  ASSERT_OK(vineyard_object_member(object, "m", &member));
  EXPECT_EQ(vineyard_object_is_persisted(member), 1);
  vineyard_object_release(member);
  vineyard_object_release(object);
}

// ---- deletes -----------------------------------------------------------------------------------------

TEST_F(Object, ADeletedTreeIsReadableWhileItsRootIsPinned) {
  vineyard_id blob_id = Put(client_, "below");
  vineyard_id middle = PutObject(client_, "test::Middle", {{"x", blob_id}, {"y", blob_id}});
  vineyard_id root = PutObject(client_, "test::Root", {{"m", middle}});
  vineyard_client* other = Connect();
  vineyard_object* object = GetObject(root);
  ASSERT_OK(Delete(other, root));
  EXPECT_EQ(Exists(client_, root), 0);
  Put(other, std::string(1 << 20, 'z'));
  vineyard_object* member = nullptr;
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_object_member(object, "m", &member));
  ASSERT_OK(vineyard_object_member_blob(member, "y", &blob));
  EXPECT_EQ(BytesOf(blob), "below");
  vineyard_blob_release(blob);
  vineyard_object_release(member);
  vineyard_object_release(object);
  EXPECT_TRUE(WaitForNumber(client_, "deferred", 0));
  EXPECT_EQ(Exists(client_, blob_id), 0) << "members that nobody else holds go, too";
  vineyard_client_release(other);
}

TEST_F(Object, ALinkedMemberCanNotBeDeletedExceptByForce) {
  vineyard_id blob_id = Put(client_, "member");
  vineyard_id root = PutObject(client_, "test::Root", {{"m", blob_id}});
  EXPECT_EQ(Delete(client_, blob_id), VINEYARD_E_IN_USE) << vineyard_error_text();
  vineyard_delete_options force = VINEYARD_DELETE_OPTIONS_INIT;
  force.force = 1;
  ASSERT_OK(vineyard_object_delete(client_, &blob_id, 1, &force));
  EXPECT_EQ(Get(client_, blob_id), "member") << "it goes when its parent is gone";
  ASSERT_OK(Delete(client_, root));
  EXPECT_TRUE(WaitForNumber(client_, "objects", 0));
}

TEST_F(Object, AShallowDeleteLeavesTheMembers) {
  vineyard_id blob_id = Put(client_, "member");
  vineyard_id root = PutObject(client_, "test::Root", {{"m", blob_id}});
  vineyard_delete_options shallow = VINEYARD_DELETE_OPTIONS_INIT;
  shallow.shallow = 1;
  ASSERT_OK(vineyard_object_delete(client_, &root, 1, &shallow));
  EXPECT_EQ(Get(client_, blob_id), "member");
}

TEST_F(Object, DeletingSeveralIsAllOrNothing) {
  vineyard_id ids[] = {Put(client_, "a"), VINEYARD_ID_EMPTY_BLOB | 0x999};
  EXPECT_EQ(vineyard_object_delete(client_, ids, 2, nullptr), VINEYARD_E_NOT_FOUND);
  EXPECT_EQ(Get(client_, ids[0]), "a");
  EXPECT_OK(vineyard_object_delete(client_, nullptr, 0, nullptr));
}

TEST_F(Object, AMemberThatDoesNotExistIsRefused) {
  vineyard_meta* meta = NewMeta();
  ASSERT_OK(vineyard_meta_add_id(meta, "m", 12345));
  vineyard_id id = 0;
  EXPECT_EQ(TryPut(meta, &id), VINEYARD_E_NOT_FOUND) << vineyard_error_text();
  EXPECT_EQ(vineyard_meta_id(meta), VINEYARD_ID_INVALID);
  vineyard_meta_release(meta);
}

TEST_F(Object, SixtyFourLevelsFitAndNoMore) {
  for (int levels : {64, 65}) {
    std::vector<vineyard_meta*> metas;
    for (int i = 0; i < levels; ++i) {
      metas.push_back(NewMeta());
      if (i == 0) continue;
      ASSERT_OK(vineyard_meta_add_meta(metas[metas.size() - 1], "m", metas[metas.size() - 2]));
    }
    vineyard_id id = 0;
    EXPECT_EQ(TryPut(metas.back(), &id), levels == 64 ? VINEYARD_OK : VINEYARD_E_LIMIT);
    for (vineyard_meta* meta : metas) vineyard_meta_release(meta);
  }
}

// With `field` bytes in a field; the same bytes for each member.
void PutMany(const std::string& socket, uint64_t members, uint64_t size, uint64_t field) {
  vineyard_client* client = ConnectTo(socket);
  std::string bytes(size, 'x'), name;
  vineyard_meta* meta = nullptr;
  ASSERT_OK(vineyard_meta_create("t::Many", &meta));
  if (field > 0) {
    std::string text(field, 'f');
    ASSERT_OK(vineyard_meta_set_string(meta, "field", text.data(), text.size()));
  }
  for (uint64_t i = 0; i < members; ++i) {
    name = std::to_string(i);
    ASSERT_OK(vineyard_meta_add_bytes(meta, name.c_str(), bytes.data(), bytes.size(),
                                      VINEYARD_BLOB_BUFFER));
  }
  vineyard_id id = VINEYARD_ID_INVALID;
  ASSERT_OK(vineyard_object_put(client, meta, nullptr, &id));
  vineyard_meta_release(meta);
  vineyard_object* object = nullptr;
  ASSERT_OK(vineyard_object_get(client, id, &object));
  ASSERT_EQ(vineyard_object_member_count(object), members);
  EXPECT_EQ(vineyard_object_nbytes(object), members * size);
  for (uint64_t i : {uint64_t{0}, members / 2, members - 1}) {
    vineyard_blob* blob = nullptr;
    ASSERT_OK(vineyard_object_member_blob(object, std::to_string(i).c_str(), &blob));
    EXPECT_TRUE(BytesOf(blob) == bytes) << i;
    vineyard_blob_release(blob);
  }
  vineyard_object_release(object);
  EXPECT_EQ(Number(client, "leases"), 0u);
  vineyard_client_release(client);
}

TEST(ManyPayloads, AreStoredThoughTheyDoNotFitIntoOneMessage) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock", {"--size=256Mi"});
  ASSERT_TRUE(daemon.WaitUntilReady());
  PutMany(folder / "v.sock", 21'000, 4 << 10, 0);
}

TEST(ManyPayloads, MakeRoomInTheMessageForMetadata) {
  TempFolder folder;
  Vineyardd daemon(folder / "v.sock", {"--size=256Mi"});
  ASSERT_TRUE(daemon.WaitUntilReady());
  PutMany(folder / "v.sock", 11'500, 4 << 10, 40 << 20);
}

TEST_F(Object, ABuilderPutBeforeIsALink) {
  vineyard_meta *first = NewMeta(), *second = NewMeta();
  vineyard_id id = 0, parent = 0;
  ASSERT_OK(TryPut(first, &id));
  ASSERT_OK(vineyard_meta_add_meta(second, "m", first));
  ASSERT_OK(TryPut(second, &parent));
  vineyard_object* object = GetObject(parent);
  vineyard_id member = 0;
  ASSERT_OK(vineyard_object_member_id(object, "m", &member));
  EXPECT_EQ(member, id);
  vineyard_object_release(object);
  vineyard_meta_release(first);
  vineyard_meta_release(second);
}

TEST_F(Object, AFailedPutLeavesNoLeaseBehind) {
  vineyard_meta* meta = NewMeta();
  std::string large(300000, 'x');
  ASSERT_OK(
      vineyard_meta_add_bytes(meta, "large", large.data(), large.size(), VINEYARD_BLOB_BYTES));
  ASSERT_OK(vineyard_meta_add_id(meta, "m", 12345));
  vineyard_id id = 0;
  EXPECT_EQ(TryPut(meta, &id), VINEYARD_E_NOT_FOUND);
  EXPECT_EQ(Number(client_, "leases"), 0u);
  vineyard_meta_release(meta);
}

TEST_F(Object, ABlobIsAnObjectToo) {
  vineyard_id id = Put(client_, "Hello, World!", VINEYARD_BLOB_BYTES);
  vineyard_object* object = GetObject(id);
  EXPECT_STREQ(vineyard_object_type_name(object), "vineyard::Blob");
  EXPECT_EQ(vineyard_object_nbytes(object), 28u);
  uint64_t length = 0, size = 0;
  const char* text = nullptr;
  ASSERT_OK(vineyard_object_field_uint64(object, "length", &length));
  EXPECT_EQ(length, 28u);
  ASSERT_OK(vineyard_object_field_string(object, "value_type_", &text, &size));
  EXPECT_EQ(std::string(text, size), "bytes");
  vineyard_blob* blob = nullptr;
  ASSERT_OK(vineyard_object_blob(object, &blob));
  vineyard_object_release(object);
  EXPECT_EQ(BytesOf(blob), "Hello, World!");
  vineyard_blob_release(blob);
  vineyard_object* thing = GetObject(PutObject(client_, "test::Thing", {}));
  EXPECT_EQ(vineyard_object_blob(thing, &blob), VINEYARD_E_TYPE);
  vineyard_object_release(thing);
}

// ---- arrays ----------------------------------------------------------------------------------------

class Array : public Object {
 protected:
  vineyard_object* Make(const std::vector<int64_t>& shape, const char* type, uint64_t bytes,
                        const char* type_name = "vineyard::Tensor", const char* order = "C",
                        int64_t offset = 0) {
    std::vector<vineyard_value> sizes(shape.size(), {VINEYARD_VALUE_INT64, 0, 0, {0}});
    for (size_t i = 0; i < shape.size(); ++i) sizes[i].as.int64 = shape[i];
    vineyard_value list = {VINEYARD_VALUE_LIST, 0, shape.size(), {0}};
    list.as.items = sizes.data();
    vineyard_meta* meta = NewMeta(type_name);
    EXPECT_OK(vineyard_meta_set_value(meta, "shape_", &list));
    EXPECT_OK(vineyard_meta_set_string(meta, "value_type_", type, std::strlen(type)));
    EXPECT_OK(vineyard_meta_set_string(meta, "order_", order, 1));
    if (offset != 0) {
      EXPECT_OK(vineyard_meta_set_int64(meta, "offset_", offset));
    }
    std::string payload(bytes, '\1');
    EXPECT_OK(vineyard_meta_add_bytes(meta, "buffer_", payload.data(), payload.size(),
                                      VINEYARD_BLOB_BUFFER));
    vineyard_id id = 0;
    EXPECT_OK(TryPut(meta, &id));
    vineyard_meta_release(meta);
    return GetObject(id);
  }
  vineyard_tensor tensor_ = VINEYARD_TENSOR_INIT;
};

TEST_F(Array, ShapeTypeAndDataAreRead) {
  vineyard_object* object = Make({3, 4}, "float32", 48, "vineyard::Tensor", "F");
  ASSERT_OK(vineyard_object_tensor(object, &tensor_));
  EXPECT_EQ(tensor_.element, VINEYARD_ELEMENT_FLOAT32);
  ASSERT_EQ(tensor_.dimensions, 2);
  EXPECT_EQ(tensor_.shape[1], 4);
  EXPECT_EQ(tensor_.is_fortran, 1);
  EXPECT_EQ(tensor_.data_size, 48u);
  EXPECT_EQ(static_cast<const char*>(tensor_.data)[47], '\1');
  vineyard_object_release(object);
}

// Regression: it was taken for C's.
TEST_F(Array, AnOrderThatIsNoneIsDamage) {
  vineyard_object* object = Make({3, 4}, "float32", 48, "vineyard::Tensor", "X");
  EXPECT_EQ(vineyard_object_tensor(object, &tensor_), VINEYARD_E_CORRUPT);
  vineyard_object_release(object);
}

// Regression: it depended on where the 0 stood.
TEST_F(Array, AShapeWithAZeroHasNoElementHoweverLargeTheOthersAre) {
  constexpr int64_t kLarge = int64_t{1} << 40;
  for (const std::vector<int64_t>& shape :
       {std::vector<int64_t>{0, kLarge, kLarge}, {kLarge, 0, kLarge}, {kLarge, kLarge, 0}}) {
    vineyard_object* object = Make(shape, "float64", 0);
    ASSERT_OK(vineyard_object_tensor(object, &tensor_));
    EXPECT_EQ(tensor_.data_size, 0u);
    vineyard_object_release(object);
  }
}

TEST_F(Array, AnArrayOfOneDimensionIsATensorAndSoIsOneOfNone) {
  vineyard_object* object = Make({5}, "int8", 5, "vineyard::Array");
  EXPECT_OK(vineyard_object_tensor(object, &tensor_));
  vineyard_object_release(object);
  object = Make({}, "complex128", 16);
  ASSERT_OK(vineyard_object_tensor(object, &tensor_));
  EXPECT_EQ(tensor_.dimensions, 0);
  EXPECT_EQ(tensor_.data_size, 16u);
  vineyard_object_release(object);
}

TEST_F(Array, APartOfABufferBeginsAtItsOffset) {
  vineyard_object* object = Make({4}, "int64", 64, "vineyard::Array", "C", 32);
  ASSERT_OK(vineyard_object_tensor(object, &tensor_));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor_.data) % 64, 32u);
  EXPECT_EQ(tensor_.data_size, 32u);
  vineyard_object_release(object);
}

TEST_F(Array, WhatDoesNotFitIsCorrupt) {
  for (auto* object : {Make({5}, "int64", 32), Make({1}, "int8", 4, "vineyard::Array", "C", 5),
                       Make({INT64_MAX, INT64_MAX}, "int8", 4), Make({-1}, "int8", 4)}) {
    EXPECT_EQ(vineyard_object_tensor(object, &tensor_), VINEYARD_E_CORRUPT);
    vineyard_object_release(object);
  }
}

TEST_F(Array, OtherElementTypesGiveTheirBytes) {
  vineyard_object* object = Make({2}, "other", 16);
  ASSERT_OK(vineyard_object_tensor(object, &tensor_));
  EXPECT_EQ(tensor_.element, VINEYARD_ELEMENT_OTHER);
  EXPECT_EQ(tensor_.data_size, 16u);
  vineyard_object_release(object);
  EXPECT_STREQ(vineyard_element_name(VINEYARD_ELEMENT_COMPLEX64), "complex64");
  EXPECT_STREQ(vineyard_element_name(-5), "other");
  EXPECT_EQ(vineyard_element_size(VINEYARD_ELEMENT_FLOAT16), 2u);
}

TEST_F(Array, AnotherTypeIsNotOne) {
  vineyard_object* object = GetObject(PutObject(client_, "test::Thing", {}));
  EXPECT_EQ(vineyard_object_tensor(object, &tensor_), VINEYARD_E_TYPE);
  vineyard_object_release(object);
}

}  // namespace
}  // namespace vineyard::testing
