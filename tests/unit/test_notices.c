/* notices: a line when something begins, and then one a minute. */
#include "aloha/notices.h"
#include "harness.h"

#include "aloha/log.h"

#include <stdio.h>

static struct {
    char text[65536];
    size_t size;
} reader;

static uint64_t tell_time(void *ctx)
{
    static uint64_t now_ms;
    (void)ctx;
    return now_ms += 1000;
}

static bool take_line(void *ctx, const char *line, size_t size)
{
    (void)ctx;
    if (reader.size + size >= sizeof reader.text)
        abort();
    memcpy(reader.text + reader.size, line, size);
    reader.size += size;
    reader.text[reader.size] = '\0';
    return true;
}

static void start(void)
{
    static const struct log_sink sink = {.wall_ms = tell_time, .write = take_line};
    log_init(&sink, LOG_LEVEL_INFO);
    reader.size = 0;
    reader.text[0] = '\0';
}

/* All lines since the last call, each from its level on. */
static const char *said(void)
{
    static char out[sizeof reader.text];
    struct str rest = {reader.text, reader.size};
    size_t size = 0;

    out[0] = '\0';
    while (rest.size) {
        struct str line = str_cut(&rest, '\n');
        const char *at = memmem(line.text, line.size, " level=", 7);
        if (!at)
            abort();
        size +=
            (size_t)sprintf(out + size, "%.*s\n", (int)(line.text + line.size - at - 1), at + 1);
    }
    reader.size = 0;
    return out;
}

TEST(nothing_happened_nothing_is_said)
{
    struct notices notices = {0};
    struct metrics metrics = {0};

    start();
    for (uint64_t now_ms = 0; now_ms < 200000; now_ms += 1000)
        notices_tick(&notices, &metrics, now_ms);
    EXPECT_STR("", str_of(said()));
}

TEST(what_begins_is_told_at_once_and_then_once_a_minute)
{
    struct notices notices = {0};
    struct metrics metrics = {0};

    start();
    metrics.refused[REFUSED_FULL] = 1;
    notices_tick(&notices, &metrics, 1000);
    EXPECT_STR("level=warning event=limit_reached kind=\"connections\" count=1\n", str_of(said()));
    for (uint64_t now_ms = 2000; now_ms < 1000 + NOTICE_EVERY_MS; now_ms += 1000) {
        metrics.refused[REFUSED_FULL] += 10;
        notices_tick(&notices, &metrics, now_ms);
    }
    EXPECT_STR("", str_of(said()));
    notices_tick(&notices, &metrics, 1000 + NOTICE_EVERY_MS);
    EXPECT_STR("level=warning event=limit_reached kind=\"connections\" count=590\n",
               str_of(said()));
    notices_tick(&notices, &metrics, 1000 + 10 * NOTICE_EVERY_MS);
    EXPECT_STR("", str_of(said()));
    metrics.refused[REFUSED_FULL]++;
    notices_tick(&notices, &metrics, 2000 + 10 * NOTICE_EVERY_MS);
    EXPECT_STR("level=warning event=limit_reached kind=\"connections\" count=1\n", str_of(said()));
}

TEST(one_kind_does_not_keep_another_quiet)
{
    struct notices notices = {0};
    struct metrics metrics = {0};

    start();
    metrics.refused[REFUSED_ADDRESS] = 1;
    notices_tick(&notices, &metrics, 1000);
    EXPECT_STR("level=info event=limit_reached kind=\"address\" count=1\n", str_of(said()));
    metrics.drops[DROP_RATE] = 2;
    metrics.values[METRIC_REFUSED_ORIGIN] = 3;
    metrics.values[METRIC_RESUMES_REFUSED] = 4;
    metrics.closes[CLOSE_POLICY] = 5;
    metrics.closes[CLOSE_SLOW] = 6;
    metrics.errors[ERR_ROOM_FULL] = 7;
    metrics.errors[ERR_HUB_FULL] = 8;
    metrics.errors[ERR_NO_MEMORY] = 9;
    notices_tick(&notices, &metrics, 2000);
    EXPECT_STR("level=info event=limit_reached kind=\"rate\" count=2\n"
               "level=info event=limit_reached kind=\"policy\" count=5\n"
               "level=info event=limit_reached kind=\"queue\" count=6\n"
               "level=info event=limit_reached kind=\"room\" count=7\n"
               "level=warning event=limit_reached kind=\"hub\" count=8\n"
               "level=error event=limit_reached kind=\"memory\" count=9\n"
               "level=warning event=origin_refused count=3\n"
               "level=info event=resume_refused count=4\n",
               str_of(said()));
}
