/* notices: what the crowd runs into, told to the operator without letting the crowd write the log. What the
 * metrics count is looked at once a second; a kind that grew gets a line at once, and then at most one a
 * minute with how often it happened since. */
#ifndef ALOHA_NOTICES_H
#define ALOHA_NOTICES_H

#include "aloha/metrics.h"

enum { NOTICE_EVERY_MS = 60000, NOTICES_COUNT_MAX = 16 };

struct notices {
    struct notice {
        uint64_t told;     /* of the counter, up to the last line */
        uint64_t quiet_ms; /* no further line before that */
    } items[NOTICES_COUNT_MAX];
};

/* Logs what has grown. now_ms is monotonic; zeroed *notices have told nothing. */
void notices_tick(struct notices *notices, const struct metrics *metrics, uint64_t now_ms);

#endif
