#include "aloha/room.h"

#include "aloha/hash.h"
#include "aloha/log.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct room {
    struct seat *seats, *knocks; /* owned */
    size_t seat_count, knock_count;
    bool locked;
    uint64_t number, since_ms;
    size_t id_size;
    char id[ROOM_ID_SIZE_MAX];
    UT_hash_handle hh;
};

struct rooms {
    const struct limits *limits; /* borrowed */
    struct siphash_key key;
    struct room *rooms; /* the table's head; owned. Its list is in the order of their making */
    uint64_t made;
};

struct rooms *rooms_new(const struct limits *limits, struct siphash_key key)
{
    struct rooms *rooms = calloc(1, sizeof *rooms);
    if (rooms)
        *rooms = (struct rooms){.limits = limits, .key = key};
    return rooms;
}

static void seat_free(struct seat *seat)
{
    buf_deinit(&seat->kept);
    free(seat);
}

static void room_free(struct rooms *rooms, struct room *room)
{
    struct seat *seat, *next;

    DL_FOREACH_SAFE (room->seats, seat, next)
        seat_free(seat);
    DL_FOREACH_SAFE (room->knocks, seat, next)
        seat_free(seat);
    HASH_DEL(rooms->rooms, room);
    free(room);
}

void rooms_free(struct rooms *rooms)
{
    struct room *room, *next;

    if (!rooms)
        return;
    HASH_ITER (hh, rooms->rooms, room, next)
        room_free(rooms, room);
    free(rooms);
}

static unsigned hash_of(const struct rooms *rooms, struct str id)
{
    return (unsigned)siphash(rooms->key, id.text, id.size);
}

static struct room *find(const struct rooms *rooms, struct str id)
{
    struct room *room = NULL;
    HASH_FIND_BYHASHVALUE(hh, rooms->rooms, id.text, (unsigned)id.size, hash_of(rooms, id), room);
    return room;
}

static struct room *add(struct rooms *rooms, struct str id, uint64_t now_ms)
{
    struct room *room = calloc(1, sizeof *room);
    if (!room)
        return NULL;
    room->since_ms = now_ms;
    memcpy(room->id, id.text, id.size);
    room->id_size = id.size;

    bool added = true;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, rooms->rooms, room->id, room->id_size, hash_of(rooms, id),
                                room);
    if (!added) {
        free(room);
        return NULL;
    }
    room->number = ++rooms->made;
    log_info("room_opened", log_room("room", id), log_uint("rooms", rooms_count(rooms)));
    return room;
}

static struct seat *seat_new(const struct limits *limits, const char *peer_id, struct str name_json,
                             conn_id conn, uint64_t now_ms)
{
    struct seat *seat = calloc(1, sizeof *seat + name_json.size);
    if (!seat)
        return NULL;
    seat->conn = conn;
    seat->since_ms = now_ms;
    buf_init(&seat->kept, limits->backlog_size_max);
    memcpy(seat->peer_id, peer_id, PEER_ID_SIZE);
    if (name_json.size)
        memcpy(seat->name_bytes, name_json.text, name_json.size);
    seat->name_json = (struct str){seat->name_bytes, name_json.size};
    return seat;
}

static void enter(struct room *room, struct seat *seat)
{
    seat->room = room;
    seat->knocking = false;
    DL_APPEND(room->seats, seat);
    room->seat_count++;
}

enum err rooms_join(struct rooms *rooms, struct str id, const char *peer_id, struct str name_json,
                    conn_id conn, struct seat **out, uint64_t now_ms)
{
    struct room *room = find(rooms, id);
    if (room && room->seat_count >= rooms->limits->room_peers_max)
        return ERR_ROOM_FULL;
    if (!room && rooms_count(rooms) >= rooms->limits->rooms_max)
        return ERR_HUB_FULL;

    struct seat *seat = seat_new(rooms->limits, peer_id, name_json, conn, now_ms);
    if (!seat)
        return ERR_NO_MEMORY;
    if (!room)
        room = add(rooms, id, now_ms);
    if (!room) {
        seat_free(seat);
        return ERR_NO_MEMORY;
    }
    enter(room, seat);
    *out = seat;
    return OK;
}

enum err rooms_knock(struct rooms *rooms, struct str id, const char *peer_id, struct str name_json,
                     conn_id conn, struct seat **out, uint64_t now_ms)
{
    struct room *room = find(rooms, id);
    uint32_t most = rooms->limits->room_peers_max;

    if (!room || room->seat_count >= most || room->knock_count >= most)
        return ERR_ROOM_FULL;
    struct seat *seat = seat_new(rooms->limits, peer_id, name_json, conn, now_ms);
    if (!seat)
        return ERR_NO_MEMORY;
    seat->room = room;
    seat->knocking = true;
    DL_APPEND(room->knocks, seat);
    room->knock_count++;
    *out = seat;
    return OK;
}

static void take_out(struct seat *seat)
{
    struct room *room = seat->room;

    if (seat->knocking) {
        DL_DELETE(room->knocks, seat);
        room->knock_count--;
    } else {
        DL_DELETE(room->seats, seat);
        room->seat_count--;
    }
}

enum err rooms_admit(struct rooms *rooms, struct seat *knock, uint64_t now_ms)
{
    struct room *room = knock->room;

    if (room->seat_count >= rooms->limits->room_peers_max)
        return ERR_ROOM_FULL;
    take_out(knock);
    enter(room, knock);
    knock->since_ms = now_ms;
    return OK;
}

void rooms_leave(struct rooms *rooms, struct seat *seat)
{
    struct room *room = seat->room;

    take_out(seat);
    seat_free(seat);
    if (room->seat_count || room->knock_count)
        return;
    log_info("room_closed", log_room("room", (struct str){room->id, room->id_size}),
             log_uint("rooms", rooms_count(rooms) - 1));
    room_free(rooms, room);
}

bool rooms_exists(const struct rooms *rooms, struct str id)
{
    return find(rooms, id) != NULL;
}

bool rooms_is_locked(const struct rooms *rooms, struct str id)
{
    const struct room *room = find(rooms, id);
    return room && room->locked;
}

static struct seat *find_in(struct seat *list, struct str peer_id)
{
    struct seat *seat;

    if (peer_id.size != PEER_ID_SIZE)
        return NULL;
    DL_FOREACH (list, seat)
        if (memcmp(seat->peer_id, peer_id.text, PEER_ID_SIZE) == 0)
            return seat;
    return NULL;
}

struct seat *rooms_find_seat(const struct rooms *rooms, struct str id, struct str peer_id)
{
    const struct room *room = find(rooms, id);
    return room ? find_in(room->seats, peer_id) : NULL;
}

static struct seat *any_of(const struct room *room)
{
    if (!room)
        return NULL;
    return room->knocks ? room->knocks : room->seats;
}

struct seat *rooms_any_seat(const struct rooms *rooms, struct str id)
{
    return any_of(find(rooms, id));
}

struct seat *rooms_find_peer(const struct rooms *rooms, struct str peer_id)
{
    for (const struct room *room = rooms->rooms; room; room = room->hh.next) {
        struct seat *seat = find_in(room->seats, peer_id);
        if (!seat)
            seat = find_in(room->knocks, peer_id);
        if (seat)
            return seat;
    }
    return NULL;
}

struct seat *rooms_after(const struct rooms *rooms, uint64_t after)
{
    const struct room *room = rooms->rooms;

    while (room && room->number <= after)
        room = room->hh.next;
    return any_of(room);
}

struct seat *rooms_next(const struct seat *of)
{
    return any_of(of->room->hh.next);
}

struct seat *room_first_seat(const struct seat *seat)
{
    return seat->room->seats;
}

struct seat *room_first_knock(const struct seat *seat)
{
    return seat->room->knocks;
}

struct seat *room_find_seat(const struct seat *of, struct str peer_id)
{
    return find_in(of->room->seats, peer_id);
}

struct seat *room_find_knock(const struct seat *of, struct str peer_id)
{
    return find_in(of->room->knocks, peer_id);
}

bool room_is_locked(const struct seat *seat)
{
    return seat->room->locked;
}

void room_set_locked(const struct seat *seat, bool locked)
{
    seat->room->locked = locked;
}

struct str room_id(const struct seat *seat)
{
    return (struct str){seat->room->id, seat->room->id_size};
}

size_t room_seat_count(const struct seat *seat)
{
    return seat->room->seat_count;
}

size_t room_knock_count(const struct seat *seat)
{
    return seat->room->knock_count;
}

uint64_t room_number(const struct seat *seat)
{
    return seat->room->number;
}

uint64_t room_since_ms(const struct seat *seat)
{
    return seat->room->since_ms;
}

size_t rooms_count(const struct rooms *rooms)
{
    return HASH_COUNT(rooms->rooms);
}
