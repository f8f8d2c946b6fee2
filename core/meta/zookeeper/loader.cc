#include "core/meta/zookeeper/loader.h"

#include <utility>

#include "core/base/log.h"
#include "core/meta/zookeeper/errors.h"

namespace vineyard::meta::zookeeper {
namespace {

constexpr size_t kUnderWay = 256;

}  // namespace

Loader::Loader(Connection* connection, const Paths* paths, Catalog* catalog,
               std::function<void(vineyard::Status)> on_unreadable,
               std::function<void(vineyard::Status)> done)
    : connection_(connection),
      paths_(paths),
      catalog_(catalog),
      on_unreadable_(std::move(on_unreadable)),
      done_(std::move(done)) {
  List(What::kPlaces);
}

// Names refer to trees, trees belong to instances: in this order.
void Loader::List(What what) {
  what_ = what;
  if (what == What::kPlaces) {
    folders_.push_back(paths_->Places());
  } else {
    for (int bucket = 0; bucket < kBuckets; ++bucket) {
      folders_.push_back(what == What::kTrees ? paths_->ObjectBucket(bucket)
                                              : paths_->NameBucket(bucket));
    }
  }
  Next();
}

void Loader::Next() {
  while (under_way_ < kUnderWay && !nodes_.empty()) {
    std::string path = std::move(nodes_.front());
    nodes_.pop_front();
    Read(path);
  }
  while (under_way_ < kUnderWay && nodes_.empty() && !folders_.empty()) {
    std::string folder = std::move(folders_.front());
    folders_.pop_front();
    ++under_way_;
    connection_->GetChildren(folder, Soon(), guard_([this, folder](Result<Children> children) {
                               --under_way_;
                               bool is_missing = children.status().code() == Code::kNotFound;
                               if (is_missing && what_ != What::kPlaces) {
                                 Log(LogLevel::kWarning,
                                     "%s: it is missing and made again; what was in it is lost",
                                     folder.c_str());
                                 return Make(folder);
                               }
                               if (!children.ok()) return Fail(children.status());
                               for (const std::string& name : children->names)
                                 nodes_.push_back(folder + "/" + name);
                               Next();
                             }));
  }
  if (under_way_ != 0) return;
  if (what_ == What::kPlaces) return List(What::kTrees);
  if (what_ == What::kTrees) return List(What::kNames);
  guard_.Renew();
  auto done = std::move(done_);
  done(OkStatus());  // this may be gone
}

// With what it lies in, which may be missing, too.
void Loader::Make(const std::string& folder) {
  ++under_way_;
  std::string parent = folder.substr(0, folder.size() - BaseOf(folder).size() - 1);
  connection_->Multi({Op::Create(parent)}, Soon(), guard_([this, folder](const MultiResult&) {
                       connection_->Multi(
                           {Op::Create(folder)}, Soon(), guard_([this](const MultiResult& made) {
                             --under_way_;
                             if (!made.status.ok() && made.status.code() != Code::kExists)
                               return Fail(made.status);
                             Next();
                           }));
                     }));
}

void Loader::Read(const std::string& path) {
  ++under_way_;
  connection_->Get(
      path, Soon(), guard_([this, path](Result<Node> node) {
        --under_way_;
        if (node.ok()) {
          Keep(path, std::move(node).value());
        } else if (node.status().code() == Code::kPermission) {
          on_unreadable_(MayNotRead(node.status()));
        } else if (node.status().code() != Code::kNotFound) {  // gone since: the log says so
          return Fail(node.status());
        }
        Next();
      }));
}

void Loader::Keep(const std::string& path, Node node) {
  auto keep = [&]() -> vineyard::Status {
    std::string_view base = BaseOf(path);
    if (what_ == What::kPlaces) {
      ASSIGN_OR_RETURN(Instance instance, DecodeInstance(node.data));
      if (NumberOf(base) != instance.number)
        return Corrupt("instance: its number is not its node's");
      return catalog_->Apply(Effect(InstanceChanged{std::move(instance)}));
    }
    if (what_ == What::kTrees) {
      auto home = IdOf(base);
      if (!home) return Corrupt("tree: its node's name is no id");
      return catalog_->Apply(Effect(TreeCreated{std::move(node.data), *home}));
    }
    ASSIGN_OR_RETURN(NameNode name, DecodeName(node.data));
    if (EscapeName(name.name) != base) return Corrupt("name: it is not its node's");
    if (name.id == kInvalidId) {
      dropped_.emplace_back(name.generation, std::move(name.name));
      return OkStatus();
    }
    Name value{name.id, NameRevision(name.generation, node.stat.version)};
    return catalog_->Apply(Effect(NamePut{std::move(name.name), value}));
  };
  vineyard::Status status = keep();
  if (!status.ok()) {
    auto home = what_ == What::kTrees ? IdOf(BaseOf(path)) : std::nullopt;
    if (home) catalog_->NoteUnreadable(*home);
    Log(LogLevel::kWarning, "%s: %s; it is left out", path.c_str(), status.text().c_str());
  }
}

void Loader::Fail(const vineyard::Status& status) {
  guard_.Renew();
  auto done = std::move(done_);
  done(status);
}

}  // namespace vineyard::meta::zookeeper
