// What lies in a cluster's znodes, which other daemons wrote: bodies (format, log, entries of the log, instances,
// names, trees) and the names of nodes. What is read can be written, and comes back the same.
//
// The first byte says what the rest is.
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/check.h"
#include "core/meta/tree.h"
#include "core/meta/zookeeper/schema.h"

namespace {

using namespace vineyard;
using namespace vineyard::meta;
namespace zk = vineyard::meta::zookeeper;

template <typename Decode>
void Body(std::string_view bytes, Decode decode) {
  auto body = decode(bytes);
  if (!body.ok()) return;
  std::string written = zk::Encode(*body);
  auto again = decode(written);
  CHECK(again.ok());
  CHECK(zk::Encode(*again) == written);
}

// Every byte may be in a name, and one name has one node.
void NodeNames(std::string_view text) {
  CHECK(text.empty() || zk::UnescapeName(zk::EscapeName(text)) == std::string(text));
  if (auto name = zk::UnescapeName(text)) CHECK(zk::EscapeName(*name) == text);
  if (auto id = zk::IdOf(text)) CHECK(PrintId(*id) == text);
  if (auto fence = zk::FenceOf(text)) {
    auto again = zk::FenceOf(std::to_string(fence->instance) + "." + std::to_string(fence->epoch));
    CHECK(again && again->instance == fence->instance && again->epoch == fence->epoch);
  }
  zk::Paths paths("");
  if (auto entry = zk::EntryOf(text)) {
    CHECK(zk::EntryOf(zk::BaseOf(paths.Entry(1, *entry))) == entry);
  }
  if (auto number = zk::NumberOf(text)) {
    CHECK(zk::NumberOf(zk::BaseOf(paths.Place(*number))) == number);
  }
  if (zk::Paths::CheckPrefix(text).ok()) {
    CHECK(zk::Paths(std::string(text)).Name("n").rfind(std::string(text) + "/", 0) == 0);
  }
}

void ATree(std::string_view bytes) {
  Result<Tree> tree = DecodeTree(bytes);
  if (!tree.ok()) return;
  CHECK(!tree->nodes.empty());
  Result<std::string> written = EncodeTree(*tree);
  CHECK(written.ok() || written.status().code() == Code::kLimit);
  if (!written.ok()) return;
  Result<Tree> again = DecodeTree(*written);
  CHECK(again.ok());
  CHECK(*EncodeTree(*again) == *written);
  Result<std::string> labelled = WithLabels(bytes, tree->home(), {{"key", "value"}});
  if (!labelled.ok()) {
    CHECK(labelled.status().code() == Code::kLimit);
    return;
  }
  Result<Tree> other = DecodeTree(*labelled);
  CHECK(other.ok());
  CHECK(other->nodes.size() == tree->nodes.size() && other->links.size() == tree->links.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 7) {
    case 0:
      Body(bytes, zk::DecodeFormat);
      break;
    case 1:
      Body(bytes, zk::DecodeLog);
      break;
    case 2:
      Body(bytes, zk::DecodeInstance);
      break;
    case 3:
      Body(bytes, zk::DecodeName);
      break;
    case 4:
      Body(bytes, zk::DecodeEntry);
      break;
    case 5:
      ATree(bytes);
      break;
    default:
      NodeNames(bytes);
  }
  return 0;
}
