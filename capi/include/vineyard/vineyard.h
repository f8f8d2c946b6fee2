/* vineyard.h - the C interface of Vineyard, an in-memory store of immutable objects.
 *
 * This header is the specification: what is not in it is not part of the interface.
 *
 * Five questions of a caller
 *
 *   Errors.    A function that can fail returns int32_t: VINEYARD_OK (0) or a negative VINEYARD_E_*.
 *              After a failure vineyard_error_text() says what happened, for people; it belongs to
 *              the calling thread and stays until that thread's next failing call. On failure every
 *              out-parameter that is a handle is NULL, other out-parameters are left as they were.
 *              Nothing here ends the process.
 *   Text.      Paths, names and keys go in as NUL-terminated UTF-8. Values and payloads are pointer and
 *              size, and may hold NUL. Text comes out either borrowed from a handle (valid until that
 *              handle is released) or into the caller's buffer.
 *   Ownership. One call gives a handle, the call named in its comment takes it back; taking back NULL is
 *              allowed. `_close` ends the use of a handle, later calls with it fail with
 *              VINEYARD_E_INVALID. `_release` frees it, later use of it is undefined. What is passed in is
 *              borrowed for the length of the call, unless its comment says otherwise. Nothing is ever
 *              to be given to free().
 *   Units.     Sizes are bytes, times are milliseconds (`_ms`). timeout_ms: 0 does not wait, -1 is the
 *              client's default (30,000 unless set at connect). No wait is without an end.
 *   Threads.   Each type says one of: thread-safe (any number of threads at once), thread-compatible (one
 *              at a time), thread-confined (only the thread that made it).
 *
 * Required pointers may not be NULL: VINEYARD_E_INVALID. Where NULL is allowed, the comment says so.
 * Option structs begin with struct_size: set it with the _INIT macro. Zero is the default of each
 * member. Members are added at the end only: a struct of an older caller is filled up with defaults;
 * one of a newer caller with unknown members that are not zero is VINEYARD_E_VERSION.
 *
 * Codes that any function taking a client can return, not repeated below: INVALID (a NULL or closed
 * handle), UNAVAILABLE (the daemon does not answer; the library has tried to reconnect), TIMEOUT,
 * INTERRUPTED (a signal, waits only), HOST_MEMORY, PROTOCOL, INTERNAL. A change that was sent and
 * not answered is UNKNOWN, whatever ended the wait: it may have been applied, or be so yet.
 *
 * Fork. A child may use the client handles of its parent (each opens a session of its own at first use)
 * and read its views; a release there of what the parent had pinned does nothing. Writers belong
 * to the process that made them: VINEYARD_E_FORKED.
 *
 * An object is visible to others once it is sealed, and never changes from then on. While a view (a blob
 * or object handle) exists, its bytes stay, whoever deletes the object or whatever process ends.
 */
#ifndef VINEYARD_VINEYARD_H_
#define VINEYARD_VINEYARD_H_

#include <stdint.h>

#define VINEYARD_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* ---- versions ---- */

/* The interface that this header describes. The library's SONAME carries the major number. */
#define VINEYARD_ABI_MAJOR 0
#define VINEYARD_ABI_MINOR 1

/* "0.1.0"; static storage. */
VINEYARD_API const char* vineyard_version(void);
/* major * 1000 + minor of the library that is running. */
VINEYARD_API int32_t vineyard_abi_version(void);

/* ---- status ---- */

#define VINEYARD_OK 0
#define VINEYARD_E_INVALID (-1)       /* an argument, id, name or handle that can not be right */
#define VINEYARD_E_NOT_FOUND (-2)     /* no such object, name, field or member */
#define VINEYARD_E_EXISTS (-3)        /* the name is taken */
#define VINEYARD_E_OUT_OF_MEMORY (-4) /* the store is full; nothing was stored */
#define VINEYARD_E_TIMEOUT (-5)       /* the deadline passed */
#define VINEYARD_E_UNAVAILABLE (-6)   /* no daemon, or no metadata service, answers */
#define VINEYARD_E_INTERRUPTED (-7)   /* a signal ended the wait */
#define VINEYARD_E_PERMISSION (-8)    /* the system or the daemon refuses this user */
#define VINEYARD_E_VERSION (-9)       /* built to different layouts, protocols or structs */
#define VINEYARD_E_PROTOCOL (-10)     /* the other side broke the protocol */
#define VINEYARD_E_TYPE (-11)         /* the field or object is of another type */
#define VINEYARD_E_LIMIT (-12)        /* larger, longer or deeper than allowed */
#define VINEYARD_E_CONFLICT (-13)     /* compare-and-set found another revision */
#define VINEYARD_E_IN_USE (-14)       /* other objects link to it */
#define VINEYARD_E_FORKED (-15)       /* the handle belongs to the parent process */
#define VINEYARD_E_REMOTE (-16)       /* the payload lives on another instance */
#define VINEYARD_E_HOST_MEMORY (-17)  /* this process or host is out of memory or descriptors */
#define VINEYARD_E_UNSUPPORTED (-18)  /* not offered by this build or daemon */
#define VINEYARD_E_CORRUPT (-19)      /* stored bytes do not pass their checks */
#define VINEYARD_E_UNKNOWN (-20)      /* the change may or may not have been applied */
#define VINEYARD_E_SEALED (-21)       /* the blob is sealed already */
#define VINEYARD_E_IO (-22)           /* a system call failed unexpectedly */
#define VINEYARD_E_LOST (-23)         /* the instance that had the payload is gone */
#define VINEYARD_E_INTERNAL (-99)     /* a defect of vineyard */

/* The text of the calling thread's last failure, one line; "" when there was none. Not to be parsed. */
VINEYARD_API const char* vineyard_error_text(void);
/* "not found" for VINEYARD_E_NOT_FOUND; "unknown status" for numbers that are none. Static storage. */
VINEYARD_API const char* vineyard_status_name(int32_t status);
/* 1: the same call may succeed later (TIMEOUT, UNAVAILABLE, INTERRUPTED, OUT_OF_MEMORY); else 0. */
VINEYARD_API int32_t vineyard_status_is_retryable(int32_t status);

/* ---- object ids ---- */

typedef uint64_t vineyard_id;

#define VINEYARD_ID_INVALID ((vineyard_id)0)
/* A blob of no bytes that always exists and can not be deleted. */
#define VINEYARD_ID_EMPTY_BLOB ((vineyard_id)1 << 63)
/* Size of the text of an id with its NUL: "o" and 16 lower-case hexadecimal digits. */
#define VINEYARD_ID_TEXT_SIZE 18

/* Strict: exactly the printed form. INVALID: anything else. */
VINEYARD_API int32_t vineyard_id_parse(const char* text, vineyard_id* id);
/* Writes the text and a NUL. `size`: in, bytes of buffer; out, bytes of text without the NUL.
 * LIMIT: the buffer is smaller than VINEYARD_ID_TEXT_SIZE. */
VINEYARD_API int32_t vineyard_id_print(vineyard_id id, char* buffer, uint64_t* size);
/* 1: the id is a blob's; else 0. */
VINEYARD_API int32_t vineyard_id_is_blob(vineyard_id id);

/* ---- values of metadata ---- */

#define VINEYARD_VALUE_NULL 0
#define VINEYARD_VALUE_BOOL 1
#define VINEYARD_VALUE_INT64 2
#define VINEYARD_VALUE_UINT64 3
#define VINEYARD_VALUE_FLOAT64 4
#define VINEYARD_VALUE_STRING 5 /* UTF-8, may hold NUL */
#define VINEYARD_VALUE_BYTES 6
#define VINEYARD_VALUE_LIST 7
#define VINEYARD_VALUE_MAP 8 /* keys are strings */

/* A typed value. `size`: bytes of a string or of bytes, items of a list, pairs of a map; else 0.
 * `as.items`: of a list its items; of a map 2 * size values, key, value, key, value. */
typedef struct vineyard_value {
  int32_t type;     /* VINEYARD_VALUE_* */
  int32_t reserved; /* 0 */
  uint64_t size;
  union {
    int32_t boolean; /* 0 or 1 */
    int64_t int64;
    uint64_t uint64;
    double float64;
    const char* data; /* not NUL-terminated */
    const struct vineyard_value* items;
  } as;
} vineyard_value;

/* ---- client ---- */

/* A connection to the daemon of this host. Thread-safe. */
typedef struct vineyard_client vineyard_client;

typedef struct vineyard_connect_options {
  uint32_t struct_size;
  uint32_t reserved;
  int64_t timeout_ms; /* of the connect and default of all waits; 0: 30,000 */
  const char* name;   /* for people who look at the daemon: "loader 3"; NULL: none */
  /* Asked by a thread that waits for the daemon, after a signal and at least every 100 ms: 0 ends the
   * wait with VINEYARD_E_INTERRUPTED (VINEYARD_E_UNKNOWN: see above). It may take locks of its caller,
   * whose other threads therefore may not hold them in calls that can wait; it may not call this
   * library. NULL: a signal ends waits for objects and names, all others go on to their deadline. */
  int32_t (*keep_waiting)(void);
  int32_t share;       /* VINEYARD_SHARE_*: of what is put, where the put says nothing */
  uint32_t gid;        /* with VINEYARD_SHARE_GID: the group */
  uint32_t daemon_uid; /* whose daemon is believed beside this user's and root's; 0: environment
                          VINEYARD_DAEMON_UID, else nobody's. Whoever it is says what lies in memory */
  uint32_t reserved2;
} vineyard_connect_options;
#define VINEYARD_CONNECT_OPTIONS_INIT \
  { sizeof(vineyard_connect_options), 0, 0, 0, 0, 0, 0, 0, 0 }

/* Connects to the socket at `path`; NULL: environment VINEYARD_IPC_SOCKET, else the default socket
 * (/var/run/vineyard.sock for root, for others $XDG_RUNTIME_DIR/vineyard.sock, or where that is not set
 * /tmp/vineyard-UID/vineyard.sock). `options` may be NULL. The client is given back with
 * vineyard_client_release. A daemon that restarts is reconnected to by the next call that needs it.
 * UNAVAILABLE: nobody listens there. PERMISSION: the daemon does not serve this user, or is not one that
 * this user believes: a daemon serves its own user and whom --allow-uid and --allow-gid name, a client takes the
 * daemon of its own user, of root, or of daemon_uid (root's client refuses a user's daemon that is not named so).
 * VERSION: the daemon was built to another layout or protocol. */
VINEYARD_API int32_t vineyard_client_connect(const char* path,
                                             const vineyard_connect_options* options,
                                             vineyard_client** client);
/* Says goodbye and closes the connection; views stay valid, and what is below them can be got as before: their
 * memory, as far as this process has not looked at it yet, is mapped now (not where the daemon is gone). Blobs
 * that are not sealed are gone: what their writers have given out may still be written until these are released,
 * but is no memory of the store any more. Closing twice is allowed. */
VINEYARD_API int32_t vineyard_client_close(vineyard_client* client);
/* Of the calling thread: 0: until set back to 1, calls that would have to ask the daemon (or wait for a
 * thread that does) fail with VINEYARD_E_TIMEOUT at once and change nothing. For callers that hold a lock,
 * an interpreter's, and would rather give it up and call again. Answers what was set before. */
VINEYARD_API int32_t vineyard_thread_set_waiting(int32_t allowed);
/* Closes and frees. Views stay valid until each is released. NULL is allowed. */
VINEYARD_API void vineyard_client_release(vineyard_client* client);
/* 1: open, and the last exchange with the daemon worked; 0: closed or cut off. NULL: 0. */
VINEYARD_API int32_t vineyard_client_is_connected(const vineyard_client* client);
/* The path connected to; borrowed from the client. NULL: "". */
VINEYARD_API const char* vineyard_client_socket(const vineyard_client* client);
/* Number of the daemon's instance. */
VINEYARD_API int32_t vineyard_client_instance(vineyard_client* client, uint64_t* instance);

typedef struct vineyard_client_statistics {
  uint32_t struct_size;
  uint32_t reserved;
  uint64_t requests;             /* exchanges with the daemon */
  uint64_t copied_payload_bytes; /* payload bytes this client copied, in and out */
  uint64_t reconnects;
} vineyard_client_statistics;
#define VINEYARD_CLIENT_STATISTICS_INIT \
  { sizeof(vineyard_client_statistics), 0, 0, 0, 0 }
/* Fills as many members as struct_size covers. Needs no daemon; works after close. */
VINEYARD_API int32_t vineyard_client_get_statistics(const vineyard_client* client,
                                                    vineyard_client_statistics* statistics);
/* For bindings that copy on their own (a view into a language's bytes): counts it. */
VINEYARD_API void vineyard_client_add_copied(vineyard_client* client, uint64_t bytes);

/* What the daemon reports of itself: a handle on a list of named numbers and texts, in the order in
 * which people should read them. Thread-compatible. */
typedef struct vineyard_info vineyard_info;
/* Given back with vineyard_info_release. */
VINEYARD_API int32_t vineyard_client_get_info(vineyard_client* client, vineyard_info** info);
VINEYARD_API uint64_t vineyard_info_count(const vineyard_info* info);
/* Entry `index`: its name (borrowed, NUL-terminated) and value (borrowed; UINT64 or STRING).
 * NOT_FOUND: index >= count. */
VINEYARD_API int32_t vineyard_info_at(const vineyard_info* info, uint64_t index, const char** name,
                                      const vineyard_value** value);
VINEYARD_API void vineyard_info_release(vineyard_info* info);

/* ---- blobs: views ---- */

#define VINEYARD_BLOB_BUFFER 1 /* stored as it is */
#define VINEYARD_BLOB_BYTES \
  2 /* Python bytes: stored as their pickle, of which the value is a window */
#define VINEYARD_BLOB_BYTEARRAY 3 /* Python bytearray, likewise */

/* A sealed blob, pinned: its bytes stay until the release. Read-only; thread-safe. */
typedef struct vineyard_blob vineyard_blob;

/* Pins the blob. In the usual case no system call, no lock, no allocation, no copy. Given back with
 * vineyard_blob_release. NOT_FOUND; TYPE: the id is not a blob's; REMOTE, LOST: cluster.h. */
VINEYARD_API int32_t vineyard_blob_get(vineyard_client* client, vineyard_id id,
                                       vineyard_blob** blob);
/* The value: first byte (a multiple of 64) and size in bytes. Valid until the release, also after the
 * client is closed or released. NULL: NULL and 0. */
VINEYARD_API const void* vineyard_blob_data(const vineyard_blob* blob);
VINEYARD_API uint64_t vineyard_blob_length(const vineyard_blob* blob);
/* Size of the stored form, envelope included: 28 for the bytes "Hello, World!". */
VINEYARD_API uint64_t vineyard_blob_stored_size(const vineyard_blob* blob);
/* The stored form's first byte. */
VINEYARD_API const void* vineyard_blob_stored_data(const vineyard_blob* blob);
VINEYARD_API int32_t vineyard_blob_kind(const vineyard_blob* blob); /* VINEYARD_BLOB_*; NULL: 0 */
VINEYARD_API vineyard_id vineyard_blob_id(const vineyard_blob* blob);
/* One more handle on the same pin, given back on its own: for slices with lives of their own. */
VINEYARD_API int32_t vineyard_blob_share(vineyard_blob* blob, vineyard_blob** shared);
VINEYARD_API void vineyard_blob_release(vineyard_blob* blob);

/* Keeps the memory mapped that a blob lies in, without keeping its bytes: who reads there after the blob's
 * release reads anything, but reads. For languages that can not take a view back from its holder. Thread-safe. */
typedef struct vineyard_mapping vineyard_mapping;
/* Given back with vineyard_mapping_release, before or after the blob, also after the client is released. */
VINEYARD_API int32_t vineyard_blob_hold_mapping(const vineyard_blob* blob,
                                                vineyard_mapping** mapping);
VINEYARD_API void vineyard_mapping_release(vineyard_mapping* mapping);

/* ---- blobs: writing ---- */

/* Stores a copy of `size` bytes as a sealed blob. `kind`: VINEYARD_BLOB_*. `data` may be NULL when size
 * is 0. Up to 64 KiB travel in one message; more is written into shared memory directly.
 * OUT_OF_MEMORY, also where the store is smaller than this blob alone (the text says so); LIMIT: larger than any
 * memory. */
VINEYARD_API int32_t vineyard_blob_put(vineyard_client* client, const void* data, uint64_t size,
                                       int32_t kind, vineyard_id* id);

/* A blob being written, in shared memory. Thread-compatible; belongs to the process that made it. */
typedef struct vineyard_blob_writer vineyard_blob_writer;

/* Memory for `size` bytes of value. Given back with vineyard_blob_writer_release, which aborts what was
 * not sealed. OUT_OF_MEMORY; LIMIT: as above. */
VINEYARD_API int32_t vineyard_blob_writer_create(vineyard_client* client, uint64_t size,
                                                 int32_t kind, vineyard_blob_writer** writer);
/* The bytes to write; NULL once sealed, aborted, closed or forked. */
VINEYARD_API void* vineyard_blob_writer_data(vineyard_blob_writer* writer);
VINEYARD_API uint64_t vineyard_blob_writer_size(const vineyard_blob_writer* writer);
/* The id that the blob will have. Others can wait for it already. */
VINEYARD_API vineyard_id vineyard_blob_writer_id(const vineyard_blob_writer* writer);
/* Keeps the first `size` bytes; the rest goes back when it is sealed. INVALID: larger than it is. */
VINEYARD_API int32_t vineyard_blob_writer_shrink(vineyard_blob_writer* writer, uint64_t size);
/* Makes it immutable and visible. SEALED: it is already. FORKED. */
VINEYARD_API int32_t vineyard_blob_writer_seal(vineyard_blob_writer* writer);
/* Gives the memory back. Aborting twice is allowed. SEALED. */
VINEYARD_API int32_t vineyard_blob_writer_abort(vineyard_blob_writer* writer);
VINEYARD_API void vineyard_blob_writer_release(vineyard_blob_writer* writer);

/* ---- objects: building ---- */

/* Metadata being built: a type name, fields and members. Thread-compatible. A name is set once. */
typedef struct vineyard_meta vineyard_meta;

/* Given back with vineyard_meta_release. LIMIT: the type name is longer than 1 KiB. */
VINEYARD_API int32_t vineyard_meta_create(const char* type_name, vineyard_meta** meta);
/* A blob as a builder: for one that is a member in several places, or put by itself under a name. It has
 * neither fields nor members. `data` is borrowed until the put has returned; given back likewise. */
VINEYARD_API int32_t vineyard_meta_create_blob(const void* data, uint64_t size, int32_t kind,
                                               vineyard_meta** meta);
VINEYARD_API void vineyard_meta_release(vineyard_meta* meta);

/* Fields. The value is copied. EXISTS: the name is taken in this object; LIMIT: a name above 4 KiB, lists
 * and maps nested more than 60 deep; INVALID: not UTF-8. */
VINEYARD_API int32_t vineyard_meta_set_null(vineyard_meta* meta, const char* name);
VINEYARD_API int32_t vineyard_meta_set_bool(vineyard_meta* meta, const char* name, int32_t value);
VINEYARD_API int32_t vineyard_meta_set_int64(vineyard_meta* meta, const char* name, int64_t value);
VINEYARD_API int32_t vineyard_meta_set_uint64(vineyard_meta* meta, const char* name,
                                              uint64_t value);
VINEYARD_API int32_t vineyard_meta_set_float64(vineyard_meta* meta, const char* name, double value);
VINEYARD_API int32_t vineyard_meta_set_string(vineyard_meta* meta, const char* name,
                                              const char* text, uint64_t size);
VINEYARD_API int32_t vineyard_meta_set_bytes(vineyard_meta* meta, const char* name,
                                             const void* data, uint64_t size);
VINEYARD_API int32_t vineyard_meta_set_value(vineyard_meta* meta, const char* name,
                                             const vineyard_value* value);

/* Members, in this order. By id: an object that exists here, or that its instance has persisted. */
VINEYARD_API int32_t vineyard_meta_add_id(vineyard_meta* meta, const char* name, vineyard_id id);
/* By builder: stored by the same put. The builder is kept alive; it may be a member in several places
 * (one object) but not of itself. */
VINEYARD_API int32_t vineyard_meta_add_meta(vineyard_meta* meta, const char* name,
                                            vineyard_meta* member);
/* By bytes: a blob made by the same put. `data` is borrowed until the put has returned. */
VINEYARD_API int32_t vineyard_meta_add_bytes(vineyard_meta* meta, const char* name,
                                             const void* data, uint64_t size, int32_t kind);
/* By writer: sealed by the same put. The writer is to be released as always, after the put. */
VINEYARD_API int32_t vineyard_meta_add_writer(vineyard_meta* meta, const char* name,
                                              vineyard_blob_writer* writer);
/* After the put: the id this builder's object got; before: VINEYARD_ID_INVALID. */
VINEYARD_API vineyard_id vineyard_meta_id(const vineyard_meta* meta);

typedef struct vineyard_put_options {
  uint32_t struct_size;
  int32_t replace; /* 1: the name may be taken; it moves to this object */
  int32_t persist; /* 1: publish to the cluster as well */
  uint32_t reserved;
  const char* name; /* given to the object in the same step; NULL: none */
  int32_t share;    /* VINEYARD_SHARE_*; members that exist already must be shared alike */
  uint32_t gid;     /* with VINEYARD_SHARE_GID: the group */
} vineyard_put_options;
#define VINEYARD_PUT_OPTIONS_INIT \
  { sizeof(vineyard_put_options), 0, 0, 0, 0, 0, 0 }

/* Stores the whole tree below `meta`: one message, whatever its depth, beside what large or very many
 * payloads need. All of it is stored or nothing. A builder is put once. `options` may be NULL. With
 * `persist`, an error after the tree was stored is returned with `id` set: it exists, and
 * vineyard_object_persist may be called again. NOT_FOUND: a member does not exist; EXISTS: the name is
 * taken; OUT_OF_MEMORY; LIMIT: more than 64 levels, 64 MiB of metadata, or a message of 80 MiB or 16
 * million values; INVALID: it was put already, or a member is shared with others than the object; PERMISSION: a group
 * that this user is not in. What writers wrote for others is not in their memory any more, whatever comes of it. */
VINEYARD_API int32_t vineyard_object_put(vineyard_client* client, vineyard_meta* meta,
                                         const vineyard_put_options* options, vineyard_id* id);

/* ---- objects: reading ---- */

/* A sealed object, pinned with its whole tree. Read-only; thread-safe, except that its release must not
 * race with its use. */
typedef struct vineyard_object vineyard_object;

/* Pins the object (a blob, too) and reads its metadata, in shared memory; of what another instance has
 * persisted, metadata only (cluster.h). Given back with vineyard_object_release. NOT_FOUND; CORRUPT. */
VINEYARD_API int32_t vineyard_object_get(vineyard_client* client, vineyard_id id,
                                         vineyard_object** object);
/* Never waits; nor does vineyard_blob_release. */
VINEYARD_API void vineyard_object_release(vineyard_object* object);

VINEYARD_API vineyard_id vineyard_object_id(const vineyard_object* object);
/* Borrowed, NUL-terminated. */
VINEYARD_API const char* vineyard_object_type_name(const vineyard_object* object);
/* Payload bytes of the whole tree (stored sizes; what is a member twice counts twice). */
VINEYARD_API uint64_t vineyard_object_nbytes(const vineyard_object* object);
/* Number of the instance that owns it. */
VINEYARD_API uint64_t vineyard_object_instance(const vineyard_object* object);
/* 1: it was persisted when it was got. */
VINEYARD_API int32_t vineyard_object_is_persisted(const vineyard_object* object);

VINEYARD_API uint64_t vineyard_object_field_count(const vineyard_object* object);
/* Name (borrowed, `name_size` bytes, not NUL-terminated) and value (borrowed) of field `index`.
 * NOT_FOUND: index >= count. */
VINEYARD_API int32_t vineyard_object_field_at(const vineyard_object* object, uint64_t index,
                                              const char** name, uint64_t* name_size,
                                              const vineyard_value** value);
/* The field's value, borrowed. NOT_FOUND. */
VINEYARD_API int32_t vineyard_object_field(const vineyard_object* object, const char* name,
                                           const vineyard_value** value);
/* The same for one type. NOT_FOUND; TYPE: it is of another type, or does not fit. Integers of either
 * signedness are read by both where they fit. Text and bytes are borrowed. */
VINEYARD_API int32_t vineyard_object_field_bool(const vineyard_object* object, const char* name,
                                                int32_t* value);
VINEYARD_API int32_t vineyard_object_field_int64(const vineyard_object* object, const char* name,
                                                 int64_t* value);
VINEYARD_API int32_t vineyard_object_field_uint64(const vineyard_object* object, const char* name,
                                                  uint64_t* value);
VINEYARD_API int32_t vineyard_object_field_float64(const vineyard_object* object, const char* name,
                                                   double* value);
VINEYARD_API int32_t vineyard_object_field_string(const vineyard_object* object, const char* name,
                                                  const char** text, uint64_t* size);
VINEYARD_API int32_t vineyard_object_field_bytes(const vineyard_object* object, const char* name,
                                                 const char** data, uint64_t* size);

VINEYARD_API uint64_t vineyard_object_member_count(const vineyard_object* object);
/* NOT_FOUND: index >= count. */
VINEYARD_API int32_t vineyard_object_member_at(const vineyard_object* object, uint64_t index,
                                               const char** name, uint64_t* name_size,
                                               vineyard_id* id);
VINEYARD_API int32_t vineyard_object_member_id(const vineyard_object* object, const char* name,
                                               vineyard_id* id);
/* A member as a handle of its own, held by the pin of the object it was reached through: no message.
 * Given back with vineyard_object_release, in any order. NOT_FOUND. */
VINEYARD_API int32_t vineyard_object_member(vineyard_object* object, const char* name,
                                            vineyard_object** member);
VINEYARD_API int32_t vineyard_object_member_by_index(vineyard_object* object, uint64_t index,
                                                     vineyard_object** member);
/* A member that is a blob. Given back with vineyard_blob_release. TYPE: it is not a blob. REMOTE, LOST. */
VINEYARD_API int32_t vineyard_object_member_blob(vineyard_object* object, const char* name,
                                                 vineyard_blob** blob);
/* The object itself as a blob. TYPE: it is not one. REMOTE, LOST. */
VINEYARD_API int32_t vineyard_object_blob(vineyard_object* object, vineyard_blob** blob);

#define VINEYARD_ELEMENT_OTHER 0 /* known to Python only: see value_type_meta_ */
#define VINEYARD_ELEMENT_INT8 1
#define VINEYARD_ELEMENT_INT16 2
#define VINEYARD_ELEMENT_INT32 3
#define VINEYARD_ELEMENT_INT64 4
#define VINEYARD_ELEMENT_UINT8 5
#define VINEYARD_ELEMENT_UINT16 6
#define VINEYARD_ELEMENT_UINT32 7
#define VINEYARD_ELEMENT_UINT64 8
#define VINEYARD_ELEMENT_FLOAT16 9
#define VINEYARD_ELEMENT_FLOAT32 10
#define VINEYARD_ELEMENT_FLOAT64 11
#define VINEYARD_ELEMENT_BOOL 12
#define VINEYARD_ELEMENT_COMPLEX64 13
#define VINEYARD_ELEMENT_COMPLEX128 14

/* "float64" and so on, the spelling of the field value_type_; "other" for what is none. Static storage. */
VINEYARD_API const char* vineyard_element_name(int32_t element);
/* Bytes of one element; 0 for OTHER. */
VINEYARD_API uint64_t vineyard_element_size(int32_t element);

/* An array in shared memory (vineyard::Array, vineyard::Tensor). Pointers are borrowed from the object. */
typedef struct vineyard_tensor {
  uint32_t struct_size;
  int32_t element; /* VINEYARD_ELEMENT_* */
  int32_t dimensions;
  int32_t is_fortran;   /* 0: the last index varies fastest; 1: the first */
  const int64_t* shape; /* `dimensions` sizes */
  const void* data;
  uint64_t data_size; /* bytes */
} vineyard_tensor;
#define VINEYARD_TENSOR_INIT \
  { sizeof(vineyard_tensor), 0, 0, 0, 0, 0, 0 }
/* `data` is the value of its member buffer_ from its field offset_ (bytes; absent: 0) on. TYPE: the object
 * is not an array; CORRUPT: its shape and its blob disagree; REMOTE, LOST. */
VINEYARD_API int32_t vineyard_object_tensor(vineyard_object* object, vineyard_tensor* tensor);

/* ---- objects: the rest ---- */

/* 1 or 0 into `exists`. */
VINEYARD_API int32_t vineyard_object_exists(vineyard_client* client, vineyard_id id,
                                            int32_t* exists);
/* Returns once the object is sealed, or another instance has persisted it. TIMEOUT. */
VINEYARD_API int32_t vineyard_object_wait(vineyard_client* client, vineyard_id id,
                                          int64_t timeout_ms);

typedef struct vineyard_delete_options {
  uint32_t struct_size;
  int32_t force;   /* 1: also what others link to: it goes when they are gone */
  int32_t shallow; /* 1: members stay; 0: members that nobody else holds go too */
  uint32_t reserved;
} vineyard_delete_options;
#define VINEYARD_DELETE_OPTIONS_INIT \
  { sizeof(vineyard_delete_options), 0, 0, 0 }
/* Deletes all of them or, on an error, none. Waits for no reader and takes no reader's bytes away: memory
 * comes back when the last view is released. `options` may be NULL. NOT_FOUND; IN_USE: another
 * object links to it (named in the text); IN_USE as well while its blob is being written. */
VINEYARD_API int32_t vineyard_object_delete(vineyard_client* client, const vineyard_id* ids,
                                            uint64_t count, const vineyard_delete_options* options);
/* Publishes the objects and all that is local below them to the cluster. Idempotent. NOT_FOUND. */
VINEYARD_API int32_t vineyard_object_persist(vineyard_client* client, const vineyard_id* ids,
                                             uint64_t count);
/* Compares an object, and all below it that lies in this instance's memory, with the checksums that were made
 * when it was put. CORRUPT: the text names what is damaged. `unchecked` may be NULL: bytes of payload that
 * have no checksum (vineyardd --checksum says which have). Reads every byte that has one. */
VINEYARD_API int32_t vineyard_object_verify(vineyard_client* client, vineyard_id id,
                                            uint64_t* unchecked);
/* Moves the payloads of an object and of all below it from memory to files now (vineyardd --evict spill), but for
 * those that another object in memory links to; a get brings them back. Returns when they are gone, also when they
 * were before. IN_USE: somebody has pinned it, or an object in memory links to it: the text says who;
 * UNSUPPORTED: the daemon spills nothing. NOT_FOUND, REMOTE, IO. */
VINEYARD_API int32_t vineyard_object_evict(vineyard_client* client, vineyard_id id);
/* Brings what lies in a file back into memory, with all below it, as a get would. NOT_FOUND, OUT_OF_MEMORY,
 * CORRUPT, IO, REMOTE, LOST. */
VINEYARD_API int32_t vineyard_object_load(vineyard_client* client, vineyard_id id);
/* Keeps an object and all below it in memory, loading it first: not evicted, not spilled; who deletes it
 * does not take its bytes away. Until vineyard_object_unpin, the end of the client or of its process. Counted per
 * client: as many unpins as pins. A view does the same for as long as it is held. A child after fork() has pinned
 * nothing. As vineyard_object_load; INVALID: the client is closed. */
VINEYARD_API int32_t vineyard_object_pin(vineyard_client* client, vineyard_id id);
/* NOT_FOUND: this client has not pinned it, or not as often. */
VINEYARD_API int32_t vineyard_object_unpin(vineyard_client* client, vineyard_id id);
/* Deletes every object that this user owns on this instance, what it shares too. `count` may be NULL. */
VINEYARD_API int32_t vineyard_client_clear(vineyard_client* client, uint64_t* count);
/* Gives wholly free memory back to the host: of this user, of all for the daemon's. `bytes` may be NULL. */
VINEYARD_API int32_t vineyard_client_trim(vineyard_client* client, uint64_t* bytes);

/* Sets a label of a sealed object; `value` NULL or "" takes it away. Labels may change, objects do not. */
VINEYARD_API int32_t vineyard_label_set(vineyard_client* client, vineyard_id id, const char* key,
                                        const char* value);
/* The labels of an object, a copy. Thread-compatible. Given back with vineyard_labels_release. */
typedef struct vineyard_labels vineyard_labels;
VINEYARD_API int32_t vineyard_labels_get(vineyard_client* client, vineyard_id id,
                                         vineyard_labels** labels);
VINEYARD_API uint64_t vineyard_labels_count(const vineyard_labels* labels);
/* Key and value, borrowed, NUL-terminated. NOT_FOUND: index >= count. */
VINEYARD_API int32_t vineyard_labels_at(const vineyard_labels* labels, uint64_t index,
                                        const char** key, const char** value);
VINEYARD_API void vineyard_labels_release(vineyard_labels* labels);

/* ---- lists ---- */

/* Iterates over object ids, page by page. What is put or deleted meanwhile may or may not be seen; what
 * exists throughout is seen once. Thread-compatible. */
typedef struct vineyard_list vineyard_list;

/* Objects whose type name, or one of its bases, matches the shell pattern (* ? [a-z]), ordered by type
 * name and id. `page`: objects fetched at a time; 0: 1,000. Given back with vineyard_list_release. */
VINEYARD_API int32_t vineyard_list_open(vineyard_client* client, const char* type_pattern,
                                        uint64_t page, vineyard_list** list);
/* The next id; VINEYARD_ID_INVALID at the end. */
VINEYARD_API int32_t vineyard_list_next(vineyard_list* list, vineyard_id* id);
VINEYARD_API void vineyard_list_release(vineyard_list* list);

/* The type names that have objects, a copy. Thread-compatible. Given back with vineyard_types_release. */
typedef struct vineyard_types vineyard_types;
VINEYARD_API int32_t vineyard_types_get(vineyard_client* client, vineyard_types** types);
VINEYARD_API uint64_t vineyard_types_count(const vineyard_types* types);
/* Name (borrowed, NUL-terminated) and number of objects. NOT_FOUND: index >= count. */
VINEYARD_API int32_t vineyard_types_at(const vineyard_types* types, uint64_t index,
                                       const char** name, uint64_t* objects);
VINEYARD_API void vineyard_types_release(vineyard_types* types);

/* ---- names ---- */

/* The name need not have any revision. */
#define VINEYARD_REVISION_ANY (~(uint64_t)0)
/* The name must not exist. */
#define VINEYARD_REVISION_NONE ((uint64_t)0)

typedef struct vineyard_name_options {
  uint32_t struct_size;
  int32_t replace; /* 1: the name may be taken */
  int32_t compare; /* 1: `expect` is the revision that the name must have */
  uint32_t reserved;
  uint64_t expect; /* a revision, VINEYARD_REVISION_NONE or VINEYARD_REVISION_ANY */
} vineyard_name_options;
#define VINEYARD_NAME_OPTIONS_INIT \
  { sizeof(vineyard_name_options), 0, 0, 0, 0 }

/* Names a sealed object. A name is 1 to 1,024 bytes of UTF-8. `options` and `revision` may be NULL.
 * EXISTS: taken (the text says by which object) and neither replace nor compare was given; CONFLICT:
 * another revision than expected; NOT_FOUND: no such object; LIMIT: a longer name. A name goes with its object. To persist
 * the object makes the name the cluster's, which counts revisions anew. */
VINEYARD_API int32_t vineyard_name_put(vineyard_client* client, const char* name, vineyard_id id,
                                       const vineyard_name_options* options, uint64_t* revision);
/* The object that has the name, waiting up to timeout_ms for it to be given. `revision` may be NULL.
 * NOT_FOUND (timeout_ms 0); TIMEOUT. */
VINEYARD_API int32_t vineyard_name_get(vineyard_client* client, const char* name,
                                       int64_t timeout_ms, vineyard_id* id, uint64_t* revision);
/* Takes the name away; the object stays. `options` may be NULL (replace is ignored). NOT_FOUND; CONFLICT. */
VINEYARD_API int32_t vineyard_name_drop(vineyard_client* client, const char* name,
                                        const vineyard_name_options* options);

/* Iterates over names that match a shell pattern, in byte order. Thread-compatible. */
typedef struct vineyard_name_list vineyard_name_list;
/* Given back with vineyard_name_list_release. */
VINEYARD_API int32_t vineyard_name_list_open(vineyard_client* client, const char* pattern,
                                             vineyard_name_list** list);
/* The next name (borrowed until the next call with this list), its object and revision (may be NULL).
 * At the end name is NULL. */
VINEYARD_API int32_t vineyard_name_list_next(vineyard_name_list* list, const char** name,
                                             vineyard_id* id, uint64_t* revision);
VINEYARD_API void vineyard_name_list_release(vineyard_name_list* list);

/* ---- memory ---- */

/* memcpy for large payloads: stores that bypass the cache above 1 MiB. Does not overlap. */
VINEYARD_API void vineyard_memory_copy(void* destination, const void* source, uint64_t size);
/* 1: the whole range lies in a segment that some client of this process has mapped; else 0. */
VINEYARD_API int32_t vineyard_memory_is_shared(const void* data, uint64_t size);

#ifdef __cplusplus
}
#endif

#include <vineyard/cluster.h>
#include <vineyard/share.h>

#endif /* VINEYARD_VINEYARD_H_ */
