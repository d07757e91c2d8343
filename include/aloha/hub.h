/* hub: introduces the peers of a room to one another and relays what they say, and nothing else.
 *
 * It does no I/O. Events come in as calls, with the time; what it wants done goes out through
 * `struct effects`. It never calls back into itself, and no effect may call it: the edge does what
 * it is asked after the event. So the whole protocol runs in a test without a socket.
 * spec: docs/protocol.md */
#ifndef ALOHA_HUB_H
#define ALOHA_HUB_H

#include "aloha/admission.h"
#include "aloha/metrics.h"
#include "aloha/room.h"
#include "aloha/token.h"

/* All that the hub may do to the world. Every call gets `ctx` first. */
struct effects {
    void *ctx;
    /* Queues one text message made of `count` parts, copied. Messages to one connection leave in
     * the order of the calls. One that cannot take more is closed by the edge, after this event. */
    void (*send)(void *ctx, conn_id to, const struct str *parts, size_t count);
    /* Closes the WebSocket once what is queued has left. hub_closed() follows, after this event. */
    void (*close)(void *ctx, conn_id conn, enum close_why why);
    /* Sends a ping; the pong comes back as hub_heard(). */
    void (*ping)(void *ctx, conn_id conn);
    /* Writes a fresh random UUID (version 4) and its NUL. */
    void (*make_peer_id)(void *ctx, char out[PEER_ID_SIZE + 1]);
    /* The wall clock, in seconds since 1970: for tokens, which outlive this process. */
    uint64_t (*wall_s)(void *ctx);
};

struct hub;

struct hub_options {
    const struct limits *limits; /* borrowed for life, as all pointers here */
    struct metrics *metrics;
    struct admission *admission;
    struct siphash_key key;     /* random; for the tables */
    struct token_key token_key; /* secret; the same after a restart */
    uint64_t process; /* random, not 0, 48 bits: tells our tokens from an earlier process's */
};

/*   now_ms   a monotonic clock in milliseconds; so are all times below.
 *   returns  NULL when there is no memory. */
struct hub *hub_new(const struct hub_options *options, const struct effects *effects,
                    uint64_t now_ms);
void hub_free(struct hub *hub);

/* A WebSocket has opened.
 *   from     whom its joins count against.
 *   returns  its id, or 0 when limits->connections_max are open. The low 32 bits are a slot number
 *            below connections_max that the edge may index an array with; an id is never used
 *            twice. */
MUST_USE conn_id hub_open(struct hub *hub, address_key from, uint64_t now_ms);

/* A whole text message has arrived: at most limits->message_size_max bytes, any bytes. */
void hub_receive(struct hub *hub, conn_id from, struct str text, uint64_t now_ms);

/* Something else was heard of it: a pong, a part of a message. */
void hub_heard(struct hub *hub, conn_id from, uint64_t now_ms);

/* How a WebSocket ended. */
enum hub_end {
    HUB_END_GOODBYE, /* the client closed it with 1000 or 1001: its seat is free, "left" */
    HUB_END_LOST,    /* it broke, or closed with another code: its seat is held, then "timeout" */
    HUB_END_REMOVED, /* this server threw it out: its seat is free, "removed" */
};

/* The WebSocket is gone, or as good as gone. The id means nothing from now on. */
void hub_closed(struct hub *hub, conn_id id, enum hub_end end, uint64_t now_ms);

/* While on, every new peer's JoinRoom is answered `hub-full`: more waits for slow readers than this
 * server keeps. */
void hub_refuse_joins(struct hub *hub, bool on);

/* Sends everybody away: tells each connection when to come back, evenly over limits->drain_ms, and
 * closes it then with 1012. No new rooms meanwhile. Nobody hears that anybody left: they will all take
 * their seats again, in the next process. hub_tick() does the closing; call it ten times a second. */
void hub_drain(struct hub *hub, uint64_t now_ms);

/* Looks after deadlines. Called once a second, or more often. */
void hub_tick(struct hub *hub, uint64_t now_ms);

/* ---- for the operator: src/core/hub_admin.c ----
 * These are events like all others: not to be called by an effect or by what lists rooms or peers. What they
 * say they do also without memory. */

/* A room as hub_list_rooms() shows it. */
struct hub_room {
    uint64_t number; /* rooms are counted as they are made, from 1 on; no number comes twice */
    struct str id;   /* lent until the call returns; a secret of those who are in there */
    size_t peers;    /* members, connected or not */
    size_t held;     /* ... of whom so many are away, with their seats held */
    size_t knocks;   /* who wait at its door */
    bool locked;
    uint64_t age_ms; /* in this process */
};

/* Somebody in a room, or at its door. */
struct hub_peer {
    const char *id;       /* lent until the call returns, as name_json */
    struct str name_json; /* a JSON string with its quotes; empty when none was given */
    enum hub_peer_state { HUB_PEER_HERE, HUB_PEER_AWAY, HUB_PEER_KNOCKING } state;
    uint64_t age_ms; /* since it came in, or knocked; in this process */
};

/* Gets one after the other, and returns false when that was enough. */
typedef bool hub_show_room(void *ctx, const struct hub_room *room);
typedef bool hub_show_peer(void *ctx, const struct hub_peer *peer);

/* Shows the rooms in the order in which they were made.
 *   after   begins with the first room whose number is greater: 0, or the last one seen. So a long list can
 *           be had in parts, while rooms come and go. */
void hub_list_rooms(const struct hub *hub, uint64_t after, hub_show_room *show, void *ctx,
                    uint64_t now_ms);

/* Shows a room's members in the order of their coming, and then who knocks. May be called by what
 * hub_list_rooms() calls.
 *   room_id   any bytes.
 *   returns   false when there is no such room. */
bool hub_list_peers(const struct hub *hub, struct str room_id, hub_show_peer *show, void *ctx,
                    uint64_t now_ms);

/* Ends a room: closes everyone in it and at its door with 4004, keeps no seat, and tells nobody that anybody
 * left, for all are gone. In this process no token opens a seat there any more that was given out before;
 * whoever joins afresh finds, or makes, an empty room.
 *   room_id   any bytes, of the caller's own.
 *   returns   false when there is no such room. */
bool hub_close_room(struct hub *hub, struct str room_id, uint64_t now_ms);

/* Takes somebody out of a room, or from its door: closes the connection with 4004, keeps no seat, tells the
 * others (UserLeft `removed`, or KnockEnded). In this process his token is worth nothing any more; he may join
 * afresh, as a new peer, if the room is not locked. Somebody who is away can be removed as well.
 *   peer_id   any bytes, of the caller's own.
 *   returns   false when there is no such peer. Looks through all rooms for him. */
bool hub_remove_peer(struct hub *hub, struct str peer_id, uint64_t now_ms);

/* While on, no new rooms are made: `hub-full`. In those that there are all goes on, and more peers may come. */
void hub_set_cordon(struct hub *hub, bool on);
bool hub_is_cordoned(const struct hub *hub);

#endif
