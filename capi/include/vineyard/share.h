/* share.h - the part of the C interface of Vineyard that is about several users of one daemon. Included by
 * vineyard.h, whose conventions hold here.
 *
 * Whoever may connect (vineyardd --allow-uid, --allow-gid) sees what it put and what others share with it, by id,
 * by name and in lists, its own first. An object and its members are read by the same users. Only the owner, the
 * user who put it, can delete, name and label it: all others get VINEYARD_E_PERMISSION, or NOT_FOUND where they may
 * not even read it. Within one user nothing is protected but from accidents.
 */
#ifndef VINEYARD_SHARE_H_
#define VINEYARD_SHARE_H_

#include <vineyard/vineyard.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Who may read what is put. */
#define VINEYARD_SHARE_DEFAULT 0 /* as the client was told, else as the daemon was (--share) */
#define VINEYARD_SHARE_UID 1     /* the owner */
#define VINEYARD_SHARE_GID 2     /* and who is in a group, which the owner must be in */
#define VINEYARD_SHARE_ALL 3     /* who may connect */

typedef struct vineyard_blob_options {
  uint32_t struct_size;
  int32_t share; /* VINEYARD_SHARE_*: as of the object that it will be a member of */
  uint32_t gid;  /* with VINEYARD_SHARE_GID: the group */
  uint32_t reserved;
} vineyard_blob_options;
#define VINEYARD_BLOB_OPTIONS_INIT \
  { sizeof(vineyard_blob_options), 0, 0, 0 }
/* vineyard_blob_writer_create with more to say. `options` may be NULL. */
VINEYARD_API int32_t vineyard_blob_writer_create_with(vineyard_client* client, uint64_t size,
                                                      int32_t kind,
                                                      const vineyard_blob_options* options,
                                                      vineyard_blob_writer** writer);

/* The user who put it, and who alone changes it; of another instance's objects, this process's. Root is served as
 * the daemon's user is, and so may have put what is that user's. NULL: UINT32_MAX. Whoever reads what another user
 * wrote takes it for what it is: a pickle that is loaded is a program that runs. */
VINEYARD_API uint32_t vineyard_object_owner_uid(const vineyard_object* object);

#ifdef __cplusplus
}
#endif

#endif /* VINEYARD_SHARE_H_ */
