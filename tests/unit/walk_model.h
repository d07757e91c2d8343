/* walk_model: the whole protocol, so simple that it is plainly right: small tables, no memory of its own,
 * nothing shared with the hub but the names of errors and the rates. It is told what was done to a hub
 * and writes down, connection by connection, what must be heard for it.
 *
 * Sockets are numbered 0 to CONNS - 1, peers as world.h's peer_id() has them, rooms as room_names. */
#ifndef ALOHA_WALK_MODEL_H
#define ALOHA_WALK_MODEL_H

#include "world.h"

enum {
    CONNS = 14,
    ROOMS = 4,
    ROOMS_MAX = 3,
    ROOM_PEERS_MAX = 4,
    SEATS_MAX = 2 * ROOMS * ROOM_PEERS_MAX,
    KEPT_MAX = 4, /* messages for one held seat */
    PEERS_MAX = 2048,
    TOLD_MAX = 256,
    NOBODY = CONNS, /* no socket */
    FORGER = 0,     /* the one socket whose forged tokens are counted */
};

extern const char *const room_names[ROOMS];

struct model_socket {
    enum { GONE, OPEN, KNOCKING, JOINED, CLOSING } state;
    conn_id id, old_id; /* old_id: of the connection that was here before */
    unsigned peer;      /* while joined or knocking */
    unsigned bad_messages;
    uint64_t opened_ms, heard_ms, leave_at_ms;
    bool pinged, has_joined;
    struct bucket ice;
};

struct model_seat {
    unsigned peer;          /* 0: this place of the table is free */
    unsigned socket;        /* NOBODY while it is held */
    const char *name;       /* as JSON with quotes; "" for none */
    const char *hello;      /* of one who knocks; "" for none */
    uint64_t process;       /* from which it came here; 0: it joined here */
    uint64_t since_ms;      /* outer time; of a room as well */
    uint64_t held_since_ms; /* for the order in which they expire: */
    unsigned held_as;       /* the how manieth that was held; 0: it is not */
    const char *kept[KEPT_MAX];
    unsigned kept_count;
    size_t kept_size;
};

struct model_room {
    unsigned seats[ROOM_PEERS_MAX], knocks[ROOM_PEERS_MAX]; /* peers, in order */
    unsigned seat_count, knock_count;
    uint64_t since_ms;
    bool locked;
};

/* Something that must be heard; the texts of one socket come in this order. */
struct told {
    conn_id conn;
    unsigned socket;
    const char *text;
};

struct model {
    const struct limits *limits;
    const char *limits_json;
    uint64_t process, wall_s, outer_ms, clock_ms;
    struct model_socket sockets[CONNS];
    struct model_seat seats[SEATS_MAX];
    struct model_room rooms[ROOMS];
    bool gone[PEERS_MAX];                   /* came from another process, and has left this one */
    bool removed[PEERS_MAX], closed[ROOMS]; /* by the operator, in this process */
    unsigned peers_made, held_ever;
    bool refuses_joins, draining, cordoned;
    unsigned forged; /* by FORGER */
    uint64_t forged_since_ms, forged_until_ms;
    uint64_t joins, resumes, resumes_refused, errors[ERR_COUNT]; /* counters of this process */
    struct told told[TOLD_MAX];
    unsigned told_count;
};

/* What a token says; a client remembers it together with its text. */
struct claim {
    unsigned peer, room;
    uint64_t process, issued_s;
    char text[TOKEN_SIZE + 1];
};

/* A JoinRoom. claim: NULL without a token; is_corrupt: its text was changed on the way. */
struct ask {
    unsigned room;
    const char *name, *hello; /* JSON; "" for none; valid as long as the model */
    const struct claim *claim;
    bool is_corrupt;
};

/* A text by printf's rules that stays until model_forget_texts(). */
const char *model_text(const char *format, ...) PRINTF_LIKE(1, 2);
void model_forget_texts(void);

/* A new process begins: nobody is there, no peer's number is used again. */
void model_start(struct model *model, const struct world *world, unsigned peers_made);

struct model_seat *model_seat(struct model *model, unsigned peer); /* in or at a room; or NULL */
unsigned model_room_of(const struct model *model, unsigned peer);  /* of a member; or ROOMS */
bool model_is_full(const struct model *model, unsigned room);
unsigned model_rooms(const struct model *model); /* in use */
size_t model_kept_size(const struct model *model);

/* ---- what happens; each after model_time(), which is when the hub is told the time ---- */

void model_time(struct model *model, uint64_t now_ms);
void model_open(struct model *model, unsigned socket, conn_id id);
void model_heard(struct model *model, unsigned socket);
void model_closed(struct model *model, unsigned socket, enum hub_end end);
void model_tick(struct model *model);
void model_drain(struct model *model);

/* What the operator does; false when there is none such. */
bool model_close_room(struct model *model, unsigned room);
bool model_remove_peer(struct model *model, unsigned peer);

/* The hub closes the socket. */
void model_close(struct model *model, unsigned socket, enum close_why why);

/* What clients say. */
void model_join(struct model *model, unsigned socket, const struct ask *ask);
void model_signal(struct model *model, unsigned socket, unsigned peer, const char *message);
void model_leave_room(struct model *model, unsigned socket);
void model_lock(struct model *model, unsigned socket, bool locked);
void model_admit(struct model *model, unsigned socket, unsigned peer);
void model_deny(struct model *model, unsigned socket, unsigned peer);
void model_ice(struct model *model, unsigned socket);
void model_nonsense(struct model *model, unsigned socket, enum err err);

/* A JoinRoom that had no memory: `hub-full`, closed 1013, and nothing else. */
void model_no_memory(struct model *model, unsigned socket);
/* A Signal to a held seat, likewise: `rate-limited`. */
void model_kept_not(struct model *model, unsigned socket, unsigned peer);

#endif
