/* What the files of the hub share: hub.c has the connections, the limits and the clock, hub_join.c how peers
 * come in and back, hub_room.c what they ask of one another until they leave, hub_admin.c what the operator
 * may do. */
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

enum { LIMITS_JSON_SIZE_MAX = 2048, MEMORY_MAX = 1024 };

/* The last ids that something was noted of, as hashes. */
struct memory {
    uint64_t hashes[MEMORY_MAX];
    size_t next;
};

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
    struct buf scratch;         /* the message that is being written */
    const struct conn *speaker; /* whose message is being carried out; NULL: nobody's */
    enum err verdict;           /* the error that it got for that */
    struct memory gone;         /* peers from another process that have left this one */
    struct memory removed;      /* peers, by the operator */
    struct memory closed;       /* rooms, likewise */
    uint64_t outer_ms;          /* the time the edge last told */
    uint64_t now_ms;            /* our own clock: see hub_advance_clock() */
    uint64_t swept_ms;
    bool refuses_joins;
    bool draining;
    bool cordoned;
};

/* ---- hub.c ---- */

extern const struct bucket_rate hub_ice_rate; /* RefreshIceServers of one connection */

void hub_advance_clock(struct hub *hub, uint64_t outer_ms); /* at the beginning of each event */
conn_id hub_id_of(const struct hub *hub, const struct conn *conn);
struct conn *hub_find_conn(struct hub *hub, conn_id id); /* NULL for one that is gone */
void hub_send_scratch(struct hub *hub, conn_id to);      /* nothing when `to` is 0 */
void hub_close_conn(struct hub *hub, struct conn *conn, enum close_why why);

/* peer_id and retry_after_ms as encode_error() takes them. */
void hub_answer_error(struct hub *hub, struct conn *conn, enum err err, struct str peer_id,
                      uint64_t retry_after_ms);

/* ---- hub_join.c and hub_room.c: what clients say, one function a type ----
 * An error that they return is answered by the caller; what they answer themselves is OK. */

typedef enum err handler(struct hub *hub, struct conn *conn, const struct message *message);
handler hub_on_join_room, hub_on_signal, hub_on_leave_room, hub_on_lock_room, hub_on_admit,
    hub_on_deny, hub_on_refresh_ice_servers;

/* Takes conn out of its room, or from the door of one, and tells the others. Nothing when it is in none. */
void hub_leave(struct hub *hub, struct conn *conn, const char *reason);

/* Takes conn from its seat and keeps that for the peer to come back to; tells nobody. One who knocked, or
 * a server that keeps no seats: as hub_leave(). */
void hub_hold(struct hub *hub, struct conn *conn);

/* Frees a member's seat and tells the others. Nobody sits there, or hub_leave() has asked him to rise. */
void hub_free_seat(struct hub *hub, struct seat *seat, const char *reason);

/* Frees the seats that were held long enough. */
void hub_expire_held(struct hub *hub);

/* ---- what hub_join.c has for hub_room.c ---- */

/* Writes the token for the seat of that peer; false when there is no memory. */
MUST_USE bool hub_make_token(struct hub *hub, struct str room, const char *peer_id,
                             char out[TOKEN_SIZE + 1]);

/* Makes conn the one who sits there. */
void hub_sit_down(struct hub *hub, struct conn *conn, struct seat *seat);

/* Counts a new member, and introduces him and the others to one another. */
void hub_introduce(struct hub *hub, const struct seat *seat, const char *token, struct str hello);

/* Notes an id, in the place of the one noted longest ago. */
void hub_remember(struct hub *hub, struct memory *memory, struct str id);

/* ---- what hub_room.c has for hub_join.c ---- */

extern const struct str hub_nobody; /* no peerId */

/* Sends what was written to the members but `except`, who may be one who knocks. */
void hub_tell_others(struct hub *hub, const struct seat *except);

/* So many bytes more, or fewer, are kept for seats. */
void hub_count_kept(struct hub *hub, int64_t bytes);

/* Sends what is kept for a seat, in the order in which it came, and forgets it. */
void hub_send_kept(struct hub *hub, struct seat *seat);
void hub_forget_kept(struct hub *hub, struct seat *seat);

void hub_unhold(struct hub *hub, struct seat *seat); /* nothing when it is not held */
void hub_count_rooms(struct hub *hub);

#endif
