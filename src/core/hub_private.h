/* What the files of the hub share: hub.c has the connections, the limits and the clock, hub_room.c what
 * peers ask of one another. */
#ifndef ALOHA_HUB_PRIVATE_H
#define ALOHA_HUB_PRIVATE_H

#include "aloha/hub.h"

enum conn_state {
    CONN_FREE = 1 << 0,
    CONN_OPEN = 1 << 1,     /* no room yet, or no longer */
    CONN_KNOCKING = 1 << 2, /* at a locked room */
    CONN_JOINED = 1 << 3,
    CONN_CLOSING = 1 << 4, /* we have closed it; hub_closed() is still to come */
};

struct conn {
    enum conn_state state;
    uint32_t generation; /* raised at each open: an old id finds nothing */
    struct seat *seat;   /* while joined or knocking; borrowed from the rooms */
    address_key from;
    uint64_t opened_ms; /* for the join deadline */
    uint64_t heard_ms;
    uint64_t leave_at_ms; /* while draining */
    bool pinged;          /* since heard_ms */
    bool has_joined;      /* or knocked */
    struct bucket messages;
    struct bucket bytes;
    struct bucket ice;
    uint32_t bad_messages;
    uint32_t drops; /* messages dropped since drops_since_ms */
    uint64_t drops_since_ms;
    uint64_t rate_error_ms; /* when it was last told so; 0 for never */
    uint32_t next_free;     /* while CONN_FREE: slot + 1 of the next free one */
};

enum { LIMITS_JSON_SIZE_MAX = 2048, GONE_MAX = 1024 };

struct hub {
    struct hub_options options;
    const struct limits *limits;
    struct effects effects;
    struct metrics *metrics;
    struct rooms *rooms;
    struct conn *conns;  /* limits->connections_max of them */
    uint32_t conns_used; /* slots that were ever used lie below this */
    uint32_t first_free; /* slot + 1 of a free one below conns_used; 0 for none */
    struct seat *held;   /* seats without a connection, the one to expire first in front */
    uint64_t kept_size;  /* bytes of all seat->kept */
    struct buf limits_json;
    struct buf scratch;      /* the message that is being written */
    uint64_t gone[GONE_MAX]; /* hashes of peers from another process that have left this one */
    size_t gone_next;
    uint64_t outer_ms; /* the time the edge last told */
    uint64_t now_ms;   /* our own clock: see advance_clock() */
    uint64_t swept_ms;
    bool refuses_joins;
    bool draining;
};

/* ---- hub.c ---- */

extern const struct bucket_rate hub_ice_rate; /* RefreshIceServers of one connection */

conn_id hub_id_of(const struct hub *hub, const struct conn *conn);
struct conn *hub_find_conn(struct hub *hub, conn_id id); /* NULL for one that is gone */
void hub_send_scratch(struct hub *hub, conn_id to);      /* nothing when `to` is 0 */
void hub_close_conn(struct hub *hub, struct conn *conn, enum close_why why);

/* peer_id and retry_after_ms as encode_error() takes them. */
void hub_answer_error(struct hub *hub, struct conn *conn, enum err err, struct str peer_id,
                      uint64_t retry_after_ms);

/* ---- hub_room.c: what clients say, one function a type ----
 * An error that they return is answered by the caller; what they answer themselves is OK. */

typedef enum err handler(struct hub *hub, struct conn *conn, const struct message *message);
handler hub_on_join_room, hub_on_signal, hub_on_leave_room, hub_on_lock_room, hub_on_admit,
    hub_on_deny, hub_on_refresh_ice_servers;

/* Takes conn out of its room, or from the door of one, and tells the others. Nothing when it is in none. */
void hub_leave(struct hub *hub, struct conn *conn, const char *reason);

/* Takes conn from its seat and keeps that for the peer to come back to; tells nobody. One who knocked, or
 * a server that keeps no seats: as hub_leave(). */
void hub_hold(struct hub *hub, struct conn *conn);

/* Frees the seats that were held long enough. */
void hub_expire_held(struct hub *hub);

#endif
