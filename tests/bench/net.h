/* The load generator's connections: non-blocking sockets to one port of 127.0.0.1 on one epoll set,
 * and the client's half of two framings. Made to cost less than any server under test: one read of
 * up to 256 KiB an event, messages parsed where they were read, everything a link says in answer
 * written at once. */
#ifndef BENCH_NET_H
#define BENCH_NET_H

#include "bytes.h"

#include <stdbool.h>
#include <stdint.h>

enum net_framing {
    NET_WEBSOCKET, /* RFC 6455, text messages, frames masked with a fresh key each, no fragments */
    NET_LENGTH     /* four bytes of length, most significant first, then the message */
};

enum net_event {
    NET_OPEN,    /* connected, and for WebSocket upgraded: messages may be sent */
    NET_MESSAGE, /* a whole message; it is borrowed until the handler returns */
    NET_CLOSED   /* by the other side, or refused; the link may be connected again */
};

enum link_state { LINK_CLOSED, LINK_CONNECTING, LINK_UPGRADING, LINK_OPEN, LINK_CLOSING };

struct slice {
    const char *data;
    size_t size;
};

struct link {
    uint32_t index;      /* its place in net.links, for the caller's own tables */
    uint32_t generation; /* tells late events of an earlier socket from those of this one */
    int fd;              /* -1 when closed */
    enum link_state state;
    bool wants_writable;
    struct bytes in;  /* the beginning of a message whose end has not arrived */
    struct bytes out; /* what the socket did not take yet */
};

typedef void (*net_handler)(void *ctx, struct link *link, enum net_event event,
                            struct slice message);

struct net {
    struct link *links; /* owned */
    uint32_t link_count;
    uint16_t port;
    enum net_framing framing;
    net_handler handler;
    void *ctx;      /* first argument of handler */
    int64_t now_ns; /* when the event in hand was read */

    int epoll_fd;
    struct bytes in;  /* where all links read */
    struct bytes out; /* what out_owner has said since the last flush */
    struct link *out_owner;
    size_t frame_start; /* of the frame between net_frame_begin and net_frame_end */
    uint32_t mask;      /* state of the generator of masking keys */
};

/* Prepares link_count closed links to port. Ends the program when the system refuses. */
void net_init(struct net *net, uint32_t link_count, uint16_t port, enum net_framing framing,
              net_handler handler, void *ctx);
void net_deinit(struct net *net);

/* Starts to connect a closed link; path is the WebSocket's, and unused with NET_LENGTH. NET_OPEN or
 * NET_CLOSED follows. Returns false when no socket could be had. */
bool net_connect(struct net *net, struct link *link, const char *path);

/* Begins a message of exactly size bytes and returns where its text goes; net_frame_end seals it.
 * Nothing else may be sent between the two. It leaves with the next flush, or when the event in
 * hand is done. */
char *net_frame_begin(struct net *net, struct link *link, size_t size);
void net_frame_end(struct net *net, struct link *link, size_t size);
void net_send(struct net *net, struct link *link, const char *text, size_t size);
void net_flush(struct net *net);

/* WebSocket: says goodbye (1000) and awaits the answer, which comes as NET_CLOSED. With NET_LENGTH,
 * or when the link is not open, closes at once and in silence. */
void net_close(struct net *net, struct link *link);

/* Waits at most timeout_ms for events and handles them. */
void net_poll(struct net *net, int timeout_ms);

#endif
