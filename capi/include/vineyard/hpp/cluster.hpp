// More than one instance: who they are, how far their knowledge reaches, and what changes there.
#ifndef VINEYARD_HPP_CLUSTER_HPP_
#define VINEYARD_HPP_CLUSTER_HPP_

#include <vineyard/vineyard.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vineyard/hpp/detail.hpp>
#include <vineyard/hpp/ids.hpp>
#include <vineyard/hpp/lists.hpp>
#include <vineyard/hpp/object.hpp>

namespace vineyard {
inline namespace v0 {

// So many changes of the cluster; a plain value that programs may send each other.
struct Position {
  std::uint64_t generation = 0;
  std::uint64_t entries = 0;

  friend bool operator==(Position one, Position other) noexcept {
    return one.generation == other.generation && one.entries == other.entries;
  }
  friend bool operator!=(Position one, Position other) noexcept { return !(one == other); }
  friend bool operator<(Position one, Position other) noexcept {
    return one.generation != other.generation ? one.generation < other.generation
                                              : one.entries < other.entries;
  }
  friend bool operator>(Position one, Position other) noexcept { return other < one; }
  friend bool operator<=(Position one, Position other) noexcept { return !(other < one); }
  friend bool operator>=(Position one, Position other) noexcept { return !(one < other); }
};

namespace detail {

inline vineyard_position raw_of(Position position) noexcept {
  return {position.generation, position.entries};
}
inline Position of_raw(const vineyard_position& raw) noexcept {
  return {raw.generation, raw.entries};
}

struct InstanceKind {
  struct Item {
    std::uint64_t number;
    InstanceState state;
    std::optional<TimePoint> since;
    std::uint64_t memory_limit;  // bytes
    std::uint64_t epoch;         // moves with every start of its daemon
    std::uint64_t uid;           // its daemon's user
    // Its daemon's; borrowed from the list. `endpoint`: where other hosts reach it; "": nowhere.
    std::string_view host, socket, endpoint;
  };
  using Handle = vineyard_instance_list;
  static constexpr auto count = vineyard_instance_list_count;
  static constexpr auto release = vineyard_instance_list_release;
  static Item at(const Handle* list, std::size_t index) {
    vineyard_instance raw = VINEYARD_INSTANCE_INIT;
    check(vineyard_instance_list_at(list, index, &raw));
    return {raw.number,
            static_cast<InstanceState>(raw.state),
            time_of(raw.since_ms),
            raw.memory_limit,
            raw.epoch,
            raw.uid,
            raw.host != nullptr ? raw.host : "",
            raw.socket != nullptr ? raw.socket : "",
            raw.endpoint != nullptr ? raw.endpoint : ""};
  }
};

}  // namespace detail

using Instance = detail::InstanceKind::Item;

// The instances of the cluster by number, lost ones among them: for (const Instance& i : client.instances()).
class InstanceList : public CountedList<detail::InstanceKind> {
 public:
  using CountedList::CountedList;
};

// Of what is not said here, see VINEYARD_EVENT_* in cluster.h; there may be new ones, to be passed over.
enum class EventKind : std::int32_t {
  kCreated = VINEYARD_EVENT_CREATED,      // id, instance
  kDeleted = VINEYARD_EVENT_DELETED,      // id, instance
  kNamed = VINEYARD_EVENT_NAMED,          // name, id
  kDropped = VINEYARD_EVENT_DROPPED,      // name, and the id that it had
  kJoined = VINEYARD_EVENT_JOINED,        // instance
  kLost = VINEYARD_EVENT_LOST,            // instance
  kForgotten = VINEYARD_EVENT_FORGOTTEN,  // instance
  kLabelled = VINEYARD_EVENT_LABELLED,    // id
  kCompacted = VINEYARD_EVENT_COMPACTED   // what happened up to here is not known any more
};

struct WatchEvent {
  EventKind kind;
  ObjectId id = kNoObject;
  std::uint64_t instance = 0;
  std::string name;
};

// Changes of the cluster as they happen. Thread-compatible; belongs to the process that opened it, and is to go before
// its client is closed: InvalidError from then on.
class Watch {
 public:
  Watch() = default;
  explicit Watch(vineyard_watch* handle) noexcept : handle_(handle) {}
  vineyard_watch* handle() const noexcept { return handle_.get(); }
  explicit operator bool() const noexcept { return handle_ != nullptr; }

  // Nothing: there was none in that time. UnavailableError: there was none, and the daemon is away or hears of none;
  // the watch goes on once it can.
  std::optional<WatchEvent> next(std::chrono::milliseconds timeout = kDefaultTimeout) {
    vineyard_event raw = VINEYARD_EVENT_INIT;
    const std::int32_t status = vineyard_watch_next(handle(), timeout.count(), &raw);
    if (status == VINEYARD_E_TIMEOUT) return std::nullopt;
    detail::check(status);
    return WatchEvent{static_cast<EventKind>(raw.kind), raw.id, raw.instance,
                      raw.name != nullptr ? raw.name : ""};
  }
  // A descriptor for poll: once it is readable, call next(kNoWait) until that answers nothing or throws
  // UnavailableError. The same for as long as the watch lives, and not to be closed. Of an empty handle: -1.
  int fd() const noexcept { return vineyard_watch_fd(handle()); }
  // Where a later watch takes up what this one has not answered yet.
  Position position() const {
    vineyard_position raw{};
    detail::check(vineyard_watch_position(handle(), &raw));
    return detail::of_raw(raw);
  }

 private:
  detail::Owner<vineyard_watch, vineyard_watch_release> handle_;
};

}  // namespace v0
}  // namespace vineyard

#endif  // VINEYARD_HPP_CLUSTER_HPP_
