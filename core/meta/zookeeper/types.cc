#include "core/meta/zookeeper/types.h"

#include <algorithm>
#include <utility>

namespace vineyard::meta::zookeeper {

std::string_view StateName(State state) {
  switch (state) {
    case State::kConnecting:
      return "connecting";
    case State::kConnected:
      return "connected";
    case State::kSuspended:
      return "suspended";
    case State::kExpired:
      return "expired";
    case State::kAuthFailed:
      return "authentication failed";
    case State::kClosed:
      return "closed";
  }
  return "";
}

Op Op::Create(std::string path, std::string data, unsigned flags) {
  return {Kind::kCreate, std::move(path), std::move(data), kAnyVersion, flags};
}

Op Op::Set(std::string path, std::string data, int32_t version) {
  return {Kind::kSet, std::move(path), std::move(data), version};
}

Op Op::Remove(std::string path, int32_t version) {
  return {Kind::kRemove, std::move(path), {}, version};
}

Op Op::Check(std::string path, int32_t version) {
  return {Kind::kCheck, std::move(path), {}, version};
}

std::string Op::Text() const {
  static constexpr const char* kVerbs[] = {"create", "set", "remove", "check"};
  return Format("%s %s", kVerbs[static_cast<int>(kind)], path.c_str());
}

// A create takes the most: a header of 9 bytes, two lengths, 27 bytes of who may do what, flags.
size_t SizeOf(const Op& op) { return op.path.size() + op.data.size() + 64; }

Status CheckPath(std::string_view path) {
  auto refuse = [&](const char* why) {
    std::string shown(path.substr(0, 100));
    return Invalid(Format("path '%s' of a node %s", shown.c_str(), why));
  };
  if (path.size() > kRequestLimit) {
    return Limit(
        Format("the path of a node has %zu bytes, more than %zu", path.size(), kRequestLimit));
  }
  if (path.empty() || path[0] != '/') return refuse("does not begin with /");
  if (path == "/") return OkStatus();
  for (size_t begin = 1; begin <= path.size();) {
    size_t end = std::min(path.find('/', begin), path.size());
    std::string_view name = path.substr(begin, end - begin);
    if (name.empty() || name == "." || name == "..") return refuse("has an empty name, . or ..");
    for (char c : name) {
      if (c < 0x20 || c > 0x7e) return refuse("is not printable ASCII");
    }
    begin = end + 1;
  }
  return path.back() == '/' ? refuse("ends with /") : OkStatus();
}

Status CheckMulti(const std::vector<Op>& ops) {
  if (ops.empty()) return Invalid("nothing is to be changed");
  size_t size = 0;
  for (const Op& op : ops) {
    RETURN_IF_ERROR(CheckPath(op.path));
    size += SizeOf(op);
  }
  if (size <= kRequestLimit) return OkStatus();
  return Limit(Format("%zu changes of %zu bytes altogether, more than %zu", ops.size(), size,
                      kRequestLimit));
}

}  // namespace vineyard::meta::zookeeper
