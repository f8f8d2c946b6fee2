// Sizes and places of members of the public structs: numbers that callers have compiled in.
#include <gtest/gtest.h>
#include <vineyard/vineyard.h>

#include <cstddef>

static_assert(sizeof(void*) == 8, "the numbers below are of 64-bit systems");

static_assert(sizeof(vineyard_value) == 24);
static_assert(offsetof(vineyard_value, type) == 0);
static_assert(offsetof(vineyard_value, size) == 8);
static_assert(offsetof(vineyard_value, as) == 16);

static_assert(sizeof(vineyard_connect_options) == 48);
static_assert(offsetof(vineyard_connect_options, timeout_ms) == 8);
static_assert(offsetof(vineyard_connect_options, name) == 16);
static_assert(offsetof(vineyard_connect_options, keep_waiting) == 24);
static_assert(offsetof(vineyard_connect_options, share) == 32);
static_assert(offsetof(vineyard_connect_options, gid) == 36);
static_assert(offsetof(vineyard_connect_options, daemon_uid) == 40);

static_assert(sizeof(vineyard_client_statistics) == 32);
static_assert(offsetof(vineyard_client_statistics, requests) == 8);
static_assert(offsetof(vineyard_client_statistics, copied_payload_bytes) == 16);
static_assert(offsetof(vineyard_client_statistics, reconnects) == 24);

static_assert(sizeof(vineyard_put_options) == 32);
static_assert(offsetof(vineyard_put_options, replace) == 4);
static_assert(offsetof(vineyard_put_options, persist) == 8);
static_assert(offsetof(vineyard_put_options, name) == 16);
static_assert(offsetof(vineyard_put_options, share) == 24);
static_assert(offsetof(vineyard_put_options, gid) == 28);

static_assert(sizeof(vineyard_blob_options) == 16);
static_assert(offsetof(vineyard_blob_options, share) == 4);
static_assert(offsetof(vineyard_blob_options, gid) == 8);

static_assert(sizeof(vineyard_delete_options) == 16);
static_assert(offsetof(vineyard_delete_options, force) == 4);
static_assert(offsetof(vineyard_delete_options, shallow) == 8);

static_assert(sizeof(vineyard_name_options) == 24);
static_assert(offsetof(vineyard_name_options, replace) == 4);
static_assert(offsetof(vineyard_name_options, compare) == 8);
static_assert(offsetof(vineyard_name_options, expect) == 16);

static_assert(sizeof(vineyard_tensor) == 40);
static_assert(offsetof(vineyard_tensor, element) == 4);
static_assert(offsetof(vineyard_tensor, dimensions) == 8);
static_assert(offsetof(vineyard_tensor, is_fortran) == 12);
static_assert(offsetof(vineyard_tensor, shape) == 16);
static_assert(offsetof(vineyard_tensor, data) == 24);
static_assert(offsetof(vineyard_tensor, data_size) == 32);

static_assert(sizeof(vineyard_instance) == 72);
static_assert(offsetof(vineyard_instance, state) == 4);
static_assert(offsetof(vineyard_instance, number) == 8);
static_assert(offsetof(vineyard_instance, since_ms) == 16);
static_assert(offsetof(vineyard_instance, memory_limit) == 24);
static_assert(offsetof(vineyard_instance, epoch) == 32);
static_assert(offsetof(vineyard_instance, uid) == 40);
static_assert(offsetof(vineyard_instance, host) == 48);
static_assert(offsetof(vineyard_instance, socket) == 56);
static_assert(offsetof(vineyard_instance, endpoint) == 64);

static_assert(sizeof(vineyard_position) == 16);
static_assert(offsetof(vineyard_position, generation) == 0);
static_assert(offsetof(vineyard_position, entries) == 8);

static_assert(sizeof(vineyard_list_options) == 40);
static_assert(offsetof(vineyard_list_options, page) == 8);
static_assert(offsetof(vineyard_list_options, instance) == 16);
static_assert(offsetof(vineyard_list_options, label) == 24);
static_assert(offsetof(vineyard_list_options, value) == 32);

static_assert(sizeof(vineyard_name_get_options) == 24);
static_assert(offsetof(vineyard_name_get_options, latest) == 4);
static_assert(offsetof(vineyard_name_get_options, timeout_ms) == 8);

static_assert(sizeof(vineyard_event) == 32);
static_assert(offsetof(vineyard_event, kind) == 4);
static_assert(offsetof(vineyard_event, id) == 8);
static_assert(offsetof(vineyard_event, instance) == 16);
static_assert(offsetof(vineyard_event, name) == 24);

TEST(Layout, InitMacrosSetTheSizeAndNothingElse) {
  vineyard_connect_options connect = VINEYARD_CONNECT_OPTIONS_INIT;
  EXPECT_EQ(connect.struct_size, sizeof connect);
  EXPECT_EQ(connect.timeout_ms, 0);
  EXPECT_EQ(connect.name, nullptr);
  EXPECT_EQ(connect.keep_waiting, nullptr);
  vineyard_name_options name = VINEYARD_NAME_OPTIONS_INIT;
  EXPECT_EQ(name.struct_size, sizeof name);
  EXPECT_EQ(name.compare, 0);
  vineyard_tensor tensor = VINEYARD_TENSOR_INIT;
  EXPECT_EQ(tensor.struct_size, sizeof tensor);
  EXPECT_EQ(tensor.data, nullptr);
  vineyard_instance instance = VINEYARD_INSTANCE_INIT;
  EXPECT_EQ(instance.struct_size, sizeof instance);
  EXPECT_EQ(instance.endpoint, nullptr);
  vineyard_list_options list = VINEYARD_LIST_OPTIONS_INIT;
  EXPECT_EQ(list.struct_size, sizeof list);
  EXPECT_EQ(list.value, nullptr);
  vineyard_name_get_options lookup = VINEYARD_NAME_GET_OPTIONS_INIT;
  EXPECT_EQ(lookup.struct_size, sizeof lookup);
  EXPECT_EQ(lookup.timeout_ms, 0);
  vineyard_event event = VINEYARD_EVENT_INIT;
  EXPECT_EQ(event.struct_size, sizeof event);
  EXPECT_EQ(event.name, nullptr);
}
