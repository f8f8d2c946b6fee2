#include "core/meta/zookeeper/removal.h"

#include <algorithm>
#include <utility>

namespace vineyard::meta::zookeeper {
namespace {

constexpr size_t kHomesAtOnce = 100;  // whose children are read for one part

// How much of a multi is left.
class Room {
 public:
  // Whether `ops` that name `text` bytes fit.
  bool Take(size_t ops, size_t text) {
    size_t bytes = ops * (64 + kPath) + text;
    if (ops_ != 0 && (ops_ + ops > kRemovalOps || bytes_ + bytes > kRemovalBytes)) return false;
    ops_ += ops;
    bytes_ += bytes;
    return true;
  }

 private:
  static constexpr size_t kPath = 100;  // of a node, roughly, with its prefix
  size_t ops_ = 0, bytes_ = 0;
};

// A name takes two ops: its own node, with a body, and the one under the tree.
bool TakeName(const std::string& name, Room* room) {
  return room->Take(2, 2 * EscapeName(name).size() + name.size() + 64);
}

}  // namespace

std::optional<Removal> RemovalOf(const Removing& removing, const Catalog& catalog) {
  Removal removal;
  Room room;
  std::set<ObjectId> going;
  for (ObjectId home : removing.homes) {
    Removal::Piece piece{home, catalog.NamesOf(home), {}, {}, true, false};
    bool fits = true;
    for (size_t i = 0; fits && i < piece.names.size(); ++i) fits = TakeName(piece.names[i], &room);
    std::vector<ObjectId> referrers = catalog.ReferrersOf(home);
    if (!fits || !room.Take(catalog.LinksOf(home).size() + referrers.size() + 1, 0)) {
      if (removal.pieces.empty()) return std::nullopt;
      break;
    }
    for (ObjectId referrer : referrers) piece.nodes.push_back("l-" + PrintId(referrer));
    removal.pieces.push_back(std::move(piece));
    going.insert(home);
  }
  for (Removal::Piece& piece : removal.pieces) {
    for (ObjectId link : catalog.LinksOf(piece.home)) {
      // What goes too takes its children along; what was taken by force has none.
      if (!going.contains(link) && !catalog.TreeOf(link).empty()) piece.links.push_back(link);
    }
  }
  removal.is_all = removal.pieces.size() == removing.homes.size();
  return removal;
}

Result<Removal> RemovalOf(const Removing& removing, const Catalog& catalog, const Paths& paths,
                          const Found& found) {
  Removal removal;
  std::set<ObjectId> going(removing.homes.begin(), removing.homes.end());
  std::vector<ObjectId> homes(removing.homes.begin(),
                              removing.homes.begin() + static_cast<ptrdiff_t>(std::min(
                                                           removing.homes.size(), kHomesAtOnce)));
  auto ask = [&](const std::string& path) {
    auto known = found.exists.find(path);
    if (known == found.exists.end()) removal.exists.push_back(path);
    return known != found.exists.end() && known->second;
  };
  Room room;
  bool is_full = false;
  for (ObjectId home : homes) {
    auto listed = found.children.find(home);
    if (listed == found.children.end()) {
      removal.children.push_back(home);
      continue;
    }
    if (is_full || (!listed->second && !removing.gone_too)) continue;
    Removal::Piece piece{home, {}, {}, {}, false, !listed->second};
    if (piece.is_gone) piece.names = catalog.NamesOf(home);
    for (const std::string& child : listed->second.value_or(std::vector<std::string>())) {
      std::optional<std::string> name;
      if (child.rfind("n-", 0) == 0) name = UnescapeName(std::string_view(child).substr(2));
      std::optional<ObjectId> referrer;
      if (child.rfind("l-", 0) == 0) referrer = IdOf(std::string_view(child).substr(2));
      if (referrer && !removing.force && !going.contains(*referrer) && ask(paths.Tree(*referrer))) {
        return Status(Code::kInUse, "object " + PrintId(home) + ": object " + PrintId(*referrer) +
                                        " links to it; delete that first, or force");
      }
      is_full = name ? !TakeName(*name, &room) : !room.Take(1, child.size());
      if (is_full) break;
      name ? piece.names.push_back(std::move(*name)) : piece.nodes.push_back(child);
    }
    for (ObjectId link : catalog.LinksOf(home)) {
      if (!going.contains(link) && ask(paths.LinkOf(link, home))) piece.links.push_back(link);
    }
    if (!is_full && room.Take(piece.links.size() + 1, 0)) {
      piece.is_whole = true;
    } else {
      is_full = true;
    }
    removal.pieces.push_back(std::move(piece));
  }
  removal.is_all = !is_full && homes.size() == removing.homes.size();
  return removal;
}

}  // namespace vineyard::meta::zookeeper
