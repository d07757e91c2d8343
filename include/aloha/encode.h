/* encode: what the hub says, written into a buffer. Signal is not here: the hub splices it.
 * spec: docs/protocol.md, "Hub to client". */
#ifndef ALOHA_ENCODE_H
#define ALOHA_ENCODE_H

#include "aloha/buf.h"
#include "aloha/room.h"

/* Each function empties `out` and writes one message; a lack of room shows in out->failed. */

/* RoomJoined for the peer in `seat`: its room as it is now, and what this server allows. */
void encode_room_joined(struct buf *out, const struct seat *seat, const struct limits *limits);

/* UserJoined about `seat`; hello is raw JSON that is passed on as it is, or empty. */
void encode_user_joined(struct buf *out, const struct seat *seat, struct str hello);

/* UserLeft; reason is one of "left", "timeout", "removed". */
void encode_user_left(struct buf *out, const char *peer_id, const char *reason);

/* Error. peer_id is repeated only when it has the form of one; retry_after_ms only when not 0. */
void encode_error(struct buf *out, enum err err, struct str peer_id, uint64_t retry_after_ms);

#endif
