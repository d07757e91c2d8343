/* ctl: from words to a request, and from its answer to what a person reads. */
#include "harness.h"

#include "aloha/commands.h"
#include "aloha/ctl.h"

#include <stdio.h>

#define PEER "8f3a1c52-0c1e-4d7a-9b1f-3a5c7e9d1b2f"

static struct buf out;
static char problem[CTL_PROBLEM_SIZE];
static char words_text[512];
static char *words[16], *options[16];
static int option_count;

static void begin(void)
{
    buf_deinit(&out);
    buf_init(&out, 65536);
    problem[0] = '\0';
}

static const char *said(void)
{
    return fmt("%.*s", (int)out.size, out.data ? out.data : "");
}

/* Words with blanks between them. */
static bool read_words(struct ctl_call *call, const char *line)
{
    int count = 0;

    begin();
    snprintf(words_text, sizeof words_text, "%s", line);
    for (char *at = strtok(words_text, " "); at; at = strtok(NULL, " "))
        words[count++] = at;
    return ctl_read(call, count, words, options, &option_count, problem);
}

static const char *request_of(const char *line, const char *token)
{
    struct ctl_call call;

    if (!read_words(&call, line) || !call.command)
        return problem;
    ctl_write_request(&out, &call, "localhost", str_of(token));
    return said();
}

TEST(each_command_is_a_request)
{
    static const struct {
        const char *line, *request;
    } rows[] = {
        {"status", "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"},
        {"rooms", "GET /api/v1/rooms?ids=no&after=0 HTTP/1.1\r\nHost: localhost\r\nConnection: "
                  "close\r\n\r\n"},
        {"--ids rooms", "GET /api/v1/rooms?ids=yes&after=0 HTTP/1.1\r\nHost: "
                        "localhost\r\nConnection: close\r\n\r\n"},
        {"room tea",
         "GET /api/v1/rooms/tea HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"},
        {"room -- --json",
         "GET /api/v1/rooms/--json HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"},
        {"close-room tea",
         "DELETE /api/v1/rooms/tea HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"},
        {"remove " PEER,
         "DELETE /api/v1/peers/" PEER " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"},
        {"drain on", "PUT /api/v1/drain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nContent-Length: 11\r\n\r\n{\"on\":true}"},
        {"drain off", "PUT /api/v1/drain HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                      "Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"on\":false}"},
        {"log-level debug",
         "PUT /api/v1/log-level HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
         "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"level\":\"debug\"}"},
        {"reload", "POST /api/v1/reload HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                   "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"},
        {"health", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"},
        {"ready", "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"},
        {"metrics", "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_STR(rows[i].request, str_of(request_of(rows[i].line, "")));
    EXPECT(strstr(request_of("status", "secret"), "\r\nAuthorization: Bearer secret\r\n"));
}

TEST(a_wrong_word_is_one_line)
{
    static const struct {
        const char *line, *problem;
    } rows[] = {
        {"", "ctl: needs a command; aloha ctl --help lists them"},
        {"frob", "frob: no such command; aloha ctl --help lists them"},
        {"status now", "status: \"now\" is too much"},
        {"room", "room: needs ID"},
        {"room a b", "room: \"b\" is too much"},
        {"room a/b", "room: \"a/b\" is no ID"},
        {"remove x", "remove: \"x\" is no PEER"},
        {"drain maybe", "drain: \"maybe\" is no on|off"},
        {"log-level loud", "log-level: \"loud\" is no LEVEL"},
        {"status --ids", "--ids: belongs to rooms"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_STR(rows[i].problem, str_of(request_of(rows[i].line, "")));
}

TEST(options_of_the_server_are_passed_on_with_their_values)
{
    struct ctl_call call;

    EXPECT(read_words(&call, "--ops-port 4001 room --ops-bind=::1 tea --json"));
    EXPECT_STR("tea", str_of(call.argument));
    EXPECT(call.json);
    EXPECT_UINT(3, option_count);
    EXPECT_STR("--ops-port", str_of(options[0]));
    EXPECT_STR("4001", str_of(options[1]));
    EXPECT_STR("--ops-bind=::1", str_of(options[2]));
    EXPECT(read_words(&call, "status --ops-port"));
    EXPECT_UINT(1, option_count);
}

TEST(help_is_given_whatever_else_stands_there)
{
    struct ctl_call call;

    EXPECT(read_words(&call, "room --help"));
    EXPECT(!call.command);
    EXPECT(read_words(&call, "-h"));
    ctl_write_help(&out);
    for (struct str rest = buf_str(&out); rest.size;)
        EXPECT(str_cut(&rest, '\n').size <= 88);
}

TEST(the_shells_complete_every_command)
{
    for (size_t i = 0; i < command_count; i++) {
        if (strcmp(command_rows[i].name, "ctl") != 0)
            continue;
        const char *listed = command_rows[i].words;
#define CTL_LISTED(name, ...)                                                                      \
    EXPECT_THAT(strstr(fmt(" %s ", listed), " " name " "), "%s is not listed", name);
        CTL_TABLE(CTL_LISTED)
#undef CTL_LISTED
        return;
    }
    EXPECT_THAT(false, "there is no ctl");
}

/* ---- answers ---- */

static const char *answer_to(const char *line, const char *json, uint64_t *after)
{
    struct ctl_call call;
    struct http_reply reply = {.status = 200, .is_json = true, .body = str_of(json)};

    if (!read_words(&call, line))
        return problem;
    call.after = after ? *after : 0;
    if (!ctl_write_answer(&out, &call, &reply, 1000000))
        return "(not understood)";
    if (after)
        *after = call.after;
    return said();
}

TEST(the_status_is_a_table)
{
    EXPECT_STR("aloha         0.1.0, up 3 d 4 h\n"
               "ready         no: cordoned, lagging\n"
               "connections   12, WebSockets 8\n"
               "rooms         3\n"
               "peers         8, away 1, knocking 2\n"
               "drain         on\n"
               "log level     info\n"
               "loop lag      7 ms\n"
               "certificate   expires in 1 d\n",
               str_of(
                   answer_to("status",
                             "{\"version\":\"0.1.0\",\"uptimeSeconds\":273700,\"ready\":false,"
                             "\"reasons\":[\"cordoned\",\"lagging\"],\"drain\":true,\"logLevel\":"
                             "\"info\",\"lagMilliseconds\":7,\"connections\":12,\"webSockets\":8,"
                             "\"rooms\":3,\"peers\":8,\"away\":1,\"knocking\":2,"
                             "\"certificateExpires\":1086400}",
                             NULL)));
    EXPECT(strstr(answer_to("status", "{\"certificateExpires\":999999}", NULL), "has expired"));
    EXPECT(!strstr(answer_to("status", "{}", NULL), "certificate"));
}

TEST(rooms_are_a_table_with_one_head)
{
    uint64_t after = 0;

    EXPECT_STR("   ROOM  PEERS  AWAY  KNOCKING  LOCKED  AGE           ID\n"
               "     17      3     1         2  yes     1 h 1 min     tea\n",
               str_of(answer_to("rooms --ids",
                                "{\"total\":2,\"rooms\":[{\"number\":17,\"id\":\"tea\",\"peers\":3,"
                                "\"away\":1,\"knocking\":2,\"locked\":true,\"ageSeconds\":3661}],"
                                "\"next\":17}",
                                &after)));
    EXPECT_UINT(17, after);
    EXPECT_STR("     18      1     0         0  no      59 s        \n",
               str_of(answer_to("rooms",
                                "{\"total\":2,\"rooms\":[{\"number\":18,\"peers\":1,\"away\":0,"
                                "\"knocking\":0,\"locked\":false,\"ageSeconds\":59}]}",
                                &after)));
    EXPECT_UINT(0, after);
    EXPECT_STR("no rooms\n", str_of(answer_to("rooms", "{\"total\":0,\"rooms\":[]}", NULL)));
    after = 17;
    (void)answer_to("rooms", "{\"total\":2,\"rooms\":[],\"next\":17}", &after);
    EXPECT_UINT(0, after); /* or it would ask for ever */
}

TEST(a_room_is_a_table_of_who_is_in_it_and_steers_no_terminal)
{
    const char *text = answer_to(
        "room tea",
        "{\"number\":1,\"id\":\"tea\",\"peers\":1,\"away\":0,\"knocking\":0,\"locked\":false,"
        "\"ageSeconds\":60,\"members\":[{\"peerId\":\"" PEER
        "\",\"state\":\"here\",\"ageSeconds\":60,\"name\":\"M\\u00e9le\\u001b[2J\\n\"},"
        "{\"peerId\":\"" PEER "\",\"state\":\"knocking\",\"ageSeconds\":1}]}",
        NULL);

    EXPECT(strstr(text, "\n" PEER "  here      1 min         M\xc3\xa9le?[2J?\n"));
    EXPECT(strstr(text, "\n" PEER "  knocking  1 s           \n"));
}

TEST(what_was_done_is_said)
{
    EXPECT_STR("room tea is closed\n",
               str_of(answer_to("close-room tea", "{\"closed\":true}", NULL)));
    EXPECT_STR("peer " PEER " is removed\n",
               str_of(answer_to("remove " PEER, "{\"removed\":true}", NULL)));
    EXPECT_STR("drain is on: no new rooms, calls go on\n",
               str_of(answer_to("drain on", "{\"on\":true}", NULL)));
    EXPECT_STR("drain is off: new rooms are welcome\n",
               str_of(answer_to("drain off", "{\"on\":false}", NULL)));
    EXPECT_STR("reloaded\n", str_of(answer_to("reload", "{\"reloaded\":true}", NULL)));
    EXPECT(strstr(answer_to("reload", "{\"reloaded\":false}", NULL), "the log says what"));
    EXPECT_STR("log level is debug\n",
               str_of(answer_to("log-level debug", "{\"level\":\"debug\"}", NULL)));
    EXPECT_STR("ready\n", str_of(answer_to("ready", "ready\n", NULL)));
}

TEST(json_is_shown_as_it_came_and_goes_on_all_the_same)
{
    uint64_t after = 0;

    EXPECT_STR("{\"total\":9, \"rooms\":[],\"next\":5}\n",
               str_of(
                   answer_to("rooms --json", "{\"total\":9, \"rooms\":[],\"next\":5}\n", &after)));
    EXPECT_UINT(5, after);
}

TEST(what_cannot_be_understood_is_said_to_be_so)
{
    static const char *const texts[] = {"", "[]", "{\"a\":1,\"a\":2}", "{", "ready"};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        EXPECT_STR("(not understood)", str_of(answer_to("status", texts[i], NULL)));
}

TEST(without_memory_an_answer_is_whole_or_has_failed)
{
    struct ctl_call call;
    struct http_reply reply = {.status = 200,
                               .is_json = true,
                               .body = STR("{\"level\":\"debug\"}")};
    unsigned n = 0;
    bool failed;

    do {
        EXPECT(read_words(&call, "log-level debug"));
        fail_allocation(++n);
        bool good = ctl_write_answer(&out, &call, &reply, 0);
        failed = allocation_has_failed();
        fail_allocation(0);
        EXPECT(failed || good);
        if (good && !out.failed)
            EXPECT_STR("log level is debug\n", str_of(said()));
    } while (failed && !test_has_failed());
    EXPECT(n > 1);
}

TEST(a_refusal_is_one_line_with_what_helps)
{
    static const struct {
        const char *line;
        unsigned status;
        const char *json, *problem;
    } rows[] = {
        {"status", 401, "{}", "status: the server wants another token than --ops-token-file has"},
        {"status", 403, "{}",
         "status: the server has no operator's token: start it with --ops-token-file"},
        {"room tea", 404, "{}", "room: there is no tea"},
        {"status", 429, "{}",
         "status: the server has had too many wrong tokens, and this is one of them"},
        {"status", 503, "{\"code\":\"x\",\"message\":\"no memory\"}",
         "status: the server says 503, no memory"},
        {"status", 500, "<html>", "status: the server says 500"},
        {"status", 404, "{\"message\":7}", "status: the server says 404"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct ctl_call call;
        struct http_reply reply = {.status = rows[i].status,
                                   .is_json = true,
                                   .body = str_of(rows[i].json)};
        EXPECT(read_words(&call, rows[i].line));
        call.has_token = true;
        ctl_write_refusal(problem, &call, &reply);
        EXPECT_STR(rows[i].problem, str_of(problem));
    }
    buf_deinit(&out);
}

TEST(who_has_shown_no_token_is_not_told_that_it_was_another_one)
{
    struct ctl_call call;
    struct http_reply reply = {.status = 401};

    EXPECT(read_words(&call, "status"));
    ctl_write_refusal(problem, &call, &reply);
    EXPECT_STR(
        "status: the server wants its token: --ops-token-file, as it was given to the server",
        str_of(problem));
    buf_deinit(&out);
}
