/* hub_oracle: judges every effect of a hub by a model that is made of what was sent before alone: who sits
 * where, who is away, who knocks, what was kept for whom, who was given which token. fuzz_hub.c says what
 * happens; the effects that the hub then wants, from oracle_effects(), are held against the model and change
 * it. A CHECK that fails ends the run. */
#ifndef ALOHA_FUZZ_HUB_ORACLE_H
#define ALOHA_FUZZ_HUB_ORACLE_H

#include "json_oracle.h"

#include "aloha/hub.h"

enum {
    CLIENTS = 6,
    CONNECTIONS_MAX = 5, /* one client finds no place */
    ROOM_PEERS_MAX = 3,
    ROOMS_MAX = 2,
    PEERS_MAX = 2 * ROOMS_MAX * ROOM_PEERS_MAX,
    KEPT_MAX = 3,
    CLAIMS_MAX = 4096,
    MESSAGE_SIZE_MAX = 16 * 1024,
    BACKLOG_SIZE_MAX = 2 * MESSAGE_SIZE_MAX,
    BACKLOGS_SIZE_MAX = 40 * 1024,
    EVENTS_MAX = 1000,
    START_MS = 1000000,
    START_S = 1000000000,
};

struct client;

/* Somebody who has a seat, or knocks. */
struct peer {
    char id[PEER_ID_SIZE + 1];
    char room[ROOM_ID_SIZE_MAX + 1]; /* empty: this place of the table is free */
    struct client *client;           /* NULL: the seat is held */
    bool knocking;
    bool was_answered; /* it knocked, and in this event that has ended */
    json_t *name;      /* as the others are told; NULL for none; owned */
    unsigned since;    /* the how manieth to join, or to knock: rooms keep that order */
    uint64_t process;  /* another one that it comes from; 0 for this */
    uint64_t held_ms;
    struct str hello;          /* of one who knocks; owned; empty for none */
    struct str kept[KEPT_MAX]; /* owned */
    unsigned kept_count;
};

struct client {
    conn_id id; /* the last one; 0 before the first */
    bool open, closing, has_joined, pinged;
    struct peer *peer;              /* NULL: in no room, at no door */
    char peer_id[PEER_ID_SIZE + 1]; /* the last one */
    const struct claim *claim;      /* its last token; NULL before the first */
    uint64_t opened_ms, heard_ms, leave_at_ms;
    bool is_owed;        /* is still to hear of the round */
    bool has_left;       /* its seat went before its connection did */
    unsigned owed_since; /* has just come in: the next Knock it hears of; 0 for none */
};

/* A token that was given out. */
struct claim {
    char text[TOKEN_SIZE + 1], peer_id[PEER_ID_SIZE + 1], room[ROOM_ID_SIZE_MAX + 1];
    uint64_t process, issued_s;
    bool is_gone; /* its peer came from another process and has left this one */
};

/* What all members of a room are told. */
enum what { ROUND_NONE, ROUND_JOINED, ROUND_LEFT, ROUND_LOCKED, ROUND_KNOCK, ROUND_ENDED };
struct round {
    enum what what;
    struct peer *of;
    char reason[8];
};

/* What is going on right now. */
struct event {
    struct client *actor; /* NULL in a tick */
    bool is_receive, is_tick, is_drain;
    struct str text;             /* what was received */
    json_t *root;                /* its document; NULL when it is none */
    struct json_outline outline; /* its members */
    unsigned answers;            /* to the actor, or what came of its message elsewhere */
    unsigned errors;
    bool made_id;
    char fresh_id[PEER_ID_SIZE + 1];
    struct peer *replaced; /* whose older connection was closed */
    struct peer *removed;  /* by the operator */
    struct str closed;     /* the room that he closes */
    struct peer *flushed;  /* who has come back and is to hear what was kept */
    unsigned flushed_count;
};

struct world {
    struct limits limits;
    struct metrics metrics, before;
    struct admission *admission;
    struct hub *hub;
    struct client clients[CLIENTS];
    struct peer peers[PEERS_MAX];
    char locked[ROOMS_MAX][ROOM_ID_SIZE_MAX + 1]; /* rooms that are; empty for none */
    struct event event;
    struct round round;
    unsigned joins, peer_ids, claim_count;
    uint64_t process, wall_s;
    uint64_t now_ms;
    uint64_t told_ms;  /* the time that the hub was last told */
    uint64_t clock_ms; /* the time that counts for deadlines */
    bool refuses_joins, draining, cordoned;
};

struct effects oracle_effects(struct world *world);

/* Around each event: `actor` is who says something or goes, NULL for none. At its end all who have to hear
 * of it have heard of it, and the gauges agree. */
void oracle_begin_event(struct world *world, struct client *actor);
void oracle_end_event(struct world *world);

/* The hub is told the time. */
void oracle_tell_time(struct world *world);

/* The hub has read the actor's message, looked after its deadlines. */
void oracle_check_outcome(struct world *world);
void oracle_check_tick(struct world *world);

/* The client's WebSocket is gone: its seat is held if it can be, or is free. */
void oracle_lose_client(struct world *world, struct client *client);
void oracle_finish_client(struct world *world, struct client *client, const char *reason);

/* Around what the operator does.
 *   returns   whom he removes, whether there is such a room. */
struct peer *oracle_begin_removal(struct world *world, const char *peer_id);
void oracle_end_removal(struct world *world, struct peer *removed);
bool oracle_begin_closing(struct world *world, struct str room);
void oracle_end_closing(struct world *world);

/* The process is gone, and all that it knew. */
void oracle_end_process(struct world *world);

#endif
