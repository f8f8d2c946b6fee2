// How libFuzzer changes an input that is msgpack behind its first FUZZ_PREFIX bytes: every other time by
// values instead of bytes. Most changes of bytes make counts and lengths wrong, which a reader refuses at its
// door; behind that door only changes get that leave them right.
#include <cstdint>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "core/object/pack.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace {

using namespace vineyard;

struct Node {
  Value value;       // of a list or map only its type
  std::string text;  // of a text
  std::vector<Node> items;
};

constexpr uint64_t kNumbers[] = {0,
                                 1,
                                 2,
                                 127,
                                 128,
                                 255,
                                 4096,
                                 65535,
                                 UINT32_MAX,
                                 uint64_t{1} << 32,
                                 INT64_MAX,
                                 uint64_t{1} << 63,
                                 UINT64_MAX - 1,
                                 UINT64_MAX};

Node Read(const Value& value) {
  Node node;
  node.value = value;
  if (value.is_text()) node.text = value.text();
  uint64_t items = value.is(ValueType::kList)  ? value.size
                   : value.is(ValueType::kMap) ? 2 * value.size
                                               : 0;
  for (uint64_t i = 0; i < items; ++i) node.items.push_back(Read(value.as.items[i]));
  return node;
}

void Write(const Node& node, std::string* out) {
  Packer packer(out);
  switch (node.value.type) {
    case ValueType::kString:
      packer.String(node.text);
      break;
    case ValueType::kBytes:
      packer.Bytes(node.text);
      break;
    case ValueType::kList:
      packer.Array(node.items.size());
      break;
    case ValueType::kMap:
      packer.Map(node.items.size() / 2);
      break;
    case ValueType::kUint64:
      packer.Uint(node.value.as.uint64);
      break;
    default:
      packer.Any(node.value);
  }
  for (const Node& item : node.items) Write(item, out);
}

void Collect(Node* node, std::vector<Node*>* all) {
  all->push_back(node);
  for (Node& item : node->items) Collect(&item, all);
}

class Mutation {
 public:
  explicit Mutation(unsigned seed) : random_(seed) {}

  void Apply(Node* root) {
    std::vector<Node*> all;
    Collect(root, &all);
    Node* node = all[Below(all.size())];
    const Node other = *all[Below(all.size())];
    if (Below(8) == 0) {
      *node = other;
    } else if (Below(16) == 0) {
      *node = Scalar();
    } else if (node->value.is(ValueType::kList)) {
      ChangeItems(node, 1, other);
    } else if (node->value.is(ValueType::kMap)) {
      ChangeItems(node, 2, other);
    } else if (node->value.is_text()) {
      ChangeText(&node->text);
    } else {
      *node = Scalar();
    }
  }

 private:
  size_t Below(size_t limit) { return limit == 0 ? 0 : random_() % limit; }

  Node Scalar() {
    Node node;
    switch (Below(6)) {
      case 0:
        break;  // null
      case 1:
        node.value = Value::Bool(Below(2) == 0);
        break;
      case 2:
        node.value = Value::Int64(-static_cast<int64_t>(Below(300)));
        break;
      case 3:
        node.value = Value::Float64(0.5 * static_cast<double>(Below(9)));
        break;
      default:
        node.value =
            Value::Uint64(Below(2) == 0 ? kNumbers[Below(std::size(kNumbers))] : random_());
    }
    return node;
  }

  // `step`: 2, so that keys stay with their values.
  void ChangeItems(Node* node, size_t step, const Node& other) {
    size_t groups = node->items.size() / step, at = Below(groups) * step;
    auto begin = node->items.begin() + static_cast<ptrdiff_t>(at);
    std::vector<Node> group;
    if (groups > 0) group.assign(begin, begin + static_cast<ptrdiff_t>(step));
    switch (Below(3)) {
      case 0:
        if (groups > 0) node->items.erase(begin, begin + static_cast<ptrdiff_t>(step));
        break;
      case 1:
        node->items.insert(node->items.end(), group.begin(), group.end());
        break;
      default:
        if (step == 1) node->items.push_back(other);
        if (step == 2 && groups > 0) node->items[at + 1] = other;
    }
  }

  void ChangeText(std::string* text) {
    size_t most = text->size() + 16;
    std::vector<uint8_t> bytes(text->begin(), text->end());
    bytes.resize(most);
    size_t size = LLVMFuzzerMutate(bytes.data(), text->size(), most);
    text->assign(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(size));
  }

  std::minstd_rand random_;
};

}  // namespace

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  if (seed % 2 == 0 || size < FUZZ_PREFIX) return LLVMFuzzerMutate(data, size, max_size);
  Arena arena;
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  Result<Value> value = Unpack(bytes.substr(FUZZ_PREFIX), &arena);
  if (!value.ok()) return LLVMFuzzerMutate(data, size, max_size);
  Node root = Read(*value);
  Mutation(seed).Apply(&root);
  std::string out(bytes.substr(0, FUZZ_PREFIX));
  Write(root, &out);
  if (out.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, out.data(), out.size());
  return out.size();
}
