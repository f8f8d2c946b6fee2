// Lists of objects, types and names.
#include <algorithm>
#include <memory>

#include "capi/src/guard.h"

using namespace vineyard;        // NOLINT(google-build-using-namespace)
using namespace vineyard::capi;  // NOLINT(google-build-using-namespace)

namespace {
constexpr uint64_t kDefaultPage = 1000;
}

// ---- objects -------------------------------------------------------------------------------------

struct vineyard_list {
  std::shared_ptr<client::Client> client;
  client::Client::Filter filter;
  uint64_t page = kDefaultPage;
  client::Client::Page now;
  uint64_t next = 0;
  bool started = false;
};

int32_t vineyard_list_open(vineyard_client* client, const char* type_pattern, uint64_t page,
                           vineyard_list** list) {
  vineyard_list_options options = VINEYARD_LIST_OPTIONS_INIT;
  options.page = page;
  return vineyard_list_open_with(client, type_pattern, &options, list);
}

int32_t vineyard_list_open_with(vineyard_client* client, const char* type_pattern,
                                const vineyard_list_options* options, vineyard_list** list) {
  if (list != nullptr) *list = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(type_pattern);
    RETURN_IF_NULL(list);
    vineyard_list_options known = VINEYARD_LIST_OPTIONS_INIT;
    RETURN_IF_ERROR(ReadStruct(options, &known));
    if (Of(client)->is_closed()) return Invalid("client: it is closed");
    auto made = std::make_unique<vineyard_list>();
    made->client = Of(client)->shared_from_this();
    made->filter.type_glob = type_pattern;
    made->filter.instance = known.instance;
    if (known.label != nullptr) made->filter.label = known.label;
    if (known.value != nullptr) made->filter.value = known.value;
    if (!made->filter.value.empty() && made->filter.label.empty()) {
      return Invalid("list: a value without a label; name the label, too");
    }
    if (known.page != 0) made->page = std::min(known.page, client::Client::kMaxPage);
    *list = made.release();
    return OkStatus();
  });
}

int32_t vineyard_list_next(vineyard_list* list, vineyard_id* id) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(list);
    RETURN_IF_NULL(id);
    while (list->next == list->now.ids.size()) {
      if (list->started && list->now.cursor.empty()) {
        *id = VINEYARD_ID_INVALID;
        return OkStatus();
      }
      ASSIGN_OR_RETURN(list->now, list->client->List(list->filter, list->now.cursor, list->page));
      list->next = 0;
      list->started = true;
    }
    *id = list->now.ids[list->next++];
    return OkStatus();
  });
}

void vineyard_list_release(vineyard_list* list) { delete list; }

// ---- types ---------------------------------------------------------------------------------------

struct vineyard_types {
  std::vector<std::pair<std::string, uint64_t>> types;
};

int32_t vineyard_types_get(vineyard_client* client, vineyard_types** types) {
  if (types != nullptr) *types = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(types);
    ASSIGN_OR_RETURN(auto got, Of(client)->ListTypes());
    *types = new vineyard_types{std::move(got)};
    return OkStatus();
  });
}

uint64_t vineyard_types_count(const vineyard_types* types) {
  return types != nullptr ? types->types.size() : 0;
}

int32_t vineyard_types_at(const vineyard_types* types, uint64_t index, const char** name,
                          uint64_t* objects) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(types);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(objects);
    if (index >= types->types.size()) return NotFound("types: the index is behind the last one");
    *name = types->types[index].first.c_str();
    *objects = types->types[index].second;
    return OkStatus();
  });
}

void vineyard_types_release(vineyard_types* types) { delete types; }

// ---- names ---------------------------------------------------------------------------------------

struct vineyard_name_list {
  std::shared_ptr<client::Client> client;
  std::string pattern;
  client::Client::NamePage now;
  uint64_t next = 0;
  bool started = false;
};

int32_t vineyard_name_list_open(vineyard_client* client, const char* pattern,
                                vineyard_name_list** list) {
  if (list != nullptr) *list = nullptr;
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(client);
    RETURN_IF_NULL(pattern);
    RETURN_IF_NULL(list);
    if (Of(client)->is_closed()) return Invalid("client: it is closed");
    auto made = std::make_unique<vineyard_name_list>();
    made->client = Of(client)->shared_from_this();
    made->pattern = pattern;
    *list = made.release();
    return OkStatus();
  });
}

int32_t vineyard_name_list_next(vineyard_name_list* list, const char** name, vineyard_id* id,
                                uint64_t* revision) {
  return Guarded([&]() -> Status {
    RETURN_IF_NULL(list);
    RETURN_IF_NULL(name);
    RETURN_IF_NULL(id);
    while (list->next == list->now.names.size()) {
      if (list->started && list->now.cursor.empty()) {
        *name = nullptr;
        *id = VINEYARD_ID_INVALID;
        return OkStatus();
      }
      std::string after = list->now.cursor;
      ASSIGN_OR_RETURN(list->now, list->client->ListNames(list->pattern, after, kDefaultPage));
      list->next = 0;
      list->started = true;
    }
    const client::NamedObject& found = list->now.names[list->next++];
    *name = found.name.c_str();
    *id = found.id;
    if (revision != nullptr) *revision = found.revision;
    return OkStatus();
  });
}

void vineyard_name_list_release(vineyard_name_list* list) { delete list; }
