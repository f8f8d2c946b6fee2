#include "core/meta/zookeeper/errors.h"

#include <zookeeper/zookeeper.h>

#include <string>

namespace vineyard::meta::zookeeper {
namespace {

static_assert(kOk == ZOK && kDeadlinePassed == ZOPERATIONTIMEOUT && kNeverSent == ZINVALIDSTATE);
static_assert(kNoNode == ZNONODE && kSessionExpired == ZSESSIONEXPIRED);
static_assert(kAuthenticationFailed == ZAUTHFAILED && kClosing == ZCLOSING);
static_assert(kNotTried == ZRUNTIMEINCONSISTENCY);

struct Meaning {
  int error;
  Code code;
  const char* text;
};

// The server refused it: nothing is changed.
constexpr Meaning kRefusals[] = {
    {ZNONODE, Code::kNotFound, "no such node"},
    {ZNODEEXISTS, Code::kExists, "the node exists"},
    {ZBADVERSION, Code::kConflict, "the node has another version"},
    {ZNOTEMPTY, Code::kInUse, "the node has children"},
    {ZNOAUTH, Code::kPermission, "it is for those who know another secret"},
    {ZNOCHILDRENFOREPHEMERALS, Code::kInvalid, "its parent is ephemeral"},
    {ZBADARGUMENTS, Code::kInvalid, "the server finds it invalid"},
    {ZINVALIDACL, Code::kInvalid, "the server finds its access list invalid"},
    {ZUNIMPLEMENTED, Code::kUnsupported, "the server can not do it"},
    {ZEPHEMERALONLOCALSESSION, Code::kUnavailable, "the session is not known to all servers"},
    {ZSESSIONMOVED, Code::kUnavailable, "the session has moved to another server"},
    {ZNOTREADONLY, Code::kUnavailable, "the server has no majority and only reads"},
    {ZTHROTTLEDOP, Code::kUnavailable, "the server has too much to do"},
};

// No answer came, or one that does not say what was done.
const char* Why(int error) {
  switch (error) {
    case ZCONNECTIONLOSS:
      return "the connection was lost";
    case ZOPERATIONTIMEOUT:
      return "no answer within the time allowed";
    case ZRUNTIMEINCONSISTENCY:
      return "the server's answers do not fit what was asked";
    case ZINVALIDSTATE:
      return "there is no session";
    case ZSESSIONEXPIRED:
      return "the session has expired";
    case ZAUTHFAILED:
      return "authentication failed";
    case ZCLOSING:
      return "the connection is closed";
    case ZMARSHALLINGERROR:
      return "out of memory";
    default:
      return nullptr;
  }
}

}  // namespace

bool IsAnswer(int error) {
  return error == ZOK || (error < ZAPIERROR && error != ZSESSIONEXPIRED && error != ZAUTHFAILED &&
                          error != ZCLOSING);
}

Status StatusOf(int error, const Asked& asked) {
  auto say = [&](Code code, std::string_view why) {
    std::string text = "zookeeper ";
    text.append(asked.servers).append(": ").append(asked.what).append(": ").append(why);
    return Status(code, std::move(text));
  };
  for (const Meaning& meaning : kRefusals) {
    if (meaning.error == error) return say(meaning.code, meaning.text);
  }
  const char* known = Why(error);
  std::string why = known != nullptr ? known : Format("error %d", error);
  if (!asked.sent || error == ZINVALIDSTATE) return say(Code::kUnavailable, why + ", not sent");
  if (asked.write) return say(Code::kUnknown, why + ", it may have been done");
  if (error == ZOPERATIONTIMEOUT) return say(Code::kTimeout, why);
  if (error == ZAUTHFAILED) return say(Code::kPermission, why);
  return say(Code::kUnavailable, why);
}

Status MayNotRead(const Status& refused) {
  return Status(Code::kPermission,
                refused.text() +
                    "; this daemon changes nothing any more: give all daemons of the "
                    "cluster the same --meta-auth, or none, and start it again");
}

}  // namespace vineyard::meta::zookeeper
