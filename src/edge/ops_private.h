/* What the files of the operator's plane share. */
#ifndef ALOHA_OPS_PRIVATE_H
#define ALOHA_OPS_PRIVATE_H

#include "aloha/ops.h"

#include "aloha/listener.h"
#include "aloha/operator_json.h"

#include <microhttpd.h>

enum {
    OPS_DEADLINE_MS = 10000, /* for a whole connection: the library's limit counts idle time only */
    OPS_PULSE_MS = 500,
};

/* One who is connected, and until when he must be done. */
struct caller {
    struct MHD_Connection *connection;
    uint64_t deadline_ms;
    struct ip ip; /* zeros: through a socket's file */
    struct caller *next;
};

/* One request, from its first line to its answer. */
struct request {
    struct ops *ops;
    struct MHD_Connection *connection;
    struct caller *caller;
    enum { REQUEST_NEW, REQUEST_READING, REQUEST_HELD_BACK } phase;
    struct operator_decision decision;
    struct buf body;
    uint64_t answer_ms;                        /* while held back: when it is answered */
    struct request *prev, *next;               /* those that are held back */
    char target[OPERATOR_TARGET_SIZE_MAX + 2]; /* decision points into it; cut where too long */
};

struct ops {
    struct MHD_Daemon *daemon;
    struct listener *listener;
    uv_loop_t *loop;
    uv_poll_t poll;
    uv_timer_t timer;
    uv_timer_t pulse; /* sees how late the loop is */
    unsigned handles_open;
    struct ops_options options;
    struct operator_policy policy;
    struct operator_auth auth;
    struct caller *callers;
    struct request *held_back;
    uint32_t not_ready; /* as we were told; bits by enum not_ready */
    uint64_t started_ms;
    uint64_t pulse_ms;         /* when the pulse was last felt */
    uint64_t lag_ms;           /* the most it has been late lately ... */
    uint64_t lag_seen_ms;      /* ... and when that was */
    uint64_t throttled_log_ms; /* when a 429 may be logged again */
};

/* What goes back. */
struct reply {
    unsigned status;
    const char *type;
    const char *detail; /* for the log: what was set; NULL: nothing */
    struct buf body;
};

/* ---- ops_request.c: libmicrohttpd's callbacks for a request ---- */

void *ops_begin_request(void *ctx, const char *target, struct MHD_Connection *connection);
enum MHD_Result ops_on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                               const char *method, const char *version, const char *body,
                               size_t *body_size, void **context);
void ops_end_request(void *ctx, struct MHD_Connection *connection, void **context,
                     enum MHD_RequestTerminationCode code);

/* Lets those go on whose time has come; all of them when `all`.
 *   returns   in how many milliseconds the next one's time comes; UINT64_MAX for never. */
uint64_t ops_release_held(struct ops *ops, bool all);

/* ---- ops_actions.c ---- */

/* Does what was asked and fills the reply in. */
void ops_act(struct ops *ops, const struct request *request, struct reply *reply);

/* How late the loop is, or has been in the last seconds. */
uint64_t ops_recent_lag_ms(const struct ops *ops);

/* Writes down who has asked for what, and what came of it (SECURITY R45). */
void ops_log_request(struct ops *ops, const struct request *request, const struct reply *reply);

#endif
