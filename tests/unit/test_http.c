/* http: what is answered to a request. */
#include "aloha/http.h"
#include "harness.h"

#include <stdio.h>

static const struct asset assets[] = {
    {ROW_STR("css/aloha.css"),
     ROW_STR("aaaaaaaaaaaaaaaa"),
     {ROW_STR("body{}"), {NULL, 0}, {NULL, 0}}},
    {ROW_STR("favicon.ico"), ROW_STR("bbbbbbbbbbbbbbbb"), {ROW_STR("icon"), {NULL, 0}, {NULL, 0}}},
    {ROW_STR("js/main.js"),
     ROW_STR("cccccccccccccccc"),
     {ROW_STR("plain main"), ROW_STR("br"), ROW_STR("gzip")}},
};

static const struct site site = {
    .assets = assets,
    .asset_count = ARRAY_SIZE(assets),
    .tree_tag = ROW_STR("0123456789ab"),
    .immutable = true,
    .room_view = ROW_STR("<a href=\"{{assets}}/x\">{{roomId}}</a>"),
    .error_view = ROW_STR("{{status}} {{title}} {{text}} {{assets}}"),
};

static const struct http_policy policy = {.site = &site, .allow_no_origin = true};

/* A request that is in order, for that path. */
static struct http_request request_for(const char *path)
{
    return (struct http_request){
        .method = HTTP_GET,
        .path = str_of(path),
        .version = STR("HTTP/1.1"),
        .target_size = strlen(path),
        .headers_size = 20,
        .host = STR("localhost:3000"),
        .host_count = 1,
    };
}

static struct http_request websocket_request(void)
{
    struct http_request request = request_for("/ws");

    request.upgrade = STR("websocket");
    request.connection = STR("keep-alive, Upgrade");
    request.websocket_key = STR("dGhlIHNhbXBsZSBub25jZQ==");
    request.websocket_version = STR("13");
    request.origin = STR("http://localhost:3000");
    request.origin_count = 1;
    return request;
}

static struct http_decision decide(struct http_request request)
{
    struct http_decision decision;
    http_decide(&decision, &policy, &request);
    return decision;
}

static unsigned status_of(struct http_request request)
{
    return decide(request).status;
}

/* ---- routes ---- */

TEST(the_top_leads_to_a_new_room)
{
    struct http_decision decision = decide(request_for("/"));

    EXPECT_UINT(HTTP_NEW_ROOM, decision.action);
    EXPECT_UINT(302, decision.status);
    EXPECT(!decision.close);
}

TEST(a_room_is_shown_by_its_id)
{
    struct http_decision decision = decide(request_for("/room/a.b_c~d-7"));

    EXPECT_UINT(HTTP_SHOW_ROOM, decision.action);
    EXPECT_UINT(200, decision.status);
    EXPECT_STR("a.b_c~d-7", decision.room_id);
}

TEST(what_is_no_room_and_no_asset_is_not_found)
{
    static const struct str paths[] = {
        ROW_STR("/room"),
        ROW_STR("/room/"),
        ROW_STR("/room/."),
        ROW_STR("/room/.."),
        ROW_STR("/room/a/b"),
        ROW_STR("/room/a b"),
        ROW_STR("/room/<script>"),
        ROW_STR("/room/a\0b"),
        ROW_STR("/room/tea\0"),
        ROW_STR("/Room/tea"),
        ROW_STR("/index.html"),
        ROW_STR("/healthz"),
        ROW_STR("/metrics"),
        ROW_STR("/ws/"),
        ROW_STR("/WS"),
        ROW_STR("/assets"),
        ROW_STR("/assets/"),
        ROW_STR("/assets/0123456789ab"),
        ROW_STR("/assets/0123456789ab/"),
        ROW_STR("/assets/0123456789ab/js"),
        ROW_STR("/assets/js/main.js"),
        ROW_STR("/assets/0123456789ac/js/main.js"),
        ROW_STR("/assets/0123456789ab/js/main.js\0"),
        ROW_STR("/assets/0123456789ab//js/main.js"),
        ROW_STR("/assets/0123456789ab/../js/main.js"),
        ROW_STR("/js/main.js"),
        ROW_STR("/robots.txt"),
        ROW_STR("//"),
        ROW_STR(""),
        ROW_STR("/\xc3\xa4"),
        ROW_STR("/room/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"), /* 65 */
    };

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct http_request request = request_for("/");
        request.path = paths[i];
        struct http_decision decision = decide(request);
        EXPECT_THAT(decision.status == 404, "%s: %u", paths[i].text, decision.status);
        EXPECT_UINT(HTTP_SHOW_ERROR, decision.action);
    }
}

TEST(an_asset_is_found_below_the_tag_of_the_tree)
{
    struct http_decision decision = decide(request_for("/assets/0123456789ab/js/main.js"));

    EXPECT_UINT(HTTP_SHOW_ASSET, decision.action);
    EXPECT_UINT(200, decision.status);
    EXPECT(decision.asset == &assets[2]);
    EXPECT(decide(request_for("/favicon.ico")).asset == &assets[1]);
}

TEST(the_encoding_is_one_that_is_accepted)
{
    struct http_request request = request_for("/assets/0123456789ab/js/main.js");

    EXPECT_UINT(ENCODING_IDENTITY, decide(request).encoding);
    request.accept_encoding = STR("gzip, deflate");
    EXPECT_UINT(ENCODING_GZIP, decide(request).encoding);
    request.accept_encoding = STR("gzip, deflate, br");
    EXPECT_UINT(ENCODING_BR, decide(request).encoding);
}

TEST(an_asset_that_the_browser_has_is_not_sent_again)
{
    static const struct {
        const char *tags;
        bool same;
    } rows[] = {
        {"\"cccccccccccccccc\"", true},
        {"W/\"cccccccccccccccc\"", true},
        {"\"cccccccccccccccc-br\"", true},
        {"\"x\", \"cccccccccccccccc-gzip\"", true},
        {" \"x\" , W/\"cccccccccccccccc\" ", true},
        {"*", true},
        {"", false},
        {"cccccccccccccccc", false},
        {"\"ccccccccccccccc\"", false},
        {"\"dddddddddddddddd\"", false},
        {"\"cccccccccccccccc", false},
        {"\"", false},
        {"W/", false},
        {"w/\"cccccccccccccccc\"", false},
        {"\"ccccccccccccccccd\"", false},
        {",,,", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_request request = request_for("/assets/0123456789ab/js/main.js");
        request.if_none_match = str_of(rows[i].tags);
        struct http_decision decision = decide(request);
        EXPECT_THAT(decision.status == (rows[i].same ? 304 : 200), "%s", rows[i].tags);
        EXPECT_UINT(rows[i].same ? HTTP_NOT_CHANGED : HTTP_SHOW_ASSET, decision.action);
    }
}

TEST(head_is_get_without_a_body)
{
    static const char *const paths[] = {"/", "/room/tea", "/favicon.ico", "/nothing"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct http_request request = request_for(paths[i]);
        struct http_decision get = decide(request);
        request.method = HTTP_HEAD;
        struct http_decision head = decide(request);
        EXPECT(head.head_only && !get.head_only);
        EXPECT_UINT(get.status, head.status);
        EXPECT_UINT(get.action, head.action);
    }
}

/* ---- framing: SECURITY R2 to R6 ---- */

TEST(other_methods_are_not_allowed_and_end_the_connection)
{
    static const char *const paths[] = {"/", "/room/tea", "/ws", "/nothing"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct http_request request = request_for(paths[i]);
        request.method = HTTP_OTHER_METHOD;
        EXPECT_UINT(405, status_of(request));
        EXPECT(decide(request).close);
    }
}

TEST(a_request_that_could_have_a_body_is_refused)
{
    struct http_request request = request_for("/");

    request.has_transfer_encoding = true;
    EXPECT_UINT(400, status_of(request));

    static const struct {
        const char *length;
        unsigned status;
    } rows[] = {{"0", 302},
                {"00", 302},
                {"1", 400},
                {"-0", 400},
                {"+0", 400},
                {"0x0", 400},
                {"", 400},
                {"0, 0", 400},
                {"0 0", 400},
                {"a", 400},
                {"18446744073709551616", 400}};
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        request = request_for("/");
        request.content_length = str_of(rows[i].length);
        request.content_length_count = 1;
        EXPECT_THAT(status_of(request) == rows[i].status, "\"%s\"", rows[i].length);
        EXPECT(decide(request).close == (rows[i].status == 400));
        request.content_length_count = 2;
        EXPECT_UINT(400, status_of(request));
    }
}

TEST(host_comes_once_and_is_a_host)
{
    static const struct {
        struct str host;
        bool good;
    } rows[] = {
        {ROW_STR("localhost"), true},
        {ROW_STR("localhost:3000"), true},
        {ROW_STR("192.0.2.1:80"), true},
        {ROW_STR("[::1]"), true},
        {ROW_STR("[2001:db8::1]:65535"), true},
        {ROW_STR("[::ffff:192.0.2.1]"), true},
        {ROW_STR("a-b.example.org."), true},
        {ROW_STR("A_b~c.Example"), true},
        {ROW_STR(""), false},
        {ROW_STR(":80"), false},
        {ROW_STR("a:65536"), false},
        {ROW_STR("a:8a"), false},
        {ROW_STR("a:-1"), false},
        {ROW_STR("a:80:80"), false},
        {ROW_STR("a b"), false},
        {ROW_STR("a,b"), false},
        {ROW_STR("a/b"), false},
        {ROW_STR("a@b"), false},
        {ROW_STR("user:pass@a"), false},
        {ROW_STR("a?b"), false},
        {ROW_STR("a#b"), false},
        {ROW_STR("a\"b"), false},
        {ROW_STR("<a>"), false},
        {ROW_STR("a\0b"), false},
        {ROW_STR("a\0"), false},
        {ROW_STR("[]"), false},
        {ROW_STR("[::1"), false},
        {ROW_STR("[::1]a"), false},
        {ROW_STR("[::g]"), false},
        {ROW_STR("[::1\0]"), false},
        {ROW_STR("[::1]:"), false},
        {ROW_STR("::1"), false},
        {ROW_STR("\xc3\xa4"), false},
        {ROW_STR("["), false},
    };
    struct http_request request = request_for("/");

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        request.host = rows[i].host;
        EXPECT_THAT(status_of(request) == (rows[i].good ? 302 : 400), "%s", rows[i].host.text);
    }
    request.host = STR("localhost");
    request.host_count = 2;
    EXPECT_UINT(400, status_of(request));
    request.host_count = 0;
    EXPECT_UINT(400, status_of(request));
    EXPECT(decide(request).close);
}

TEST(a_host_is_at_most_255_bytes_and_a_port)
{
    struct http_request request = request_for("/");
    char host[300];

    memset(host, 'a', sizeof host);
    request.host = (struct str){host, 255};
    EXPECT_UINT(302, status_of(request));
    request.host.size = 262;
    EXPECT_UINT(400, status_of(request));
}

TEST(long_targets_and_headers_are_refused)
{
    struct http_request request = request_for("/room/tea");

    request.target_size = HTTP_TARGET_SIZE_MAX;
    request.headers_size = HTTP_HEADERS_SIZE_MAX;
    EXPECT_UINT(200, status_of(request));
    request.headers_size++;
    EXPECT_UINT(431, status_of(request));
    request.target_size++;
    EXPECT_UINT(414, status_of(request));
    EXPECT(decide(request).close);
}

TEST(only_http_1_0_and_1_1_are_spoken)
{
    static const char *const others[] = {"HTTP/2.0", "HTTP/0.9",  "http/1.1",
                                         "HTTP/1.2", "HTTP/1.1 ", ""};
    struct http_request request = request_for("/");

    request.version = STR("HTTP/1.0");
    EXPECT_UINT(302, status_of(request));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        request.version = str_of(others[i]);
        EXPECT_THAT(status_of(request) == 505, "%s", others[i]);
    }
}

/* ---- the WebSocket: SECURITY R7, R15, R16 ---- */

TEST(a_websocket_from_our_own_page_is_let_in)
{
    struct http_request request = websocket_request();

    EXPECT_UINT(101, status_of(request));
    EXPECT_UINT(HTTP_WEBSOCKET, decide(request).action);
    request.upgrade = STR("WebSocket");
    request.websocket_protocols = STR("aloha.v1");
    EXPECT_UINT(101, status_of(request));
    request.websocket_protocols = STR("chat ,\taloha.v1");
    EXPECT_UINT(101, status_of(request));
}

TEST(nothing_else_can_be_upgraded_and_to_nothing_else)
{
    static const char *const paths[] = {"/", "/room/tea", "/favicon.ico", "/nothing", "/ws/"};
    static const char *const others[] = {"h2c", "websocket, h2c", "websockets", "web socket",
                                         "TLS/1.0"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct http_request request = websocket_request();
        request.path = str_of(paths[i]);
        EXPECT_UINT(400, status_of(request));
        EXPECT(decide(request).close);
    }
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct http_request request = websocket_request();
        request.upgrade = str_of(others[i]);
        EXPECT_UINT(400, status_of(request));
    }
}

TEST(a_handshake_that_is_none_gets_its_status)
{
    struct http_request request = websocket_request();

    request.upgrade = STR("");
    EXPECT_UINT(426, status_of(request));
    request = websocket_request();
    request.websocket_version = STR("8");
    EXPECT_UINT(426, status_of(request));
    request.websocket_version = STR("");
    EXPECT_UINT(426, status_of(request));
    request = websocket_request();
    request.websocket_key = STR("dGhlIHNhbXBsZSBub25jZQ=");
    EXPECT_UINT(400, status_of(request));
    request.websocket_key = STR("");
    EXPECT_UINT(400, status_of(request));
    request = websocket_request();
    request.method = HTTP_HEAD;
    EXPECT_UINT(400, status_of(request));
    request = websocket_request();
    request.version = STR("HTTP/1.0");
    EXPECT_UINT(400, status_of(request));
    request = websocket_request();
    request.websocket_protocols = STR("chat, aloha.v2");
    EXPECT_UINT(400, status_of(request));
    EXPECT(decide(request).close);
}

TEST(an_origin_that_is_not_ours_is_refused)
{
    static const struct {
        const char *origin, *host;
        bool ours;
    } rows[] = {
        {"http://localhost:3000", "localhost:3000", true},
        {"https://localhost:3000", "localhost:3000", false}, /* another scheme, another origin */
        {"http://example.org", "example.org", true},
        {"http://example.org", "Example.org", false},
        {"http://[::1]:3000", "[::1]:3000", true},
        {"http://localhost:3001", "localhost:3000", false},
        {"http://localhost", "localhost:3000", false},
        {"http://localhost:3000", "localhost", false},
        {"http://localhost:3000.evil.example", "localhost:3000", false},
        {"http://evil.example", "localhost:3000", false},
        {"http://evil-localhost:3000", "localhost:3000", false},
        {"http://localhost:3000@evil.example", "localhost:3000", false},
        {"http://evil.example/localhost:3000", "localhost:3000", false},
        {"http://localhost:3000/", "localhost:3000", false},
        {"http://localhost:3000 http://localhost:3000", "localhost:3000", false},
        {"ftp://localhost:3000", "localhost:3000", false},
        {"file://localhost:3000", "localhost:3000", false},
        {"localhost:3000", "localhost:3000", false},
        {"//localhost:3000", "localhost:3000", false},
        {"http://", "localhost:3000", false},
        {"null", "localhost:3000", false},
        {"null", "null", false},
        {"", "localhost:3000", false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_request request = websocket_request();
        request.origin = str_of(rows[i].origin);
        request.host = str_of(rows[i].host);
        EXPECT_THAT(status_of(request) == (rows[i].ours ? 101 : 403), "%s at %s", rows[i].origin,
                    rows[i].host);
    }
    struct http_request twice = websocket_request();
    twice.origin_count = 2;
    EXPECT_UINT(403, status_of(twice));
}

TEST(without_an_origin_the_policy_decides)
{
    struct http_policy strict = {.site = &site, .allow_no_origin = false};
    struct http_request request = websocket_request();
    struct http_decision decision;

    request.origin = (struct str){NULL, 0};
    request.origin_count = 0;
    EXPECT_UINT(101, status_of(request));
    http_decide(&decision, &strict, &request);
    EXPECT_UINT(403, decision.status);
    request.origin = STR("http://localhost:3000");
    request.origin_count = 1;
    http_decide(&decision, &strict, &request);
    EXPECT_UINT(101, decision.status);
}

/* ---- names and origins of this server: SECURITY R6, R8, R16 ---- */

static struct hosts names, origins;
static const struct http_policy named = {
    .site = &site,
    .allow_no_origin = true,
    .hosts = &names,
    .origins = &origins,
};

static unsigned status_of_origin(const char *origin, bool secure, bool scheme_unknown)
{
    struct http_request request = websocket_request();

    request.origin = str_of(origin);
    request.secure = secure;
    request.scheme_unknown = scheme_unknown;
    return status_of(request);
}

TEST(the_page_s_own_origin_has_the_scheme_that_the_page_came_by) /* SECURITY R16 */
{
    EXPECT_UINT(101, status_of_origin("https://localhost:3000", true, false));
    EXPECT_UINT(403, status_of_origin("http://localhost:3000", true, false));
    EXPECT_UINT(101, status_of_origin("http://localhost:3000", false, false));
    EXPECT_UINT(403, status_of_origin("https://localhost:3000", false, false));
    EXPECT_UINT(101, status_of_origin("https://localhost:3000", false, true));
    EXPECT_UINT(101, status_of_origin("http://localhost:3000", false, true));
    EXPECT_UINT(403, status_of_origin("https://evil.example", true, false));
    EXPECT_UINT(403, status_of_origin("https://evil.example", false, true));
}

static unsigned named_status(struct http_request request)
{
    struct http_decision decided;
    http_decide(&decided, &named, &request);
    return decided.status;
}

TEST(with_names_given_any_other_host_is_misdirected)
{
    struct http_request request = request_for("/room/tea");

    EXPECT(hosts_read(STR("call.example.org,[::1]:3000"), &names));
    EXPECT(origins_read(STR(""), &origins));
    request.host = STR("Call.Example.org:8443");
    EXPECT_UINT(200, named_status(request));
    request.host = STR("[::1]:3000");
    EXPECT_UINT(200, named_status(request));
    request.host = STR("[::1]");
    EXPECT_UINT(421, named_status(request));
    request.host = STR("localhost:3000");
    struct http_decision refused;
    http_decide(&refused, &named, &request);
    EXPECT_UINT(421, refused.status);
    EXPECT_UINT(HTTP_SHOW_ERROR, refused.action);
    EXPECT(refused.close);
    EXPECT_UINT(421, named_status(websocket_request()));
    request.host = STR("a b");
    EXPECT_UINT(400, named_status(request)); /* what is no Host at all is that first */
    EXPECT(hosts_read(STR(""), &names));
    request.host = STR("localhost:3000");
    EXPECT_UINT(200, named_status(request));
}

TEST(an_origin_that_was_given_is_let_in_and_none_that_resembles_it)
{
    static const char *const others[] = {
        "https://call.example.org.evil.example",
        "https://evil-call.example.org",
        "https://call.example.org:443",
        "https://call.example.org/",
        "http://call.example.org",
        "https://Call.example.org",
        "https://call.example.or",
        "https://call.example.org https://call.example.org",
        "call.example.org",
        "null",
        "https://call.example.org,app://x",
        "app://x.evil.example",
        "app://",
        "https://call.example.org@evil.example",
    };
    struct http_request request = websocket_request();

    EXPECT(hosts_read(STR(""), &names));
    EXPECT(origins_read(STR("https://call.example.org,app://x"), &origins));
    request.origin = STR("https://call.example.org");
    EXPECT_UINT(101, named_status(request));
    EXPECT_UINT(403, status_of(request));
    request.origin = STR("app://x");
    EXPECT_UINT(101, named_status(request));
    request.origin = STR("http://localhost:3000"); /* the page's own still is */
    EXPECT_UINT(101, named_status(request));
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        request.origin = str_of(others[i]);
        EXPECT_THAT(named_status(request) == 403, "%s", others[i]);
    }
    request.origin = STR("app://x");
    request.origin_count = 2;
    EXPECT_UINT(403, named_status(request));
}

/* ---- the answer ---- */

static const char *header(const struct http_answer *answer, const char *name)
{
    const char *value = "(none)";
    for (size_t i = 0; i < answer->header_count; i++)
        if (strcmp(answer->headers[i].name, name) == 0)
            value = answer->headers[i].value;
    return value;
}

/* The answer to a request; deinit() it. */
static struct http_decision decision;
static struct http_answer answer;

static void answer_to(struct http_request request)
{
    decision = decide(request);
    EXPECT(http_answer_init(&answer, &decision, &policy, "11111111-2222-4333-8444-555555555555"));
}

TEST(a_new_room_is_a_redirect_that_nobody_keeps)
{
    answer_to(request_for("/"));
    EXPECT_STR("/room/11111111-2222-4333-8444-555555555555", str_of(header(&answer, "location")));
    EXPECT_STR("no-store", str_of(header(&answer, "cache-control")));
    EXPECT_UINT(0, answer.body.size);
    http_answer_deinit(&answer);
}

TEST(a_room_page_carries_its_id_and_nobody_keeps_it)
{
    answer_to(request_for("/room/a.b~c"));
    EXPECT_STR("<a href=\"/assets/0123456789ab/x\">a.b~c</a>", answer.body);
    EXPECT_STR("text/html; charset=utf-8", str_of(header(&answer, "content-type")));
    EXPECT_STR("no-store", str_of(header(&answer, "cache-control")));
    http_answer_deinit(&answer);
}

TEST(an_asset_is_for_ever_but_the_two_whose_name_has_no_tag)
{
    struct http_request request = request_for("/assets/0123456789ab/js/main.js");

    answer_to(request);
    EXPECT_STR("plain main", answer.body);
    EXPECT_STR("\"cccccccccccccccc\"", str_of(header(&answer, "etag")));
    EXPECT_STR("max-age=31536000, immutable", str_of(header(&answer, "cache-control")));
    EXPECT_STR("accept-encoding", str_of(header(&answer, "vary")));
    EXPECT_STR("text/javascript; charset=utf-8", str_of(header(&answer, "content-type")));
    EXPECT_STR("(none)", str_of(header(&answer, "content-encoding")));
    http_answer_deinit(&answer);

    request.accept_encoding = STR("br");
    answer_to(request);
    EXPECT_STR("br", answer.body);
    EXPECT_STR("br", str_of(header(&answer, "content-encoding")));
    EXPECT_STR("\"cccccccccccccccc-br\"", str_of(header(&answer, "etag")));
    http_answer_deinit(&answer);

    answer_to(request_for("/favicon.ico"));
    EXPECT_STR("no-cache", str_of(header(&answer, "cache-control")));
    http_answer_deinit(&answer);
}

TEST(while_developing_nothing_is_kept)
{
    struct site developing = site;
    const struct http_policy its_policy = {.site = &developing};

    developing.immutable = false;
    decision = decide(request_for("/assets/0123456789ab/js/main.js"));
    EXPECT(http_answer_init(&answer, &decision, &its_policy, ""));
    EXPECT_STR("no-cache", str_of(header(&answer, "cache-control")));
    http_answer_deinit(&answer);
}

TEST(what_has_not_changed_has_a_tag_and_no_body)
{
    struct http_request request = request_for("/assets/0123456789ab/js/main.js");

    request.if_none_match = STR("\"cccccccccccccccc\"");
    answer_to(request);
    EXPECT_UINT(0, answer.body.size);
    EXPECT_STR("\"cccccccccccccccc\"", str_of(header(&answer, "etag")));
    EXPECT_STR("max-age=31536000, immutable", str_of(header(&answer, "cache-control")));
    EXPECT_STR("(none)", str_of(header(&answer, "content-type")));
    http_answer_deinit(&answer);
}

/* Each refused request with the status that it gets. */
static struct http_request refused_with(unsigned status)
{
    struct http_request request = request_for(status == 404 ? "/nothing" : "/");

    if (status == 403 || status == 426)
        request = websocket_request();
    if (status == 400)
        request.host_count = 0;
    if (status == 403)
        request.origin = STR("null");
    if (status == 405)
        request.method = HTTP_OTHER_METHOD;
    if (status == 414)
        request.target_size = HTTP_TARGET_SIZE_MAX + 1;
    if (status == 426)
        request.websocket_version = STR("0");
    if (status == 431)
        request.headers_size = HTTP_HEADERS_SIZE_MAX + 1;
    if (status == 505)
        request.version = STR("HTTP/3.0");
    return request;
}

static const unsigned refusals[] = {400, 403, 404, 405, 414, 426, 431, 505};

TEST(every_refusal_has_words_of_its_own_and_repeats_nothing_of_the_request)
{
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        struct http_request request = refused_with(refusals[i]);
        answer_to(request);
        EXPECT_UINT(refusals[i], decision.status);
        EXPECT(str_starts_with(answer.body, str_of(fmt("%u ", refusals[i]))));
        EXPECT_NULL(memmem(answer.body.text, answer.body.size, "That was our fault", 18));
        EXPECT_NULL(memmem(answer.body.text, answer.body.size, "localhost", 9));
        EXPECT_NULL(memmem(answer.body.text, answer.body.size, "nothing", 7));
        EXPECT_STR("no-store", str_of(header(&answer, "cache-control")));
        EXPECT_STR(refusals[i] == 405 ? "GET, HEAD" : "(none)", str_of(header(&answer, "allow")));
        EXPECT_STR(refusals[i] == 426 ? "13" : "(none)",
                   str_of(header(&answer, "sec-websocket-version")));
        EXPECT_STR(refusals[i] == 426 ? "websocket" : "(none)", str_of(header(&answer, "upgrade")));
        http_answer_deinit(&answer);
    }
}

TEST(a_refusal_that_no_request_alone_can_cause_has_words_too)
{
    static const unsigned statuses[] = {421, 429};

    for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
        struct http_decision refused = {.action = HTTP_SHOW_ERROR, .status = statuses[i]};
        EXPECT(http_answer_init(&answer, &refused, &policy, ""));
        EXPECT(str_starts_with(answer.body, str_of(fmt("%u ", statuses[i]))));
        EXPECT_NULL(memmem(answer.body.text, answer.body.size, "That was our fault", 18));
        http_answer_deinit(&answer);
    }
}

TEST(our_own_views_render_without_anything_left_over)
{
    struct site real = site;
    const struct http_policy real_policy = {.site = &real};

    real.room_view = source_file_read("views/room.html");
    real.error_view = source_file_read("views/error.html");
    EXPECT(real.room_view.size && real.error_view.size);
    static const char *const paths[] = {"/room/tea.42", "/nothing"};
    static const char *const wanted[] = {"tea.42", "404"};
    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        decision = decide(request_for(paths[i]));
        EXPECT(http_answer_init(&answer, &decision, &real_policy, ""));
        EXPECT_NULL(memmem(answer.body.text, answer.body.size, "{{", 2));
        EXPECT(memmem(answer.body.text, answer.body.size, wanted[i], strlen(wanted[i])));
        EXPECT(memmem(answer.body.text, answer.body.size, "/assets/0123456789ab/", 21));
        http_answer_deinit(&answer);
    }
    free((char *)(uintptr_t)real.room_view.text);
    free((char *)(uintptr_t)real.error_view.text);
}

TEST(a_room_page_is_packed_for_who_takes_gzip)
{
    struct site real = site;
    const struct http_policy real_policy = {.site = &real};
    struct http_request request = request_for("/room/tea");

    real.room_view = source_file_read("views/room.html");
    request.accept_encoding = STR("gzip, deflate, br");
    decision = decide(request);
    EXPECT(http_answer_init(&answer, &decision, &real_policy, ""));
    EXPECT_STR("gzip", str_of(header(&answer, "content-encoding")));
    EXPECT_STR("accept-encoding", str_of(header(&answer, "vary")));
    EXPECT(str_starts_with(answer.body, STR("\x1f\x8b"))); /* RFC 1952 section 2.3.1 */
    EXPECT(answer.body.size < real.room_view.size / 2);
    http_answer_deinit(&answer);

    request.accept_encoding = STR("br, gzip;q=0");
    decision = decide(request);
    EXPECT(http_answer_init(&answer, &decision, &real_policy, ""));
    EXPECT_STR("(none)", str_of(header(&answer, "content-encoding")));
    EXPECT_STR("accept-encoding", str_of(header(&answer, "vary")));
    EXPECT(str_starts_with(answer.body, STR("<!")));
    http_answer_deinit(&answer);
    free((char *)(uintptr_t)real.room_view.text);
}

TEST(a_page_that_cannot_be_packed_goes_as_it_is)
{
    struct http_request request = request_for("/room/tea");

    request.accept_encoding = STR("gzip");
    decision = decide(request);
    fail_allocation(2); /* 1: the page */
    EXPECT(http_answer_init(&answer, &decision, &policy, ""));
    EXPECT(allocation_has_failed());
    EXPECT_STR("(none)", str_of(header(&answer, "content-encoding")));
    EXPECT_STR("<a href=\"/assets/0123456789ab/x\">tea</a>", answer.body);
    http_answer_deinit(&answer);
}

TEST(a_status_without_words_is_our_fault)
{
    struct http_decision odd = {.action = HTTP_SHOW_ERROR, .status = 418};

    EXPECT(http_answer_init(&answer, &odd, &policy, ""));
    EXPECT(memmem(answer.body.text, answer.body.size, "That was our fault", 18));
    http_answer_deinit(&answer);
}

TEST(without_memory_there_is_no_page_and_with_it_there_is)
{
    static const char *const paths[] = {"/room/tea", "/nothing"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        unsigned n = 0;
        bool failed;
        decision = decide(request_for(paths[i]));
        do {
            fail_allocation(++n);
            bool made = http_answer_init(&answer, &decision, &policy, "");
            failed = allocation_has_failed();
            fail_allocation(0);
            EXPECT(made == !failed);
            EXPECT_THAT(made || answer.body.size == 0, "no memory, and a body of \"%.*s\"",
                        (int)answer.body.size, answer.body.text);
            http_answer_deinit(&answer);
        } while (failed);
        EXPECT(n > 1);
    }
}

TEST(redirects_and_assets_need_no_memory)
{
    static const char *const paths[] = {"/", "/favicon.ico"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        decision = decide(request_for(paths[i]));
        fail_allocation(1);
        EXPECT(http_answer_init(&answer, &decision, &policy, "x"));
        EXPECT(!allocation_has_failed());
        fail_allocation(0);
        http_answer_deinit(&answer);
    }
}

/* ---- the head of the answer ---- */

static struct buf head;

static const char *write_head(struct http_request request)
{
    answer_to(request);
    buf_deinit(&head);
    buf_init(&head, 65536);
    http_answer_write_head(&head, &decision, &answer, "Sun, 06 Nov 1994 08:49:37 GMT",
                           decision.close);
    buf_add(&head, (struct str){"", 1});
    http_answer_deinit(&answer);
    return head.failed ? "" : head.data;
}

/* How often that header stands in a head. */
static unsigned count_of(const char *text, const char *name)
{
    const char *line = fmt("\r\n%s: ", name);
    unsigned count = 0;

    for (text = strstr(text, line); text; text = strstr(text + 1, line))
        count++;
    return count;
}

/* RFC 9112 section 4, and each name in lower case and once. */
static void check_head(const char *text, unsigned status)
{
    unsigned read = 0;
    const char *line = strstr(text, "\r\n");

    EXPECT(sscanf(text, "HTTP/1.1 %u ", &read) == 1 && line);
    EXPECT_UINT(status, read);
    for (line += 2; strncmp(line, "\r\n", 2) != 0; line = strstr(line, "\r\n") + 2) {
        size_t size = strspn(line, "abcdefghijklmnopqrstuvwxyz-");
        EXPECT_THAT(size && strncmp(line + size, ": ", 2) == 0, "%.40s", line);
        EXPECT_THAT(count_of(text, fmt("%.*s", (int)size, line)) == 1, "%.40s twice", line);
        EXPECT_THAT(strcspn(line, "\r\n") == (size_t)(strstr(line, "\r\n") - line), "%.40s", line);
    }
    EXPECT_STR("\r\n", str_of(line));
}

static void check_common_headers(const char *text)
{
    static const char *const wanted[] = {
        "date: Sun, 06 Nov 1994 08:49:37 GMT",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "x-frame-options: DENY",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: same-origin",
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; "
        "img-src 'self' data:; font-src 'self'; media-src 'self' blob:; connect-src 'self'; "
        "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'",
        "permissions-policy: camera=(self), microphone=(self), display-capture=(self), "
        "fullscreen=(self), autoplay=(self), picture-in-picture=(self), screen-wake-lock=(self), "
        "speaker-selection=(self), geolocation=(), usb=(), serial=(), hid=(), bluetooth=(), "
        "midi=(), payment=(), publickey-credentials-get=(), browsing-topics=()",
    };
    static const char *const never[] = {"server", "set-cookie", "access-control-allow-origin",
                                        "transfer-encoding", "x-powered-by"};

    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
        EXPECT_THAT(strstr(text, fmt("\r\n%s\r\n", wanted[i])), "%s", wanted[i]);
    for (size_t i = 0; i < ARRAY_SIZE(never); i++)
        EXPECT_THAT(count_of(text, never[i]) == 0, "%s", never[i]);
}

TEST(every_answer_carries_the_headers_that_all_carry) /* SECURITY R8 */
{
    static const struct {
        const char *path;
        unsigned status;
    } rows[] = {{"/", 302}, {"/room/tea", 200}, {"/favicon.ico", 200}};

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *text = write_head(request_for(rows[i].path));
        check_head(text, rows[i].status);
        check_common_headers(text);
        EXPECT_UINT(0, count_of(text, "connection"));
        EXPECT_UINT(1, count_of(text, "content-length"));
    }
    for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
        const char *text = write_head(refused_with(refusals[i]));
        check_head(text, refusals[i]);
        check_common_headers(text);
        EXPECT(strstr(text, "\r\nconnection: close") || refusals[i] == 404);
    }
    buf_deinit(&head);
}

TEST(the_length_is_that_of_the_body_and_304_has_none)
{
    struct http_request request = request_for("/assets/0123456789ab/js/main.js");

    EXPECT(strstr(write_head(request), "\r\ncontent-length: 10\r\n"));
    request.method = HTTP_HEAD;
    EXPECT(strstr(write_head(request), "\r\ncontent-length: 10\r\n"));
    request.if_none_match = STR("*");
    const char *text = write_head(request);
    check_head(text, 304);
    check_common_headers(text);
    EXPECT_UINT(0, count_of(text, "content-length"));
    EXPECT(strstr(write_head(request_for("/")), "\r\ncontent-length: 0\r\n"));
    buf_deinit(&head);
}

TEST(an_upgrade_that_is_required_is_announced_in_connection) /* RFC 9110 section 7.8 */
{
    const char *text = write_head(refused_with(426));

    EXPECT(strstr(text, "HTTP/1.1 426 Upgrade Required\r\n") == text);
    EXPECT(strstr(text, "\r\nconnection: close, upgrade\r\n"));
    EXPECT(strstr(text, "\r\nupgrade: websocket\r\n"));
    EXPECT(strstr(text, "\r\nsec-websocket-version: 13\r\n"));
    buf_deinit(&head);
}

/* The answer to a request for a page, with these names; the value of its Content-Security-Policy. */
static struct str policy_header_of(const char *list)
{
    decision = decide(request_for("/room/tea"));
    buf_deinit(&head);
    buf_init(&head, HTTP_ANSWER_HEAD_SIZE_MAX);
    if (!hosts_read(str_of(list), &names) || !http_answer_init(&answer, &decision, &named, ""))
        return (struct str){NULL, 0};
    http_answer_write_head(&head, &decision, &answer, "Sun, 06 Nov 1994 08:49:37 GMT", true);
    http_answer_deinit(&answer);
    static const char name[] = "\r\ncontent-security-policy: ";
    char *start = head.failed ? NULL : memmem(head.data, head.size, name, strlen(name));
    struct str rest = {start, start ? head.size - (size_t)(start - head.data) : 0};
    (void)str_cut(&rest, ' ');
    return str_cut(&rest, '\r');
}

static bool contains(struct str text, const char *part)
{
    return text.size && memmem(text.text, text.size, part, strlen(part));
}

TEST(the_page_may_connect_to_the_names_that_were_given) /* SECURITY R8 */
{
    struct str value = policy_header_of("call.example.org,a.example:8443,[::1]:3000");

    EXPECT(contains(value, "; connect-src 'self' ws://call.example.org wss://call.example.org "
                           "ws://a.example:8443 wss://a.example:8443; manifest-src"));
    EXPECT(contains(policy_header_of(""), "; connect-src 'self'; manifest-src"));
    buf_deinit(&head);
}

TEST(with_tls_the_page_connects_encrypted_only) /* SECURITY R8 */
{
    struct http_policy encrypted = {.site = &site, .hosts = &names, .secure = true};
    struct http_request request = request_for("/nothing");

    EXPECT(hosts_read(STR("call.example.org,[::1]"), &names));
    request.host = STR("call.example.org");
    http_decide(&decision, &encrypted, &request);
    EXPECT(http_answer_init(&answer, &decision, &encrypted, ""));
    buf_deinit(&head);
    buf_init(&head, HTTP_ANSWER_HEAD_SIZE_MAX);
    http_answer_write_head(&head, &decision, &answer, "", true);
    EXPECT(contains(buf_str(&head), "; connect-src 'self' wss://call.example.org; manifest-src"));
    EXPECT(!contains(buf_str(&head), " ws://"));
    EXPECT(!contains(buf_str(&head), "strict-transport-security"));
    http_answer_deinit(&answer);

    encrypted.demand_https = true; /* SECURITY R11 */
    EXPECT(http_answer_init(&answer, &decision, &encrypted, ""));
    buf_clear(&head);
    http_answer_write_head(&head, &decision, &answer, "", true);
    EXPECT(contains(buf_str(&head), "\r\nstrict-transport-security: max-age=31536000\r\n"));
    http_answer_deinit(&answer);
    buf_deinit(&head);
}

/* ---- to https ---- */

/* Where that head is sent; the status in digits when it is nowhere. */
static const char *sent_to(const char *text, uint16_t port)
{
    struct http_head judged = http_head_judge(str_of(text));

    if (judged.verdict != HTTP_HEAD_COMPLETE)
        return "refused before";
    http_decide_redirect(&decision, &named, (struct str){text, judged.size}, port);
    if (!decision.close || !http_answer_init(&answer, &decision, &named, ""))
        return "wrong";
    const char *where = decision.status != 308  ? fmt("%u", decision.status)
                        : answer.body.size == 0 ? fmt("%s", header(&answer, "location"))
                                                : "a body";
    http_answer_deinit(&answer);
    return where;
}

#define EXPECT_SENT(where, text, port) EXPECT_STR(where, str_of(sent_to(text, port)))

TEST(plain_http_is_sent_to_the_same_target_over_https)
{
    names.count = 0;
    EXPECT_SENT("https://a/", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 443);
    EXPECT_SENT("https://a:3000/room/tea?x=%20y",
                "HEAD /room/tea?x=%20y HTTP/1.1\r\nhOST:  a:80 \r\nA: b\r\n\r\n", 3000);
    EXPECT(decision.head_only);
    EXPECT_SENT("https://[::1]:8443/x", "GET /x HTTP/1.0\r\nHost: [::1]:80\r\n\r\n", 8443);
    EXPECT_SENT("https://10.0.0.1:3000/ws",
                "GET /ws HTTP/1.1\r\nHost: 10.0.0.1:3000\r\nUpgrade: websocket\r\n\r\n", 0);
    EXPECT_SENT("https://a/", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 0);
}

TEST(a_host_that_is_none_or_not_ours_is_sent_nowhere)
{
    names.count = 0;
    EXPECT_SENT("400", "GET / HTTP/1.1\r\nA: b\r\n\r\n", 443);
    EXPECT_SENT("400", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 443);
    EXPECT_SENT("400", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 443);
    EXPECT_SENT("400", "GET / HTTP/1.1\r\nHost: a@evil.example\r\n\r\n", 443);
    EXPECT_SENT("refused before", "GET //evil.example/ HTTP/1.1\r\nHost: a\r\n\r\n", 443);
    EXPECT(hosts_read(STR("call.example.org"), &names));
    EXPECT_SENT("https://call.example.org/", "GET / HTTP/1.1\r\nHost: call.example.org\r\n\r\n",
                443);
    EXPECT_SENT("421", "GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", 443);
}

TEST(the_longest_target_fits_into_a_redirect_s_head)
{
    static char text[HTTP_HEAD_SIZE_MAX + 1];

    EXPECT(hosts_read(STR("a"), &names));
    int size = snprintf(text, sizeof text, "GET /%0*d HTTP/1.1\r\nHost: a:65535\r\n\r\n",
                        HTTP_TARGET_SIZE_MAX - 1, 0);
    http_decide_redirect(&decision, &named, (struct str){text, (size_t)size}, 65535);
    EXPECT(http_answer_init(&answer, &decision, &named, ""));
    buf_init(&head, HTTP_ANSWER_HEAD_SIZE_MAX);
    http_answer_write_head(&head, &decision, &answer, "Sun, 06 Nov 1994 08:49:37 GMT", true);
    EXPECT(!head.failed);
    http_answer_deinit(&answer);
    buf_deinit(&head);
}

TEST(the_longest_list_of_names_fits_into_the_head)
{
    char list[HOSTS_LIST_SIZE_MAX + 1];

    memset(list, 'a', sizeof list);
    list[HOSTS_LIST_SIZE_MAX] = '\0';
    for (size_t at = 0; at < HOSTS_LIST_SIZE_MAX - 1; at += HOSTS_LIST_SIZE_MAX / HOSTS_MAX)
        list[at + HOSTS_LIST_SIZE_MAX / HOSTS_MAX - 1] = ',';
    list[HOSTS_LIST_SIZE_MAX - 1] = 'a';
    EXPECT(policy_header_of(list).size > 2000);
    EXPECT_UINT(HOSTS_MAX, names.count);
    EXPECT(head.size <= HTTP_ANSWER_HEAD_SIZE_MAX - 256); /* an asset has some headers more */
    buf_deinit(&head);
}
