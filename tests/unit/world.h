/* world: a hub with nothing around it but a recorder. Whatever the hub does to the world is written
 * down in order; a test takes it from there, connection by connection.
 *
 *   struct world *world = world_new();
 *   conn_id mele = world_open(world);
 *   world_say(world, mele, "{\"type\":\"JoinRoom\",\"roomId\":\"tea\"}");
 *   EXPECT_STR(room_joined(...), world_take(world, mele));
 */
#ifndef ALOHA_WORLD_H
#define ALOHA_WORLD_H

#include "aloha/hub.h"
#include "harness.h"

enum { WORLD_RECORDS_MAX = 8192, WORLD_BYTES_MAX = 4 * 1024 * 1024, WORLD_CONNECTIONS_MAX = 64 };
enum { WORLD_PROCESS = 7, WORLD_WALL_S = 1000000000 };

struct record {
    enum { RECORD_SENT, RECORD_CLOSED, RECORD_PINGED } kind;
    conn_id conn;
    enum close_why why;
    struct str text; /* as world_take() gives it */
    bool taken;
};

/* It is some megabytes big and allocates nothing while a hub runs in it, so that allocations can be
 * made to fail one by one. */
struct world {
    struct limits limits;
    struct metrics metrics;
    struct admission *admission;
    struct hub *hub;
    uint64_t now_ms;  /* given to the hub with every event */
    address_key from; /* of the next connection */
    uint64_t process; /* the number of this one; another: WORLD_PROCESS + 1 and so on */
    uint64_t wall_s;
    const char *next_peer; /* the next peer's id; NULL: peer_id(peers_made + 1) */
    unsigned peers_made;
    conn_id opened[WORLD_CONNECTIONS_MAX]; /* the last one of each slot */
    struct record records[WORLD_RECORDS_MAX];
    size_t record_count;
    char bytes[WORLD_BYTES_MAX];
    size_t bytes_used;
};

/* The limits as they are when nobody sets anything, for WORLD_CONNECTIONS_MAX connections. */
struct limits world_limits(void);
/* The same where nobody is pinged or silent for too long, nor anything over a rate. */
struct limits world_calm_limits(void);

struct world *world_new(void); /* aborts when there is no memory, as all here */
struct world *world_new_limited(struct limits limits);
/* One whose tokens name that process; worlds of different ones share a key. */
struct world *world_new_process(struct limits limits, uint64_t process);
/* Ends all connections, waits until no seat is held, and frees it; the test fails when any gauge is then
 * not 0. */
void world_free(struct world *world);
void world_drop(struct world *world); /* frees it in the middle of things */

/* Opens a connection, past the limit of how fast one address may. */
conn_id world_open(struct world *world);
/* Opens one, joins that room and forgets what was sent. */
conn_id world_join(struct world *world, const char *room);
void world_say(struct world *world, conn_id from, const char *format, ...) PRINTF_LIKE(3, 4);
/* Says JoinRoom; with the token that a process gave that peer at WORLD_WALL_S. */
void world_say_join(struct world *world, conn_id from, const char *room);
void world_say_resume(struct world *world, conn_id from, const char *room, unsigned peer,
                      uint64_t process);
void world_say_signal(struct world *world, conn_id from, unsigned to, const char *message);
void world_say_lock(struct world *world, conn_id from, bool locked);
/* The connection ends like that. */
void world_end(struct world *world, conn_id conn, enum hub_end end);
/* Lets time pass, with a tick each second. */
void world_wait(struct world *world, uint64_t ms);

/* What the hub did to that connection and nobody has taken yet: the text of a message, "ping",
 * "close 1008", or "" for nothing. */
struct str world_take(struct world *world, conn_id conn);
bool world_is_quiet(const struct world *world);   /* all has been taken */
struct str world_rest(const struct world *world); /* the first that has not; "" when it is quiet */
void world_forget(struct world *world);           /* as if all had been taken */

/* The id of the n-th peer that this world has made, from 1 on. */
const char *peer_id(unsigned n);

/* ---- what the hub is expected to say ---- */

/* others: what stands between the brackets of "participants". The limits are those of the world that was
 * made last. */
const char *room_joined(const char *room, unsigned peer, const char *others);
/* The same for who has come back, and in a room that may be locked. process: whose token it carries. */
const char *room_rejoined(const char *room, unsigned peer, const char *others, bool resumed,
                          bool locked, uint64_t process);
/* The token that such a process gives out at WORLD_WALL_S. */
const char *resume_token(const char *room, unsigned peer, uint64_t process);
const char *resume_token_at(const char *room, unsigned peer, uint64_t process, uint64_t issued_s);
const char *participant(unsigned peer); /* one without a name */
const char *user_joined(unsigned peer);
const char *user_left(unsigned peer, const char *reason);
const char *relayed(unsigned from, const char *message);
const char *error_of(enum err err);
/* peer_id NULL, retry_after_ms 0: without that member. */
const char *error_about(enum err err, const char *peer_id, uint64_t retry_after_ms);
const char *room_locked(unsigned peer, bool locked);
const char *knocked(unsigned peer); /* one without a name */
const char *knock_ended(unsigned peer);
const char *reconnect(unsigned after_ms);
#define WAITING "{\"type\":\"Waiting\"}"

/* For tests whose world is called `world`. */
#define EXPECT_HEARD(wanted, conn) EXPECT_STR(wanted, world_take(world, conn))
#define EXPECT_QUIET()             EXPECT_STR("", world_rest(world))
#define EXPECT_GAUGES(rooms, peers, held, knocks)                                                  \
    do {                                                                                           \
        EXPECT_UINT(rooms, world->metrics.values[METRIC_ROOMS]);                                   \
        EXPECT_UINT(peers, world->metrics.values[METRIC_PEERS]);                                   \
        EXPECT_UINT(held, world->metrics.values[METRIC_SEATS_HELD]);                               \
        EXPECT_UINT(knocks, world->metrics.values[METRIC_KNOCKS]);                                 \
    } while (0)

#endif
