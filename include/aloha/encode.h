/* encode: what the hub says, written into a buffer. Signal is not here: the hub splices it.
 * spec: docs/protocol.md, "Hub to client". */
#ifndef ALOHA_ENCODE_H
#define ALOHA_ENCODE_H

#include "aloha/buf.h"
#include "aloha/room.h"

/* Each function empties `out` and writes one message; a lack of room shows in out->failed. */

/* RoomJoined for the peer in `seat`, about its room as it is now. */
struct joined {
    struct str token;       /* the resume token */
    struct str limits_json; /* as limits_write_json() writes it */
    bool resumed;           /* it had this seat before */
    bool restored;          /* ... in another process: see encode_is_told() */
};
void encode_room_joined(struct buf *out, const struct seat *seat, const struct joined *joined);

/* True when `other` is told of `restored`, whose seat comes from another process: all are but those who
 * come from the very same, where they met him. They will make the offers. */
bool encode_is_told(const struct seat *restored, const struct seat *other);

/* UserJoined about `seat`; hello is raw JSON that is passed on as it is, or empty. */
void encode_user_joined(struct buf *out, const struct seat *seat, struct str hello);

/* UserLeft; reason is one of "left", "timeout", "removed". */
void encode_user_left(struct buf *out, const char *peer_id, const char *reason);

/* RoomLocked; the peer of `seat` has locked or unlocked its room. */
void encode_room_locked(struct buf *out, const struct seat *seat);

void encode_waiting(struct buf *out);
void encode_knock(struct buf *out, const struct seat *knock);
void encode_knock_ended(struct buf *out, const char *peer_id);
void encode_ice_servers(struct buf *out);
void encode_reconnect(struct buf *out, uint64_t after_ms);

/* Error. peer_id is repeated only when it has the form of one; retry_after_ms only when not 0. */
void encode_error(struct buf *out, enum err err, struct str peer_id, uint64_t retry_after_ms);

#endif
