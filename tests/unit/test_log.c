/* log: one line an event, whatever the fields hold. */
#include "aloha/log.h"
#include "harness.h"

#include <jansson.h>
#include <stdio.h>

enum { LINES_MAX = 512 };

static struct {
    char lines[LINES_MAX][LOG_LINE_SIZE_MAX + 1];
    size_t count;
    uint64_t now_ms;
    bool full; /* the pipe takes nothing */
} reader;

static uint64_t tell_time(void *ctx)
{
    (void)ctx;
    return reader.now_ms;
}

static bool take_line(void *ctx, const char *line, size_t size)
{
    (void)ctx;
    if (reader.full)
        return false;
    if (size > LOG_LINE_SIZE_MAX || reader.count == LINES_MAX)
        abort();
    memcpy(reader.lines[reader.count], line, size);
    reader.lines[reader.count++][size] = '\0';
    return true;
}

/* An empty pipe in a second of its own; what earlier tests have lost is reported and gone. */
static void start(enum log_level level)
{
    static const struct log_sink sink = {.wall_ms = tell_time, .write = take_line};

    reader.full = false;
    reader.now_ms = reader.now_ms ? reader.now_ms + 1000000 : UINT64_C(1772360102114);
    log_set_style(&(struct log_style){.format = LOG_FORMAT_LOGFMT});
    log_init(&sink, LOG_LEVEL_DEBUG);
    log_debug("started", log_uint("n", 1));
    reader.now_ms += 1000;
    reader.count = 0;
    log_set_level(level);
}

static const char *last_line(void)
{
    return reader.count ? reader.lines[reader.count - 1] : "";
}

/* The line from its level on: the time is tested once. */
static struct str without_time(const char *line)
{
    const char *at = strstr(line, " level=");
    return str_of(at ? at + 1 : line);
}

TEST(a_line_is_logfmt_with_a_utc_time)
{
    reader.now_ms = 0;
    start(LOG_LEVEL_INFO);
    reader.now_ms = UINT64_C(1772360102114);
    log_info("peer_joined", log_text("room", "tea"), log_uint("peers", 3));
    EXPECT_STR("ts=2026-03-01T10:15:02.114Z level=info event=peer_joined room=\"tea\" peers=3\n",
               str_of(last_line()));
    reader.now_ms = UINT64_C(1709164800007); /* a leap day */
    log_error("x", log_uint("n", UINT64_MAX));
    EXPECT_STR("ts=2024-02-29T00:00:00.007Z level=error event=x n=18446744073709551615\n",
               str_of(last_line()));
}

TEST(bytes_that_could_end_a_text_or_a_line_are_escaped)
{
    start(LOG_LEVEL_INFO);
    log_info("x", log_str("t", STR("a\"b\\c\r\n\t\0\x1b[31m\x7f\xc3\xa4~ ")));
    EXPECT_STR("level=info event=x "
               "t=\"a\\\"b\\\\c\\x0d\\x0a\\x09\\x00\\x1b[31m\\x7f\\xc3\\xa4~ \"\n",
               without_time(last_line()));
}

TEST(every_byte_becomes_printable_ascii)
{
    char bytes[256];

    start(LOG_LEVEL_INFO);
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)i;
    log_info("x", log_str("a", (struct str){bytes, 128}));
    log_info("x", log_str("a", (struct str){bytes + 128, 128}));
    EXPECT_UINT(2, reader.count);
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(reader.lines[i]);
        EXPECT(reader.lines[i][size - 1] == '\n');
        for (size_t at = 0; at + 1 < size; at++)
            EXPECT(reader.lines[i][at] >= 0x20 && reader.lines[i][at] <= 0x7e);
    }
}

TEST(a_text_of_null_is_empty)
{
    start(LOG_LEVEL_INFO);
    log_info("x", log_text("t", NULL), log_uint("n", 0));
    EXPECT_STR("level=info event=x t=\"\" n=0\n", without_time(last_line()));
}

/* Reads a line as logfmt: words name=value, a value bare or in quotes with escapes.
 *   returns   false when it is not that. */
static bool is_logfmt(const char *line)
{
    for (;;) {
        size_t name = strcspn(line, "= \n\"");
        if (name == 0 || line[name] != '=')
            return false;
        line += name + 1;
        if (*line == '"') {
            for (line++; *line && *line != '"' && *line != '\n'; line++)
                if (*line == '\\' && !*++line)
                    return false;
            if (*line++ != '"')
                return false;
        } else {
            size_t value = strcspn(line, " \n\"");
            if (value == 0)
                return false;
            line += value;
        }
        if (*line == '\n')
            return line[1] == '\0';
        if (*line++ != ' ')
            return false;
    }
}

TEST(a_long_line_is_cut_and_is_still_a_line)
{
    static const char fillings[] = {'a', '"', '\n'};
    char text[LOG_LINE_SIZE_MAX * 2];

    for (size_t f = 0; f < ARRAY_SIZE(fillings); f++) {
        memset(text, fillings[f], sizeof text);
        for (size_t size = 200; size < 1100; size++) {
            start(LOG_LEVEL_INFO);
            log_info("cut", log_str("text", (struct str){text, size}), log_uint("number", 123456),
                     log_text("more", "tea"));
            EXPECT_UINT(1, reader.count);
            EXPECT_THAT(is_logfmt(last_line()), "%zu times %02x: ...%s", size,
                        (unsigned)fillings[f], last_line() + strlen(last_line()) - 20);
        }
    }
}

TEST(many_fields_are_cut_too_and_no_number_loses_its_end)
{
    struct log_field fields[100];

    start(LOG_LEVEL_INFO);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        fields[i] = log_uint("number", 123456);
    for (size_t shift = 1; shift < 16; shift++) {
        log_event(LOG_LEVEL_INFO, &"abcdefghijklmnop"[16 - shift], fields, ARRAY_SIZE(fields));
        EXPECT(is_logfmt(last_line()));
        const char *at = strstr(last_line(), " number=");
        for (; at; at = strstr(at + 1, " number="))
            EXPECT_THAT(strncmp(at, " number=123456", 14) == 0, "cut to%.14s", at);
    }
}

TEST(a_level_shows_itself_and_what_is_worse)
{
    for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
        start((enum log_level)level);
        log_error("x", log_uint("n", 0));
        log_warning("x", log_uint("n", 1));
        log_info("x", log_uint("n", 2));
        log_debug("x", log_uint("n", 3));
        EXPECT_UINT(level + 1, reader.count);
        for (int i = LOG_LEVEL_ERROR; i <= LOG_LEVEL_DEBUG; i++)
            EXPECT(log_level_is_on((enum log_level)i) == (i <= level));
    }
}

TEST(level_names_are_four_exact_words)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    enum log_level level = LOG_LEVEL_INFO;

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        EXPECT(log_level_of(str_of(names[i]), &level));
        EXPECT_UINT(i, level);
    }
    EXPECT(!log_level_of(STR("Info"), &level));
    EXPECT(!log_level_of(STR("warn"), &level));
    EXPECT(!log_level_of(STR(""), &level));
    EXPECT_UINT(LOG_LEVEL_DEBUG, level);
}

TEST(lines_over_the_rate_are_counted_and_reported_once)
{
    start(LOG_LEVEL_INFO);
    uint64_t before = log_dropped_count();
    for (int i = 0; i < LOG_LINES_PER_S + 30; i++)
        log_error("flood", log_uint("n", 1));
    EXPECT_UINT(LOG_LINES_PER_S, reader.count);
    EXPECT_UINT(30, log_dropped_count() - before);

    reader.now_ms += 1000;
    log_info("quiet", log_uint("n", 1));
    EXPECT_UINT(LOG_LINES_PER_S + 2, reader.count);
    EXPECT_STR("level=warning event=log_dropped lines=30\n",
               without_time(reader.lines[LOG_LINES_PER_S]));
    EXPECT_STR("level=info event=quiet n=1\n", without_time(last_line()));

    reader.now_ms += 1000;
    log_info("quiet", log_uint("n", 2));
    EXPECT_UINT(LOG_LINES_PER_S + 3, reader.count);
}

TEST(the_report_counts_as_a_line_of_its_second)
{
    start(LOG_LEVEL_INFO);
    for (int i = 0; i < LOG_LINES_PER_S + 1; i++)
        log_error("flood", log_uint("n", 1));
    reader.now_ms += 1000;
    reader.count = 0;
    for (int i = 0; i < 2 * LOG_LINES_PER_S; i++)
        log_error("flood", log_uint("n", 1));
    EXPECT_UINT(LOG_LINES_PER_S, reader.count);
}

TEST(a_flood_of_information_leaves_room_for_warnings_and_errors)
{
    start(LOG_LEVEL_DEBUG);
    for (int i = 0; i < LOG_LINES_PER_S; i++)
        log_info("flood", log_uint("n", 1));
    EXPECT_UINT(LOG_LINES_PER_S - LOG_LINES_FOR_WARNINGS, reader.count);
    log_debug("flood", log_uint("n", 1));
    EXPECT_UINT(LOG_LINES_PER_S - LOG_LINES_FOR_WARNINGS, reader.count);
    for (int i = 0; i < LOG_LINES_PER_S; i++)
        log_warning("seen", log_uint("n", 1));
    EXPECT_UINT(LOG_LINES_PER_S, reader.count);
}

TEST(lines_that_a_full_pipe_has_cost_are_reported_when_it_is_read_again)
{
    start(LOG_LEVEL_INFO);
    reader.full = true;
    for (int i = 0; i < 5; i++)
        log_info("lost", log_uint("n", 1));
    reader.now_ms += 1000;
    log_info("lost", log_uint("n", 1)); /* and the report of the five finds it full as well */
    reader.now_ms += 1000;
    reader.full = false;
    log_info("seen", log_uint("n", 1));

    EXPECT_UINT(2, reader.count);
    unsigned lines = 0;
    EXPECT(sscanf(strstr(reader.lines[0], "lines="), "lines=%u", &lines) == 1);
    EXPECT_THAT(lines >= 6, "six events were lost, %u are reported", lines);
    EXPECT_STR("level=info event=seen n=1\n", without_time(last_line()));
}

TEST(events_below_the_level_cost_nothing_of_the_rate)
{
    start(LOG_LEVEL_INFO);
    for (int i = 0; i < 10 * LOG_LINES_PER_S; i++)
        log_debug("detail", log_uint("n", 1));
    log_info("seen", log_uint("n", 1));
    EXPECT_UINT(1, reader.count);
}

/* ---- addresses and rooms ---- */

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};
    if (!ip_read(str_of(text), &ip))
        abort();
    return ip;
}

TEST(an_address_is_cut_to_its_network_at_every_level)
{
    static const char *const rows[][2] = {
        {"192.0.2.55", "192.0.2.0/24"},
        {"::ffff:192.0.2.55", "192.0.2.0/24"},
        {"2001:db8:17:4:5:6:7:8", "2001:db8:17::/48"},
        {"::1", "0:0:0::/48"},
    };

    start(LOG_LEVEL_DEBUG);
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        log_debug("x", log_address("client", ip_of(rows[i][0])));
        EXPECT_STR(fmt("level=debug event=x client=\"%s\"\n", rows[i][1]),
                   without_time(last_line()));
    }
}

TEST(a_room_is_eight_digits_that_only_the_key_makes)
{
    struct log_style style = {.key = {UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
    char first[LOG_LINE_SIZE_MAX];

    start(LOG_LEVEL_INFO);
    log_set_style(&style);
    log_info("x", log_room("room", STR("tea")), log_room("room", STR("tea")),
             log_room("room", STR("Tea")));
    char *line = strcpy(first, without_time(last_line()).text);
    EXPECT_THAT(strlen(line) == strlen("level=info event=x\n") + 3 * strlen(" room=\"01234567\""),
                "%s", line);
    EXPECT(strncmp(line + 18, line + 34, 16) == 0);
    EXPECT(strncmp(line + 18, line + 50, 16) != 0);
    style.key.k1++;
    log_set_style(&style);
    log_info("x", log_room("room", STR("tea")));
    EXPECT(strncmp(line + 18, without_time(last_line()).text + 18, 16) != 0);
}

/* ---- JSON ---- */

static void start_json(void)
{
    start(LOG_LEVEL_INFO);
    log_set_style(&(struct log_style){.format = LOG_FORMAT_JSON});
}

TEST(json_lines_have_the_same_names_and_numbers_are_numbers)
{
    reader.now_ms = 0;
    start_json();
    reader.now_ms = UINT64_C(1772360102114);
    log_info("listening", log_text("plane", "public"), log_uint("port", 3000));
    EXPECT_STR("{\"ts\":\"2026-03-01T10:15:02.114Z\",\"level\":\"info\",\"event\":\"listening\","
               "\"plane\":\"public\",\"port\":3000}\n",
               str_of(last_line()));
}

TEST(json_texts_are_characters_and_what_is_none_is_replaced)
{
    static const struct {
        struct str text;
        const char *json;
    } rows[] = {
        {ROW_STR("plain ~"), "plain ~"},
        {ROW_STR("a\"b\\c/"), "a\\\"b\\\\c/"},
        {ROW_STR("\0\t\n\x1b\x7f"), "\\u0000\\u0009\\u000a\\u001b\\u007f"},
        {ROW_STR("\xc3\xa4\xe2\x82\xac"), "\\u00e4\\u20ac"},
        {ROW_STR("\xf0\x9f\x8c\xba"), "\\ud83c\\udf3a"},
        {ROW_STR("\xff|\x80"), "\\ufffd|\\ufffd"},
        {ROW_STR("\xe2\x82|"), "\\ufffd|"},
        {ROW_STR("\xed\xa0\x80"), "\\ufffd\\ufffd\\ufffd"},
        {ROW_STR("\xc0\xaf"), "\\ufffd\\ufffd"},
        {ROW_STR("\xf0\x9f\x8c"), "\\ufffd"},
        {ROW_STR(""), ""},
    };

    start_json();
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        reader.count = 0;
        log_info("x", log_str("t", rows[i].text));
        const char *at = strstr(last_line(), ",\"t\":");
        EXPECT(at);
        EXPECT_STR(fmt(",\"t\":\"%s\"}\n", rows[i].json), str_of(at));
    }
}

/* Each line is one JSON object for a reader that is not ours, however it had to be cut. */
TEST(a_cut_line_is_still_json)
{
    static const char *const fillings[] = {"a", "\"", "\n", "\xff", "\xf0\x9f\x8c\xba"};
    char text[LOG_LINE_SIZE_MAX * 2];

    for (size_t f = 0; f < ARRAY_SIZE(fillings); f++) {
        size_t unit = strlen(fillings[f]);
        for (size_t i = 0; i + unit <= sizeof text; i += unit)
            memcpy(text + i, fillings[f], unit);
        for (size_t size = 50; size < 1100; size++) {
            start_json();
            log_info("cut", log_str("text", (struct str){text, size}), log_uint("number", 123456),
                     log_text("more", "tea"));
            json_t *line = json_loads(last_line(), JSON_REJECT_DUPLICATES, NULL);
            EXPECT_THAT(json_is_object(line), "%zu: %s", size, last_line());
            EXPECT_STR("cut", str_of(json_string_value(json_object_get(line, "event"))));
            const json_t *number = json_object_get(line, "number");
            EXPECT(!number || json_integer_value(number) == 123456);
            json_decref(line);
        }
    }
}

/* ---- the journal ---- */

TEST(the_journal_gets_priorities_and_its_own_time)
{
    struct log_style style = {.journal = true};

    start(LOG_LEVEL_DEBUG);
    log_set_style(&style);
    log_error("x", log_uint("n", 1));
    EXPECT_STR("<3>level=error event=x n=1\n", str_of(last_line()));
    log_warning("x", log_uint("n", 1));
    EXPECT_STR("<4>level=warning event=x n=1\n", str_of(last_line()));
    log_info("x", log_uint("n", 1));
    EXPECT_STR("<6>level=info event=x n=1\n", str_of(last_line()));
    log_debug("x", log_uint("n", 1));
    EXPECT_STR("<7>level=debug event=x n=1\n", str_of(last_line()));
    style.format = LOG_FORMAT_JSON; /* is read by programs: there nothing is left out */
    log_set_style(&style);
    log_error("x", log_uint("n", 1));
    EXPECT(strncmp(last_line(), "<3>{\"ts\":\"20", 12) == 0);
}

TEST(without_a_sink_lines_go_nowhere)
{
    start(LOG_LEVEL_DEBUG);
    log_init(NULL, LOG_LEVEL_DEBUG);
    EXPECT(!log_level_is_on(LOG_LEVEL_ERROR));
    log_error("x", log_uint("n", 1));
    EXPECT_UINT(0, reader.count);
}
