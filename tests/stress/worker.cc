#include "tests/stress/worker.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>

#include "tests/stress/payload.h"

namespace vineyard::soak {
namespace {

constexpr size_t kKept = 24;
// Beyond a deadline, on a machine that has other things to do.
constexpr uint64_t kSlackMs = 20'000;
constexpr uint64_t kSlowMs = 3000;  // worth a line

uint64_t NowMs() {
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count());
}

void Say(const std::string& line) {
  std::fprintf(stderr, "%llu %s\n", static_cast<unsigned long long>(NowMs()), line.c_str());
}

bool IsExcuse(int32_t status) {
  return status == VINEYARD_E_TIMEOUT || status == VINEYARD_E_UNAVAILABLE ||
         status == VINEYARD_E_UNKNOWN;
}

vineyard_meta* NewMeta(const std::string& type, uint64_t key) {
  vineyard_meta* meta = nullptr;
  vineyard_meta_create(type.c_str(), &meta);
  if (key != 0) vineyard_meta_set_uint64(meta, "key", key);
  return meta;
}

void AddPayload(vineyard_meta* meta, const std::vector<uint64_t>& payload) {
  vineyard_meta_add_bytes(meta, "payload", payload.data(), payload.size() * 8,
                          VINEYARD_BLOB_BUFFER);
}

}  // namespace

Worker::Worker(Board* board, uint64_t number, const char* socket, uint64_t seed)
    : board_(board),
      number_(number),
      page_(&board->pages[number]),
      counter_name_(IsStranger(number) ? "soak/counter2" : "soak/counter"),
      random_(seed) {
  vineyard_connect_options options = VINEYARD_CONNECT_OPTIONS_INIT;
  options.timeout_ms = static_cast<int64_t>(board->deadline_ms.load());
  options.name = "soak";
  int32_t status;
  do {
    status = Call("connect", [&] { return vineyard_client_connect(socket, &options, &client_); });
  } while (IsExcuse(status) && board->command.load() != kStop);
  if (status != VINEYARD_OK) {
    Complain(std::string("connect: ") + vineyard_error_text());
    std::exit(1);
  }
}

Worker::~Worker() { vineyard_client_release(client_); }

void Worker::Run() {
  for (;;) {
    uint64_t command = board_->command.load();
    if (command == kStop) break;
    ReadAgain();
    if (command == kPause) {
      Pause();
    } else {
      Step();
    }
  }
  vineyard_blob_writer_release(writer_);
  for (vineyard_object* object : kept_) {
    Verify(object);
    vineyard_object_release(object);
  }
}

void Worker::Pause() {
  while (board_->command.load() == kPause) {
    page_->paused.store(board_->pause.load());
    usleep(1000);
  }
}

void Worker::ReadAgain() {
  uint64_t thaws = page_->thaws.load();
  if (thaws == thaws_) return;
  thaws_ = thaws;
  for (vineyard_object* object : kept_) Verify(object);
  page_->thawed_reads += kept_.size();
}

void Worker::Step() {
  uint64_t what = random_() % 32;
  if (what < 3) return Put(kFlat);
  if (what < 4) return Put(kTree);
  if (what < 6) return Put(kNamed);
  if (what < 7) return Put(kLink);
  if (what < 9) return writer_ == nullptr ? BeginWriter() : EndWriter();
  if (what < 15) {
    Entry* entry = Mine();
    return entry == nullptr ? Put(kFlat) : Delete(entry);
  }
  if (what < 25) return Get(false);
  if (what < 27) return Get(true);
  if (what < 29) return Count();
  if (what < 30) return Label();
  if (what < 31) return Wait();
  if (board_->persists.load() != 0) Persist();
}

int32_t Worker::Call(const char* what, const std::function<int32_t()>& call) {
  uint64_t thaws = page_->thaws.load(), began = NowMs();
  int32_t status = call();
  uint64_t took = NowMs() - began;
  ++page_->calls;
  if (page_->thaws.load() == thaws && thaws % 2 == 0) {
    if (took > page_->slowest_ms.load()) page_->slowest_ms.store(took);
    if (took > kSlowMs) Say(std::string("slow: ") + what + ": " + std::to_string(took) + " ms");
    if (took > board_->deadline_ms.load() + kSlackMs) {
      Complain(std::string(what) + " took " + std::to_string(took) + " ms");
    }
  }
  if (status == VINEYARD_OK) return status;
  if (std::strstr(vineyard_error_text(), "died twice") != nullptr) {
    ++page_->died_twice;
  } else if (status == VINEYARD_E_TIMEOUT) {
    ++page_->timeouts;
  } else if (status == VINEYARD_E_UNAVAILABLE) {
    ++page_->unavailable;
  } else if (status == VINEYARD_E_UNKNOWN) {
    ++page_->unknown;
  } else {
    return status;
  }
  Say(std::string("excused? ") + what + ": " + vineyard_error_text());
  return status;
}

void Worker::Complain(const std::string& what) {
  ++page_->errors;
  Say("ERROR: " + what);
}

bool Worker::Excused(const char* what, int32_t status) {
  if (status == VINEYARD_OK) return true;
  if (status == VINEYARD_E_OUT_OF_MEMORY) {
    ++page_->full;
  } else if (!IsExcuse(status)) {
    Complain(std::string(what) + ": " + vineyard_status_name(status) + ": " +
             vineyard_error_text());
  }
  return false;
}

// ---- entries

Entry* Worker::Free() {
  size_t from = random_() % kEntries;
  for (size_t i = 0; i < kEntries; ++i) {
    Entry* entry = &page_->entries[(from + i) % kEntries];
    if (entry->state.load() == kFree) return entry;
  }
  return nullptr;
}

Entry* Worker::Mine() {
  Entry* entry = &page_->entries[random_() % kEntries];
  return entry->state.load() == kLive ? entry : nullptr;
}

Entry* Worker::Anybodys() {
  Page* page = &board_->pages[random_() % board_->workers.load()];
  Entry* entry = &page->entries[random_() % kEntries];
  return entry->state.load() == kLive ? entry : nullptr;
}

uint64_t Worker::NewKey() { return (number_ << 40) + ++page_->sequence; }

// Through a message, through a lease, and one that has pages of its own.
uint64_t Worker::AnySize() {
  uint64_t kind = random_() % 32;
  if (kind == 0) return (128 << 10) + random_() % (384 << 10);
  return kind < 8 ? 8192 + random_() % 20000 : 1 + random_() % 600;
}

// ---- putting and deleting

int32_t Worker::PutEntry(Entry* entry, vineyard_meta* meta, const char* name) {
  vineyard_put_options options = VINEYARD_PUT_OPTIONS_INIT;
  options.name = name;
  vineyard_id id = 0;
  entry->state.store(kPutting);
  int32_t status = Call("put", [&] { return vineyard_object_put(client_, meta, &options, &id); });
  if (status == VINEYARD_OK) {
    ++page_->puts;
    entry->id.store(id);
    entry->state.store(kLive);
  } else if (status != VINEYARD_E_UNKNOWN) {
    entry->state.store(kFree);
  }
  return status;
}

void Worker::Put(Kind kind) {
  Entry* entry = Free();
  if (entry == nullptr) return Get(false);
  uint64_t key = NewKey(), link = 0;
  vineyard_meta* meta = NewMeta("soak::w" + std::to_string(number_), key);
  vineyard_meta* part = nullptr;
  auto payload = MakePayload(key, AnySize());
  if (kind == kLink) {
    Entry* other = Anybodys();
    // What another user has put is read by the same, but is no part of this user's.
    bool mine = other != nullptr && IsStranger(other->key.load() >> 40) == IsStranger(number_);
    link = !mine || other->link.load() != 0 ? 0 : other->id.load();
    if (link != 0) vineyard_meta_add_id(meta, "other", link);
  }
  if (link == 0) AddPayload(meta, payload);
  if (kind == kTree) {
    part = NewMeta("soak::part", 0);
    AddPayload(part, payload);
    vineyard_meta_add_meta(meta, "left", part);
    vineyard_meta_add_meta(meta, "right", part);
  }
  entry->key.store(key);
  entry->link.store(link);
  std::string name = "soak/" + std::to_string(number_) + "/" + std::to_string(key);
  int32_t status = PutEntry(entry, meta, kind == kNamed ? name.c_str() : nullptr);
  vineyard_meta_release(part);
  vineyard_meta_release(meta);
  if (status == VINEYARD_E_NOT_FOUND && link != 0) {
    ++page_->misses;
  } else {
    Excused("put", status);
  }
}

void Worker::BeginWriter() {
  uint64_t count = AnySize();
  writer_key_ = NewKey();
  int32_t status = Call("create", [&] {
    return vineyard_blob_writer_create(client_, count * 8, VINEYARD_BLOB_BUFFER, &writer_);
  });
  if (Excused("create", status)) {
    Fill(static_cast<uint64_t*>(vineyard_blob_writer_data(writer_)), writer_key_, 0, count / 2);
  }
}

// What daemons did meanwhile, and how long this process stood still, is nothing to a lease.
void Worker::EndWriter() {
  Entry* entry = Free();
  if (entry == nullptr) return;
  uint64_t count = vineyard_blob_writer_size(writer_) / 8;
  auto* words = static_cast<uint64_t*>(vineyard_blob_writer_data(writer_));
  if (words == nullptr) return Complain("a writer has lost its memory");
  Fill(words, writer_key_, count / 2, count);
  vineyard_meta* meta = NewMeta("soak::w" + std::to_string(number_), writer_key_);
  vineyard_meta_add_writer(meta, "payload", writer_);
  entry->key.store(writer_key_);
  entry->link.store(0);
  Excused("put of a writer", PutEntry(entry, meta, nullptr));
  vineyard_meta_release(meta);
  vineyard_blob_writer_release(writer_);
  writer_ = nullptr;
}

void Worker::Delete(Entry* entry) {
  vineyard_id id = entry->id.load(), counter = 0;
  uint64_t link = entry->link.load();
  if (link == kCounterLink) {
    // A name goes with its object: this one stays until the name has gone on.
    int32_t status = Call("get name", [&] {
      return vineyard_name_get(client_, counter_name_.c_str(), 0, &counter, nullptr);
    });
    if (!Excused("name of the counter", status) || counter == id) return;
  }
  vineyard_delete_options options = VINEYARD_DELETE_OPTIONS_INIT;
  options.force = 1;
  options.shallow = link > kCounterLink ? 1 : 0;  // where it leads to is somebody else's
  entry->state.store(kDeleting);
  int32_t status =
      Call("delete", [&] { return vineyard_object_delete(client_, &id, 1, &options); });
  if (status == VINEYARD_OK) {
    ++page_->deletes;
    entry->state.store(kFree);
  } else if (status == VINEYARD_E_NOT_FOUND && board_->evicts.load() != 0) {
    ++page_->evicted;
    entry->state.store(kFree);
  } else {
    if (status != VINEYARD_E_UNKNOWN) entry->state.store(kLive);
    Excused("delete", status);
  }
}

// ---- reading

void Worker::Verify(vineyard_object* object) {
  Verifier verifier;
  std::string wrong = verifier.Check(object);
  if (IsExcuse(verifier.status())) {  // memory that has not been mapped yet is the daemon's to give
    ++page_->timeouts;
    return Say("excused? read: " + wrong);
  }
  if (!wrong.empty()) {
    char id[VINEYARD_ID_TEXT_SIZE];
    uint64_t size = sizeof id;
    vineyard_id_print(vineyard_object_id(object), id, &size);
    Complain("read of " + std::string(id) + ": " + wrong);
  }
  ++page_->gets;
  page_->bytes += verifier.bytes();
}

// Some are looked at again much later, when they have long been deleted.
void Worker::Get(bool keep) {
  Entry* entry = Anybodys();
  if (entry == nullptr) return;
  vineyard_id id = entry->id.load();
  uint64_t key = entry->key.load();
  vineyard_object* object = nullptr;
  int32_t status = Call("get", [&] { return vineyard_object_get(client_, id, &object); });
  if (status == VINEYARD_E_NOT_FOUND) {
    bool lost = entry->state.load() == kLive && entry->id.load() == id && entry->key.load() == key;
    if (lost && board_->evicts.load() == 0) return Complain("LOST object " + std::to_string(key));
    ++page_->misses;
    return;
  }
  if (!Excused("get", status)) return;
  Verify(object);
  if (!keep) return vineyard_object_release(object);
  kept_.push_back(object);
  if (kept_.size() <= kKept) return;
  size_t at = random_() % kept_.size();
  Verify(kept_[at]);
  ++page_->kept;
  vineyard_object_release(kept_[at]);
  kept_.erase(kept_.begin() + static_cast<ptrdiff_t>(at));
}

// ---- names, labels, waits

// All workers add to one number: an object under a name, replaced by compare and set.
void Worker::Count() {
  if (board_->evicts.load() != 0) return;
  vineyard_id id = 0;
  uint64_t revision = 0, value = 0;
  int32_t status = Call("get name", [&] {
    return vineyard_name_get(client_, counter_name_.c_str(), 0, &id, &revision);
  });
  if (status == VINEYARD_OK) {
    vineyard_object* object = nullptr;
    status = Call("get", [&] { return vineyard_object_get(client_, id, &object); });
    if (status == VINEYARD_E_NOT_FOUND) return void(++page_->misses);  // the name went on
    if (!Excused("get of the counter", status)) return;
    vineyard_object_field_uint64(object, "value", &value);
    vineyard_object_release(object);
  } else if (status != VINEYARD_E_NOT_FOUND) {
    return void(Excused("name of the counter", status));
  }
  Entry* entry = Free();
  if (entry == nullptr) return;
  uint64_t key = NewKey();
  vineyard_meta* meta = NewMeta("soak::w" + std::to_string(number_), key);
  vineyard_meta_set_uint64(meta, "value", value + 1);
  auto payload = MakePayload(key, 1);
  AddPayload(meta, payload);
  entry->key.store(key);
  entry->link.store(kCounterLink);
  status = PutEntry(entry, meta, nullptr);
  vineyard_meta_release(meta);
  if (!Excused("put of a counter", status)) return;
  vineyard_name_options options = VINEYARD_NAME_OPTIONS_INIT;
  options.compare = 1;
  options.expect = revision;
  ++page_->maybe_counted;
  vineyard_id next = entry->id.load();
  status = Call("put name", [&] {
    return vineyard_name_put(client_, counter_name_.c_str(), next, &options, nullptr);
  });
  if (status == VINEYARD_OK) ++page_->counted;
  if (status != VINEYARD_E_UNKNOWN) --page_->maybe_counted;
  if (status == VINEYARD_E_CONFLICT) {
    ++page_->conflicts;
    return Delete(entry);
  }
  Excused("count", status);
}

void Worker::Label() {
  Entry* entry = Mine();
  if (entry == nullptr) return;
  vineyard_id id = entry->id.load();
  std::string value = std::to_string(random_());
  int32_t status =
      Call("set label", [&] { return vineyard_label_set(client_, id, "soak", value.c_str()); });
  if (status == VINEYARD_E_NOT_FOUND && board_->evicts.load() != 0) return void(++page_->evicted);
  if (!Excused("label", status)) return;
  vineyard_labels* labels = nullptr;
  status = Call("get labels", [&] { return vineyard_labels_get(client_, id, &labels); });
  if (status == VINEYARD_E_NOT_FOUND && board_->evicts.load() != 0) return void(++page_->evicted);
  if (!Excused("labels", status)) return;
  const char *key = nullptr, *got = nullptr;
  if (vineyard_labels_at(labels, 0, &key, &got) != VINEYARD_OK || value != got) {
    Complain("a label is not what was set");
  }
  vineyard_labels_release(labels);
  ++page_->labels;
}

// For an object that is there, and for a name that nobody gives.
void Worker::Wait() {
  if (Entry* entry = Mine(); entry != nullptr && board_->evicts.load() == 0) {
    vineyard_id id = entry->id.load();
    if (Excused("wait", Call("wait", [&] { return vineyard_object_wait(client_, id, -1); }))) {
      ++page_->waits;
    }
  }
  vineyard_id id = 0;
  int32_t status = vineyard_name_get(client_, "soak/never", 5, &id, nullptr);
  ++page_->calls;
  if (status == VINEYARD_OK) Complain("a name that nobody gave");
  if (status == VINEYARD_E_TIMEOUT) ++page_->waits;
  if (status != VINEYARD_E_TIMEOUT) Excused("wait for a name", status);
}

void Worker::Persist() {
  Entry* entry = Mine();
  if (entry == nullptr || entry->link.load() != 0) return;
  vineyard_id id = entry->id.load();
  if (Excused("persist",
              Call("persist", [&] { return vineyard_object_persist(client_, &id, 1); }))) {
    ++page_->persisted;
  }
}

}  // namespace vineyard::soak
