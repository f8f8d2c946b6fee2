/* cluster.h - the part of the C interface of Vineyard that is about more than one instance. Included by
 * vineyard.h, whose conventions hold here.
 *
 * An instance is one daemon with its memory. What an instance has persisted, every client of the cluster
 * can read the metadata of; its payload stays in the memory of that instance. A daemon without a
 * cluster (--meta local) is a cluster of one.
 *
 * What a daemon knows of others is as new as the last change that it has heard of. Who has to see a
 * certain change takes a position: of its own daemon behind the change, waited for on the other.
 */
#ifndef VINEYARD_CLUSTER_H_
#define VINEYARD_CLUSTER_H_

#include <vineyard/vineyard.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- objects of other instances ---- */

#define VINEYARD_INSTANCE_ALIVE 0
#define VINEYARD_INSTANCE_LOST 1 /* its daemon has been away for longer than a restart takes */

/* vineyard_object_get answers objects of other instances, too: metadata and members are read as always,
 * and a payload is VINEYARD_E_REMOTE, or VINEYARD_E_LOST when its instance is lost. Such a handle is a copy of
 * what was known when it was got. Members of the same tree take no message, others one each. */

/* 1: another instance has it; 0: it is in this instance's memory. NULL: 0. */
VINEYARD_API int32_t vineyard_object_is_remote(const vineyard_object* object);
/* 1 into `global`: the object or what is below it reaches objects of another instance than its owner; else
 * 0. Of a remote object, asks for members that are in other trees. */
VINEYARD_API int32_t vineyard_object_is_global(vineyard_object* object, int32_t* global);
/* VINEYARD_INSTANCE_*: of the instance that owns it; since when in Unix milliseconds (0: not known); its host
 * (borrowed from the object; "": this one, or not known). */
VINEYARD_API int32_t vineyard_object_owner_state(const vineyard_object* object);
VINEYARD_API uint64_t vineyard_object_owner_since_ms(const vineyard_object* object);
VINEYARD_API const char* vineyard_object_owner_host(const vineyard_object* object);
/* Unix milliseconds from which on what is known of the object may be old, because the daemon does not hear
 * of changes; 0: it is not. */
VINEYARD_API uint64_t vineyard_object_stale_since_ms(const vineyard_object* object);

/* ---- instances ---- */

typedef struct vineyard_instance {
  uint32_t struct_size;
  int32_t state; /* VINEYARD_INSTANCE_* */
  uint64_t number;
  uint64_t since_ms;     /* Unix milliseconds since when it is so */
  uint64_t memory_limit; /* bytes */
  uint64_t epoch;        /* moves with every start of its daemon */
  uint64_t uid;          /* its daemon's user */
  /* Borrowed from the list. Of the daemon: its host, its socket there, and where other hosts reach it ("":
   * nowhere). */
  const char* host;
  const char* socket;
  const char* endpoint;
} vineyard_instance;
#define VINEYARD_INSTANCE_INIT \
  { sizeof(vineyard_instance), 0, 0, 0, 0, 0, 0, 0, 0, 0 }

/* The instances of the cluster by number, lost ones among them; a copy. Thread-compatible. Given back with
 * vineyard_instance_list_release. */
typedef struct vineyard_instance_list vineyard_instance_list;
VINEYARD_API int32_t vineyard_instance_list_get(vineyard_client* client,
                                                vineyard_instance_list** list);
VINEYARD_API uint64_t vineyard_instance_list_count(const vineyard_instance_list* list);
/* Fills as many members as struct_size covers. NOT_FOUND: index >= count. */
VINEYARD_API int32_t vineyard_instance_list_at(const vineyard_instance_list* list, uint64_t index,
                                               vineyard_instance* instance);
VINEYARD_API void vineyard_instance_list_release(vineyard_instance_list* list);

/* Takes a lost instance out of the cluster, with what it had persisted and the names of that; members that
 * others have there are not found from then on. NOT_FOUND; IN_USE: it is alive. */
VINEYARD_API int32_t vineyard_instance_forget(vineyard_client* client, uint64_t number);

/* ---- how far a daemon's knowledge reaches ---- */

/* So many changes of the cluster; {0, 0}: none. Ordered by generation, then by entries. A plain value that
 * programs may send each other. */
typedef struct vineyard_position {
  uint64_t generation;
  uint64_t entries;
} vineyard_position;

/* What this client's daemon knows now; what this client has changed is in it. */
VINEYARD_API int32_t vineyard_client_revision(vineyard_client* client, vineyard_position* position);
/* Returns once the daemon knows what lies before `position`. TIMEOUT; UNAVAILABLE. */
VINEYARD_API int32_t vineyard_client_wait_revision(vineyard_client* client,
                                                   const vineyard_position* position,
                                                   int64_t timeout_ms);
/* Returns once the daemon knows everything that was changed anywhere before this call. `position` may be
 * NULL: how far that is. TIMEOUT; UNAVAILABLE: the metadata service can not be asked. */
VINEYARD_API int32_t vineyard_client_sync(vineyard_client* client, int64_t timeout_ms,
                                          vineyard_position* position);

/* ---- lists and names over the cluster ---- */

typedef struct vineyard_list_options {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t page;     /* objects fetched at a time; 0: 1,000 */
  uint64_t instance; /* only objects of this instance; 0: of all */
  const char* label; /* only objects that have this label; NULL or "": all */
  const char* value; /* with this value; NULL or "": any. INVALID without a label. */
} vineyard_list_options;
#define VINEYARD_LIST_OPTIONS_INIT \
  { sizeof(vineyard_list_options), 0, 0, 0, 0, 0 }
/* As vineyard_list_open. `options` may be NULL. */
VINEYARD_API int32_t vineyard_list_open_with(vineyard_client* client, const char* type_pattern,
                                             const vineyard_list_options* options,
                                             vineyard_list** list);

typedef struct vineyard_name_get_options {
  uint32_t struct_size;
  int32_t
      latest; /* 1: as of now in the whole cluster; 0: as of what is known here, without a message */
  int64_t timeout_ms; /* how long to wait for the name to be given; 0: not */
  uint64_t reserved;
} vineyard_name_get_options;
#define VINEYARD_NAME_GET_OPTIONS_INIT \
  { sizeof(vineyard_name_get_options), 0, 0, 0 }
/* As vineyard_name_get. `options` and `revision` may be NULL. With `latest`, UNAVAILABLE: the metadata service
 * can not be asked. */
VINEYARD_API int32_t vineyard_name_get_with(vineyard_client* client, const char* name,
                                            const vineyard_name_get_options* options,
                                            vineyard_id* id, uint64_t* revision);

/* ---- changes as they happen ---- */

#define VINEYARD_EVENT_CREATED \
  1 /* id: an object was persisted, with what is below it; instance: its owner */
#define VINEYARD_EVENT_DELETED 2   /* likewise */
#define VINEYARD_EVENT_NAMED 3     /* name, id */
#define VINEYARD_EVENT_DROPPED 4   /* name, and the id that it had */
#define VINEYARD_EVENT_JOINED 5    /* instance */
#define VINEYARD_EVENT_LOST 6      /* instance */
#define VINEYARD_EVENT_FORGOTTEN 7 /* instance */
#define VINEYARD_EVENT_LABELLED 8  /* id: an object of its tree was labelled anew */
#define VINEYARD_EVENT_COMPACTED 9 /* what happened up to here is not known any more: list anew */

/* Follows the changes of the cluster over a connection of its own, which is made again when the daemon was
 * restarted. No event is left out in silence: the next daemon does not know what happened before it began, and says
 * VINEYARD_EVENT_COMPACTED to whoever has not read that far. Thread-compatible; belongs to the process that opened it. Its client is to
 * be closed after it: a watch of a closed client is VINEYARD_E_INVALID. */
typedef struct vineyard_watch vineyard_watch;

typedef struct vineyard_event {
  uint32_t struct_size;
  int32_t kind; /* VINEYARD_EVENT_*; there may be new ones, to be passed over */
  vineyard_id id;
  uint64_t instance;
  const char* name; /* NUL-terminated, or ""; borrowed until the next call with this watch */
} vineyard_event;
#define VINEYARD_EVENT_INIT \
  { sizeof(vineyard_event), 0, 0, 0, 0 }

/* Events behind `after`; NULL or {0, 0}: from now on. Given back with vineyard_watch_release. */
VINEYARD_API int32_t vineyard_watch_open(vineyard_client* client, const vineyard_position* after,
                                         vineyard_watch** watch);
/* The next event; fills as many members as struct_size covers. TIMEOUT: there was none. UNAVAILABLE: there
 * was none, and the daemon is away or hears of none; the watch goes on once it can. FORKED. */
VINEYARD_API int32_t vineyard_watch_next(vineyard_watch* watch, int64_t timeout_ms,
                                         vineyard_event* event);
/* A descriptor for poll: once it is readable, call vineyard_watch_next without waiting until that answers
 * TIMEOUT or UNAVAILABLE (it may at once). The same for as long as the watch lives, and not to be closed. NULL: -1. */
VINEYARD_API int32_t vineyard_watch_fd(const vineyard_watch* watch);
/* Where a later watch takes up what this one has not answered yet. Events that happened together with one that
 * was not answered yet come again there. */
VINEYARD_API int32_t vineyard_watch_position(const vineyard_watch* watch,
                                             vineyard_position* position);
VINEYARD_API void vineyard_watch_release(vineyard_watch* watch);

#ifdef __cplusplus
}
#endif

#endif /* VINEYARD_CLUSTER_H_ */
