// This file is the only way into the client side: one connection, the sessions that it had, and what a
// program asks of them. Reads look into shared memory first and ask the daemon when they must.
//
// Ownership: a client is made by Connect() and ended by Release(); writers, objects and lists share it,
// so that what they do afterwards is an error and not a crash.
//
// Invariants:
//  1. session_ is the session that gets look into: null before the first, in a child until its first
//     use, and once closed. Sessions that it had before stay in sessions_ until Release(), because
//     another thread may be in the middle of a get there.
//  2. Nothing is changed in shared memory but pin counters and leases.
// Thread-safe.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/client/connection.h"
#include "core/client/fork.h"
#include "core/client/reader.h"
#include "core/client/remote.h"
#include "core/client/session.h"
#include "core/client/view.h"
#include "core/object/envelope.h"
#include "core/object/ids.h"

namespace vineyard::client {

// Who may read what is put; `gid` of Share::kGid.
struct Sharing {
  wire::Share share = wire::Share::kDefault;
  uint32_t gid = 0;
};

struct ConnectOptions {
  std::string path;         // empty: DefaultSocketPath()
  std::string client_name;  // for people
  int64_t timeout_ms = 0;   // 0: 30,000
  int32_t (*keep_waiting)() = nullptr;
  uint32_t daemon_uid = 0;  // whose daemon is believed, too; 0: as VINEYARD_DAEMON_UID says
  Sharing share;            // of what is put, where the put says nothing
};

// VINEYARD_IPC_SOCKET, else where the daemon of this user listens.
std::string DefaultSocketPath();

struct NamedObject {
  std::string name;
  ObjectId id = kInvalidId;
  uint64_t revision = 0;
};

struct ClientStatistics {
  uint64_t requests = 0, copied_payload_bytes = 0, reconnects = 0;
};

using Labels = std::vector<std::pair<std::string, std::string>>;

class Client final : public std::enable_shared_from_this<Client>, public ForkListener {
 public:
  static Result<Client*> Connect(const ConnectOptions& options);
  void Close();
  // Closes, and gives back what Connect() gave.
  void Release();
  ~Client();

  const std::string& path() const { return path_; }
  const std::string& name() const { return client_name_; }
  uint32_t daemon_uid() const { return daemon_uid_; }
  bool is_connected() const;
  bool is_closed() const { return closed_.load(std::memory_order_acquire); }
  uint64_t instance() const { return instance_.load(std::memory_order_relaxed); }
  ClientStatistics statistics() const;
  // Of a value of this size: whether a put of a lease brings its checksum.
  bool WantsChecksum(uint64_t size) const {
    return size <= checksum_limit_.load(std::memory_order_relaxed);
  }
  void AddCopied(uint64_t bytes) { copied_.fetch_add(bytes, std::memory_order_relaxed); }
  // The client's own default, or this many milliseconds from now. Whatever is called takes one, and all that it has to
  // ask is asked within it.
  Patience PatienceOf(int64_t timeout_ms = -1) const;

  // ---- views ----
  // Null: not in the usual case; GetView() says.
  View* TryGetView(ObjectId id) {
    // acquire: the session's maps are there.
    Session* session = session_.load(std::memory_order_acquire);
    uint32_t epoch = ForkEpoch();
    if (session == nullptr || epoch == kForkedUnseen) [[unlikely]]
      return nullptr;
    SlotContents slot;
    if (FindObject(session, id, &slot) != Found::kYes) [[unlikely]]
      return nullptr;
    const char* stored = session->At(slot.location, slot.skip(), slot.size);
    if (stored == nullptr) [[unlikely]]
      return Drop(session, slot.slot);
    return MakeView(session, slot, stored, epoch);
  }
  // A pinned object or blob. Given back with ReleaseView(). Null: it is another instance's, and `remote`
  // says what is known of it.
  Result<View*> Get(ObjectId id, RemoteTreePtr* remote);
  // The same; what is another instance's is an error.
  Result<View*> GetView(ObjectId id);
  // What `root` keeps: a view that holds one pin more of what `root` pins. Null: as of Get().
  Result<View*> GetMember(const View& root, ObjectId id, RemoteTreePtr* remote);

  // ---- objects ----
  Result<bool> Exists(ObjectId id) { return Exists(id, PatienceOf()); }
  Status Wait(ObjectId id, int64_t timeout_ms);
  Status Delete(const std::vector<ObjectId>& ids, bool force, bool deep);
  Status Persist(const std::vector<ObjectId>& ids) { return Persist(ids, PatienceOf()); }

  // ---- in memory or in files, by hand (hand.cc) ----
  Status Evict(ObjectId id);
  Status Load(ObjectId id);
  // A view that this client keeps, until as many Unpin() or its end.
  Status Pin(ObjectId id);
  Status Unpin(ObjectId id);
  Result<uint64_t> Clear();
  Result<uint64_t> Trim();

  // ---- names and labels ----
  static constexpr uint64_t kAnyRevision = wire::kAnyRevision;
  Result<uint64_t> PutName(std::string_view name, ObjectId id, bool replace, uint64_t expect);
  // timeout_ms 0: kNotFound at once. `latest`: as of now, in the whole cluster.
  Result<NamedObject> GetName(std::string_view name, int64_t timeout_ms, bool latest = false);
  Status DropName(std::string_view name, uint64_t expect);
  // Empty value: the label goes.
  Status SetLabel(ObjectId id, std::string_view key, std::string_view value);
  Result<Labels> GetLabels(ObjectId id);

  // ---- lists ----
  static constexpr uint64_t kMaxPage = wire::kMaxPage;
  struct Page {
    std::vector<ObjectId> ids;
    std::string cursor;  // empty: that was all
  };
  struct Filter {
    std::string type_glob;
    uint64_t instance = 0;     // 0: of all
    std::string label, value;  // empty: any
  };
  Result<Page> List(const Filter& filter, std::string_view after, uint64_t limit);
  struct NamePage {
    std::vector<NamedObject> names;  // may be none, without being the last page
    std::string cursor;              // empty: that was all
  };
  Result<NamePage> ListNames(std::string_view glob, std::string_view after, uint64_t limit);
  Result<std::vector<std::pair<std::string, uint64_t>>> ListTypes();
  struct Info {
    std::vector<std::pair<std::string, uint64_t>> numbers;
    std::vector<std::pair<std::string, std::string>> texts;
  };
  Result<Info> GetInfo();
  // For the daemon's own user and root: what its books and its memory say of each other.
  Result<wire::AuditAnswer> Audit();
  // That this user owns; for the daemon's user all. An older daemon says nothing: only the session's own.
  Result<std::vector<wire::AudiencesAnswer::Item>> ListAudiences() {
    return ListAudiences(PatienceOf());
  }
  // For them, too: as wire::Upgrade says.
  Result<wire::UpgradeAnswer> Upgrade(bool begin);

  // ---- the cluster ----
  Result<std::vector<wire::InstancesAnswer::Item>> ListInstances();
  Status ForgetInstance(uint64_t number);
  // As wire::Sync says.
  Result<wire::LogPosition> Sync(const wire::Sync& question, int64_t timeout_ms = -1);

  // ---- for the other files of this folder ----
  Status Call(Request* request, const Patience& patience, Reply* reply);
  Result<wire::MutationAnswer> Change(Request* request, const Patience& patience);
  Status Persist(const std::vector<ObjectId>& ids, const Patience& patience);
  // The session in the store of this audience (audience.cc).
  Result<Session*> SessionFor(const Sharing& sharing, const Patience& patience);
  // Why a member that `session` does not have can not be one there; ok: nothing is known.
  Status WhyNoMember(const Session& session, std::string_view name, ObjectId id);
  // The session, made when there is none yet.
  Result<Session*> EnsureSession(const Patience& patience);
  // `of`: what is wanted of it, where it is to be read.
  Status EnsureSegment(Session* session, uint32_t number, bool writable, const Patience& patience,
                       const SlotWord* of = nullptr);
  // For the writer of a lease: its segment, or, of one of a single payload, only its memory.
  Status MapForWriting(Session* session, uint32_t number, const Patience& patience,
                       Session::Memory* sole);
  // Whether gets look into it.
  bool IsCurrent(const Session* session) const;
  // Drops it now, or with the next request when this thread may not wait, or no time is left.
  Status DropLease(ObjectId id, uint16_t audience, const Patience& patience);
  void AfterForkInChild() override;

 private:
  friend class Verifier;  // verify.cc
  explicit Client(const ConnectOptions& options);
  std::shared_ptr<Connection> NewConnection();
  Status OnSession(const wire::Welcome& welcome, const std::vector<Fd>& files);
  Status CheckUsable() const;
  void MapWhatViewsNeed();
  void DropOldSegments();
  void DropLeaseLater(ObjectId id, uint16_t audience);

  // ---- audience.cc ----
  // Sessions in the stores of other audiences that were met. Never changed, but replaced.
  struct Others {
    std::vector<Session*> sessions;
  };
  Result<wire::SegmentAnswer> AskSegment(Session* session, uint32_t number, bool writable,
                                         const Patience& patience, Fd* file);
  // Null: none was met.
  const Others* others() const { return others_.load(std::memory_order_acquire); }
  // Of others(); null: none of them is it.
  template <typename IsIt>
  Session* FindSession(IsIt is_it) const {
    const Others* met = others();
    if (met == nullptr) return nullptr;
    for (Session* session : met->sessions) {
      if (is_it(session)) return session;
    }
    return nullptr;
  }
  Session* FindAttached(uint16_t audience) const;
  Result<Session*> Attach(const wire::Attach& question, const Patience& patience);
  void AddOther(Session* session);
  // The session of now in the same store, attached if need be. Null: that store is gone.
  Result<Session*> LiveSession(const Session* session, const Patience& patience);
  // Where the object is; the own session, when it is nowhere.
  Result<Session*> Locate(ObjectId id, const Patience& patience);
  Result<Session*> Locate(const wire::Find& question, const Patience& patience);
  // Sealed or spilled: no pin is needed to know.
  static bool HasObject(const Session& session, ObjectId id);
  View* TryGetFromOthers(ObjectId id);
  void DetachWriters();
  void DropLeasesNow(const Patience& patience);
  void UnpinAll();

  static View* MakeView(Session* session, const SlotContents& slot, const char* stored,
                        uint32_t epoch) {
    View* view = NewView();
    shm::SlotKind kind = slot.kind();
    uint8_t after = kind == shm::SlotKind::kBytes || kind == shm::SlotKind::kByteArray ? 2 : 0;
    view->data = stored + slot.before();
    view->length = slot.size - slot.before() - after;
    view->id = slot.id;
    view->session = session;
    view->slot = slot.slot;
    view->stamp = StampOf(epoch);
    view->before = slot.before();
    view->after = after;
    view->kind = static_cast<uint8_t>(kind);
    view->flags = slot.flags();
    return view;
  }
  static View* Drop(Session* session, uint64_t slot) {
    session->Unpin(slot);
    return nullptr;
  }

  // Finds and pins; asks the daemon for whatever is missing. Null: what it answered is not in this
  // instance's memory, and `other` has taken it.
  template <typename FindIt, typename Accept, typename Other>
  Result<Session*> FindSlow(const wire::Find& question, FindIt find, Accept accept,
                            SlotContents* slot, Other other, const Patience& patience);
  template <typename Other>
  Result<Session*> FindObjectSlow(ObjectId id, SlotContents* slot, Other other,
                                  const Patience& patience);
  Result<bool> Exists(ObjectId id, const Patience& patience);
  Result<std::vector<wire::AudiencesAnswer::Item>> ListAudiences(const Patience& patience);
  // False: it is another instance's.
  Result<bool> FindHeldSlow(const Session& session, ObjectId id, SlotContents* slot,
                            RemoteTreePtr* remote, const Patience& patience);
  // The stored bytes of a pinned or held slot, mapping their segment if need be.
  Result<const char*> StoredBytes(Session* session, const SlotContents& slot,
                                  const Patience& patience);
  Status Grant(Session* session, uint64_t slot, const Patience& patience);
  Result<NamedObject> ReadName(std::string_view name, bool latest, const Patience& patience);

  const std::string path_;
  const std::string client_name_;
  const uint32_t daemon_uid_;
  const Sharing share_;
  const int64_t timeout_ms_;
  int32_t (*const keep_waiting_)();

  std::atomic<Session*> session_{nullptr};
  std::atomic<const Others*> others_{nullptr};
  std::atomic<bool> closed_{false};
  std::atomic<uint64_t> instance_{0};
  std::atomic<uint64_t> copied_{0};
  std::atomic<uint64_t> checksum_limit_{0};  // as the daemon said
  std::shared_ptr<Connection> connection_;   // another one in a child
  std::shared_ptr<Client> self_;             // what Connect() gave
  std::atomic<bool> any_to_drop_{false};

  // Guarded by ProcessMutex().
  std::vector<Session*> sessions_;
  std::vector<std::unique_ptr<const Others>> all_others_;  // others_ was each of them
  // Where this user puts what is shared so.
  struct Shared {
    Sharing sharing;
    Session* session;
  };
  std::vector<Shared> shared_;
  std::vector<std::pair<ObjectId, uint16_t>> to_drop_;       // leases that nobody wants any more
  std::unordered_map<ObjectId, std::vector<View*>> pinned_;  // by hand
};

}  // namespace vineyard::client
