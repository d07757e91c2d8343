/* operator: which request is taken, by whom, and which row of the table it is. */
#include "harness.h"

#include "aloha/operator.h"

#include <stdio.h>

#define TOKEN  "0123456789abcdef0123456789abcdef"
#define BEARER "Bearer " TOKEN
#define PEER   "8f3a1c52-0c1e-4d7a-9b1f-3a5c7e9d1b2f"

static struct operator_auth auth; /* each test's begins with the token and without failures */
static struct operator_policy policy;

static struct operator_request ask(const char *method, const char *target)
{
    auth = (struct operator_auth){0};
    policy = (struct operator_policy){.bound_to = STR("127.0.0.1")};
    if (!operator_token_make(&auth.token, STR(TOKEN)))
        test_fail(__FILE__, __LINE__, "no token");
    return (struct operator_request){
        .method = str_of(method),
        .target = str_of(target),
        .host = STR("127.0.0.1:3001"),
        .host_count = 1,
        .authorization = STR(BEARER),
        .authorization_count = 1,
        .content_type = STR("application/json"),
    };
}

static struct operator_decision decide(const struct operator_request *request)
{
    struct operator_decision decision;
    operator_decide(&decision, &policy, &auth, request, 1, 0);
    return decision;
}

#define EXPECT_FAULT(wanted, decision)                                                             \
    EXPECT_THAT((decision).fault == (wanted), "wanted %s, got %s", operator_fault_code(wanted),    \
                operator_fault_code((decision).fault))

TEST(each_row_is_found_by_its_method_and_path)
{
    for (int i = 0; i < OPERATOR_ACTION_COUNT; i++) {
        const struct operator_route *route = &operator_routes[i];
        struct str path = str_of(route->path);
        const char *id = i == OPERATOR_REMOVE_PEER ? PEER : "tea.1";
        if (path.text[path.size - 1] == '}')
            path = str_of(fmt("%.*s%s", (int)(path.size - 4), path.text, id));
        struct operator_request request = ask(route->method, path.text);
        struct operator_decision decision = decide(&request);
        EXPECT_FAULT(OPERATOR_FINE, decision);
        EXPECT_UINT(i, decision.action);
        EXPECT(!decision.head_only);
        EXPECT_STR(path.size > strlen(route->path) || strchr(route->path, '{') ? id : "",
                   decision.id);
    }
}

TEST(head_is_taken_where_get_is_and_nowhere_else)
{
    struct operator_request request = ask("HEAD", "/healthz");
    struct operator_decision decision = decide(&request);

    EXPECT_FAULT(OPERATOR_FINE, decision);
    EXPECT_UINT(OPERATOR_HEALTH, decision.action);
    EXPECT(decision.head_only);
    request = ask("HEAD", "/api/v1/drain");
    decision = decide(&request);
    EXPECT_FAULT(OPERATOR_BAD_METHOD, decision);
}

TEST(another_method_is_told_which_ones_there_are)
{
    static const struct {
        const char *method, *target, *allow;
    } rows[] = {
        {"POST", "/healthz", "GET, HEAD"},        {"TRACE", "/metrics", "GET, HEAD"},
        {"get", "/api/v1/status", "GET, HEAD"},   {"PUT", "/api/v1/rooms/tea", "GET, HEAD, DELETE"},
        {"GET", "/api/v1/peers/" PEER, "DELETE"}, {"GET", "/api/v1/reload", "POST"},
        {"POST", "/api/v1/drain", "PUT"},         {"", "/api/v1/drain", "PUT"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct operator_request request = ask(rows[i].method, rows[i].target);
        struct operator_decision decision = decide(&request);
        EXPECT_FAULT(OPERATOR_BAD_METHOD, decision);
        EXPECT_STR(rows[i].allow, str_of(decision.allow));
        EXPECT_UINT(OPERATOR_ACTION_COUNT, decision.action);
    }
}

TEST(what_is_no_path_is_not_found)
{
    static const char *const targets[] = {
        "",
        "/",
        "*",
        "healthz",
        "/healthz/",
        "/HEALTHZ",
        "//healthz",
        "/healthz%20",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/rooms/",
        "/api/v1/rooms/tea/",
        "/api/v1/rooms//",
        "/api/v1/rooms/tea/peers",
        "/api/v1/rooms/%74ea",
        "/api/v1/rooms/.",
        "/api/v1/rooms/..",
        "/api/v1/rooms/t\xc3\xa9",
        "/api/v1/rooms/a b",
        "/api/v2/status",
        "/api/v1/statusx",
        "http://127.0.0.1/healthz",
    };

    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        struct operator_request request = ask("GET", targets[i]);
        struct operator_decision decision = decide(&request);
        EXPECT_THAT(decision.fault == OPERATOR_NOT_FOUND, "\"%s\": %s", targets[i],
                    operator_fault_code(decision.fault));
    }
    struct operator_request request = ask("DELETE", "/api/v1/peers/tea");
    struct operator_decision decision = decide(&request);
    EXPECT_FAULT(OPERATOR_NOT_FOUND, decision);
}

TEST(a_room_id_as_long_as_can_be_is_looked_for_and_a_longer_one_is_not)
{
    char id[66] = "";
    memset(id, 'x', 65);
    struct operator_request request = ask("GET", fmt("/api/v1/rooms/%.64s", id));
    struct operator_decision decision = decide(&request);

    EXPECT_FAULT(OPERATOR_FINE, decision);
    EXPECT_UINT(64, decision.id.size);
    request = ask("GET", fmt("/api/v1/rooms/%s", id));
    decision = decide(&request);
    EXPECT_FAULT(OPERATOR_NOT_FOUND, decision);
}

/* ---- framing and hosts ---- */

TEST(f9_what_could_be_understood_in_two_ways_is_refused)
{
    struct operator_request good = ask("GET", "/healthz");
    struct operator_request bad[8];

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        bad[i] = good;
    bad[0].host_count = 0;
    bad[1].host_count = 2;
    bad[2].content_length_count = 2;
    bad[3].has_transfer_encoding = true;
    bad[4].authorization_count = 2;
    bad[5].content_length_count = 1, bad[5].content_length = STR("x");
    bad[6].content_length_count = 1, bad[6].content_length = STR("-1");
    bad[7].content_length_count = 1, bad[7].content_length = STR("5"); /* a body of GET */
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        struct operator_decision decision = decide(&bad[i]);
        EXPECT_THAT(decision.fault == OPERATOR_BAD_REQUEST, "row %zu: %s", i,
                    operator_fault_code(decision.fault));
    }
}

TEST(r43_sizes_are_bounded)
{
    char target[OPERATOR_TARGET_SIZE_MAX + 2] = "/healthz?";
    memset(target + 9, 'x', sizeof target - 10);
    struct operator_request request = ask("GET", target);
    struct operator_decision decision = decide(&request);

    EXPECT_FAULT(OPERATOR_TARGET_TOO_LONG, decision);
    target[OPERATOR_TARGET_SIZE_MAX] = '\0';
    request = ask("GET", target);
    decision = decide(&request);
    EXPECT_FAULT(OPERATOR_FINE, decision);

    static const struct {
        const char *length;
        enum operator_fault fault;
    } rows[] = {
        {"0", OPERATOR_FINE},
        {"65536", OPERATOR_FINE},
        {"65537", OPERATOR_BODY_TOO_BIG},
        {"9223372036854775807", OPERATOR_BODY_TOO_BIG},
        {"99999999999999999999", OPERATOR_BAD_REQUEST},
    };
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        request = ask("PUT", "/api/v1/drain");
        request.content_length_count = 1;
        request.content_length = str_of(rows[i].length);
        decision = decide(&request);
        EXPECT_FAULT(rows[i].fault, decision);
        if (!decision.fault)
            EXPECT_STR(fmt("%zu", decision.body_size), str_of(rows[i].length));
    }
}

TEST(r42_host_is_a_name_of_this_machine)
{
    struct hosts named;
    EXPECT(hosts_read(STR("call.example.org"), &named));
    const struct {
        const char *bound_to, *host;
        bool named, good;
    } rows[] = {
        {"127.0.0.1", "localhost", false, true},
        {"127.0.0.1", "LOCALHOST:1", false, true},
        {"127.0.0.1", "[::1]:3001", false, true},
        {"127.0.0.1", "evil.example", false, false},
        {"127.0.0.1", "localhost.evil.example", false, false},
        {"127.0.0.1", "localhost:x", false, false},
        {"127.0.0.1", "", false, false},
        {"127.0.0.1", "192.0.2.1", false, false},
        {"", "localhost", false, true},
        {"", "call.example.org", true, false}, /* of a socket's file */
        {"192.0.2.1", "192.0.2.1:3001", false, true},
        {"192.0.2.1", "192.0.2.2", false, false},
        {"2001:db8::1", "[2001:db8::1]:3001", false, true},
        {"2001:db8::1", "2001:db8::1", false, false},
        {"192.0.2.1", "call.example.org:3001", false, false},
        {"192.0.2.1", "call.example.org:3001", true, true},
        {"192.0.2.1", "evil.example", true, false},
        {"0.0.0.0", "localhost", false, true},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct operator_request request = ask("GET", "/healthz");
        request.host = str_of(rows[i].host);
        policy.bound_to = str_of(rows[i].bound_to);
        policy.hosts = rows[i].named ? &named : NULL;
        struct operator_decision decision = decide(&request);
        EXPECT_THAT(decision.fault == (rows[i].good ? OPERATOR_FINE : OPERATOR_MISDIRECTED),
                    "row %zu: %s", i, operator_fault_code(decision.fault));
    }
}

TEST(r42_no_web_page_has_business_here)
{
    struct operator_request request = ask("GET", "/healthz");

    request.has_origin = true;
    struct operator_decision decision = decide(&request);
    EXPECT_FAULT(OPERATOR_ORIGIN, decision);
}

/* ---- the token ---- */

TEST(r41_all_but_health_and_readiness_needs_the_token)
{
    static const char *const targets[] = {"/healthz",       "/readyz",
                                          "/metrics",       "/api/v1/status",
                                          "/api/v1/rooms",  "/api/v1",
                                          "/nothing",       "/",
                                          "/api/v1/reload", "/api/v1/rooms/.."};

    for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
        struct operator_request request = ask("GET", targets[i]);
        request.authorization = STR("Bearer x");
        struct operator_decision decision = decide(&request);
        EXPECT_FAULT(i < 2 ? OPERATOR_FINE : OPERATOR_UNAUTHORIZED, decision);
    }
}

TEST(metrics_are_open_when_the_operator_says_so)
{
    struct operator_request request = ask("GET", "/metrics");
    request.authorization = (struct str){0};
    struct operator_decision decision = decide(&request);

    EXPECT_FAULT(OPERATOR_UNAUTHORIZED, decision);
    policy.metrics_open = true;
    decision = decide(&request);
    EXPECT_FAULT(OPERATOR_FINE, decision);
}

TEST(without_a_token_the_api_is_off_and_the_metrics_are_closed)
{
    static const struct {
        const char *target;
        enum operator_fault fault;
    } rows[] = {
        {"/healthz", OPERATOR_FINE},           {"/readyz", OPERATOR_FINE},
        {"/metrics", OPERATOR_METRICS_CLOSED}, {"/api/v1/status", OPERATOR_API_OFF},
        {"/api/v1/nothing", OPERATOR_API_OFF}, {"/nothing", OPERATOR_NOT_FOUND},
        {"/api/v1/reload", OPERATOR_API_OFF},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct operator_request request = ask("GET", rows[i].target);
        auth = (struct operator_auth){0};
        struct operator_decision decision = decide(&request);
        EXPECT_FAULT(rows[i].fault, decision);
    }
}

TEST(r42_the_eleventh_failure_is_told_when_to_come_again)
{
    struct operator_request request = ask("GET", "/api/v1/status");
    struct operator_decision decision;

    request.authorization = STR("Bearer wrong");
    for (int i = 0; i < OPERATOR_FAILURES_MAX; i++) {
        decision = decide(&request);
        EXPECT_FAULT(OPERATOR_UNAUTHORIZED, decision);
    }
    decision = decide(&request);
    EXPECT_FAULT(OPERATOR_THROTTLED, decision);
    EXPECT_UINT(1800, decision.retry_after_s);
    request.authorization = STR(BEARER);
    decision = decide(&request);
    EXPECT_FAULT(OPERATOR_FINE, decision);
}

TEST(without_memory_nobody_is_let_in)
{
    struct operator_request request = ask("GET", "/api/v1/status");
    unsigned n = 0;
    bool failed;

    do {
        fail_allocation(++n);
        struct operator_decision decision = decide(&request);
        failed = allocation_has_failed();
        fail_allocation(0);
        EXPECT_FAULT(failed && decision.fault ? OPERATOR_OUT_OF_MEMORY : OPERATOR_FINE, decision);
    } while (failed && !test_has_failed());
}

/* ---- bodies and queries ---- */

TEST(r42_what_changes_something_is_json)
{
    static const struct {
        const char *type;
        bool good;
    } rows[] = {
        {"application/json", true},
        {"Application/JSON", true},
        {"application/json; charset=utf-8", true},
        {"application/json ;charset=UTF-8 ", true},
        {"", false},
        {"text/plain", false},
        {"application/x-www-form-urlencoded", false},
        {"application/json; charset=latin1", false},
        {"application/jsonp", false},
        {"application/json, text/plain", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct operator_request request = ask("DELETE", "/api/v1/rooms/tea");
        request.content_type = str_of(rows[i].type);
        struct operator_decision decision = decide(&request);
        EXPECT_THAT(decision.fault == (rows[i].good ? OPERATOR_FINE : OPERATOR_NOT_JSON), "%s",
                    rows[i].type);
    }
}

TEST(the_list_of_rooms_is_asked_for_in_parts)
{
    static const struct {
        const char *query;
        bool good, ids;
        uint32_t limit;
        uint64_t after;
    } rows[] = {
        {"", true, false, OPERATOR_LIST_MAX, 0},
        {"?", true, false, OPERATOR_LIST_MAX, 0},
        {"?ids=yes", true, true, OPERATOR_LIST_MAX, 0},
        {"?ids=no&limit=1&after=17", true, false, 1, 17},
        {"?after=9223372036854775807", true, false, OPERATOR_LIST_MAX, INT64_MAX},
        {"?limit=0", false, false, 0, 0},
        {"?limit=201", false, false, 0, 0},
        {"?limit=", false, false, 0, 0},
        {"?limit=1x", false, false, 0, 0},
        {"?after=-1", false, false, 0, 0},
        {"?after=9223372036854775808", false, false, 0, 0},
        {"?ids", false, false, 0, 0},
        {"?ids=true", false, false, 0, 0},
        {"?ids=yes&&", false, false, 0, 0},
        {"?IDS=yes", false, false, 0, 0},
        {"?x=1", false, false, 0, 0},
        {"?=", false, false, 0, 0},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct operator_request request = ask("GET", fmt("/api/v1/rooms%s", rows[i].query));
        struct operator_decision decision = decide(&request);
        EXPECT_THAT(decision.fault == (rows[i].good ? OPERATOR_FINE : OPERATOR_BAD_QUERY), "%s",
                    rows[i].query);
        if (!rows[i].good)
            continue;
        EXPECT(decision.list.ids == rows[i].ids);
        EXPECT_UINT(rows[i].limit, decision.list.limit);
        EXPECT_UINT(rows[i].after, decision.list.after);
    }
}

TEST(a_query_has_no_place_elsewhere_but_behind_what_is_open)
{
    static const struct {
        const char *target;
        enum operator_fault fault;
    } rows[] = {
        {"/healthz?verbose=1", OPERATOR_FINE},    {"/metrics?x", OPERATOR_FINE},
        {"/api/v1/status?x", OPERATOR_BAD_QUERY}, {"/api/v1/rooms/tea?ids=yes", OPERATOR_BAD_QUERY},
        {"/api/v1/rooms/tea?", OPERATOR_FINE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct operator_request request = ask("GET", rows[i].target);
        struct operator_decision decision = decide(&request);
        EXPECT_FAULT(rows[i].fault, decision);
    }
}

/* ---- readiness and the table ---- */

TEST(what_is_full_is_a_reason_not_to_come_here)
{
    struct metrics metrics = {0};
    struct limits limits;

    limits_init(&limits);
    limits_derive(&limits);
    EXPECT_UINT(0, not_ready_by_load(&metrics, &limits));
    metrics.values[METRIC_CONNECTIONS] = limits.connections_max - 1;
    metrics.values[METRIC_ROOMS] = limits.rooms_max - 1;
    metrics.values[METRIC_QUEUE_BYTES] = limits.queues_size_max / 4 * UINT64_C(3) - 1;
    EXPECT_UINT(0, not_ready_by_load(&metrics, &limits));
    metrics.values[METRIC_CONNECTIONS]++;
    EXPECT_UINT(1u << NOT_READY_CONNECTIONS, not_ready_by_load(&metrics, &limits));
    metrics.values[METRIC_ROOMS]++;
    metrics.values[METRIC_QUEUE_BYTES]++;
    EXPECT_UINT(1u << NOT_READY_CONNECTIONS | 1u << NOT_READY_ROOMS | 1u << NOT_READY_QUEUES,
                not_ready_by_load(&metrics, &limits));
}

/* A description that is a table itself: path, then method, then summary, as YAML is written here. */
TEST(openapi_has_the_rows_of_the_table_and_no_others)
{
    struct str text = source_file_read("docs/openapi.yaml");
    struct str rest = text;
    char path[128] = "";
    unsigned found = 0;

    while (rest.size) {
        struct str line = str_cut(&rest, '\n');
        static const char *const methods[] = {"get", "put", "post", "delete", "patch", "head"};
        if (str_starts_with(line, STR("  /")))
            snprintf(path, sizeof path, "%.*s", (int)line.size - 3, line.text + 2);
        for (size_t m = 0; m < ARRAY_SIZE(methods); m++) {
            if (!path[0] || !str_equal(line, str_of(fmt("    %s:", methods[m]))))
                continue;
            struct str next = str_cut(&rest, '\n');
            bool known = false;
            for (int i = 0; i < OPERATOR_ACTION_COUNT; i++)
                known |=
                    str_equal_nocase(str_of(methods[m]), str_of(operator_routes[i].method)) &&
                    strcmp(path, operator_routes[i].path) == 0 &&
                    str_equal(next, str_of(fmt("      summary: %s", operator_routes[i].summary)));
            EXPECT_THAT(known, "%s %s is not in the table", methods[m], path);
            found++;
        }
    }
    EXPECT_UINT(OPERATOR_ACTION_COUNT, found);
    free((char *)(uintptr_t)text.text);
}

TEST(openapi_has_every_code_and_every_reason)
{
    struct str text = source_file_read("docs/openapi.yaml");

    for (int i = OPERATOR_FINE + 1; text.text && i < OPERATOR_FAULT_COUNT; i++)
        EXPECT_THAT(strstr(text.text, fmt("%s", operator_fault_code((enum operator_fault)i))), "%s",
                    operator_fault_code((enum operator_fault)i));
    for (int i = 0; text.text && i < NOT_READY_COUNT; i++)
        EXPECT_THAT(strstr(text.text, fmt("- %s\n", not_ready_word((enum not_ready)i))), "%s",
                    not_ready_word((enum not_ready)i));
    free((char *)(uintptr_t)text.text);
}
