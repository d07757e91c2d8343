/* What the servers under test speak, as a table: how to join a room, how to send a Signal, and how
 * to read what comes back. A Signal is recognised by its body, which is the same for all: see
 * payload.h. */
#ifndef BENCH_DIALECT_H
#define BENCH_DIALECT_H

#include "net.h"

enum { DIALECT_ID_SIZE = 64 };

enum news {
    NEWS_NONE,        /* nothing that a benchmark waits for */
    NEWS_HELLO,       /* the server is ready to be asked for a room */
    NEWS_JOINED,      /* our own join succeeded; carries our id where the dialect tells it here */
    NEWS_USER_JOINED, /* carries the id of somebody who came */
    NEWS_USER_LEFT,
    NEWS_KEEPALIVE, /* answer with dialect.keepalive */
    NEWS_ERROR
};

struct dialect {
    const char *name;
    enum net_framing framing;
    bool chooses_id;       /* the client names itself, in the path */
    bool says_hello;       /* NEWS_HELLO comes before a room may be asked for, and carries our id */
    bool has_rooms;        /* a join is asked for, and the others in the room are told of it */
    bool acknowledges;     /* NEWS_JOINED comes */
    const char *path[2];   /* of the WebSocket: before and after the chosen id */
    const char *greeting;  /* what to say once connected, or NULL */
    const char *keepalive; /* the answer to NEWS_KEEPALIVE, or NULL */
    const char *join[2];   /* before and after the room's name */
    const char
        *signal[3]; /* before the destination's id, between it and the body, after the body */
    /* Reads a message other than a Signal; *id is a part of it, or empty. */
    enum news (*read)(struct slice text, struct slice *id);
};

/* NULL when there is no dialect of that name. */
const struct dialect *dialect_find(const char *name);
/* The index-th name, or NULL past the last. */
const char *dialect_name(unsigned index);

#endif
