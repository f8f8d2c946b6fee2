#include "core/wire/messages.h"

#include "core/object/pack.h"
#include "core/wire/fields.h"

namespace vineyard::wire {
namespace {

constexpr size_t kMaxErrorText = 4096;

}  // namespace

const char* NameOf(MessageType type) {
  switch (type) {
    case MessageType::kHello:
      return "hello";
    case MessageType::kSegment:
      return "segment";
    case MessageType::kGrant:
      return "grant";
    case MessageType::kFind:
      return "find";
    case MessageType::kWait:
      return "wait";
    case MessageType::kLease:
      return "lease";
    case MessageType::kDropLease:
      return "drop lease";
    case MessageType::kPut:
      return "put";
    case MessageType::kDelete:
      return "delete";
    case MessageType::kPutName:
      return "put name";
    case MessageType::kDropName:
      return "drop name";
    case MessageType::kListNames:
      return "list names";
    case MessageType::kList:
      return "list";
    case MessageType::kListTypes:
      return "list types";
    case MessageType::kSetLabels:
      return "set labels";
    case MessageType::kPersist:
      return "persist";
    case MessageType::kClear:
      return "clear";
    case MessageType::kStatus:
      return "status";
    case MessageType::kTrim:
      return "trim";
    case MessageType::kGoodbye:
      return "goodbye";
    case MessageType::kInstances:
      return "list of instances";
    case MessageType::kForgetInstance:
      return "forget instance";
    case MessageType::kSync:
      return "sync";
    case MessageType::kAudit:
      return "audit";
    case MessageType::kUpgrade:
      return "upgrade";
    case MessageType::kEvict:
      return "evict";
    case MessageType::kWatch:
      return "watch";
    case MessageType::kAttach:
      return "attach";
    case MessageType::kAudiences:
      return "list of audiences";
  }
  return "request";
}

bool IsMutating(MessageType type) {
  switch (type) {
    case MessageType::kLease:
    case MessageType::kDropLease:
    case MessageType::kPut:
    case MessageType::kDelete:
    case MessageType::kPutName:
    case MessageType::kDropName:
    case MessageType::kSetLabels:
    case MessageType::kPersist:
    case MessageType::kClear:
    case MessageType::kForgetInstance:
      return true;
    default:
      return false;
  }
}

// ---- answers ----

std::string EncodeError(const Status& status) {
  std::string text = status.text().substr(0, kMaxErrorText);
  // A text may quote what a client sent; what goes out is text all the same.
  if (!IsUtf8(text)) {
    for (char& c : text) c = (c & 0x80) != 0 ? '?' : c;
  }
  std::string out;
  Packer(&out).Array(2).Int(static_cast<int32_t>(status.code())).String(text);
  return out;
}

std::string EncodeEmpty() {
  std::string out;
  Succeeded(&out, 0);
  return out;
}

Result<Answer> DecodeAnswer(std::string_view body, Arena* arena) {
  ASSIGN_OR_RETURN(Value value, Unpack(body, arena));
  if (!value.is(ValueType::kList) || value.size < 2) {
    return Protocol("answer: expected a list of code, text and payload");
  }
  int64_t code = 0;
  if (!value.as.items[0].GetInt64(&code) || code > 0 || code < INT32_MIN) {
    return Bad("answer", "code", "zero or a negative integer of 32 bits");
  }
  if (!value.as.items[1].is(ValueType::kString)) return Bad("answer", "text", "text");
  Answer answer;
  answer.code = static_cast<Code>(code);
  answer.text = value.as.items[1].text();
  answer.payload = value.as.items + 2;
  answer.size = value.size - 2;
  return answer;
}

// ---- session ----

void Hello::Encode(std::string* out) const {
  Packer(out)
      .Array(7)
      .Uint(layout)
      .Uint(incompatible)
      .Uint(session)
      .Uint(token[0])
      .Uint(token[1])
      .Uint(pid)
      .String(client);
}

Result<Hello> Hello::Decode(const Value& body) {
  Hello hello;
  uint64_t layout = 0;
  Fields fields("hello", body);
  fields.Uint("layout", &layout, UINT32_MAX).Uint("incompatible", &hello.incompatible);
  fields.Uint("session", &hello.session)
      .Uint("token", &hello.token[0])
      .Uint("token", &hello.token[1]);
  fields.Uint("pid", &hello.pid, UINT32_MAX).Text("client", &hello.client);
  if (hello.session == 0) fields.Fail(Invalid("hello: session: it is zero"));
  hello.layout = static_cast<uint32_t>(layout);
  return Finish(fields, std::move(hello));
}

void Welcome::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 8);
  packer.Bool(resumed).Uint(instance).Uint(epoch).String(version).Uint(checksum_limit);
  packer.Uint(audience).Bool(is_shared).Uint(uid);
}

Result<Welcome> Welcome::Decode(const Answer& answer) {
  Welcome welcome;
  Fields fields("welcome", answer);
  fields.Bool("resumed", &welcome.resumed).Uint("instance", &welcome.instance, kMaxInstance);
  fields.Uint("epoch", &welcome.epoch).Text("version", &welcome.version);
  if (fields.HasMore()) fields.Uint("checksum limit", &welcome.checksum_limit);
  uint64_t audience = 0, uid = UINT32_MAX;
  if (fields.HasMore()) fields.Uint("audience", &audience, UINT16_MAX);
  if (fields.HasMore()) fields.Bool("is shared", &welcome.is_shared);
  if (fields.HasMore()) fields.Uint("uid", &uid, UINT32_MAX);
  welcome.uid = static_cast<uint32_t>(uid);
  welcome.audience = static_cast<uint16_t>(audience);
  return Finish(fields, std::move(welcome));
}

void Attach::Encode(std::string* out) const {
  Packer(out).Array(3).Uint(audience).Uint(static_cast<uint64_t>(share)).Uint(gid);
}

Result<Attach> Attach::Decode(const Value& body) {
  Attach attach;
  uint64_t audience = 0, share = 0, gid = 0;
  Fields fields("attach", body);
  fields.Uint("audience", &audience, UINT16_MAX);
  fields.Uint("share", &share, static_cast<uint64_t>(Share::kAll)).Uint("gid", &gid, UINT32_MAX);
  attach.audience = static_cast<uint16_t>(audience);
  attach.share = static_cast<Share>(share);
  attach.gid = static_cast<uint32_t>(gid);
  return Finish(fields, std::move(attach));
}

void AttachAnswer::Encode(std::string* out) const {
  Succeeded(out, 4).Uint(audience).Uint(instance).Uint(uid).Bool(is_shared);
}

Result<AttachAnswer> AttachAnswer::Decode(const Answer& answer) {
  AttachAnswer attached;
  uint64_t audience = 0, uid = 0;
  Fields fields("attach", answer);
  fields.Uint("audience", &audience, UINT16_MAX);
  fields.Uint("instance", &attached.instance, kMaxInstance).Uint("uid", &uid, UINT32_MAX);
  fields.Bool("is shared", &attached.is_shared);
  attached.audience = static_cast<uint16_t>(audience);
  attached.uid = static_cast<uint32_t>(uid);
  return Finish(fields, std::move(attached));
}

void AudiencesAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 1);
  packer.Array(audiences.size());
  for (const Item& item : audiences)
    packer.Array(3).Uint(item.number).Uint(item.uid).String(item.text);
}

Result<AudiencesAnswer> AudiencesAnswer::Decode(const Answer& answer) {
  AudiencesAnswer decoded;
  Fields fields("audiences", answer);
  const Value* audiences = fields.List("audiences");
  for (uint64_t i = 0; audiences != nullptr && i < audiences->size; ++i) {
    uint64_t number = 0, uid = 0;
    std::string_view text;
    Fields item("audiences", audiences->as.items[i]);
    item.Uint("number", &number, UINT16_MAX).Uint("uid", &uid, UINT32_MAX).Text("text", &text);
    if (!item.status().ok()) return item.status();
    decoded.audiences.push_back(
        {static_cast<uint16_t>(number), static_cast<uint32_t>(uid), std::string(text)});
  }
  return Finish(fields, std::move(decoded));
}

void SegmentRequest::Encode(std::string* out) const {
  Packer(out).Array(2).Uint(number).Bool(writable);
}

Result<SegmentRequest> SegmentRequest::Decode(const Value& body) {
  SegmentRequest request;
  uint64_t number = 0;
  Fields fields("segment", body);
  fields.Uint("number", &number, UINT32_MAX).Bool("writable", &request.writable);
  request.number = static_cast<uint32_t>(number);
  return Finish(fields, std::move(request));
}

void SegmentAnswer::Encode(std::string* out) const { Succeeded(out, 2).Uint(size).Bool(is_sole); }

Result<SegmentAnswer> SegmentAnswer::Decode(const Answer& answer) {
  SegmentAnswer segment;
  Fields fields("segment", answer);
  fields.Uint("size", &segment.size, INT64_MAX);
  if (fields.HasMore()) fields.Bool("is sole", &segment.is_sole);
  return Finish(fields, std::move(segment));
}

void Grant::Encode(std::string* out) const { Packer(out).Array(1).Uint(piece); }

Result<Grant> Grant::Decode(const Value& body) {
  Grant grant;
  Fields fields("grant", body);
  fields.Uint("piece", &grant.piece);
  return Finish(fields, std::move(grant));
}

// ---- reading ----

namespace {

// A pattern takes time with its length, for every name that it is held against.
Status CheckPage(const char* what, std::string_view glob, uint64_t limit) {
  if (glob.size() > kMaxGlob) {
    return Limit(Format("%s: a pattern of %zu bytes, at most %llu are allowed", what, glob.size(),
                        static_cast<unsigned long long>(kMaxGlob)));
  }
  if (limit == 0) return Invalid(Format("%s: a page of 0 entries", what));
  return OkStatus();
}

}  // namespace

void List::Encode(std::string* out) const {
  Packer(out).Array(6).String(type_glob).Bytes(after).Uint(limit).Uint(instance);
  Packer(out).String(label).String(value);
}

Result<List> List::Decode(const Value& body) {
  List list;
  Fields fields("list", body);
  fields.Text("type", &list.type_glob).Bytes("after", &list.after);
  fields.Uint("limit", &list.limit, kMaxPage).Uint("instance", &list.instance, kMaxInstance);
  fields.Text("label", &list.label).Text("value", &list.value);
  RETURN_IF_ERROR(CheckPage("list", list.type_glob, list.limit));
  return Finish(fields, std::move(list));
}

void ListAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 2);
  PackIds(ids, &packer);
  packer.Bytes(cursor);
}

Result<ListAnswer> ListAnswer::Decode(const Answer& answer) {
  ListAnswer list;
  std::string_view cursor;
  Fields fields("list", answer);
  fields.Ids("ids", &list.ids).Bytes("cursor", &cursor);
  list.cursor = cursor;
  return Finish(fields, std::move(list));
}

void ListTypes::Encode(std::string* out) const { Packer(out).Array(1).String(after); }

Result<ListTypes> ListTypes::Decode(const Value& body) {
  ListTypes list;
  Fields fields("list types", body);
  fields.Text("after", &list.after);
  return Finish(fields, std::move(list));
}

void ListTypesAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 2);
  packer.Array(types.size());
  for (const auto& [name, count] : types) packer.Array(2).String(name).Uint(count);
  packer.String(cursor);
}

Result<ListTypesAnswer> ListTypesAnswer::Decode(const Answer& answer) {
  ListTypesAnswer list;
  Fields fields("list types", answer);
  const Value* types = fields.List("types");
  for (uint64_t i = 0; types != nullptr && i < types->size; ++i) {
    std::string_view name;
    uint64_t count = 0;
    Fields item("list types", types->as.items[i]);
    item.Text("name", &name).Uint("count", &count);
    if (!item.status().ok()) return item.status();
    list.types.emplace_back(name, count);
  }
  std::string_view cursor;
  fields.Text("cursor", &cursor);
  list.cursor = cursor;
  return Finish(fields, std::move(list));
}

void ListNames::Encode(std::string* out) const {
  Packer(out).Array(3).String(glob).String(after).Uint(limit);
}

Result<ListNames> ListNames::Decode(const Value& body) {
  ListNames list;
  Fields fields("list names", body);
  fields.Text("glob", &list.glob).Text("after", &list.after);
  fields.Uint("limit", &list.limit, kMaxPage);
  RETURN_IF_ERROR(CheckPage("list names", list.glob, list.limit));
  return Finish(fields, std::move(list));
}

void ListNamesAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 2);
  packer.Array(names.size());
  for (const Item& item : names) {
    packer.Array(3).String(item.name).Uint(item.id).Uint(item.revision);
  }
  packer.String(cursor);
}

Result<ListNamesAnswer> ListNamesAnswer::Decode(const Answer& answer) {
  ListNamesAnswer list;
  Fields fields("list names", answer);
  const Value* names = fields.List("names");
  for (uint64_t i = 0; names != nullptr && i < names->size; ++i) {
    std::string_view name;
    Item item;
    Fields item_fields("list names", names->as.items[i]);
    item_fields.Text("name", &name).Uint("id", &item.id).Uint("revision", &item.revision);
    if (!item_fields.status().ok()) return item_fields.status();
    item.name = name;
    list.names.push_back(std::move(item));
  }
  std::string_view cursor;
  fields.Text("cursor", &cursor);
  list.cursor = cursor;
  return Finish(fields, std::move(list));
}

void StatusAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 2);
  packer.Map(numbers.size());
  for (const auto& [name, number] : numbers) packer.String(name).Uint(number);
  packer.Map(texts.size());
  for (const auto& [name, text] : texts) packer.String(name).String(text);
}

namespace {
void ReadNumbers(const char* message, Fields* fields,
                 std::vector<std::pair<std::string, uint64_t>>* out) {
  const Value* numbers = fields->Map("numbers");
  for (uint64_t i = 0; numbers != nullptr && i < numbers->size; ++i) {
    const Value* pair = numbers->as.items + 2 * i;
    uint64_t number = 0;
    if (!pair[1].GetUint64(&number)) {
      fields->Fail(Bad(message, "numbers", "unsigned integers"));
      return;
    }
    out->emplace_back(pair[0].text(), number);
  }
}
}  // namespace

Result<StatusAnswer> StatusAnswer::Decode(const Answer& answer) {
  StatusAnswer status;
  Fields fields("status", answer);
  ReadNumbers("status", &fields, &status.numbers);
  const Value* texts = fields.Map("texts");
  for (uint64_t i = 0; texts != nullptr && i < texts->size; ++i) {
    const Value* pair = texts->as.items + 2 * i;
    if (!pair[1].is(ValueType::kString)) return Bad("status", "texts", "text");
    status.texts.emplace_back(pair[0].text(), pair[1].text());
  }
  return Finish(fields, std::move(status));
}

void Upgrade::Encode(std::string* out) const { Packer(out).Array(1).Bool(begin); }

Result<Upgrade> Upgrade::Decode(const Value& body) {
  Upgrade upgrade;
  Fields fields("upgrade", body);
  fields.Bool("begin", &upgrade.begin);
  return Finish(fields, std::move(upgrade));
}

void UpgradeAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 1);
  packer.Array(arguments.size());
  for (const std::string& argument : arguments) packer.String(argument);
}

Result<UpgradeAnswer> UpgradeAnswer::Decode(const Answer& answer) {
  UpgradeAnswer upgrade;
  Fields fields("upgrade", answer);
  const Value* arguments = fields.List("arguments");
  for (uint64_t i = 0; arguments != nullptr && i < arguments->size; ++i) {
    const Value& argument = arguments->as.items[i];
    if (!argument.is(ValueType::kString)) return Bad("upgrade", "arguments", "text");
    upgrade.arguments.emplace_back(argument.text());
  }
  return Finish(fields, std::move(upgrade));
}

void AuditAnswer::Encode(std::string* out) const {
  Packer packer = Succeeded(out, 3);
  packer.Array(problems.size());
  for (const std::string& problem : problems) packer.String(problem);
  packer.Uint(count).Map(numbers.size());
  for (const auto& [name, number] : numbers) packer.String(name).Uint(number);
}

Result<AuditAnswer> AuditAnswer::Decode(const Answer& answer) {
  AuditAnswer audit;
  Fields fields("audit", answer);
  const Value* problems = fields.List("problems");
  for (uint64_t i = 0; problems != nullptr && i < problems->size; ++i) {
    const Value& problem = problems->as.items[i];
    if (!problem.is(ValueType::kString)) return Bad("audit", "problems", "text");
    audit.problems.emplace_back(problem.text());
  }
  fields.Uint("number of problems", &audit.count);
  ReadNumbers("audit", &fields, &audit.numbers);
  return Finish(fields, std::move(audit));
}

}  // namespace vineyard::wire
