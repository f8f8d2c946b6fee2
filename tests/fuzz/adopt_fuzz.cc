// A successor whose memory was damaged: it may refuse the memory, but must not fall over, and what it
// serves must be in order. An input is a list of damages, 12 bytes each: where (1: which file, 4: which
// word, a small one is a slot's), how (1), a mask (6). Slots may get the checksums of their damage.
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/check.h"
#include "core/object/pack.h"
#include "core/shm/slot_table.h"
#include "core/shm/state_file.h"
#include "core/store/store.h"
#include "tests/fuzz/descriptors.h"

namespace {

using namespace vineyard;

constexpr uint64_t kSession = 7;
constexpr uint32_t kSlots = 24;  // more than the scene has

void Grow(store::Store* store) {
  auto segment = store::Store::PrepareSegment(*store->GrowthWanted());
  CHECK(segment.ok());
  CHECK(store->AddSegment(std::move(segment).value()).ok());
}

template <typename Call>
Result<store::Mutation> Retry(store::Store* store, Call call) {
  while (true) {
    Result<store::Mutation> result = call();
    if (result.ok() || !store->GrowthWanted()) return result;
    Grow(store);
  }
}

TreeNode Blob(std::string_view bytes, BlobKind kind) {
  TreeNode node;
  node.type = TreeNode::Type::kInlineBlob;
  node.kind = kind;
  node.bytes = bytes;
  return node;
}

// A bit of everything that a store can hold, a commit that is valid and not applied, and a session.
struct Scene {
  Descriptors descriptors;  // first: what lists them may be damaged
  std::unique_ptr<shm::StateFile> state;
  std::unique_ptr<shm::SlotTable> table;
  store::SessionFiles files;
  store::Options options;
  std::vector<ObjectId> ids;

  Scene() {
    options.size_bytes = 4 * kMiB;
    auto created = shm::StateFile::Create();
    CHECK(created.ok());
    state = std::move(created).value();
    auto opened = store::Store::Open(state.get(), options);
    CHECK(opened.ok());
    std::unique_ptr<store::Store> store = std::move(opened).value();
    store::SessionInfo info;
    info.id = kSession;
    auto session = store->OpenSession(info);
    CHECK(session.ok());
    files = std::move(session).value();
    CHECK(store->Grant(kSession, 0).ok());

    std::string fields;
    Packer(&fields).Map(1).String("n").Uint(1);
    Tree tree;
    tree.nodes.push_back(Blob("leaf", BlobKind::kBytes));
    std::string payload(500, 'x');
    tree.nodes.push_back(Blob(payload, BlobKind::kBuffer));
    TreeNode object;
    object.type_name = "t";
    object.fields = fields;
    object.members = {{"a", true, 0}, {"b", true, 1}};
    tree.nodes.push_back(object);
    object.members = {{"a", true, 0}, {"c", true, 2}};
    tree.nodes.push_back(object);
    auto root = Retry(store.get(), [&] { return store->Put({kSession, 1}, tree); });
    CHECK(root.ok());
    ids.push_back(root->id);
    Tree parent;
    object.members = {{"r", false, root->id}, {"s", false, root->id}};
    parent.nodes.push_back(object);
    auto above = Retry(store.get(), [&] { return store->Put({kSession, 2}, parent); });
    CHECK(above.ok());
    ids.push_back(above->id);
    CHECK(store->PutName({}, "name", root->id, false, UINT64_MAX).ok());
    CHECK(store->PutName({}, "other", above->id, false, UINT64_MAX).ok());
    CHECK(store->SetLabels({}, root->id, {{"k", "v"}}).ok());
    for (uint64_t n = 0; n < 2; ++n) {
      CHECK(Retry(store.get(), [&] {
              return store->Lease({kSession, 3 + n}, BlobKind::kBytes, 1000);
            }).ok());
    }
    // Deleted and held: DELETING when the daemon ends.
    Tree held;
    held.nodes.push_back(Blob("held", BlobKind::kBytes));
    auto deleting = store->Put({kSession, 5}, held);
    CHECK(deleting.ok());
    store->Hold(store->Find(deleting->id)->slot);
    CHECK(store->Delete({}, {deleting->id}, false, false).ok());
    store.reset();
    auto index = shm::SlotTable::Open(state.get());
    CHECK(index.ok());
    table = std::move(index).value();
    // The last commit (the delete: its slot, the counters) is applied again.
    state->header().commit_lines = 2;
  }
};

void Damage(Scene* scene, std::string_view how) {
  shm::StateFile* state = scene->state.get();
  auto byte = [&](size_t i) { return static_cast<uint8_t>(how[i]); };
  uint64_t word = 0, mask = 0;
  for (size_t i = 0; i < 4; ++i) word |= uint64_t{byte(1 + i)} << (8 * i);
  for (size_t i = 0; i < 6; ++i) mask |= uint64_t{byte(6 + i)} << (8 * i);
  mask = mask << (byte(5) & 16) | (byte(5) & 32 ? mask >> 32 : 0);
  auto change = [&](char* base, uint64_t at) {
    uint64_t value;
    std::memcpy(&value, base + at, 8);
    value = (byte(5) & 1) != 0 ? mask : value ^ mask;
    std::memcpy(base + at, &value, 8);
  };
  auto* base = reinterpret_cast<char*>(&state->header());
  // Numbers of descriptors stay: what they name in this process is not the store's alone.
  switch (byte(0) % 6) {
    case 0:  // header of the state, counters
      return change(base, word % (sizeof(shm::StateHeader) / 8) * 8);
    case 1: {  // descriptors
      uint64_t at = word % 64 * 8;
      if (at % sizeof(shm::DescriptorEntry) == 0) return;
      return change(base, shm::kDescriptorsOffset + at);
    }
    case 2:  // the session
      return change(base, shm::kSessionsOffset + word % (sizeof(shm::SessionCell) / 8) * 8);
    case 3:  // lines of the commit
      return change(base, shm::kCommitOffset + word % (4 * sizeof(shm::CommitLine) / 8) * 8);
    default:
      break;
  }
  char* index = scene->table->data();
  if (byte(0) % 6 == 4) return change(index, word % (sizeof(shm::Superblock) / 8) * 8);
  auto slot = static_cast<uint32_t>(word / 8 % kSlots);
  uint64_t at = shm::kSlotsOffset + slot * sizeof(shm::Slot);
  change(index, at + word % 8 * 8);
  if ((byte(5) & 2) == 0) return;
  shm::SlotImage image = scene->table->Read(slot);
  image.Seal();
  shm::CommitLine line = image.Line(slot);
  std::memcpy(index + line.offset, line.words, sizeof line.words);
}

void Use(store::Store* store, const Scene& scene, bool repair) {
  if (repair) {
    CHECK(store->Repair().ok());
    store->CheckInvariants();
  }
  for (ObjectId id : scene.ids) (void)store->Find(id).ok();
  (void)store->FindName("name").ok();
  (void)store->ListNames("*", "", 10);
  (void)store->ListTypes("");
  (void)store->List("*", "", 10).ok();
  Tree tree;
  tree.nodes.push_back(Blob("new", BlobKind::kBytes));
  auto put = Retry(store, [&] { return store->Put({}, tree); });
  if (put.ok()) CHECK(store->Find(put->id).ok());
  (void)store->PutName({}, "name", scene.ids[0], true, UINT64_MAX).ok();
  (void)store->Delete({}, scene.ids, false, true).ok();
  store->Tick(1);
  for (uint64_t session : store->Sessions()) {
    if (!store->SessionAlive(session)) store->EndSession(session);
  }
  if (repair) (void)store->Stats();  // slow
  CHECK(store->Clear({}).ok());
  if (repair) store->CheckInvariants();
  (void)store->Trim();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Scene scene;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  bool repair = !rest.empty() && (rest[0] & 1) != 0;
  if (!rest.empty()) rest.remove_prefix(1);
  for (int i = 0; rest.size() >= 12 && i < 8; ++i, rest.remove_prefix(12)) {
    Damage(&scene, rest.substr(0, 12));
  }
  // As a new daemon does, twice: the second finds what the first left.
  for (int daemons = 0; daemons < 2; ++daemons) {
    Fd fd(dup(scene.state->fd()));
    auto state = shm::StateFile::Adopt(std::move(fd));
    if (!state.ok()) return 0;
    auto store = store::Store::Open(state->get(), scene.options);
    if (!store.ok()) return 0;
    Use(store->get(), scene, repair);
  }
  return 0;
}
