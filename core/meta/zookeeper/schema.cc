#include "core/meta/zookeeper/schema.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>

#include "core/object/pack.h"
#include "core/object/types.h"

namespace vineyard::meta::zookeeper {
namespace {

constexpr uint8_t kBodyVersion = 1;
constexpr char kHex[] = "0123456789ABCDEF";

bool IsPlain(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

// Fibonacci hashing: ids differ in their low bits.
int BucketOf(uint64_t number) { return static_cast<int>((number * 0x9e3779b97f4a7c15u) >> 56); }

int BucketOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
  for (char c : text) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return BucketOf(hash);
}

template <typename Number>
std::optional<Number> ParseNumber(std::string_view text) {
  Number number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::string Start() { return std::string(1, static_cast<char>(kBodyVersion)); }

// The map of a body; `what` names it in errors.
class Reader {
 public:
  static Result<Reader> Open(std::string_view what, std::string_view bytes) {
    Reader reader(what);
    if (bytes.empty()) return Corrupt(reader.what_ + ": it is empty");
    if (static_cast<uint8_t>(bytes[0]) != kBodyVersion) {
      return Status(Code::kVersion,
                    Format("%s: version %u, this build reads %u", reader.what_.c_str(),
                           static_cast<uint8_t>(bytes[0]), kBodyVersion));
    }
    ASSIGN_OR_RETURN(reader.map_, Unpack(bytes.substr(1), &reader.arena_));
    if (!reader.map_.is(ValueType::kMap)) return Corrupt(reader.what_ + ": it is not a map");
    return reader;
  }
  uint64_t Number(std::string_view key) {
    const Value* value = map_.Find(key);
    uint64_t number = 0;
    if (value == nullptr || !value->GetUint64(&number)) Missing(key);
    return number;
  }
  // 0 when it is missing.
  uint64_t NumberIfAny(std::string_view key) { return map_.Find(key) == nullptr ? 0 : Number(key); }
  std::string Text(std::string_view key) {
    const Value* value = map_.Find(key);
    if (value != nullptr && value->is(ValueType::kString)) return std::string(value->text());
    Missing(key);
    return {};
  }
  const Value* List(std::string_view key) {
    const Value* value = map_.Find(key);
    if (value != nullptr && value->is(ValueType::kList)) return value;
    Missing(key);
    return nullptr;
  }
  // Of all that was asked.
  const vineyard::Status& status() const { return status_; }

 private:
  explicit Reader(std::string_view what) : what_(what) {}
  void Missing(std::string_view key) {
    if (status_.ok()) {
      status_ = Corrupt(what_ + ": '" + std::string(key) + "' is missing or of another type");
    }
  }
  std::string what_;
  Arena arena_;
  Value map_;
  vineyard::Status status_;
};

bool ReadTrace(const Value& value, Trace* trace) {
  uint64_t kind = 0, must = 0;
  if (!value.is(ValueType::kList) || value.size < 2 || !value.as.items[0].GetUint64(&kind) ||
      !value.as.items[1].GetUint64(&must)) {
    return false;
  }
  trace->must_understand = must != 0;
  if (kind == 0 || kind > static_cast<uint64_t>(Trace::Kind::kInstanceForgotten)) return true;
  trace->kind = static_cast<Trace::Kind>(kind);
  if (value.size < 5 || !value.as.items[2].GetUint64(&trace->id) ||
      !value.as.items[3].is(ValueType::kString) || !value.as.items[4].GetUint64(&trace->revision)) {
    return false;
  }
  trace->name = value.as.items[3].text();
  return true;
}

bool ReadAnswer(const Value& value, Answer* answer) {
  uint64_t more = 0;
  if (!value.is(ValueType::kList) || value.size < 5 ||
      !value.as.items[0].GetUint64(&answer->request.session) ||
      !value.as.items[1].GetUint64(&answer->request.number) ||
      !value.as.items[2].GetUint64(&answer->id) || !value.as.items[3].GetUint64(&answer->value) ||
      !value.as.items[4].GetUint64(&more)) {
    return false;
  }
  answer->more = more != 0;
  return true;
}

}  // namespace

// ---- paths ---------------------------------------------------------------------------------------

vineyard::Status Paths::CheckPrefix(std::string_view prefix) {
  if (prefix.empty()) return OkStatus();
  bool good = prefix[0] == '/' && prefix.back() != '/' && prefix.size() <= 1024;
  for (size_t i = 0; good && i < prefix.size(); ++i) {
    good = prefix[i] == '/' ? i + 1 < prefix.size() && prefix[i + 1] != '/'
                            : IsPlain(prefix[i]) || prefix[i] == '.';
  }
  std::string slashed = std::string(prefix) + "/";
  good =
      good && slashed.find("/./") == std::string::npos && slashed.find("/../") == std::string::npos;
  // Names of ZooKeeper's own.
  good = good && slashed.rfind("/zookeeper/", 0) != 0;
  if (good) return OkStatus();
  return Invalid("prefix '" + std::string(prefix) +
                 "': expected is a path like /vineyard of letters, digits, '_', '-' and '.', "
                 "outside /zookeeper");
}

std::string Paths::Generation(uint64_t generation) const {
  return Log() + "/" + std::to_string(generation);
}
std::string Paths::Entry(uint64_t generation, uint64_t entry) const {
  return NewEntry(generation) + vineyard::Format("%010" PRIu64, entry);
}
std::string Paths::Place(uint64_t instance) const {
  return Places() + "/" + std::to_string(instance);
}
std::string Paths::Fence(uint64_t instance, uint64_t epoch) const {
  return Fences() + "/" + std::to_string(instance) + "." + std::to_string(epoch);
}
std::string Paths::ObjectBucket(int bucket) const {
  return Objects() + vineyard::Format("/%02x", bucket);
}
std::string Paths::Tree(ObjectId home) const {
  return ObjectBucket(BucketOf(home)) + "/" + PrintId(home);
}
std::string Paths::LinkOf(ObjectId home, ObjectId from) const {
  return Tree(home) + "/l-" + PrintId(from);
}
std::string Paths::NameOf(ObjectId home, std::string_view name) const {
  return Tree(home) + "/n-" + EscapeName(name);
}
std::string Paths::NameBucket(int bucket) const {
  return Names() + vineyard::Format("/%02x", bucket);
}
std::string Paths::Name(std::string_view name) const {
  return NameBucket(BucketOf(name)) + "/" + EscapeName(name);
}

std::string_view BaseOf(std::string_view path) { return path.substr(path.rfind('/') + 1); }

std::optional<uint64_t> EntryOf(std::string_view node) {
  if (node.size() != 12 || node.substr(0, 2) != "e-") return std::nullopt;
  return ParseNumber<uint64_t>(node.substr(2));
}

std::optional<uint64_t> NumberOf(std::string_view node) { return ParseNumber<uint64_t>(node); }

std::optional<ObjectId> IdOf(std::string_view node) {
  auto id = ParseId(node);
  if (!id.ok()) return std::nullopt;
  return *id;
}

std::string EscapeName(std::string_view name) {
  std::string escaped;
  for (char c : name) {
    if (IsPlain(c)) {
      escaped += c;
    } else {
      escaped += '%';
      escaped += kHex[static_cast<uint8_t>(c) >> 4];
      escaped += kHex[static_cast<uint8_t>(c) & 15];
    }
  }
  return escaped;
}

std::optional<std::string> UnescapeName(std::string_view node) {
  std::string name;
  for (size_t i = 0; i < node.size(); ++i) {
    if (node[i] != '%') {
      name += node[i];
      continue;
    }
    unsigned byte = 0;
    if (i + 2 >= node.size()) return std::nullopt;
    auto [end, error] = std::from_chars(node.data() + i + 1, node.data() + i + 3, byte, 16);
    if (error != std::errc() || end != node.data() + i + 3) return std::nullopt;
    name += static_cast<char>(byte);
    i += 2;
  }
  // One name has one node.
  if (name.empty() || EscapeName(name) != node) return std::nullopt;
  return name;
}

std::optional<FenceName> FenceOf(std::string_view node) {
  size_t dot = node.find('.');
  if (dot == std::string_view::npos) return std::nullopt;
  auto instance = ParseNumber<uint64_t>(node.substr(0, dot));
  auto epoch = ParseNumber<uint64_t>(node.substr(dot + 1));
  if (!instance || !epoch) return std::nullopt;
  return FenceName{*instance, *epoch};
}

// ---- bodies --------------------------------------------------------------------------------------

std::string Encode(const ClusterFormat& format) {
  std::string out = Start();
  Packer(&out).Map(2).String("layout").Uint(format.layout).String("cluster").String(format.cluster);
  return out;
}

Result<ClusterFormat> DecodeFormat(std::string_view bytes) {
  ASSIGN_OR_RETURN(Reader reader, Reader::Open("format of the cluster", bytes));
  ClusterFormat format;
  format.layout = reader.Number("layout");
  format.cluster = reader.Text("cluster");
  RETURN_IF_ERROR(reader.status());
  return format;
}

std::string Encode(const LogState& log) {
  std::string out = Start();
  Packer(&out).Map(2).String("g").Uint(log.generation).String("oldest").Uint(log.oldest);
  return out;
}

Result<LogState> DecodeLog(std::string_view bytes) {
  ASSIGN_OR_RETURN(Reader reader, Reader::Open("log", bytes));
  LogState log;
  log.generation = reader.Number("g");
  log.oldest = reader.Number("oldest");
  RETURN_IF_ERROR(reader.status());
  return log;
}

std::string Encode(const Instance& instance) {
  std::string out = Start();
  Packer packer(&out);
  packer.Map(10).String("n").Uint(instance.number).String("epoch").Uint(instance.epoch);
  packer.String("lost").Uint(instance.lost ? 1 : 0);
  packer.String("since").Uint(static_cast<uint64_t>(std::max<int64_t>(instance.since_ms, 0)));
  packer.String("memory").Uint(instance.memory_limit).String("uid").Uint(instance.uid);
  packer.String("host").String(instance.host).String("socket").String(instance.socket);
  packer.String("endpoint").String(instance.endpoint).String("boot").String(instance.boot);
  return out;
}

Result<Instance> DecodeInstance(std::string_view bytes) {
  ASSIGN_OR_RETURN(Reader reader, Reader::Open("instance", bytes));
  Instance instance;
  instance.number = reader.Number("n");
  instance.epoch = reader.Number("epoch");
  instance.lost = reader.Number("lost") != 0;
  instance.since_ms = static_cast<int64_t>(reader.Number("since"));
  instance.memory_limit = reader.Number("memory");
  instance.uid = reader.Number("uid");
  instance.host = reader.Text("host");
  instance.socket = reader.Text("socket");
  instance.endpoint = reader.Text("endpoint");
  instance.boot = reader.Text("boot");
  RETURN_IF_ERROR(reader.status());
  return instance;
}

std::string Encode(const NameNode& name) {
  std::string out = Start();
  Packer packer(&out);
  packer.Map(4).String("n").String(name.name).String("i").Uint(name.id);
  packer.String("h").Uint(name.home).String("g").Uint(name.generation);
  return out;
}

Result<NameNode> DecodeName(std::string_view bytes) {
  ASSIGN_OR_RETURN(Reader reader, Reader::Open("name", bytes));
  NameNode name;
  name.name = reader.Text("n");
  name.id = reader.Number("i");
  name.home = reader.Number("h");
  name.generation = reader.Number("g");
  RETURN_IF_ERROR(reader.status());
  return name;
}

uint64_t NameRevision(uint64_t generation, int32_t version) {
  return (generation << 32) | (static_cast<uint32_t>(version) + 1u);
}

std::string Encode(const Entry& entry) {
  std::string out = Start();
  Packer packer(&out);
  packer.Map(3).String("w").Uint(entry.writer).String("t").Array(entry.traces.size());
  for (const Trace& trace : entry.traces) {
    packer.Array(5).Uint(static_cast<uint64_t>(trace.kind)).Uint(trace.must_understand ? 1 : 0);
    packer.Uint(trace.id).String(trace.name).Uint(trace.revision);
  }
  packer.String("a").Array(entry.answers.size());
  for (const Answer& answer : entry.answers) {
    packer.Array(5).Uint(answer.request.session).Uint(answer.request.number);
    packer.Uint(answer.id).Uint(answer.value).Uint(answer.more ? 1 : 0);
  }
  return out;
}

Result<Entry> DecodeEntry(std::string_view bytes) {
  ASSIGN_OR_RETURN(Reader reader, Reader::Open("entry of the log", bytes));
  const Value *traces = reader.List("t"), *answers = reader.List("a");
  Entry entry;
  entry.writer = reader.NumberIfAny("w");
  RETURN_IF_ERROR(reader.status());
  entry.traces.resize(traces->size);
  for (uint64_t i = 0; i < traces->size; ++i) {
    if (!ReadTrace(traces->as.items[i], &entry.traces[i])) {
      return Corrupt("entry of the log: what changed can not be read");
    }
  }
  entry.answers.resize(answers->size);
  for (uint64_t i = 0; i < answers->size; ++i) {
    if (!ReadAnswer(answers->as.items[i], &entry.answers[i])) {
      return Corrupt("entry of the log: an answer can not be read");
    }
  }
  return entry;
}

}  // namespace vineyard::meta::zookeeper
