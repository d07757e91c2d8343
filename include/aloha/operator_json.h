/* operator_json: what the operator's plane says and is told, as text. docs/openapi.yaml has the schemas, and
 * the tests hold every answer to them. Room ids appear where they were asked for, and nowhere else. */
#ifndef ALOHA_OPERATOR_JSON_H
#define ALOHA_OPERATOR_JSON_H

#include "aloha/hub.h"
#include "aloha/log.h"
#include "aloha/operator.h"

enum { OPERATOR_ANSWER_SIZE_MAX = 256 * 1024 }; /* more than any of these needs */

/* The server at a glance. */
struct operator_status {
    const struct metrics *metrics;
    uint64_t uptime_ms;
    uint64_t lag_ms;    /* how late the loop has been lately */
    uint32_t not_ready; /* bits by enum not_ready */
    bool cordoned;
    enum log_level log_level;
    uint64_t certificate_expires_s; /* since 1970; 0: there is none */
};

void operator_write_status(struct buf *out, const struct operator_status *status);

/* "ready", or the reasons why not, a line each. */
void operator_write_readiness(struct buf *out, uint32_t not_ready);

/* Rooms in the order in which they were made; `next` tells how to go on. */
void operator_write_rooms(struct buf *out, const struct hub *hub, const struct operator_list *list,
                          uint64_t total, uint64_t now_ms);

/* One room and everybody in it and at its door.
 *   returns   false, with nothing written, when there is no such room. */
MUST_USE bool operator_write_room(struct buf *out, const struct hub *hub, struct str room_id,
                                  uint64_t now_ms);

void operator_write_fault(struct buf *out, enum operator_fault fault);

/* Reads a body: one JSON object with exactly the members that belong there, spelled plainly.
 *   text      any bytes.
 *   returns   false when it is anything else; *out is then undefined. */
MUST_USE bool operator_read_drain(struct str text, bool *on); /* {"on":true} */
MUST_USE bool operator_read_log_level(struct str text,
                                      enum log_level *level); /* {"level":"debug"} */
MUST_USE bool operator_read_nothing(struct str text);         /* {}, or no body at all */

#endif
