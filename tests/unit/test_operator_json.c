/* operator_json: what is said of rooms and of the server, and what is taken for a body. */
#include "world.h"

#include "aloha/operator_json.h"

static struct buf out;

static const char *said(void)
{
    return out.failed ? "(failed)" : fmt("%.*s", (int)out.size, out.data ? out.data : "");
}

static void begin(void)
{
    buf_deinit(&out);
    buf_init(&out, OPERATOR_ANSWER_SIZE_MAX);
}

static const char *rooms(struct world *world, bool ids, uint32_t limit, uint64_t after)
{
    struct operator_list list = {.ids = ids, .limit = limit, .after = after};
    begin();
    operator_write_rooms(&out, world->hub, &list, world->metrics.values[METRIC_ROOMS],
                         world->now_ms);
    return said();
}

TEST(no_rooms_are_a_list_too)
{
    struct world *world = world_new();

    EXPECT_STR("{\"total\":0,\"rooms\":[]}\n", str_of(rooms(world, true, 10, 0)));
    world_free(world);
}

TEST(rooms_are_listed_with_their_ids_only_when_asked)
{
    struct world *world = world_new_limited(world_calm_limits());
    (void)world_join(world, "tea");
    conn_id away = world_join(world, "tea");
    world_wait(world, 2000);
    (void)world_join(world, "milk");
    world_end(world, away, HUB_END_LOST);

    EXPECT_STR(
        "{\"total\":2,\"rooms\":["
        "{\"number\":1,\"peers\":2,\"away\":1,\"knocking\":0,\"locked\":false,\"ageSeconds\":2},"
        "{\"number\":2,\"peers\":1,\"away\":0,\"knocking\":0,\"locked\":false,\"ageSeconds\":0}"
        "]}\n",
        str_of(rooms(world, false, 10, 0)));
    EXPECT(strstr(rooms(world, true, 10, 0), "{\"number\":1,\"id\":\"tea\",\"peers\":2,"));
    world_free(world);
}

TEST(a_long_list_is_had_in_parts_while_rooms_come_and_go)
{
    struct world *world = world_new();
    conn_id first = world_join(world, "a");
    (void)world_join(world, "b");
    (void)world_join(world, "c");

    EXPECT(strstr(rooms(world, true, 2, 0), "\"id\":\"b\""));
    EXPECT(!strstr(said(), "\"id\":\"c\""));
    EXPECT(strstr(said(), "],\"next\":2}\n"));
    world_end(world, first, HUB_END_GOODBYE);
    EXPECT(strstr(rooms(world, true, 2, 2), "[{\"number\":3,\"id\":\"c\""));
    EXPECT(!strstr(said(), "next"));
    EXPECT_STR("{\"total\":2,\"rooms\":[]}\n", str_of(rooms(world, true, 2, 3)));
    world_free(world);
}

TEST(a_room_is_shown_with_who_is_in_it)
{
    struct world *world = world_new_limited(world_calm_limits());
    conn_id mele = world_open(world);
    world_say(world, mele,
              "{\"type\":\"JoinRoom\",\"roomId\":\"tea\",\"name\":\"M\\u00e9le \\\"x\\\"\"}");
    (void)world_join(world, "tea");
    conn_id away = world_join(world, "tea");
    world_end(world, away, HUB_END_LOST);
    world_say_lock(world, mele, true);
    conn_id knocker = world_open(world);
    world_say_join(world, knocker, "tea");
    world_wait(world, 1000);

    begin();
    EXPECT(operator_write_room(&out, world->hub, STR("tea"), world->now_ms));
    EXPECT_STR(
        fmt("{\"number\":1,\"id\":\"tea\",\"peers\":3,\"away\":1,\"knocking\":1,\"locked\":true,"
            "\"ageSeconds\":1,\"members\":["
            "{\"peerId\":\"%s\",\"state\":\"here\",\"ageSeconds\":1,\"name\":\"M\xc3\xa9le "
            "\\\"x\\\"\"},"
            "{\"peerId\":\"%s\",\"state\":\"here\",\"ageSeconds\":1},"
            "{\"peerId\":\"%s\",\"state\":\"away\",\"ageSeconds\":1},"
            "{\"peerId\":\"%s\",\"state\":\"knocking\",\"ageSeconds\":1}]}\n",
            peer_id(1), peer_id(2), peer_id(3), peer_id(4)),
        str_of(said()));
    world_free(world);
}

TEST(a_room_that_is_not_there_is_nothing)
{
    struct world *world = world_new();
    (void)world_join(world, "tea");

    begin();
    EXPECT(!operator_write_room(&out, world->hub, STR("te"), world->now_ms));
    EXPECT_STR("", str_of(said()));
    world_free(world);
}

TEST(without_memory_an_answer_fails_as_a_whole)
{
    struct world *world = world_new();
    (void)world_join(world, "tea");
    struct operator_list list = {.ids = true, .limit = 10};
    unsigned n = 0;
    bool failed;

    do {
        begin();
        fail_allocation(++n);
        operator_write_rooms(&out, world->hub, &list, 1, world->now_ms);
        bool found = operator_write_room(&out, world->hub, STR("tea"), world->now_ms);
        failed = allocation_has_failed();
        fail_allocation(0);
        EXPECT(found);
        EXPECT(out.failed == failed);
    } while (failed && !test_has_failed());
    EXPECT(n > 1);
    buf_deinit(&out);
    world_free(world);
}

TEST(readiness_is_a_word_or_a_line_for_each_reason)
{
    begin();
    operator_write_readiness(&out, 0);
    EXPECT_STR("ready\n", str_of(said()));
    begin();
    operator_write_readiness(&out, 1u << NOT_READY_DRAINING | 1u << NOT_READY_ROOMS);
    EXPECT_STR("draining\nrooms-full\n", str_of(said()));
    buf_deinit(&out);
}

TEST(the_status_says_what_there_is)
{
    struct metrics metrics = {.values = {[METRIC_ROOMS] = 2, [METRIC_PEERS] = 5}};
    struct operator_status status = {
        .metrics = &metrics,
        .uptime_ms = 61999,
        .lag_ms = 3,
        .not_ready = 1u << NOT_READY_CORDONED | 1u << NOT_READY_LAGGING,
        .cordoned = true,
        .log_level = LOG_LEVEL_DEBUG,
    };

    begin();
    operator_write_status(&out, &status);
    EXPECT_STR("{\"version\":\"" ALOHA_VERSION "\",\"uptimeSeconds\":61,\"ready\":false,"
               "\"reasons\":[\"cordoned\",\"lagging\"],\"drain\":true,\"logLevel\":\"debug\","
               "\"lagMilliseconds\":3,\"connections\":0,\"webSockets\":0,\"rooms\":2,\"peers\":5,"
               "\"away\":0,\"knocking\":0}\n",
               str_of(said()));
    status.certificate_expires_s = 1900000000;
    begin();
    operator_write_status(&out, &status);
    EXPECT(strstr(said(), "\"certificateExpires\":1900000000}\n"));
    buf_deinit(&out);
}

TEST(a_fault_has_a_code_and_words)
{
    for (int i = OPERATOR_FINE + 1; i < OPERATOR_FAULT_COUNT; i++) {
        begin();
        operator_write_fault(&out, (enum operator_fault)i);
        EXPECT_STR(fmt("{\"code\":\"%s\",\"message\":\"%s\"}\n",
                       operator_fault_code((enum operator_fault)i),
                       operator_fault_text((enum operator_fault)i)),
                   str_of(said()));
        EXPECT(operator_fault_status((enum operator_fault)i) >= 400);
    }
    buf_deinit(&out);
}

TEST(drain_is_on_or_off_and_nothing_else)
{
    static const struct {
        const char *text;
        bool good, on;
    } rows[] = {
        {"{\"on\":true}", true, true},
        {" { \"on\" : false }\n", true, false},
        {"", false, false},
        {"{}", false, false},
        {"{\"on\":1}", false, false},
        {"{\"on\":\"true\"}", false, false},
        {"{\"on\":null}", false, false},
        {"{\"on\":true,\"on\":true}", false, false},
        {"{\"on\":true,\"off\":true}", false, false},
        {"{\"\\u006fn\":true}", false, false},
        {"{\"on\":true} x", false, false},
        {"\xef\xbb\xbf{\"on\":true}", false, false},
        {"{\"on\":[true]}", false, false},
        {"[true]", false, false},
        {"true", false, false},
        {"{\"on\xff\":true}", false, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        bool on = false;
        EXPECT_THAT(operator_read_drain(str_of(rows[i].text), &on) == rows[i].good, "%s",
                    rows[i].text);
        EXPECT_THAT(!rows[i].good || on == rows[i].on, "%s", rows[i].text);
    }
}

TEST(a_log_level_is_one_of_four_words)
{
    static const struct {
        const char *text;
        bool good;
        enum log_level level;
    } rows[] = {
        {"{\"level\":\"error\"}", true, LOG_LEVEL_ERROR},
        {"{\"level\":\"warning\"}", true, LOG_LEVEL_WARNING},
        {"{\"level\":\"info\"}", true, LOG_LEVEL_INFO},
        {"{\"level\":\"d\\u0065bug\"}", true, LOG_LEVEL_DEBUG},
        {"{\"level\":\"trace\"}", false, 0},
        {"{\"level\":\"\"}", false, 0},
        {"{\"level\":3}", false, 0},
        {"{\"level\":\"debug\",\"level\":\"info\"}", false, 0},
        {"{\"level\":\"a word that is longer than all of them\"}", false, 0},
        {"{}", false, 0},
        {"", false, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        enum log_level level = LOG_LEVEL_ERROR;
        EXPECT_THAT(operator_read_log_level(str_of(rows[i].text), &level) == rows[i].good, "%s",
                    rows[i].text);
        EXPECT_THAT(!rows[i].good || level == rows[i].level, "%s", rows[i].text);
    }
}

TEST(nothing_is_an_empty_object_or_an_empty_body)
{
    EXPECT(operator_read_nothing(STR("")));
    EXPECT(operator_read_nothing(STR(" {} ")));
    EXPECT(!operator_read_nothing(STR(" ")));
    EXPECT(!operator_read_nothing(STR("{\"a\":1}")));
    EXPECT(!operator_read_nothing(STR("{\"\":1}")));
    EXPECT(!operator_read_nothing(STR("[]")));
    EXPECT(!operator_read_nothing(STR("{}{}")));
}
