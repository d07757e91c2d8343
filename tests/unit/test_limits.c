/* limits: one table, and what comes out of it. */
#include "aloha/limits.h"

#include "aloha/config.h"
#include "harness.h"

#include <jansson.h>
#include <stdio.h>

static json_t *json_of(const struct limits *limits)
{
    struct buf out;

    buf_init(&out, 4096);
    limits_write_json(limits, &out);
    json_t *json = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
    buf_deinit(&out);
    return json;
}

/* All fields at one end of their ranges. */
static struct limits limits_at(bool most)
{
    struct limits limits;

    limits_init(&limits);
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        uint32_t value = (most ? row->max : row->min) * unit_scale(row->unit);
        memcpy((char *)&limits + row->offset, &value, sizeof value);
    }
    limits_derive(&limits);
    return limits;
}

TEST(each_row_has_bounds_around_its_default_and_words)
{
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        EXPECT_THAT(row->min <= row->def && row->def <= row->max, "%s", row->option);
        EXPECT_THAT(row->min < row->max, "%s", row->option);
        EXPECT_THAT((uint64_t)row->max * unit_scale(row->unit) <= UINT32_MAX, "%s", row->option);
        EXPECT_THAT(strlen(row->help) > 10 && row->exceeding[0], "%s", row->option);
        EXPECT_THAT(row->unit < UNIT_COUNT && unit_scale(row->unit) > 0, "%s", row->option);
        EXPECT_THAT(row->offset + sizeof(uint32_t) <= sizeof(struct limits), "%s", row->option);
    }
}

TEST(options_members_and_fields_are_each_of_one_row)
{
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        EXPECT_THAT(strspn(row->option, "abcdefghijklmnopqrstuvwxyz-") == strlen(row->option), "%s",
                    row->option);
        for (size_t other = 0; other < i; other++) {
            EXPECT_THAT(strcmp(row->option, limit_rows[other].option) != 0, "%s", row->option);
            EXPECT_THAT(!row->member[0] || strcmp(row->member, limit_rows[other].member) != 0, "%s",
                        row->member);
            EXPECT_THAT(row->offset != limit_rows[other].offset, "%s", row->option);
        }
    }
}

/* The words of a table cell and of --help. */
TEST(the_words_break_no_table)
{
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const char *const texts[] = {limit_rows[i].option, limit_rows[i].member, limit_rows[i].help,
                                     limit_rows[i].exceeding};
        for (size_t t = 0; t < ARRAY_SIZE(texts); t++)
            EXPECT_THAT(!strpbrk(texts[t], "|\n`<>\"\\"), "%s", texts[t]);
    }
}

TEST(what_nobody_has_set_is_what_the_options_have)
{
    static char name[] = "aloha";
    char *argv[] = {name}, problem[128];
    struct limits limits;
    struct config config;

    EXPECT(config_read(&config, &(struct config_input){.argc = 1, .argv = argv}, problem,
                       sizeof problem));
    limits_init(&limits);
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        EXPECT_THAT(limits_field(&limits, row) == limits_field(&config.limits, row), "%s",
                    row->option);
        EXPECT_THAT(limits_field(&limits, row) == row->def * unit_scale(row->unit), "%s",
                    row->option);
    }
    EXPECT(memcmp(&limits, &config.limits, sizeof limits) == 0);
}

TEST(each_row_can_be_set_and_goes_into_its_own_field)
{
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        char name[] = "aloha", flag[80], problem[128];
        uint32_t value =
            row->def + (row->def > row->min ? -1u : 1u); /* down: nothing has to make room */
        snprintf(flag, sizeof flag, "--%s=%u", row->option, value);
        char *argv[] = {name, flag};
        struct config config;

        EXPECT_THAT(config_read(&config, &(struct config_input){.argc = 2, .argv = argv}, problem,
                                sizeof problem),
                    "%s", problem);
        EXPECT_THAT(limits_field(&config.limits, row) == value * unit_scale(row->unit), "%s", flag);
        for (size_t other = 0; other < LIMITS_COUNT; other++) {
            const struct limit_row *rest = &limit_rows[other];
            EXPECT_THAT(other == i || limits_field(&config.limits, rest) ==
                                          rest->def * unit_scale(rest->unit),
                        "%s changes --%s", flag, rest->option);
        }
    }
}

TEST(the_json_has_exactly_the_members_of_the_table)
{
    struct limits limits;

    limits_init(&limits);
    json_t *json = json_of(&limits);
    size_t members = 0;
    EXPECT(json_is_object(json));
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        if (!row->member[0])
            continue;
        members++;
        const json_t *value = json_object_get(json, row->member);
        uint32_t wanted = row->unit == UNIT_SECONDS ? row->def : limits_field(&limits, row);
        EXPECT_THAT(json_is_integer(value), "%s", row->member);
        EXPECT_THAT(json_integer_value(value) == wanted, "%s", row->member);
    }
    EXPECT_UINT(members, json_object_size(json));
    EXPECT(members >= 10);
    json_decref(json);
}

TEST(the_promised_members_are_there_and_count_as_promised)
{
    struct limits limits;

    limits_init(&limits);
    json_t *json = json_of(&limits);
    EXPECT_UINT(65536, json_integer_value(json_object_get(json, "maxMessageBytes")));
    EXPECT_UINT(12, json_integer_value(json_object_get(json, "maxParticipants")));
    EXPECT_UINT(20, json_integer_value(json_object_get(json, "heartbeatSeconds")));
    EXPECT_UINT(30, json_integer_value(json_object_get(json, "resumeSeconds")));
    json_decref(json);
}

/* hub_private.h keeps LIMITS_JSON_SIZE_MAX bytes for it. */
TEST(the_json_fits_whatever_was_set)
{
    for (int most = 0; most < 2; most++) {
        struct limits limits = limits_at(most);
        struct buf out;
        buf_init(&out, 1024);
        limits_write_json(&limits, &out);
        EXPECT(!out.failed);
        json_t *json = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
        EXPECT(json != NULL);
        json_decref(json);
        buf_deinit(&out);
    }
}

/* A message of the allowed size passes its sender's rate, its receiver's queue, and fits a backlog. */
TEST(what_is_set_together_works_together)
{
    for (int bits = 0; bits < 16; bits++) {
        struct limits limits = limits_at(false), most = limits_at(true);
        if (bits & 1)
            limits.message_size_max = most.message_size_max;
        if (bits & 2)
            limits.bytes_burst = most.bytes_burst;
        if (bits & 4)
            limits.backlog_size_max = most.backlog_size_max;
        if (bits & 8)
            limits.queue_size_max = most.queue_size_max;
        limits_derive(&limits);
        EXPECT(limits.bytes.burst >= limits.message_size_max);
        EXPECT(limits.backlog_size_max >= limits.message_size_max + 256);
        EXPECT(limits.queue_size_max >= limits.message_size_max + 256);
        EXPECT(limits.queue_size_max >= limits.backlog_size_max); /* sent at once on resume */
        EXPECT(limits.backlog_size_max >= LIMIT_HELLO_SIZE_MAX);  /* kept of one who knocks */
    }
}

TEST(deriving_twice_changes_nothing_more)
{
    for (int most = 0; most < 2; most++) {
        struct limits once = limits_at(most), twice = once;
        limits_derive(&twice);
        EXPECT(memcmp(&once, &twice, sizeof once) == 0);
    }
}

TEST(rates_count_tokens_a_minute_and_do_not_overflow)
{
    struct limits limits = limits_at(true);

    EXPECT_UINT(100000 * 60, limits.messages.per_minute);
    EXPECT_UINT(100000 * 60, limits.connections.per_minute);
    EXPECT_UINT(1000000, limits.joins.per_minute);
    EXPECT_UINT(UINT64_C(65536) * 1024 * 60, limits.bytes.per_minute);
    EXPECT_UINT(1000000, limits.messages.burst);
    EXPECT_UINT(1000000, limits.joins.burst);
    EXPECT_UINT(1000000, limits.connections.burst);
    EXPECT_UINT(65536 * 1024, limits.bytes.burst);
}

TEST(what_may_be_zero_and_is_no_time_is_off_then)
{
    struct limits none = {0}, some = limits_at(true);
    unsigned count = 0;

    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        bool says_so = strstr(row->help, "0 for no limit") != NULL;
        EXPECT_THAT(limits_is_off(&none, row) == says_so, "%s", row->option);
        EXPECT_THAT(!limits_is_off(&some, row), "%s", row->option);
        count += says_so;
    }
    EXPECT_UINT(6, count);
}

TEST(the_markdown_has_a_line_for_each_row)
{
    struct buf out;

    buf_init(&out, 65536);
    limits_write_markdown(&out);
    EXPECT(!out.failed);
    struct str rest = buf_str(&out);
    size_t lines = 0;
    while (rest.size) {
        struct str line = str_cut(&rest, '\n');
        size_t bars = 0;
        for (size_t i = 0; i < line.size; i++)
            bars += line.text[i] == '|';
        EXPECT_UINT(9, bars);
        if (lines >= 2) {
            const struct limit_row *row = &limit_rows[lines - 2];
            const char *text = fmt("%.*s", (int)line.size, line.text);
            EXPECT_THAT(strstr(text, fmt("| `--%s` | %u | %u | %u |", row->option, row->def,
                                         row->min, row->max)),
                        "%s", text);
            EXPECT_THAT(strstr(text, row->help) && strstr(text, row->exceeding), "%s", text);
            EXPECT_THAT(!row->member[0] ||
                            str_starts_with(line, str_of(fmt("| `%s` |", row->member))),
                        "%s", text);
        }
        lines++;
    }
    EXPECT_UINT(LIMITS_COUNT + 2, lines);
    buf_deinit(&out);
}
