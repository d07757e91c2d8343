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
};

struct hub;

/* limits, metrics and admission are borrowed for life, effects is copied.
 *   now_ms   a monotonic clock in milliseconds; so are all times below.
 *   returns  NULL when there is no memory. */
struct hub *hub_new(const struct limits *limits, const struct effects *effects,
                    struct metrics *metrics, struct admission *admission, struct siphash_key key,
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

/* How a WebSocket ended; the others are told "left", "timeout" or "removed". */
enum hub_end {
    HUB_END_GOODBYE, /* the client closed it with 1000 or 1001 */
    HUB_END_LOST,    /* it broke, or closed with another code */
    HUB_END_REMOVED, /* this server closed it */
};

/* The WebSocket is gone, or as good as gone. The others are told at once; the id means nothing from
 * now on. */
void hub_closed(struct hub *hub, conn_id id, enum hub_end end, uint64_t now_ms);

/* While on, every JoinRoom is answered `hub-full`: more waits for slow readers than this server keeps. */
void hub_refuse_joins(struct hub *hub, bool on);

/* Looks after deadlines. Called once a second. */
void hub_tick(struct hub *hub, uint64_t now_ms);

#endif
