// What a daemon believes of its cluster: a log that others wrote, in whatever order and however often its entries
// are read, leaves a catalog whose lists, names, links and counts agree with its trees. Changes that are allowed
// leave one that is the same when their effects are applied twice.
//
// Structure-aware: every byte of the input is a small choice, so that ids, names and owners meet each other.
#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/check.h"
#include "core/meta/catalog.h"
#include "core/meta/effects.h"
#include "core/object/record.h"

namespace {

using namespace vineyard;
using namespace vineyard::meta;

constexpr uint64_t kIds = 24, kOwners = 4;

class Choices {
 public:
  explicit Choices(std::string_view bytes) : bytes_(bytes) {}
  bool any() const { return !bytes_.empty(); }
  uint64_t Below(uint64_t limit) {
    if (bytes_.empty()) return 0;
    auto byte = static_cast<uint8_t>(bytes_[0]);
    bytes_.remove_prefix(1);
    return byte % limit;
  }
  ObjectId Id() {
    uint64_t number = 1 + Below(kIds);
    return number % 3 == 0 ? kBlobBit | number : number;
  }
  std::string Name() { return "n" + std::to_string(Below(4)); }
  std::string_view Take(uint64_t size) {
    std::string_view taken = bytes_.substr(0, size);
    bytes_.remove_prefix(taken.size());
    return taken;
  }

 private:
  static constexpr ObjectId kBlobBit = uint64_t{1} << 63;
  std::string_view bytes_;
};

// A tree of what is chosen, legal or not; empty: it is too large.
std::string ATree(Choices* choices) {
  std::deque<std::string> records;
  Tree tree;
  tree.owner = 1 + choices->Below(kOwners);
  std::set<ObjectId> own;
  for (uint64_t i = 0, count = 1 + choices->Below(4); i < count; ++i) {
    Node node;
    node.id = choices->Id();
    own.insert(node.id);
    if (node.is_blob()) {
      node.value_size = choices->Below(100);
    } else {
      std::vector<Member> members;
      for (uint64_t k = 0, most = choices->Below(3); k < most; ++k) {
        ObjectId member = choices->Id();
        members.push_back({k == 0 ? "a" : "b", member});
        if (own.count(member) == 0) tree.links.push_back({member, {member}});
      }
      std::string type = "t" + std::to_string(choices->Below(3));
      records.push_back(EncodeRecord(node.id, type, 8, tree.owner, members, "\x80"));
      node.record = records.back();
    }
    tree.nodes.push_back(node);
  }
  for (uint64_t i = choices->Below(3); i > 0; --i) {
    std::string key = "k" + std::to_string(choices->Below(2));
    tree.labels.push_back({choices->Id(), {{key, "v" + std::to_string(choices->Below(2))}}});
  }
  Result<std::string> bytes = EncodeTree(tree);
  return bytes.ok() ? *bytes : "";
}

Instance AnInstance(Choices* choices) {
  Instance instance;
  instance.number = 1 + choices->Below(kOwners);
  instance.epoch = choices->Below(4);
  instance.lost = choices->Below(2) != 0;
  return instance;
}

// As somebody else's log says it.
Effect AnEffect(Choices* choices) {
  switch (choices->Below(8)) {
    case 0:
    case 1:
      return TreeCreated{ATree(choices), choices->Below(4) == 0 ? choices->Id() : kInvalidId};
    case 2:
      return TreeDeleted{choices->Id()};
    case 3:
      return TreeLabelled{ATree(choices)};
    case 4:
      return NamePut{choices->Name(), {choices->Id(), 1 + choices->Below(8)}};
    case 5:
      return NameDropped{choices->Name(), choices->Below(8)};
    case 6:
      return InstanceChanged{AnInstance(choices)};
    default: {
      if (choices->Below(4) == 0) return InstanceForgotten{1 + choices->Below(kOwners)};
      return TreeCreated{std::string(choices->Take(choices->Below(200))), kInvalidId};
    }
  }
}

Change AChange(Choices* choices) {
  uint64_t expect = choices->Below(4) == 0 ? choices->Below(4) : kAnyRevision;
  switch (choices->Below(6)) {
    case 0: {
      Persist persist;
      for (uint64_t i = choices->Below(3); i > 0; --i) persist.trees.push_back(ATree(choices));
      persist.again = choices->Below(2) != 0;
      return persist;
    }
    case 1: {
      Delete remove;
      for (uint64_t i = choices->Below(3); i > 0; --i) remove.ids.push_back(choices->Id());
      remove.force = choices->Below(2) != 0;
      return remove;
    }
    case 2:
      return PutName{choices->Name(), choices->Id(), choices->Below(2) != 0, expect};
    case 3:
      return DropName{choices->Name(), expect};
    case 4:
      return SetLabels{choices->Id(), {{"k0", choices->Below(2) != 0 ? "" : "v0"}}};
    default:
      return ForgetInstance{1 + choices->Below(kOwners)};
  }
}

std::vector<ObjectId> Listed(const Catalog& catalog, const Catalog::Filter& filter) {
  std::vector<ObjectId> all;
  std::string after;
  do {
    auto page = catalog.List(filter, after, 3);
    CHECK(page.ok());
    for (ObjectId id : page->ids()) all.push_back(id);
    after = page->cursor;
  } while (!after.empty());
  return all;
}

void CheckTree(const Catalog& catalog, ObjectId home, uint64_t owner,
               std::map<ObjectId, std::string>* objects) {
  auto tree = DecodeTree(catalog.TreeOf(home));
  CHECK(tree.ok());
  CHECK(tree->home() == home && tree->owner == owner);
  CHECK(catalog.ObjectsOf(home) == tree->nodes.size());
  for (const Node& node : tree->nodes) {
    CHECK(catalog.HomeOf(node.id) == home && catalog.OwnerOf(node.id) == owner);
    CHECK(objects->emplace(node.id, std::string(node.type_name)).second);
  }
  for (const auto& [id, labels] : tree->labels) {
    for (const auto& [key, value] : labels) {
      CHECK(catalog.HomeOf(id) != home || catalog.HasLabel(id, key, value));
    }
  }
  for (const Link& link : tree->links) {
    for (ObjectId id : link.ids) {
      std::vector<ObjectId> referrers = catalog.ReferrersOf(id);
      CHECK(id == home || std::count(referrers.begin(), referrers.end(), home) == 1);
    }
  }
  for (const std::string& name : catalog.NamesOf(home)) {
    auto known = catalog.FindName(name);
    CHECK(known && catalog.HomeOf(known->id) == home);
  }
}

// The invariants at the top of catalog.h, from outside.
void CheckInvariants(const Catalog& catalog) {
  std::map<ObjectId, std::string> objects;
  uint64_t trees = 0;
  for (uint64_t owner = 0; owner <= kOwners; ++owner) {
    for (ObjectId home : catalog.TreesOf(owner)) {
      CheckTree(catalog, home, owner, &objects);
      ++trees;
    }
    for (ObjectId id : Listed(catalog, {"*", owner == 0 ? kOwners + 1 : owner})) {
      CHECK(catalog.OwnerOf(id) == owner);
    }
  }
  // Trees of bytes that were taken as they came may be of any owner.
  CHECK(trees <= catalog.trees() && objects.size() <= catalog.objects());
  std::vector<ObjectId> listed = Listed(catalog, {});
  CHECK(listed.size() == catalog.objects());
  for (ObjectId id : listed) CHECK(catalog.HomeOf(id).has_value());
  uint64_t of_types = 0;
  for (const auto& [type, count] : catalog.TypesBut(0)) of_types += count;
  CHECK(of_types == catalog.objects() || catalog.trees() > trees);
  auto names = catalog.ListNames("*", "", UINT64_MAX).names;
  CHECK(names.size() == catalog.names());
  for (const auto& [name, value] : names) {
    auto home = catalog.HomeOf(value.id);
    CHECK(home.has_value());
    std::vector<std::string> of_home = catalog.NamesOf(*home);
    CHECK(std::count(of_home.begin(), of_home.end(), name) == 1);
  }
}

// All that can be asked for.
std::string Dump(const Catalog& catalog) {
  std::string text;
  for (ObjectId id : Listed(catalog, {})) {
    text += PrintId(id) + " in " + PrintId(*catalog.HomeOf(id)) + ": ";
    text += catalog.TreeOf(id);
  }
  for (const auto& [name, value] : catalog.ListNames("*", "", UINT64_MAX).names) {
    text += name + "=" + PrintId(value.id) + "@" + std::to_string(value.revision) + " ";
  }
  for (const auto& [number, instance] : catalog.instances()) {
    text +=
        std::to_string(number) + "." + std::to_string(instance.epoch) + (instance.lost ? "-" : "+");
  }
  return text;
}

void Apply(Catalog* catalog, const Effect& effect) {
  Status applied = catalog->Apply(effect);
  CHECK(applied.ok() || applied.code() == Code::kCorrupt || applied.code() == Code::kVersion ||
        applied.code() == Code::kLimit);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Choices choices(
      std::string_view(reinterpret_cast<const char*>(data), std::min<size_t>(size, 4096)));
  Catalog once, twice;
  uint64_t revision = 100;
  while (choices.any()) {
    if (choices.Below(2) == 0) {
      Effect effect = AnEffect(&choices);
      Apply(&once, effect);
      Apply(&twice, effect);
      Apply(&twice, effect);
    } else {
      Change change = AChange(&choices);
      if (!once.Check(change).ok()) continue;
      Result<Effects> effects = EffectsOf(change, once, ++revision);
      CHECK(effects.ok() || effects.status().code() == Code::kLimit);
      if (!effects.ok()) continue;
      for (const Effect& effect : effects->effects) CHECK(once.Apply(effect).ok());
      for (int i = 0; i < 2; ++i) {
        for (const Effect& effect : effects->effects) Apply(&twice, effect);
      }
    }
    CheckInvariants(once);
  }
  CheckInvariants(twice);
  CHECK(Dump(once) == Dump(twice));
  Catalog taken;
  taken.TakeFrom(&twice);
  CHECK(Dump(taken) == Dump(once));
  CHECK(twice.objects() + twice.names() + twice.trees() == 0);
  for (ObjectId id : Listed(taken, {})) Apply(&taken, TreeDeleted{id});
  CHECK(taken.objects() + taken.names() + taken.trees() == 0);
  return 0;
}
