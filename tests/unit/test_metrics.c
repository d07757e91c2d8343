/* metrics: Prometheus text exposition format 0.0.4. */
#include "aloha/metrics.h"
#include "harness.h"

#include <stdio.h>

enum { FAMILIES_MAX = 128, SAMPLES_MAX = 512 };

struct page {
    char families[FAMILIES_MAX][96];
    char types[FAMILIES_MAX][16];
    size_t family_count;
    char samples[SAMPLES_MAX][160]; /* name and labels, as they stand */
    char values[SAMPLES_MAX][32];
    size_t sample_count;
};

static bool is_name(const char *name)
{
    return name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

static bool ends_with(const char *text, const char *end)
{
    size_t size = strlen(text), end_size = strlen(end);
    return size > end_size && strcmp(text + size - end_size, end) == 0;
}

/* The name ends as its type wants it: a counter in _total, a histogram with its unit. */
static bool fits_type(const char *name, const char *type)
{
    if (strcmp(type, "histogram") == 0)
        return ends_with(name, "_seconds");
    return strcmp(type, "counter") == 0 ? ends_with(name, "_total")
                                        : strcmp(type, "gauge") == 0 && !ends_with(name, "_total");
}

/* NAME="VALUE" and more of them behind commas, up to the brace. */
static bool are_labels(const char *labels)
{
    char name[32], value[64];
    int end = 0;

    for (;;) {
        if (sscanf(labels, "%31[a-z]=\"%63[A-Za-z0-9.+-]\"%n", name, value, &end) != 2)
            return false;
        labels += end;
        if (strcmp(labels, "}") == 0)
            return true;
        if (*labels++ != ',')
            return false;
    }
}

/* A histogram's samples are named after it, with one of three endings. */
static bool is_of_family(const struct page *page, const char *name)
{
    static const char *const endings[] = {"_bucket", "_sum", "_count"};
    const char *family = page->families[page->family_count - 1];

    if (strcmp(page->types[page->family_count - 1], "histogram") != 0)
        return strcmp(name, family) == 0;
    for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
        if (strcmp(name, fmt("%s%s", family, endings[i])) == 0)
            return true;
    return false;
}

static void read_sample(struct page *page, const char *line)
{
    char *sample = page->samples[page->sample_count], name[96] = "";
    char *value = page->values[page->sample_count];
    int end = 0;

    EXPECT(page->family_count && page->sample_count < SAMPLES_MAX);
    EXPECT_THAT(sscanf(line, "%159s %31[0-9.]%n", sample, value, &end) == 2 && line[end] == '\0',
                "%s", line);
    EXPECT(sscanf(sample, "%95[^{]", name) == 1);
    EXPECT_THAT(!strchr(sample, '{') || are_labels(strchr(sample, '{') + 1), "%s", line);
    EXPECT_THAT(is_of_family(page, name), "%s does not stand below its own TYPE", line);
    for (size_t i = 0; i < page->sample_count; i++)
        EXPECT_THAT(strcmp(page->samples[i], sample) != 0, "%s twice", sample);
    page->sample_count++;
}

static void read_head(struct page *page, const char *help, const char *type_line)
{
    char name[96] = "", *family = page->families[page->family_count];
    char *type = page->types[page->family_count];

    EXPECT_THAT(sscanf(help, "# HELP %95s", family) == 1 && is_name(family), "%s", help);
    EXPECT_THAT(strlen(help) > strlen(family) + 10, "%s has no words", family);
    for (size_t i = 0; i < page->family_count; i++)
        EXPECT_THAT(strcmp(page->families[i], family) != 0, "%s twice", family);
    EXPECT_THAT(sscanf(type_line, "# TYPE %95s %15s", name, type) == 2, "%s", type_line);
    EXPECT_STR(family, str_of(name));
    EXPECT_THAT(fits_type(name, type), "%s is a %s", name, type);
    page->family_count++;
}

static void read_page(struct page *page, struct str text)
{
    EXPECT(text.size && text.text[text.size - 1] == '\n');
    while (text.size && !test_has_failed()) {
        struct str line = str_cut(&text, '\n');
        const char *words = fmt("%.*s", (int)line.size, line.text);
        if (line.size && line.text[0] == '#') {
            line = str_cut(&text, '\n');
            read_head(page, words, fmt("%.*s", (int)line.size, line.text));
        } else {
            read_sample(page, words);
        }
    }
}

static struct page page;

static void write_and_read(const struct metrics *metrics)
{
    struct buf out;

    page = (struct page){.family_count = 0};
    buf_init(&out, 65536);
    metrics_write(metrics, &out);
    EXPECT(!out.failed);
    read_page(&page, buf_str(&out));
    buf_deinit(&out);
}

static const char *text_of(const char *sample)
{
    for (size_t i = 0; i < page.sample_count; i++)
        if (strcmp(page.samples[i], sample) == 0)
            return page.values[i];
    return "none";
}

static unsigned long long value_of(const char *sample)
{
    const char *text = text_of(sample);
    return strcmp(text, "none") == 0 ? UINT64_MAX - 1 : strtoull(text, NULL, 10);
}

TEST(every_sample_has_help_and_type_and_stands_once_also_when_it_is_zero)
{
    struct metrics metrics = {0};

    write_and_read(&metrics);
    EXPECT_UINT(METRIC_COUNT + FAMILY_COUNT, page.family_count);
    /* What the edge adds, and what is to come, has room too: SECURITY R44. */
    EXPECT_THAT(page.sample_count <= METRIC_SERIES_MAX - 60, "%zu series", page.sample_count);
    for (size_t i = 0; i < page.sample_count; i++)
        EXPECT_THAT(strtod(page.values[i], NULL) == 0, "%s", page.samples[i]);
}

TEST(every_single_number_comes_out_under_its_own_name)
{
    struct metrics metrics = {0};

    for (size_t i = 0; i < METRIC_COUNT; i++)
        metrics.values[i] = i + 1;
    write_and_read(&metrics);
#define CHECK_METRIC(id, name, type, help) EXPECT_UINT(id + 1, value_of(name));
    METRIC_TABLE(CHECK_METRIC)
#undef CHECK_METRIC
}

static void number_families(struct metrics *metrics)
{
    uint64_t next = 1;

    for (size_t kind = 0; kind < MESSAGE_KIND_COUNT; kind++)
        for (size_t verdict = 0; verdict < VERDICT_COUNT; verdict++)
            metrics->messages[kind][verdict] = next++;
    for (size_t i = 0; i < ERR_COUNT; i++)
        metrics->errors[i] = next++;
    for (size_t i = 0; i < DROP_COUNT; i++)
        metrics->drops[i] = next++;
    for (size_t i = 0; i < CLOSE_COUNT; i++)
        metrics->closes[i] = next++;
    for (size_t i = 0; i < REFUSAL_COUNT; i++)
        metrics->refused[i] = next++;
    for (size_t stage = 0; stage < STAGE_COUNT; stage++)
        for (size_t i = 0; i < STATUS_COUNT; i++)
            metrics->http[stage][i] = next++;
}

static void check_messages(const struct metrics *metrics)
{
    for (unsigned kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        const uint64_t *counts = metrics->messages[kind];
        const char *type =
            kind == MESSAGE_UNKNOWN ? "unknown" : message_type_name((enum message_type)kind);
        for (unsigned verdict = 0; verdict < VERDICT_COUNT; verdict++) {
            const char *name = verdict == OK                ? "accepted"
                               : verdict == VERDICT_DROPPED ? "dropped"
                                                            : err_wire_name((enum err)verdict);
            const char *sample =
                fmt("aloha_messages_received_total{type=\"%s\",verdict=\"%s\"}", type, name);
            if (!metrics_verdict_is_foreseen(kind, verdict))
                EXPECT_STR("none", str_of(text_of(sample)));
            else if (verdict == ERR_HUB_FULL || verdict == ERR_NO_MEMORY)
                EXPECT_UINT(counts[ERR_HUB_FULL] + counts[ERR_NO_MEMORY], value_of(sample));
            else
                EXPECT_UINT(counts[verdict], value_of(sample));
        }
    }
}

TEST(every_number_of_a_family_comes_out_under_its_own_labels)
{
    struct metrics metrics = {0};

    number_families(&metrics);
    write_and_read(&metrics);
    check_messages(&metrics);
    for (size_t i = OK + 1; i < ERR_COUNT; i++)
        if (i != ERR_NO_MEMORY && i != ERR_HUB_FULL)
            EXPECT_UINT(metrics.errors[i], value_of(fmt("aloha_errors_sent_total{code=\"%s\"}",
                                                        err_wire_name((enum err)i))));
    EXPECT_UINT(metrics.errors[ERR_HUB_FULL] + metrics.errors[ERR_NO_MEMORY],
                value_of("aloha_errors_sent_total{code=\"hub-full\"}"));
    for (size_t i = CLOSE_NONE + 1; i < CLOSE_COUNT; i++)
        EXPECT_UINT(metrics.closes[i], value_of(fmt("aloha_websockets_closed_total{reason=\"%s\"}",
                                                    close_name((enum close_why)i))));
#define CHECK_DROP(id, name)                                                                       \
    EXPECT_UINT(metrics.drops[id], value_of("aloha_messages_dropped_total{reason=\"" name "\"}"));
    DROP_TABLE(CHECK_DROP)
#define CHECK_REFUSAL(id, name)                                                                    \
    EXPECT_UINT(metrics.refused[id],                                                               \
                value_of("aloha_connections_refused_total{reason=\"" name "\"}"));
    REFUSAL_TABLE(CHECK_REFUSAL)
}

TEST(statuses_are_told_apart_where_they_are_foreseen)
{
    static const struct {
        enum http_stage stage;
        unsigned status;
        const char *sample;
    } cases[] = {
        {STAGE_WEBSOCKET, 101, "stage=\"websocket\",code=\"101\""},
        {STAGE_WEBSOCKET, 403, "stage=\"websocket\",code=\"403\""},
        {STAGE_PAGE, 200, "stage=\"page\",code=\"200\""},
        {STAGE_PAGE, 400, "stage=\"page\",code=\"400\""},
        {STAGE_DOOR, 400, "stage=\"door\",code=\"400\""},
        {STAGE_DOOR, 505, "stage=\"door\",code=\"505\""},
        {STAGE_DOOR, 101, "stage=\"door\",code=\"other\""}, /* not here */
        {STAGE_PAGE, 299, "stage=\"page\",code=\"other\""},
        {STAGE_WEBSOCKET, 0, "stage=\"websocket\",code=\"other\""},
    };
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct metrics metrics = {0};
        metrics_count_http(&metrics, cases[i].stage, cases[i].status);
        write_and_read(&metrics);
        EXPECT_UINT(1, value_of(fmt("aloha_http_responses_total{%s}", cases[i].sample)));
        unsigned long long sum = 0;
        for (size_t k = 0; k < page.sample_count; k++)
            if (strncmp(page.samples[k], "aloha_http_responses_total", 26) == 0)
                sum += strtoull(page.values[k], NULL, 10);
        EXPECT_UINT(1, sum);
    }
}

/* ---- histograms ---- */

TEST(a_value_counts_in_the_buckets_from_its_own_up_to_the_last)
{
    struct metrics metrics = {0};

    metrics_add_loop_lag(&metrics, 0, 1);
    metrics_add_loop_lag(&metrics, 1000000, 1); /* a bound belongs to its bucket: le */
    metrics_add_loop_lag(&metrics, 1000001, 1);
    metrics_add_loop_lag(&metrics, 5000000000, 1);
    metrics_add_loop_lag(&metrics, 5000000001, 2);
    write_and_read(&metrics);
    EXPECT_UINT(2, value_of("aloha_loop_lag_seconds_bucket{le=\"0.001\"}"));
    EXPECT_UINT(3, value_of("aloha_loop_lag_seconds_bucket{le=\"0.0025\"}"));
    EXPECT_UINT(3, value_of("aloha_loop_lag_seconds_bucket{le=\"2.5\"}"));
    EXPECT_UINT(4, value_of("aloha_loop_lag_seconds_bucket{le=\"5\"}"));
    EXPECT_UINT(6, value_of("aloha_loop_lag_seconds_bucket{le=\"+Inf\"}"));
    EXPECT_UINT(6, value_of("aloha_loop_lag_seconds_count"));
    EXPECT_STR("15.002000003", str_of(text_of("aloha_loop_lag_seconds_sum")));
}

TEST(many_that_took_as_long_count_as_many)
{
    struct metrics metrics = {0};

    metrics_add_relay(&metrics, 10000, 3);
    metrics_add_relay(&metrics, 60000, 40);
    metrics_add_relay(&metrics, 2000000000, 500);
    write_and_read(&metrics);
    EXPECT_UINT(3, value_of("aloha_relay_latency_seconds_bucket{le=\"0.00001\"}"));
    EXPECT_UINT(3, value_of("aloha_relay_latency_seconds_bucket{le=\"0.00005\"}"));
    EXPECT_UINT(43, value_of("aloha_relay_latency_seconds_bucket{le=\"0.0001\"}"));
    EXPECT_UINT(43, value_of("aloha_relay_latency_seconds_bucket{le=\"1\"}"));
    EXPECT_UINT(543, value_of("aloha_relay_latency_seconds_bucket{le=\"+Inf\"}"));
    EXPECT_UINT(543, value_of("aloha_relay_latency_seconds_count"));
    EXPECT_STR("1000.002430000", str_of(text_of("aloha_relay_latency_seconds_sum")));
    EXPECT_UINT(0, value_of("aloha_loop_lag_seconds_count"));
}

/* Their numbers are as their names say, and rise: what a bucket holds depends on it. */
TEST(the_bounds_of_each_histogram_are_what_they_are_called)
{
    static void (*const add[])(struct metrics *, uint64_t, uint64_t) = {metrics_add_loop_lag,
                                                                        metrics_add_relay};
    static const char *const names[] = {"aloha_loop_lag_seconds", "aloha_relay_latency_seconds"};
    struct metrics metrics = {0};
    static struct page empty;

    write_and_read(&metrics);
    empty = page;
    for (size_t h = 0; h < ARRAY_SIZE(add); h++) {
        char bucket[96];
        double before = 0;
        snprintf(bucket, sizeof bucket, "%s_bucket{le=\"", names[h]);
        for (size_t i = 0; i < empty.sample_count; i++) {
            if (strncmp(empty.samples[i], bucket, strlen(bucket)) != 0 ||
                strstr(empty.samples[i], "+Inf"))
                continue;
            double bound = strtod(empty.samples[i] + strlen(bucket), NULL);
            EXPECT_THAT(bound > before, "%s", empty.samples[i]);
            before = bound;
            metrics = (struct metrics){0};
            add[h](&metrics, (uint64_t)(bound * 1e9 + 0.5), 1);
            add[h](&metrics, (uint64_t)(bound * 1e9 + 0.5) + 1, 1);
            write_and_read(&metrics);
            EXPECT_THAT(strcmp(page.values[i], "1") == 0, "%s is %s", page.samples[i],
                        page.values[i]);
        }
        EXPECT(before > 0);
    }
}

/* ---- the rest ---- */

TEST(the_biggest_number_comes_out_whole)
{
    struct metrics metrics = {.values = {[METRIC_RECEIVED_BYTES] = UINT64_MAX}};

    write_and_read(&metrics);
    EXPECT_UINT(UINT64_MAX, value_of("aloha_received_bytes_total"));
}

static void write_more(void *ctx, struct buf *out)
{
    metrics_write_head(out, "test_seconds", "gauge", ctx);
    buf_add(out, STR("test_seconds 1.5\n"));
}

TEST(what_only_the_edge_knows_is_asked_for_at_the_end)
{
    static char help[] = "A number of another kind.";
    struct metrics metrics = {.write_more = write_more, .write_more_ctx = help};

    write_and_read(&metrics);
    EXPECT_STR("1.5", str_of(text_of("test_seconds")));
    EXPECT_UINT(METRIC_COUNT + FAMILY_COUNT + 1, page.family_count);
}
