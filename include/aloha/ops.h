/* ops: the operator's plane, by libmicrohttpd on the same loop: health, metrics and the admin API
 * (docs/openapi.yaml). It keeps answering while the public plane is full, draining or gone.
 * docs/adr/0002-two-planes.md, docs/adr/0011-operator-plane.md. */
#ifndef ALOHA_OPS_H
#define ALOHA_OPS_H

#include "aloha/config.h"
#include "aloha/hub.h"
#include "aloha/listener.h"
#include "aloha/operator.h"
#include "aloha/tls_store.h"

#include <uv.h>

struct ops;

/* What it has others do. */
struct ops_server {
    void *ctx;
    bool (*reload)(void *ctx); /* as SIGHUP does; false: something was kept as it was */
};

struct ops_options {
    const char *bind; /* ops_bind_is_valid() */
    uint16_t port;    /* 0 takes a free one */
    const struct listener_given
        *given; /* listens there already; bind says where. NULL: it does not */
    bool metrics_open;
    struct operator_token token; /* copied */
    struct tls_store *tls;       /* NULL: plain http */
    const struct hosts *hosts;   /* --host; borrowed for life, as all pointers here */
    const struct limits *limits;
    const struct metrics *metrics;
    struct hub *hub;
    struct ops_server server;
};

/* Reads the operator's token from where it was said to be; when nobody has said so, *out is not set.
 *   returns   false with one line in problem when what is there cannot be a token. */
MUST_USE bool ops_token_load(struct operator_token *out, const struct secret_source *source,
                             char *problem, size_t problem_size);

/* True for an address in digits, or unix:/path. */
bool ops_bind_is_valid(const char *bind);
/* True when others than this machine reach it: then there has to be TLS and a token (SECURITY R40). */
bool ops_bind_is_exposed(const char *bind);

/* Judges what is configured: that the address is one, the token can be read into *token, and nobody else can
 * reach a plane that has no TLS (SECURITY R40). False with one line in problem. */
MUST_USE bool ops_check(const struct config *config, struct operator_token *token, char *problem,
                        size_t problem_size);

/* Returns NULL with one line in problem when it cannot listen. */
MUST_USE struct ops *ops_new(uv_loop_t *loop, const struct ops_options *options, char *problem,
                             size_t problem_size);
uint16_t ops_port(const struct ops *ops); /* 0 for a socket's file */

/* Whether /readyz gives this reason; those that can be read off the numbers it finds by itself. At first it
 * is NOT_READY_STARTING. */
void ops_set_not_ready(struct ops *ops, enum not_ready why, bool on);

/* Another token from now on. */
void ops_set_token(struct ops *ops, const struct operator_token *token);

/* Stops at once; accepts NULL. The memory goes when the loop has closed the handles. */
void ops_stop(struct ops *ops);

#endif
