/* http: what to answer to a request on the public port. Pure: a request goes in, a decision comes
 * out, and the edge carries it out.
 * spec: RFC 9110, RFC 9112, RFC 6455 section 4.2.1; docs/security.md R1 to R16. */
#ifndef ALOHA_HTTP_H
#define ALOHA_HTTP_H

#include "aloha/asset.h"
#include "aloha/base_path.h"
#include "aloha/buf.h"
#include "aloha/hosts.h"
#include "aloha/http_head.h"

enum {
    HTTP_ANSWER_HEADERS_MAX = 8,
    HTTP_ANSWER_HEAD_SIZE_MAX = 8192, /* with the longest list of hosts and the longest target */
};

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_OTHER_METHOD };

/* A request as the server library has read it. A header that did not come is empty; `*_count` tells
 * how often it came. */
struct http_request {
    bool secure;         /* the browser's connection is encrypted */
    bool scheme_unknown; /* a proxy in front may have encrypted it or not, and does not tell */
    enum http_method method;
    struct str path;     /* percent-decoded once, without the query; with the base path */
    struct str version;  /* "HTTP/1.1" */
    size_t target_size;  /* bytes of path and query */
    size_t headers_size; /* bytes of all header values that the library knows */
    struct str host;
    unsigned host_count;
    struct str content_length;
    unsigned content_length_count;
    bool has_transfer_encoding;
    struct str accept_encoding;
    struct str if_none_match;
    struct str upgrade;
    struct str connection;
    struct str origin;
    unsigned origin_count;
    struct str websocket_key;
    struct str websocket_version;
    struct str websocket_protocols;
};

/* What belongs to this server rather than to the request. */
struct http_policy {
    const struct site *site;
    struct str base_path;      /* what all paths here begin with: "/x", or nothing */
    bool allow_no_origin;      /* a WebSocket without an Origin header: tools and native clients */
    const struct hosts *hosts; /* any other Host is 421; NULL or empty: every Host is served */
    const struct hosts
        *origins;      /* may open WebSockets beside the page's own; NULL or empty: none */
    bool secure;       /* this server speaks https: the page's WebSockets are wss:// only */
    bool demand_https; /* with a certificate that every browser takes: for a year (RFC 6797, R11) */
};

enum http_action {
    HTTP_SHOW_ERROR,  /* the error view with status and words */
    HTTP_NEW_ROOM,    /* 302 to a fresh room */
    HTTP_SHOW_ROOM,   /* the room view */
    HTTP_SHOW_ASSET,  /* the asset in the encoding */
    HTTP_NOT_CHANGED, /* 304 for the asset */
    HTTP_WEBSOCKET,   /* 101: let the library shake hands */
    HTTP_TO_HTTPS,    /* 308 to the same target over https */
};

struct http_decision {
    enum http_action action;
    unsigned status;
    bool head_only;            /* HEAD: the headers, no body */
    bool close;                /* the connection ends with this answer */
    struct str room_id;        /* HTTP_SHOW_ROOM: points into the request's path */
    const struct asset *asset; /* HTTP_SHOW_ASSET, HTTP_NOT_CHANGED */
    bool versioned;            /* the asset was asked for by its address with the digest */
    struct str host, target;   /* HTTP_TO_HTTPS: point into the head; the host with its port */
    uint16_t port;             /* HTTP_TO_HTTPS: instead of the host's; 0: that */
    enum encoding encoding;
};

/* Decides. Never fails: what is wrong with a request becomes a status. */
void http_decide(struct http_decision *out, const struct http_policy *policy,
                 const struct http_request *request);

/* Decides what plain http gets where https is spoken: the same target there, whatever it is, or an error.
 *   head  complete, as http_head_judge() has found it.
 *   port  of https; 0: the one that the request came to. */
void http_decide_redirect(struct http_decision *out, const struct http_policy *policy,
                          struct str head, uint16_t port);

struct http_header {
    const char *name; /* lower case, without the colon */
    const char *value;
};

/* An answer but for the headers that all answers carry. */
struct http_answer {
    struct http_header headers[HTTP_ANSWER_HEADERS_MAX];
    size_t header_count;
    const struct hosts *hosts; /* these three are the policy's */
    bool secure, demand_https;
    struct str body; /* points into the site, or into `page` */
    struct buf page; /* a rendered view, and the header values that are made here */
    char text[256];
};

/* Writes the answer to a decision (any but HTTP_WEBSOCKET).
 *   policy      what it points to is borrowed until http_answer_deinit().
 *   fresh_room  a new room's id, used by HTTP_NEW_ROOM.
 *   returns     false when there was no memory; out is then empty. http_answer_deinit() either way.
 */
MUST_USE bool http_answer_init(struct http_answer *out, const struct http_decision *decision,
                               const struct http_policy *policy, const char *fresh_room);
void http_answer_deinit(struct http_answer *answer);

/* Writes status line, all headers and the empty line (RFC 9112 section 4): HTTP_ANSWER_HEAD_SIZE_MAX bytes at most.
 *   date   an HTTP-date (RFC 9110 section 5.6.7).
 *   close  whether the connection ends with this answer. */
void http_answer_write_head(struct buf *out, const struct http_decision *decision,
                            const struct http_answer *answer, const char *date, bool close);

#endif
