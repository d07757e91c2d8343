#include "aloha/notices.h"

#include "aloha/log.h"

#include <assert.h>

#define COUNTER(member) offsetof(struct metrics, member)

/* What is told, and by which counter it is known. A kind is documented in docs/operations.md with the options
 * that it hangs on. What strangers do to themselves is information; what keeps good guests out is a warning. */
static const struct row {
    const char *event, *kind;
    enum log_level level;
    size_t counter; /* offset of a uint64_t in struct metrics */
} rows[] = {
    {"limit_reached", "connections", LOG_LEVEL_WARNING, COUNTER(refused[REFUSED_FULL])},
    {"limit_reached", "address", LOG_LEVEL_INFO, COUNTER(refused[REFUSED_ADDRESS])},
    {"limit_reached", "rate", LOG_LEVEL_INFO, COUNTER(drops[DROP_RATE])},
    {"limit_reached", "policy", LOG_LEVEL_INFO, COUNTER(closes[CLOSE_POLICY])},
    {"limit_reached", "queue", LOG_LEVEL_INFO, COUNTER(closes[CLOSE_SLOW])},
    {"limit_reached", "room", LOG_LEVEL_INFO, COUNTER(errors[ERR_ROOM_FULL])},
    {"limit_reached", "hub", LOG_LEVEL_WARNING, COUNTER(errors[ERR_HUB_FULL])},
    {"limit_reached", "memory", LOG_LEVEL_ERROR, COUNTER(errors[ERR_NO_MEMORY])},
    {"origin_refused", NULL, LOG_LEVEL_WARNING, COUNTER(values[METRIC_REFUSED_ORIGIN])},
    {"resume_refused", NULL, LOG_LEVEL_INFO, COUNTER(values[METRIC_RESUMES_REFUSED])},
};
static_assert(ARRAY_SIZE(rows) <= NOTICES_COUNT_MAX, "more rows than notices");

static void tell(const struct row *row, uint64_t count)
{
    struct log_field fields[] = {log_text("kind", row->kind), log_uint("count", count)};
    bool kinds = row->kind != NULL;
    log_event(row->level, row->event, kinds ? fields : fields + 1, kinds ? 2 : 1);
}

void notices_tick(struct notices *notices, const struct metrics *metrics, uint64_t now_ms)
{
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct notice *notice = &notices->items[i];
        uint64_t count = *(const uint64_t *)((const char *)metrics + rows[i].counter);
        if (count == notice->told || now_ms < notice->quiet_ms)
            continue;
        tell(&rows[i], count - notice->told);
        notice->told = count;
        notice->quiet_ms = now_ms + NOTICE_EVERY_MS;
    }
}
