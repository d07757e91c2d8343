/* ops: the operator's plane, on loopback only: /healthz, /readyz and /metrics, by libmicrohttpd on
 * the same loop. It keeps answering while the public plane is full, draining or gone.
 * docs/adr/0002-two-planes.md. */
#ifndef ALOHA_OPS_H
#define ALOHA_OPS_H

#include "aloha/metrics.h"

#include <uv.h>

struct ops;

struct ops_options {
    uint16_t port;                 /* 0 takes a free one */
    const struct metrics *metrics; /* borrowed for life */
    const char *not_ready;         /* why /readyz says 503 at first; see ops_set_not_ready() */
};

/* Returns NULL with one line in problem when it cannot listen. */
MUST_USE struct ops *ops_new(uv_loop_t *loop, const struct ops_options *options, char *problem,
                             size_t problem_size);
uint16_t ops_port(const struct ops *ops);

/* What /readyz says: NULL for 200, or one constant word for 503. */
void ops_set_not_ready(struct ops *ops, const char *why);

/* Stops at once; accepts NULL. The memory goes when the loop has closed the handles. */
void ops_stop(struct ops *ops);

#endif
