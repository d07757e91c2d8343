#include "aloha/room.h"

#include "aloha/hash.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct room {
    struct seat *seats; /* owned */
    size_t seat_count;
    size_t id_size;
    char id[ROOM_ID_SIZE_MAX];
    UT_hash_handle hh;
};

struct rooms {
    const struct limits *limits; /* borrowed */
    struct siphash_key key;
    struct room *rooms; /* the table's head; owned */
};

struct rooms *rooms_new(const struct limits *limits, struct siphash_key key)
{
    struct rooms *rooms = calloc(1, sizeof *rooms);
    if (rooms)
        *rooms = (struct rooms){.limits = limits, .key = key};
    return rooms;
}

static void room_free(struct rooms *rooms, struct room *room)
{
    struct seat *seat, *next;

    DL_FOREACH_SAFE (room->seats, seat, next)
        free(seat);
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

static struct room *add(struct rooms *rooms, struct str id)
{
    struct room *room = calloc(1, sizeof *room);
    if (!room)
        return NULL;
    memcpy(room->id, id.text, id.size);
    room->id_size = id.size;

    bool added = true;
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, rooms->rooms, room->id, room->id_size, hash_of(rooms, id),
                                room);
    if (!added) {
        free(room);
        return NULL;
    }
    return room;
}

static struct seat *seat_new(const char *peer_id, struct str name_json, conn_id conn)
{
    struct seat *seat = calloc(1, sizeof *seat + name_json.size);
    if (!seat)
        return NULL;
    seat->conn = conn;
    memcpy(seat->peer_id, peer_id, PEER_ID_SIZE);
    if (name_json.size)
        memcpy(seat->name_bytes, name_json.text, name_json.size);
    seat->name_json = (struct str){seat->name_bytes, name_json.size};
    return seat;
}

enum err rooms_join(struct rooms *rooms, struct str id, const char *peer_id, struct str name_json,
                    conn_id conn, struct seat **out)
{
    struct room *room = find(rooms, id);
    if (room && room->seat_count >= rooms->limits->room_peers_max)
        return ERR_ROOM_FULL;
    if (!room && rooms_count(rooms) >= rooms->limits->rooms_max)
        return ERR_HUB_FULL;

    struct seat *seat = seat_new(peer_id, name_json, conn);
    if (!seat)
        return ERR_NO_MEMORY;
    if (!room)
        room = add(rooms, id);
    if (!room) {
        free(seat);
        return ERR_NO_MEMORY;
    }
    seat->room = room;
    DL_APPEND(room->seats, seat);
    room->seat_count++;
    *out = seat;
    return OK;
}

void rooms_leave(struct rooms *rooms, struct seat *seat)
{
    struct room *room = seat->room;

    DL_DELETE(room->seats, seat);
    free(seat);
    if (--room->seat_count == 0)
        room_free(rooms, room);
}

struct seat *room_first_seat(const struct seat *seat)
{
    return seat->room->seats;
}

struct seat *room_find_seat(const struct seat *of, struct str peer_id)
{
    struct seat *seat;

    if (peer_id.size != PEER_ID_SIZE)
        return NULL;
    DL_FOREACH (of->room->seats, seat)
        if (memcmp(seat->peer_id, peer_id.text, PEER_ID_SIZE) == 0)
            return seat;
    return NULL;
}

struct str room_id(const struct seat *seat)
{
    return (struct str){seat->room->id, seat->room->id_size};
}

size_t room_seat_count(const struct seat *seat)
{
    return seat->room->seat_count;
}

size_t rooms_count(const struct rooms *rooms)
{
    return HASH_COUNT(rooms->rooms);
}
