/* metrics: Prometheus text exposition format 0.0.4. */
#include "aloha/metrics.h"
#include "harness.h"

#include <stdio.h>

enum { FAMILIES_MAX = 128, SAMPLES_MAX = 512 };

struct page {
    char families[FAMILIES_MAX][96];
    size_t family_count;
    char samples[SAMPLES_MAX][160]; /* name and labels, as they stand */
    unsigned long long values[SAMPLES_MAX];
    size_t sample_count;
};

static bool is_name(const char *name)
{
    return name[0] >= 'a' && name[0] <= 'z' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == strlen(name);
}

/* The name ends as its type wants it: a counter in _total, a gauge not. */
static bool fits_type(const char *name, const char *type)
{
    size_t size = strlen(name);
    bool total = size > 6 && strcmp(name + size - 6, "_total") == 0;
    return strcmp(type, "counter") == 0 ? total : strcmp(type, "gauge") == 0 && !total;
}

static void read_sample(struct page *page, const char *line)
{
    char *sample = page->samples[page->sample_count], name[96] = "", label[32], value[64];
    int end = 0;

    EXPECT_THAT(sscanf(line, "%159s %llu%n", sample, &page->values[page->sample_count], &end) ==
                        2 &&
                    line[end] == '\0',
                "%s", line);
    EXPECT(sscanf(sample, "%95[^{]", name) == 1);
    if (strchr(sample, '{'))
        EXPECT_THAT(sscanf(sample, "%*[^{]{%31[a-z]=\"%63[A-Za-z0-9-]\"%n", label, value, &end) ==
                            2 &&
                        strcmp(sample + end, "}") == 0,
                    "%s", line);
    EXPECT_THAT(page->family_count && strcmp(name, page->families[page->family_count - 1]) == 0,
                "%s does not stand below its own TYPE", line);
    for (size_t i = 0; i < page->sample_count; i++)
        EXPECT_THAT(strcmp(page->samples[i], sample) != 0, "%s twice", sample);
    page->sample_count++;
}

static void read_page(struct page *page, struct str text)
{
    EXPECT(text.size && text.text[text.size - 1] == '\n');
    while (text.size) {
        struct str line = str_cut(&text, '\n');
        const char *words = fmt("%.*s", (int)line.size, line.text);
        char name[96], type[16], *family = page->families[page->family_count];
        if (sscanf(words, "# HELP %95s %*[^\n]", family) == 1) {
            EXPECT_THAT(is_name(family), "%s", family);
            for (size_t i = 0; i < page->family_count; i++)
                EXPECT_THAT(strcmp(page->families[i], family) != 0, "%s twice", family);
            page->family_count++;
            EXPECT_THAT(strlen(words) > strlen(family) + 10, "%s has no words", family);
            line = str_cut(&text, '\n');
            words = fmt("%.*s", (int)line.size, line.text);
            EXPECT_THAT(sscanf(words, "# TYPE %95s %15s", name, type) == 2, "%s", words);
            EXPECT_STR(family, str_of(name));
            EXPECT_THAT(fits_type(name, type), "%s is a %s", name, type);
        } else {
            read_sample(page, words);
        }
        if (test_has_failed())
            return;
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

static unsigned long long value_of(const char *sample)
{
    for (size_t i = 0; i < page.sample_count; i++)
        if (strcmp(page.samples[i], sample) == 0)
            return page.values[i];
    return UINT64_MAX;
}

TEST(every_sample_has_help_and_type_and_stands_once)
{
    struct metrics metrics = {0};

    write_and_read(&metrics);
    EXPECT_UINT(METRIC_COUNT + 3, page.family_count);
    EXPECT(page.sample_count <= 300); /* SECURITY R44 */
    for (size_t i = 0; i < page.sample_count; i++)
        EXPECT_UINT(0, page.values[i]);
}

TEST(every_number_comes_out_under_its_own_name)
{
    struct metrics metrics;
    unsigned long long next = 1;

    for (size_t i = 0; i < METRIC_COUNT; i++)
        metrics.values[i] = next++;
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++)
        metrics.messages[i] = next++;
    for (size_t i = 0; i < ERR_COUNT; i++)
        metrics.errors[i] = next++;
    for (size_t i = 0; i < CLOSE_COUNT; i++)
        metrics.closes[i] = next++;
    write_and_read(&metrics);

#define CHECK_METRIC(id, name, type, help) EXPECT_UINT(metrics.values[id], value_of(name));
    METRIC_TABLE(CHECK_METRIC)
#undef CHECK_METRIC
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++)
        EXPECT_UINT(metrics.messages[i], value_of(fmt("aloha_messages_received_total{type=\"%s\"}",
                                                      message_type_name((enum message_type)i))));
    for (size_t i = OK + 1; i < ERR_COUNT; i++) {
        if (i == ERR_NO_MEMORY || i == ERR_HUB_FULL)
            continue;
        EXPECT_UINT(metrics.errors[i], value_of(fmt("aloha_errors_sent_total{code=\"%s\"}",
                                                    err_wire_name((enum err)i))));
    }
    EXPECT_UINT(metrics.errors[ERR_HUB_FULL] + metrics.errors[ERR_NO_MEMORY],
                value_of("aloha_errors_sent_total{code=\"hub-full\"}"));
    for (size_t i = CLOSE_NONE + 1; i < CLOSE_COUNT; i++)
        EXPECT_UINT(metrics.closes[i], value_of(fmt("aloha_websockets_closed_total{reason=\"%s\"}",
                                                    close_name((enum close_why)i))));
}

TEST(the_biggest_number_comes_out_whole)
{
    struct metrics metrics = {.values = {[METRIC_RECEIVED_BYTES] = UINT64_MAX}};

    write_and_read(&metrics);
    EXPECT_UINT(UINT64_MAX, value_of("aloha_received_bytes_total"));
}
