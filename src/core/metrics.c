#include "aloha/metrics.h"

#include "aloha/log.h"

static const struct {
    const char *name, *type, *help;
} rows[METRIC_COUNT] = {
#define METRIC_ROW(id, name, type, help) [id] = {name, type, help},
    METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
};

#define LABEL_NAME(id, name) [id] = (name),
static const char *const drop_names[DROP_COUNT] = {DROP_TABLE(LABEL_NAME)};
static const char *const refusal_names[REFUSAL_COUNT] = {REFUSAL_TABLE(LABEL_NAME)};
static const char *const stage_names[STAGE_COUNT] = {STAGE_TABLE(LABEL_NAME)};
#undef LABEL_NAME

static const struct {
    unsigned status, stages;
    const char *name;
} statuses[STATUS_COUNT] = {
#define STATUS_ROW(status, stages) [STATUS_##status] = {status, stages, #status},
    STATUS_TABLE(STATUS_ROW)
#undef STATUS_ROW
        [STATUS_OTHER] = {0, HAS(STAGE_COUNT) - 1, "other"},
};

/* ---- verdicts ----
 * What hub.c can make of each type, and what every message of a known type can meet. test_hub_walk.c holds it
 * to this. ERR_NO_MEMORY is told as hub-full. */

enum { VERDICTS_OF_ALL = HAS(OK) | HAS(VERDICT_DROPPED) };

static const unsigned verdicts[MESSAGE_KIND_COUNT] = {
    [MESSAGE_JOIN_ROOM] = VERDICTS_OF_ALL | HAS(ERR_ALREADY_IN_ROOM) | HAS(ERR_BAD_MESSAGE) |
                          HAS(ERR_BAD_ROOM_ID) | HAS(ERR_BAD_NAME) | HAS(ERR_BAD_RESUME_TOKEN) |
                          HAS(ERR_ROOM_FULL) | HAS(ERR_HUB_FULL) | HAS(ERR_RATE_LIMITED),
    [MESSAGE_SIGNAL] =
        VERDICTS_OF_ALL | HAS(ERR_NOT_IN_ROOM) | HAS(ERR_UNKNOWN_PEER) | HAS(ERR_RATE_LIMITED),
    [MESSAGE_LEAVE_ROOM] = VERDICTS_OF_ALL | HAS(ERR_NOT_IN_ROOM),
    [MESSAGE_LOCK_ROOM] = VERDICTS_OF_ALL | HAS(ERR_NOT_IN_ROOM),
    [MESSAGE_ADMIT] = VERDICTS_OF_ALL | HAS(ERR_NOT_IN_ROOM) | HAS(ERR_UNKNOWN_PEER) |
                      HAS(ERR_ROOM_FULL) | HAS(ERR_HUB_FULL),
    [MESSAGE_DENY] = VERDICTS_OF_ALL | HAS(ERR_NOT_IN_ROOM) | HAS(ERR_UNKNOWN_PEER),
    [MESSAGE_REFRESH_ICE_SERVERS] = VERDICTS_OF_ALL | HAS(ERR_NOT_IN_ROOM) | HAS(ERR_RATE_LIMITED),
    [MESSAGE_UNKNOWN] = HAS(VERDICT_DROPPED) | HAS(ERR_BAD_MESSAGE) | HAS(ERR_UNKNOWN_TYPE),
};

bool metrics_verdict_is_foreseen(unsigned kind, unsigned verdict)
{
    if (verdict == ERR_NO_MEMORY)
        verdict = ERR_HUB_FULL;
    return verdicts[kind] & HAS(verdict);
}

static const char *verdict_name(unsigned verdict)
{
    if (verdict == VERDICT_DROPPED)
        return "dropped";
    return verdict == OK ? "accepted" : err_wire_name((enum err)verdict);
}

/* ---- counting ---- */

void metrics_count_http(struct metrics *metrics, enum http_stage stage, unsigned status)
{
    size_t row = 0;

    while (row < STATUS_OTHER &&
           (statuses[row].status != status || !(statuses[row].stages & HAS(stage))))
        row++;
    metrics->http[stage][row]++;
}

/* A bound of a histogram in nanoseconds, and the same in seconds as it is written. */
struct bound {
    uint64_t ns;
    const char *text;
};

static const struct bound lag_bounds[] = {
    {1000000, "0.001"},  {2500000, "0.0025"}, {5000000, "0.005"},  {10000000, "0.01"},
    {25000000, "0.025"}, {50000000, "0.05"},  {100000000, "0.1"},  {250000000, "0.25"},
    {500000000, "0.5"},  {1000000000, "1"},   {2500000000, "2.5"}, {5000000000, "5"},
};

static const struct bound relay_bounds[] = {
    {10000, "0.00001"},  {25000, "0.000025"}, {50000, "0.00005"},  {100000, "0.0001"},
    {250000, "0.00025"}, {500000, "0.0005"},  {1000000, "0.001"},  {2500000, "0.0025"},
    {5000000, "0.005"},  {10000000, "0.01"},  {25000000, "0.025"}, {50000000, "0.05"},
    {100000000, "0.1"},  {250000000, "0.25"}, {1000000000, "1"},
};

static void observe(struct histogram *histogram, const struct bound *bounds, size_t bound_count,
                    uint64_t ns, uint64_t count)
{
    size_t i = 0;

    while (i < bound_count && ns > bounds[i].ns)
        i++;
    histogram->counts[i] += count;
    histogram->sum_ns += ns * count;
}

void metrics_add_loop_lag(struct metrics *metrics, uint64_t ns, uint64_t count)
{
    observe(&metrics->loop_lag, lag_bounds, ARRAY_SIZE(lag_bounds), ns, count);
}

void metrics_add_relay(struct metrics *metrics, uint64_t ns, uint64_t count)
{
    observe(&metrics->relay, relay_bounds, ARRAY_SIZE(relay_bounds), ns, count);
}

/* ---- writing ---- */

void metrics_write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_add_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_number(struct buf *out, uint64_t number)
{
    buf_add_format(out, " %llu\n", (unsigned long long)number);
}

static void write_labelled(struct buf *out, const char *name, const char *label, const char *value,
                           uint64_t number)
{
    buf_add_format(out, "%s{%s=\"%s\"}", name, label, value);
    write_number(out, number);
}

static void write_messages(const struct metrics *metrics, const char *name, struct buf *out)
{
    for (unsigned kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        const uint64_t *counts = metrics->messages[kind];
        const char *type =
            kind == MESSAGE_UNKNOWN ? "unknown" : message_type_name((enum message_type)kind);
        for (unsigned verdict = 0; verdict < VERDICT_COUNT; verdict++) {
            if (verdict == ERR_NO_MEMORY || !metrics_verdict_is_foreseen(kind, verdict))
                continue;
            buf_add_format(out, "%s{type=\"%s\",verdict=\"%s\"}", name, type,
                           verdict_name(verdict));
            write_number(out,
                         counts[verdict] + (verdict == ERR_HUB_FULL ? counts[ERR_NO_MEMORY] : 0));
        }
    }
}

static void write_errors(const struct metrics *metrics, const char *name, struct buf *out)
{
    for (unsigned i = OK + 1; i < ERR_COUNT; i++)
        if (i != ERR_NO_MEMORY) /* on the wire it is hub-full too */
            write_labelled(out, name, "code", err_wire_name((enum err)i),
                           metrics->errors[i] +
                               (i == ERR_HUB_FULL ? metrics->errors[ERR_NO_MEMORY] : 0));
}

static void write_drops(const struct metrics *metrics, const char *name, struct buf *out)
{
    for (size_t i = 0; i < DROP_COUNT; i++)
        write_labelled(out, name, "reason", drop_names[i], metrics->drops[i]);
}

static void write_closes(const struct metrics *metrics, const char *name, struct buf *out)
{
    for (size_t i = CLOSE_NONE + 1; i < CLOSE_COUNT; i++)
        write_labelled(out, name, "reason", close_name((enum close_why)i), metrics->closes[i]);
}

static void write_refused(const struct metrics *metrics, const char *name, struct buf *out)
{
    for (size_t i = 0; i < REFUSAL_COUNT; i++)
        write_labelled(out, name, "reason", refusal_names[i], metrics->refused[i]);
}

static void write_http(const struct metrics *metrics, const char *name, struct buf *out)
{
    for (unsigned stage = 0; stage < STAGE_COUNT; stage++) {
        for (size_t i = 0; i < STATUS_COUNT; i++) {
            if (!(statuses[i].stages & HAS(stage)))
                continue;
            buf_add_format(out, "%s{stage=\"%s\",code=\"%s\"}", name, stage_names[stage],
                           statuses[i].name);
            write_number(out, metrics->http[stage][i]);
        }
    }
}

static void write_log(const struct metrics *metrics, const char *name, struct buf *out)
{
    (void)metrics;
    buf_add(out, str_of(name));
    write_number(out, log_dropped_count());
}

/* Buckets hold all that is below them too, and the last one holds all (the format's own rule). */
static void write_histogram(const struct histogram *histogram, const struct bound *bounds,
                            size_t bound_count, const char *name, struct buf *out)
{
    uint64_t count = 0;

    for (size_t i = 0; i <= bound_count; i++) {
        count += histogram->counts[i];
        buf_add_format(out, "%s_bucket{le=\"%s\"}", name,
                       i < bound_count ? bounds[i].text : "+Inf");
        write_number(out, count);
    }
    buf_add_format(out, "%s_sum %llu.%09llu\n", name,
                   (unsigned long long)(histogram->sum_ns / 1000000000),
                   (unsigned long long)(histogram->sum_ns % 1000000000));
    buf_add_format(out, "%s_count", name);
    write_number(out, count);
}

static void write_loop_lag(const struct metrics *metrics, const char *name, struct buf *out)
{
    write_histogram(&metrics->loop_lag, lag_bounds, ARRAY_SIZE(lag_bounds), name, out);
}

static void write_relay(const struct metrics *metrics, const char *name, struct buf *out)
{
    write_histogram(&metrics->relay, relay_bounds, ARRAY_SIZE(relay_bounds), name, out);
}

static const struct {
    const char *name, *type, *help;
} families[FAMILY_COUNT] = {
#define FAMILY_ROW(id, name, type, labels, help) [id] = {name, type, help},
    METRIC_FAMILY_TABLE(FAMILY_ROW)
#undef FAMILY_ROW
};

static void (*const writers[FAMILY_COUNT])(const struct metrics *metrics, const char *name,
                                           struct buf *out) = {
    [FAMILY_MESSAGES] = write_messages, [FAMILY_ERRORS] = write_errors,
    [FAMILY_DROPS] = write_drops,       [FAMILY_CLOSES] = write_closes,
    [FAMILY_REFUSED] = write_refused,   [FAMILY_HTTP] = write_http,
    [FAMILY_LOG] = write_log,           [FAMILY_LOOP_LAG] = write_loop_lag,
    [FAMILY_RELAY] = write_relay,
};

void metrics_write(const struct metrics *metrics, struct buf *out)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        metrics_write_head(out, rows[i].name, rows[i].type, rows[i].help);
        buf_add(out, str_of(rows[i].name));
        write_number(out, metrics->values[i]);
    }
    for (size_t i = 0; i < FAMILY_COUNT; i++) {
        metrics_write_head(out, families[i].name, families[i].type, families[i].help);
        writers[i](metrics, families[i].name, out);
    }
    if (metrics->write_more)
        metrics->write_more(metrics->write_more_ctx, out);
}
