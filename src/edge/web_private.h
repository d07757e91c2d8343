/* What the files of the public plane share. */
#ifndef ALOHA_WEB_PRIVATE_H
#define ALOHA_WEB_PRIVATE_H

#include "aloha/forwarded.h"
#include "aloha/notices.h"
#include "aloha/reassembly.h"
#include "aloha/socket_bytes.h"
#include "aloha/web.h"

#include <libwebsockets.h>
#include <sys/resource.h>

enum { LIBRARY_HEADERS_MAX = 160 };

/* One TCP connection, from accept to the end; a request or a WebSocket lives in it. */
struct connection {
    struct web *web;
    struct lws *wsi;   /* NULL until its first request has passed the door */
    struct door *door; /* while it waits for a request */
    struct connection *prev_settling, *next_settling; /* web->settling, while `settling` */
    bool settling;                                    /* answered; to be watched after this turn */
    uint64_t opened_tick;
    struct ip address;            /* of its other end */
    bool expects_tls;             /* nothing has come yet */
    enum forwarded_scheme scheme; /* of its last request, as a proxy of ours has told */
    bool secure;                  /* it is a plain end of TLS (tls_link.h) */
    bool redirects;               /* plain http where https is spoken: gets one answer */
    uint16_t redirect_port;       /* its https_port; 0: the one that it came to */
    bool proxied;     /* which is a proxy of ours: requests count for their clients (web.h) */
    bool counted;     /* by admission.h, for `from` */
    address_key from; /* the client of its last request */
    struct connection *prev, *next;                 /* web->connections (utlist) */
    struct connection *prev_closing, *next_closing; /* web->closing, while `closing` */

    struct socket_bytes bytes_read; /* by the library */

    /* HTTP */
    struct http_answer *answer; /* being sent; owned */
    struct site *site;          /* what answer->body points into, while developing; owned */
    size_t answer_sent;
    bool close_after_answer;
    unsigned requests;     /* answered */
    unsigned heads_passed; /* request heads that the door has let through */
    uint64_t heads_size;   /* and their bytes */

    /* WebSocket */
    bool is_websocket;
    conn_id id;             /* 0: the hub does not know it, not yet or no longer */
    struct reassembly in;   /* the message that is coming in */
    struct buf out;         /* frames not yet given to the library */
    uint32_t out_messages;  /* how many those are */
    size_t out_in_library;  /* bytes that it still holds for a full socket */
    bool dirty;             /* listed in web->dirty */
    bool client_closed;     /* it has sent a close frame */
    bool client_clean;      /* ... with 1000, 1001 or no code at all */
    enum close_why closing; /* we are closing it; CLOSE_NONE: no */
    bool close_sent;
    uint64_t closing_since_ms;

    uint64_t in_seen_size;     /* bytes that the library had read at the last look, heads and all */
    uint64_t in_messages_size; /* and of messages since then, with their frames' heads: at least */
    struct bucket in_other;    /* what came besides: pings */

    uint64_t handled_turn; /* the turn of the loop that `handled` is about */
    unsigned handled;      /* frames of it that were handled in that turn */
    bool paused;           /* so many that the rest of its input waits for the next turn */
    struct connection *prev_paused, *next_paused; /* web->paused, while `paused` */
};

struct web {
    struct web_options options;
    uv_loop_t *loop;
    struct lws_context *context;
    struct lws_vhost *vhost;
    struct hub *hub;
    struct connection *connections;
    struct connection *closing;
    struct connection *settling;
    struct connection *paused;
    uint64_t turn; /* of the loop */
    /* When the first message of this turn was taken, by uv_hrtime(), 0: none was; and how many Signals had
     * been passed on before. */
    uint64_t turn_began_ns, relayed_before;
    uint64_t tick_due_ms; /* when the tick should come; 0: not known */
    uint64_t ticks;       /* seconds that this process has run: a stop of it does not count */
    rlim_t descriptors_max;
    struct str library_headers[LIBRARY_HEADERS_MAX]; /* what the library knows; see http_head.h */
    size_t library_header_count;
    size_t connection_count;
    uint16_t https_port; /* that the port of web_adopt_redirect() leads to */
    int arrivals;        /* web_door.c: an epoll of AF_UNIX sockets, and the loop's look at it */
    uv_poll_t arrivals_poll;
    struct connection *adopting; /* the one that lws_adopt_...() is about */
    struct connection **by_slot; /* limits->connections_max; indexed by the low half of a conn_id */
    /* With frames to send at the end of this turn of the loop, or when there are so many: few
     * queues in use at once stay in the cache (measured: a quarter of the time at 4 KiB a message).
     */
    conn_id dirty[16];
    size_t dirty_count;
    struct buf spare[64]; /* memory of emptied out-queues, for the next ones */
    size_t spare_count;
    struct notices notices;
    uint64_t queued_size; /* bytes waiting for all readers */
    uv_prepare_t prepare; /* before the loop sleeps: after timers */
    uv_check_t check;     /* after it has read */
    uv_timer_t tick;
    uv_timer_t reaper;
    unsigned handles_open;
    void (*on_empty)(void *ctx);
    void *on_empty_ctx;
    bool draining;
    uint64_t drain_since_ms;
};

/* web.c */
/* Gives an accepted connection whose first request is in order to the library. */
void web_admit(struct connection *connection, int fd);
/* Counts a connection for a client; false when that one has its share, and nothing has changed then. */
bool web_count(struct connection *connection, address_key client);
/* Forgets a connection that the library does not have. */
void web_connection_free(struct connection *connection);

/* web_door.c: reads the head of each request, without taking it, before the library does. */
/* What all connections share: before the first, after the last connection that is adopted, after the last
 * that was. False: no descriptor; then too it is to be stopped and freed. */
MUST_USE bool web_door_start(struct web *web);
void web_door_stop(struct web *web, uv_close_cb on_handle_closed);
void web_door_free(struct web *web);
/* Watches a connection that was just accepted; takes fd. False: no memory, fd is closed. */
bool web_door_open(struct connection *connection, int fd);
/* Asks for a connection of the library's to be watched for its next request once the loop's turn ends. */
void web_door_settle(struct connection *connection);
void web_door_unsettle(struct connection *connection); /* not any more */
void web_door_watch_settled(struct web *web);          /* at the end of the loop's turn */
void web_door_shut(
    struct connection *connection); /* stops watching; may be called when it does not */

/* web_http.c: one request. The policy of a connection, with the site of the binary. */
struct http_policy web_http_policy(const struct connection *connection);
/* Also web_http.c. Return values are those of a libwebsockets callback. */
int web_http_request(struct connection *connection);
int web_http_writeable(struct connection *connection);
/* Judges an upgrade: 0 lets the library shake hands, -1 ends the connection, answered or not. */
int web_http_upgrade(struct connection *connection);
void web_http_deinit(struct connection *connection);
/* Writes an answer's head and the first body_size bytes of its body. */
void web_http_compose(struct buf *out, const struct http_decision *decision,
                      const struct http_answer *answer, size_t body_size, bool close);

/* web_queue.c: what a WebSocket is still to be told. */
enum {
    FRAME_HEAD_SIZE_MAX = 10, /* RFC 6455 section 5.2; a server's frames are not masked */
    OPCODE_TEXT = 0x1,
    OPCODE_PING = 0x9,
};
/* Adds one frame made of these parts, or closes the connection that lets too much wait: it alone. */
void web_queue_frame(struct connection *connection, unsigned opcode, const struct str *parts,
                     size_t count);
/* Gives all frames to the library in one write, as far as it takes them. */
void web_queue_flush(struct connection *connection);
void web_queue_flush_dirty(struct web *web);             /* of all that have some */
void web_queue_writeable(struct connection *connection); /* the socket takes more */
void web_queue_discard(struct connection *connection);   /* what waits will not be sent */

/* web_socket.c: one WebSocket. */
struct connection *web_socket_find(const struct web *web,
                                   conn_id id); /* NULL for one that is gone */
int web_socket_opened(struct connection *connection);
int web_socket_received(struct connection *connection, const char *data, size_t size);
/* One of its frames was handled. When it has had its share of this turn, the library keeps the rest of
 * what it has read, and reads no more. */
void web_socket_handled(struct connection *connection);
/* The loop's turn has ended: everybody has a share again. */
void web_socket_next_turn(struct web *web);
/* The client has sent a close frame. Returns -1 when it was none. */
int web_socket_client_closes(struct connection *connection, const unsigned char *data, size_t size);
void web_socket_dropped(struct connection *connection); /* the library closes it, or it has ended */
void web_socket_closed(struct connection *connection);
void web_socket_deinit(struct connection *connection);
void web_socket_close(struct connection *connection, enum close_why why);
void web_socket_reap(struct web *web);
void web_socket_tick(struct web *web);
struct effects web_socket_effects(struct web *web);

#endif
