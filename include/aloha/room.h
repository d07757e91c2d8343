/* room: who is where, and who waits at the door. Rooms come into being with their first peer and go with
 * their last. A seat is a peer's place: it has the peerId, and it may outlive the connection that sits in
 * it. Who knocks at a locked room has a seat too, outside, until a member lets him in.
 * Nothing here tells anybody anything: announcing is the hub's work. */
#ifndef ALOHA_ROOM_H
#define ALOHA_ROOM_H

#include "aloha/buf.h"
#include "aloha/err.h"
#include "aloha/limits.h"
#include "aloha/message.h"
#include "aloha/siphash.h"

typedef uint64_t conn_id; /* a WebSocket; 0 is none */

struct room;

struct seat {
    struct room *room;
    struct seat *prev,
        *next;    /* in the order of joining, or of knocking (utlist: prev of the first is
                                 the last) */
    conn_id conn; /* who sits here; 0: nobody now, the seat is held */
    bool knocking;
    uint64_t process;  /* that gave out the token with which it came here; 0: it joined here */
    uint64_t since_ms; /* when it came here, inside or outside */

    /* While it is held: */
    struct seat *prev_held, *next_held; /* the hub's list */
    uint64_t held_until_ms;
    /* Messages that wait: those for a held seat, each behind its size in four bytes; of one who knocks
     * the `hello`. */
    struct buf kept;
    unsigned kept_count;

    char peer_id[PEER_ID_SIZE + 1];
    struct str name_json; /* the name as a JSON string with quotes; empty when none was given */
    char name_bytes[];    /* what name_json points into */
};

struct rooms;

/* limits is borrowed for life. Returns NULL when there is no memory. */
struct rooms *rooms_new(const struct limits *limits, struct siphash_key key);
void rooms_free(struct rooms *rooms); /* with all rooms and seats in it */

/* Gives a peer a seat in the room of that id, which is made if need be.
 *   room_id    valid (room_id_is_valid).
 *   peer_id    PEER_ID_SIZE characters, new to this server.
 *   name_json  a JSON string, or empty; copied.
 *   now_ms     written down: since when there is the seat, and the room.
 *   returns    OK, ERR_ROOM_FULL, ERR_HUB_FULL (no more rooms) or ERR_NO_MEMORY; on error all is as
 *              it was.
 *   lifetime   *out belongs to the room and is valid until rooms_leave(). */
MUST_USE enum err rooms_join(struct rooms *rooms, struct str room_id, const char *peer_id,
                             struct str name_json, conn_id conn, struct seat **out,
                             uint64_t now_ms);

/* Gives a peer a place outside the door of a room that exists, likewise. ERR_ROOM_FULL also when as
 * many knock as the room has seats. */
MUST_USE enum err rooms_knock(struct rooms *rooms, struct str room_id, const char *peer_id,
                              struct str name_json, conn_id conn, struct seat **out,
                              uint64_t now_ms);

/* Moves one who knocks to the end of the members. ERR_ROOM_FULL leaves all as it was. */
MUST_USE enum err rooms_admit(struct rooms *rooms, struct seat *knock, uint64_t now_ms);

/* Frees the seat, inside or outside, and the room with its last one. */
void rooms_leave(struct rooms *rooms, struct seat *seat);

bool rooms_exists(const struct rooms *rooms, struct str room_id);
bool rooms_is_locked(const struct rooms *rooms, struct str room_id); /* false for none */
/* The seat of that peerId in that room; NULL when none. */
struct seat *rooms_find_seat(const struct rooms *rooms, struct str room_id, struct str peer_id);

/* Some seat of that room, or of one who knocks there; NULL when there is no such room. */
struct seat *rooms_any_seat(const struct rooms *rooms, struct str room_id);
/* The seat of that peerId in whatever room, inside or at its door; NULL when none. Looks at every seat. */
struct seat *rooms_find_peer(const struct rooms *rooms, struct str peer_id);
/* Some seat of the oldest room whose room_number() is above `after`, likewise; NULL when there is none. */
struct seat *rooms_after(const struct rooms *rooms, uint64_t after);
/* Some seat of the room that was made next after that of `of`, likewise. */
struct seat *rooms_next(const struct seat *of);

/* The first seat of the room that this seat is in or knocks at; go on with ->next until NULL. */
struct seat *room_first_seat(const struct seat *seat);
struct seat *room_first_knock(const struct seat *seat);

/* The seat of that peerId in the same room as `of`, which may be `of` itself; NULL when none. */
struct seat *room_find_seat(const struct seat *of, struct str peer_id);
struct seat *room_find_knock(const struct seat *of, struct str peer_id);

bool room_is_locked(const struct seat *seat);
void room_set_locked(const struct seat *seat, bool locked);
struct str room_id(const struct seat *seat); /* valid as long as the room */
size_t room_seat_count(const struct seat *seat);
size_t room_knock_count(const struct seat *seat);
uint64_t room_number(const struct seat *seat);   /* rooms are counted as they are made, from 1 on */
uint64_t room_since_ms(const struct seat *seat); /* when it was made */
size_t rooms_count(const struct rooms *rooms);

#endif
