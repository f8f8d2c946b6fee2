// The client: connecting, and every call that asks the daemon.
#ifndef VINEYARD_HPP_CLIENT_HPP_
#define VINEYARD_HPP_CLIENT_HPP_

#include <vineyard/vineyard.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>
#include <vineyard/hpp/blob.hpp>
#include <vineyard/hpp/builtin.hpp>
#include <vineyard/hpp/cluster.hpp>
#include <vineyard/hpp/detail.hpp>
#include <vineyard/hpp/ids.hpp>
#include <vineyard/hpp/lists.hpp>
#include <vineyard/hpp/meta.hpp>
#include <vineyard/hpp/object.hpp>
#include <vineyard/hpp/span.hpp>

namespace vineyard {
inline namespace v0 {

// Who may read what is put: see share.h.
struct Share {
  std::int32_t with = VINEYARD_SHARE_DEFAULT;  // VINEYARD_SHARE_*
  std::uint32_t gid = 0;
  static constexpr Share user() noexcept { return {VINEYARD_SHARE_UID, 0}; }
  static constexpr Share group(std::uint32_t gid) noexcept { return {VINEYARD_SHARE_GID, gid}; }
  static constexpr Share all() noexcept { return {VINEYARD_SHARE_ALL, 0}; }
};

struct ConnectOptions {
  // Of the connect and default of all waits; 0: 30 seconds.
  std::chrono::milliseconds timeout{0};
  // For people who look at the daemon: "loader 3".
  std::string name;
  // Asked by a thread that waits: see vineyard_connect_options.
  std::int32_t (*keep_waiting)() = nullptr;
  // Of what is put, where the put says nothing.
  Share share = {};
  // Whose daemon is believed beside this user's and root's; 0: see vineyard_connect_options.
  std::uint32_t daemon_uid = 0;
};

struct PutOptions {
  // Given to the object in the same step; "": none.
  std::string name;
  bool replace = false;  // the name may be taken; it moves to this object
  bool persist = false;  // publish to the cluster as well; see Error::stored()
  Share share = {};      // members that exist already must be shared alike
};

struct DeleteOptions {
  bool force = false;    // also what others link to: it goes when they are gone
  bool shallow = false;  // members stay
};

// The name need not have any revision; the name must not exist.
inline constexpr std::uint64_t kAnyRevision = ~std::uint64_t{0};
inline constexpr std::uint64_t kNoRevision = 0;

struct NameOptions {
  bool replace = false;  // the name may be taken
  std::optional<std::uint64_t>
      expect;  // the revision that the name must have, or one of the two above
};

struct NameGetOptions {
  std::chrono::milliseconds timeout = kNoWait;  // how long to wait for the name to be given
  bool latest = false;  // as of now in the whole cluster, not as of what is known here
};

struct ListOptions {
  std::uint64_t page = 0;      // objects fetched at a time; 0: 1,000
  std::uint64_t instance = 0;  // only objects of this instance; 0: of all
  std::string label;           // only objects that have this label; "": all
  std::string value;           // with this value; "": any
};

struct ClientStatistics {
  std::uint64_t requests = 0;              // exchanges with the daemon
  std::uint64_t copied_payload_bytes = 0;  // payload bytes this client copied, in and out
  std::uint64_t reconnects = 0;
};

// A connection to the daemon of this host. Thread-safe. A daemon that restarts is reconnected to.
class Client {
 public:
  // At the socket that the environment names, or the default: see vineyard_client_connect.
  static Client connect(const ConnectOptions& options = {}) {
    return connect(static_cast<const char*>(nullptr), options);
  }
  static Client connect(std::string_view path, const ConnectOptions& options = {}) {
    return connect(detail::CText(path).c_str(), options);
  }
  // NULL, as of getenv(): as without a path.
  static Client connect(const char* path, const ConnectOptions& options = {}) {
    const detail::CText name(options.name);
    vineyard_connect_options raw = VINEYARD_CONNECT_OPTIONS_INIT;
    raw.timeout_ms = options.timeout.count();
    raw.name = options.name.empty() ? nullptr : name.c_str();
    raw.keep_waiting = options.keep_waiting;
    raw.share = options.share.with;
    raw.gid = options.share.gid;
    raw.daemon_uid = options.daemon_uid;
    vineyard_client* client = nullptr;
    detail::check(vineyard_client_connect(path, &raw, &client));
    return Client(client);
  }

  Client() = default;
  explicit Client(vineyard_client* handle) noexcept : handle_(handle) {}
  vineyard_client* handle() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  // Ends its use, in all threads: InvalidError from then on. Views stay. Closing twice is allowed.
  void close() { detail::check(vineyard_client_close(handle())); }
  bool is_connected() const noexcept { return vineyard_client_is_connected(handle()) != 0; }
  // Borrowed from the client.
  std::string_view socket() const noexcept { return vineyard_client_socket(handle()); }
  // Number of the daemon's instance.
  std::uint64_t instance() const {
    std::uint64_t number = 0;
    detail::check(vineyard_client_instance(handle(), &number));
    return number;
  }
  // Works after close, too.
  ClientStatistics statistics() const {
    vineyard_client_statistics raw = VINEYARD_CLIENT_STATISTICS_INIT;
    detail::check(vineyard_client_get_statistics(handle(), &raw));
    return {raw.requests, raw.copied_payload_bytes, raw.reconnects};
  }
  InfoList info() const { return made<InfoList>(vineyard_client_get_info); }

  // ---- payloads ----

  // Pins the blob; in the usual case no system call. NotFoundError; TypeError: it is not a blob.
  Blob get_blob(ObjectId id) const {
    vineyard_blob* blob = nullptr;
    detail::check(vineyard_blob_get(handle(), id, &blob));
    return Blob(blob);
  }
  // A copy as a sealed blob. OutOfMemoryError, also where it is larger than the store.
  ObjectId put_bytes(const void* data, std::size_t size,
                     PayloadKind kind = PayloadKind::kBuffer) const {
    ObjectId id = kNoObject;
    detail::check(vineyard_blob_put(handle(), data, size, static_cast<std::int32_t>(kind), &id));
    return id;
  }
  ObjectId put_bytes(std::string_view bytes, PayloadKind kind = PayloadKind::kBuffer) const {
    return put_bytes(bytes.data(), bytes.size(), kind);
  }
  // Memory to write a blob into; shared as the object that it will be a member of.
  BlobWriter create_blob(std::size_t size, PayloadKind kind = PayloadKind::kBuffer,
                         Share share = {}) const {
    vineyard_blob_options raw = VINEYARD_BLOB_OPTIONS_INIT;
    raw.share = share.with;
    raw.gid = share.gid;
    vineyard_blob_writer* writer = nullptr;
    detail::check(vineyard_blob_writer_create_with(handle(), size, static_cast<std::int32_t>(kind),
                                                   &raw, &writer));
    return BlobWriter(writer);
  }

  // ---- objects ----

  // Pins it with its whole tree. NotFoundError.
  Object get(ObjectId id) const {
    vineyard_object* object = nullptr;
    detail::check(vineyard_object_get(handle(), id, &object));
    return Object(object);
  }
  // The object that has the name; NotFoundError, or TimeoutError where it was waited for.
  Object get(std::string_view name, std::chrono::milliseconds timeout = kNoWait) const {
    return get(get_name(name, NameGetOptions{timeout, false}).id);
  }
  // All below `meta` or nothing, once. NotFoundError: a member does not exist; ExistsError: the name is taken;
  // OutOfMemoryError; LimitError; InvalidError: it was put already.
  ObjectId put(const MetaBuilder& meta, const PutOptions& options = {}) const {
    const detail::CText name(options.name);
    vineyard_put_options raw = VINEYARD_PUT_OPTIONS_INIT;
    raw.name = options.name.empty() ? nullptr : name.c_str();
    raw.replace = options.replace ? 1 : 0;
    raw.persist = options.persist ? 1 : 0;
    raw.share = options.share.with;
    raw.gid = options.share.gid;
    ObjectId id = kNoObject;
    const std::int32_t status = vineyard_object_put(handle(), meta.handle(), &raw, &id);
    if (status != VINEYARD_OK) detail::raise(status, id);
    return id;
  }
  // Values as Python's put stores them; what they take is told at build_…() (builtin.hpp).
  ObjectId put_string(std::string_view text, const PutOptions& options = {}) const {
    return put(build_string(text), options);
  }
  template <class T>
  ObjectId put_scalar(const T& value, const PutOptions& options = {}) const {
    return put(build_scalar(value), options);
  }
  template <class Range>
  ObjectId put_array(const Range& values, const PutOptions& options = {}) const {
    return put(build_array(values), options);
  }
  template <class Range>
  ObjectId put_tensor(const Range& values, const std::vector<std::int64_t>& shape,
                      Order order = Order::kC, const PutOptions& options = {}) const {
    return put(build_tensor(values, shape, order), options);
  }

  bool exists(ObjectId id) const {
    std::int32_t exists = 0;
    detail::check(vineyard_object_exists(handle(), id, &exists));
    return exists != 0;
  }
  // Returns once the object is sealed, or another instance has persisted it. TimeoutError.
  void wait(ObjectId id, std::chrono::milliseconds timeout = kDefaultTimeout) const {
    detail::check(vineyard_object_wait(handle(), id, timeout.count()));
  }
  // Deletes all of them or, on an error, none; waits for no reader. NotFoundError; InUseError: another object
  // links to it, or it is being written.
  void remove(span<const ObjectId> ids, const DeleteOptions& options = {}) const {
    vineyard_delete_options raw = VINEYARD_DELETE_OPTIONS_INIT;
    raw.force = options.force ? 1 : 0;
    raw.shallow = options.shallow ? 1 : 0;
    detail::check(vineyard_object_delete(handle(), ids.data(), ids.size(), &raw));
  }
  void remove(ObjectId id, const DeleteOptions& options = {}) const {
    remove(span<const ObjectId>(&id, 1), options);
  }
  // Publishes the objects and all that is local below them. Idempotent. NotFoundError.
  void persist(span<const ObjectId> ids) const {
    detail::check(vineyard_object_persist(handle(), ids.data(), ids.size()));
  }
  void persist(ObjectId id) const { persist(span<const ObjectId>(&id, 1)); }
  // Compares an object, and all below it that lies in this instance's memory, with the checksums that were made
  // when it was put. Answers how many bytes of payload have none. CorruptError names what is damaged.
  std::uint64_t verify(ObjectId id) const {
    std::uint64_t unchecked = 0;
    detail::check(vineyard_object_verify(handle(), id, &unchecked));
    return unchecked;
  }
  // Moves the payloads of an object and of all below it from memory to files now, but for those that another object
  // in memory links to. InUseError: somebody has pinned it; UnsupportedError: the daemon spills nothing.
  void evict(ObjectId id) const { detail::check(vineyard_object_evict(handle(), id)); }
  // Brings what lies in a file back into memory, with all below it.
  void load(ObjectId id) const { detail::check(vineyard_object_load(handle(), id)); }
  // Keeps an object and all below it in memory until as many unpin(), the end of the client or of its process.
  void pin(ObjectId id) const { detail::check(vineyard_object_pin(handle(), id)); }
  // NotFoundError: this client has not pinned it, or not as often.
  void unpin(ObjectId id) const { detail::check(vineyard_object_unpin(handle(), id)); }
  // Deletes every object that this user owns on this instance, also what it shares, and answers how many there were.
  std::uint64_t clear() const {
    std::uint64_t count = 0;
    detail::check(vineyard_client_clear(handle(), &count));
    return count;
  }
  // Gives memory that is wholly free back to the host and answers how many bytes: of what this user owns, or, for the
  // daemon's user, of all.
  std::uint64_t trim() const {
    std::uint64_t bytes = 0;
    detail::check(vineyard_client_trim(handle(), &bytes));
    return bytes;
  }

  // Objects whose type name, or one of its bases, matches the shell pattern, by type name and id.
  ObjectList list(std::string_view type_pattern = "*", const ListOptions& options = {}) const {
    const detail::CText pattern(type_pattern), label(options.label), value(options.value);
    vineyard_list_options raw = VINEYARD_LIST_OPTIONS_INIT;
    raw.page = options.page;
    raw.instance = options.instance;
    raw.label = label.c_str();
    raw.value = value.c_str();
    vineyard_list* list = nullptr;
    detail::check(vineyard_list_open_with(handle(), pattern.c_str(), &raw, &list));
    return ObjectList(list);
  }
  TypeList types() const { return made<TypeList>(vineyard_types_get); }

  // ---- labels: they may change, objects do not ----

  // `value` "" takes it away.
  void set_label(ObjectId id, std::string_view key, std::string_view value) const {
    detail::check(
        vineyard_label_set(handle(), id, detail::CText(key).c_str(), detail::CText(value).c_str()));
  }
  LabelList labels(ObjectId id) const {
    vineyard_labels* labels = nullptr;
    detail::check(vineyard_labels_get(handle(), id, &labels));
    return LabelList(labels);
  }

  // ---- names ----

  // Answers the revision. ExistsError: taken, and neither replace nor expect was given; ConflictError: another
  // revision than expected; NotFoundError: no such object.
  std::uint64_t put_name(std::string_view name, ObjectId id,
                         const NameOptions& options = {}) const {
    const vineyard_name_options raw = raw_of(options);
    std::uint64_t revision = 0;
    detail::check(vineyard_name_put(handle(), detail::CText(name).c_str(), id, &raw, &revision));
    return revision;
  }
  // NotFoundError; where it was waited for, TimeoutError.
  NamedObject get_name(std::string_view name, const NameGetOptions& options = {}) const {
    NamedObject named;
    detail::check(look_up(name, options, &named));
    return named;
  }
  std::optional<NamedObject> find_name(std::string_view name) const {
    NamedObject named;
    const std::int32_t status = look_up(name, {}, &named);
    if (status == VINEYARD_E_NOT_FOUND) return std::nullopt;
    detail::check(status);
    return named;
  }
  // Takes the name away; the object stays. NotFoundError; ConflictError.
  void drop_name(std::string_view name, const NameOptions& options = {}) const {
    const vineyard_name_options raw = raw_of(options);
    detail::check(vineyard_name_drop(handle(), detail::CText(name).c_str(), &raw));
  }
  // Those that match the shell pattern.
  NameList names(std::string_view pattern = "*") const {
    vineyard_name_list* list = nullptr;
    detail::check(vineyard_name_list_open(handle(), detail::CText(pattern).c_str(), &list));
    return NameList(list);
  }

  // ---- the cluster ----

  InstanceList instances() const { return made<InstanceList>(vineyard_instance_list_get); }
  // Takes a lost instance out of the cluster with all that it had. NotFoundError; InUseError: it is alive.
  void forget_instance(std::uint64_t number) const {
    detail::check(vineyard_instance_forget(handle(), number));
  }
  // What this client's daemon knows now; what this client has changed is in it.
  Position revision() const {
    vineyard_position raw{};
    detail::check(vineyard_client_revision(handle(), &raw));
    return detail::of_raw(raw);
  }
  // Returns once the daemon knows what lies before. TimeoutError; UnavailableError.
  void wait_revision(Position position, std::chrono::milliseconds timeout = kDefaultTimeout) const {
    const vineyard_position raw = detail::raw_of(position);
    detail::check(vineyard_client_wait_revision(handle(), &raw, timeout.count()));
  }
  // Returns once the daemon knows everything that was changed anywhere before this call, and answers how far that
  // is. TimeoutError; UnavailableError: the metadata service can not be asked.
  Position sync(std::chrono::milliseconds timeout = kDefaultTimeout) const {
    vineyard_position raw{};
    detail::check(vineyard_client_sync(handle(), timeout.count(), &raw));
    return detail::of_raw(raw);
  }
  // Changes from now on, or behind a position.
  Watch watch() const { return open_watch(nullptr); }
  Watch watch(Position after) const {
    const vineyard_position raw = detail::raw_of(after);
    return open_watch(&raw);
  }

 private:
  static vineyard_name_options raw_of(const NameOptions& options) {
    vineyard_name_options raw = VINEYARD_NAME_OPTIONS_INIT;
    raw.replace = options.replace ? 1 : 0;
    raw.compare = options.expect ? 1 : 0;
    raw.expect = options.expect.value_or(0);
    return raw;
  }
  std::int32_t look_up(std::string_view name, const NameGetOptions& options,
                       NamedObject* named) const {
    vineyard_name_get_options raw = VINEYARD_NAME_GET_OPTIONS_INIT;
    raw.latest = options.latest ? 1 : 0;
    raw.timeout_ms = options.timeout.count();
    named->name = name;
    return vineyard_name_get_with(handle(), detail::CText(name).c_str(), &raw, &named->id,
                                  &named->revision);
  }
  Watch open_watch(const vineyard_position* after) const {
    vineyard_watch* watch = nullptr;
    detail::check(vineyard_watch_open(handle(), after, &watch));
    return Watch(watch);
  }
  template <class List>
  List made(std::int32_t (*make)(vineyard_client*, typename List::Handle**)) const {
    typename List::Handle* list = nullptr;
    detail::check(make(handle(), &list));
    return List(list);
  }

  detail::Owner<vineyard_client, vineyard_client_release> handle_;
};

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_CLIENT_HPP_
