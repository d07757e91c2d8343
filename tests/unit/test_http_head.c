/* http_head: RFC 9112, strictly. */
#include "aloha/http_head.h"
#include "harness.h"

#include <stdio.h>

/* The verdict on a copy that ends where the bytes end, so that AddressSanitizer stands there. */
static struct http_head judge(struct str bytes)
{
    char *copy = malloc(bytes.size ? bytes.size : 1);

    if (!copy)
        abort();
    if (bytes.size)
        memcpy(copy, bytes.text, bytes.size);
    struct http_head head = http_head_judge((struct str){copy, bytes.size});
    free(copy);
    return head;
}

/* The status of a refusal, 200 for a whole head, 100 for one that is not whole. */
static unsigned verdict(struct str bytes)
{
    struct http_head head = judge(bytes);
    return head.verdict == HTTP_HEAD_REFUSED                               ? head.status
           : head.verdict == HTTP_HEAD_COMPLETE && head.size <= bytes.size ? 200
                                                                           : 100;
}

static unsigned verdict_of_target(const char *target)
{
    return verdict(str_of(fmt("GET %s HTTP/1.1\r\nHost: a\r\n\r\n", target)));
}

TEST(a_whole_head_is_as_long_as_it_is)
{
    static const char head[] =
        "GET /room/tea?x=1 HTTP/1.1\r\nHost: localhost:3000\r\n"
        "Accept:*/*\r\nX-Empty:\r\nX-Tab:\ta\tb \r\nX-Bytes: \xc3\xa4\r\n\r\n";
    char more[sizeof head + 64];

    struct http_head judged = judge(str_of(head));
    EXPECT_UINT(HTTP_HEAD_COMPLETE, judged.verdict);
    EXPECT_UINT(strlen(head), judged.size);
    /* what follows is not looked at */
    sprintf(more, "%s%s", head, "\x01 rest \r\n\r\n");
    judged = judge(str_of(more));
    EXPECT_UINT(HTTP_HEAD_COMPLETE, judged.verdict);
    EXPECT_UINT(strlen(head), judged.size);
}

TEST(every_beginning_of_a_good_head_asks_for_more)
{
    struct str head = STR("HEAD /assets/0a/js/a.js?b=%zz HTTP/1.0\r\nHost: a\r\n"
                          "Upgrade: websocket\r\nContent-Length: 0\r\n\r\n");

    for (size_t size = 0; size < head.size; size++)
        EXPECT_THAT(verdict((struct str){head.text, size}) == 100, "%zu bytes", size);
    EXPECT_UINT(200, verdict(head));
    EXPECT_UINT(100, verdict((struct str){NULL, 0}));
}

TEST(request_lines_that_rfc_9112_does_not_know_are_refused)
{
    static const struct {
        struct str line;
        unsigned status;
    } rows[] = {
        {ROW_STR("GET  / HTTP/1.1\r\n"), 400},
        {ROW_STR(" GET / HTTP/1.1\r\n"), 400},
        {ROW_STR("GET\t/ HTTP/1.1\r\n"), 400},
        {ROW_STR("GET / HTTP/1.1 \r\n"), 400},
        {ROW_STR("GET /  HTTP/1.1\r\n"), 400},
        {ROW_STR("GET / HTTP/1.1\n"), 400},
        {ROW_STR("GET / HTTP/1.1\r\r\n"), 400},
        {ROW_STR("GET /\r\n"), 400},
        {ROW_STR("GET\r\n"), 400},
        {ROW_STR("\r\n"), 400},
        {ROW_STR("\n"), 400},
        {ROW_STR("GET / http/1.1\r\n"), 400},
        {ROW_STR("GET / HTTP/1.10\r\n"), 400},
        {ROW_STR("GET / HTTP/11\r\n"), 400},
        {ROW_STR("GET / HTTP/2.0\r\n"), 505},
        {ROW_STR("GET / HTTP/9.9\r\n"), 505},
        {ROW_STR("GET / HTTP/0.9\r\n"), 505},
        {ROW_STR("G\0T / HTTP/1.1\r\n"), 400},
        {ROW_STR("GET /\0 HTTP/1.1\r\n"), 400},
        {ROW_STR("GET /\x7f HTTP/1.1\r\n"), 400},
        {ROW_STR("GET /\xc3\xa4 HTTP/1.1\r\n"), 400},
        {ROW_STR("\x16\x03\x01"), 400}, /* TLS */
        {ROW_STR("PRI * HTTP/2.0\r\n"), 505},
        {ROW_STR("ABCDEFGHIJKLMNOPQ / HTTP/1.1\r\n"), 400},
        {ROW_STR("(GET) / HTTP/1.1\r\n"), 400},
        {ROW_STR(" / HTTP/1.1\r\n"), 400},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_THAT(verdict(rows[i].line) == rows[i].status, "%s: %u", rows[i].line.text,
                    verdict(rows[i].line));
}

TEST(only_get_and_head_are_done_and_they_are_spelled_like_that)
{
    static const char *const others[] = {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT",
                                         "get",  "Get", "GETT",   "HEADS",   "G"};

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        EXPECT_THAT(verdict(str_of(fmt("%s / HTTP/1.1\r\nHost: a\r\n\r\n", others[i]))) == 405,
                    "%s", others[i]);
    EXPECT_UINT(405, verdict(STR("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n")));
    EXPECT_UINT(405, verdict(STR("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n")));
    EXPECT_UINT(200, verdict(STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
    EXPECT_UINT(200, verdict(STR("HEAD / HTTP/1.0\r\nHost: a\r\n\r\n")));
}

TEST(a_target_has_one_reading_only)
{
    static const char *const good[] = {
        "/",
        "/room/tea",
        "/room/t%65a",
        "/room/...",
        "/room/..a",
        "/.a",
        "/a./b",
        "/room/",
        "/assets/0/js/main.js",
        "/?",
        "/?a=b/../c//d",
        "/?%",
        "/room/%C3%A4",
        "/a:b@c!$&'()*+,;=",
        "/...",
    };
    static const char *const bad[] = {
        "room",    "*",      "http://a/", "a:443",   "/..",   "/.",        "/./a",   "/a/..",
        "/a/../b", "/a/.",   "/%2e",      "/%2e%2E", "/.%2e", "/a/%2E./b", "//",     "//a",
        "/a//b",   "/a%2fb", "/a%2Fb",    "/a%5cb",  "/a\\b", "/a%00",     "/a%0a",  "/a%1F",
        "/a%7f",   "/%",     "/%4",       "/%4g",    "/%g4",  "/a#b",      "/a?b#c", "/%2e/a",
    };

    for (size_t i = 0; i < ARRAY_SIZE(good); i++)
        EXPECT_THAT(verdict_of_target(good[i]) == 200, "%s", good[i]);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        EXPECT_THAT(verdict_of_target(bad[i]) == 400, "%s", bad[i]);
}

TEST(header_lines_that_parsers_read_in_two_ways_are_refused)
{
    static const struct {
        struct str lines;
        unsigned status;
    } rows[] = {
        {ROW_STR("Host : a\r\n"), 400},
        {ROW_STR(" Host: a\r\n"), 400},
        {ROW_STR("Host: a\r\n b\r\n"), 400},
        {ROW_STR("Host: a\r\n\tb\r\n"), 400},
        {ROW_STR("Host\r\n"), 400},
        {ROW_STR(": a\r\n"), 400},
        {ROW_STR("Ho st: a\r\n"), 400},
        {ROW_STR("Host: a\n"), 400},
        {ROW_STR("Host: a\rX: b\r\n"), 400},
        {ROW_STR("Host: a\r\r\n"), 400},
        {ROW_STR("Host: a\0b\r\n"), 400},
        {ROW_STR("Host: a\x0b\r\n"), 400},
        {ROW_STR("Host: a\x7f\r\n"), 400},
        {ROW_STR("H\xc3\xa4: a\r\n"), 400},
        {ROW_STR("H(a): a\r\n"), 400},
        {ROW_STR("H\0: a\r\n"), 400},
        {ROW_STR("Transfer-Encoding: chunked\r\n"), 400},
        {ROW_STR("transfer-encoding: identity\r\n"), 400},
        {ROW_STR("Content-Length: -1\r\n"), 400},
        {ROW_STR("Content-Length: 1, 1\r\n"), 400},
        {ROW_STR("Content-Length: 0x1\r\n"), 400},
        {ROW_STR("Content-Length:\r\n"), 400},
        {ROW_STR("Content-Length: 99999999999999999999\r\n"), 400},
        {ROW_STR("Upgrade: h2c\r\n"), 400},
        {ROW_STR("Upgrade: websocket, h2c\r\n"), 400},
        {ROW_STR("upgrade:\r\n"), 400},
        {ROW_STR("UPGRADE:\tWebSocket \r\n"), 200},
        {ROW_STR("Content-Length: 0\r\n"), 200},
        {ROW_STR("Origin:\r\n"), 400},
        {ROW_STR("ORIGIN: \t \r\n"), 400},
        {ROW_STR("Origin: null\r\n"), 200}, /* http_decide() refuses it where it matters */
        {ROW_STR("X!#$%&'*+-.^_`|~1: a\r\n"), 200},
        {ROW_STR(""), 200},
    };
    char text[512];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        size_t size = (size_t)sprintf(text, "GET / HTTP/1.1\r\n");
        memcpy(text + size, rows[i].lines.text, rows[i].lines.size);
        size += rows[i].lines.size;
        memcpy(text + size, "\r\n", 2);
        EXPECT_THAT(verdict((struct str){text, size + 2}) == rows[i].status, "%s: %u",
                    rows[i].lines.text, verdict((struct str){text, size + 2}));
    }
}

TEST(a_target_is_at_most_2048_bytes)
{
    char target[HTTP_TARGET_SIZE_MAX + 2];

    memset(target, 'a', sizeof target);
    target[0] = '/';
    target[HTTP_TARGET_SIZE_MAX] = '\0';
    EXPECT_UINT(200, verdict_of_target(target));
    target[HTTP_TARGET_SIZE_MAX] = 'a';
    target[HTTP_TARGET_SIZE_MAX + 1] = '\0';
    EXPECT_UINT(414, verdict_of_target(target));
    EXPECT_UINT(414, verdict(str_of(fmt("GET %s", target)))); /* as soon as it can tell */
}

/* A head with header lines of so many bytes in all. */
static struct str head_with(size_t line_count, size_t bytes)
{
    static char text[2 * HTTP_HEAD_SIZE_MAX];
    size_t start = (size_t)sprintf(text, "GET / HTTP/1.1\r\n"), size = start;

    for (size_t i = 0; i < line_count; i++) {
        size_t left = bytes - (size - start);
        size_t line = i + 1 < line_count ? 6 : left;
        size += (size_t)sprintf(text + size, "a: %0*d\r\n", (int)line - 5, 0);
    }
    size += (size_t)sprintf(text + size, "\r\n");
    return (struct str){text, size};
}

TEST(header_lines_are_at_most_8192_bytes_together)
{
    EXPECT_UINT(200, verdict(head_with(1, HTTP_HEADERS_SIZE_MAX)));
    EXPECT_UINT(431, verdict(head_with(1, HTTP_HEADERS_SIZE_MAX + 1)));
    EXPECT_UINT(200, verdict(head_with(50, HTTP_HEADERS_SIZE_MAX)));
    EXPECT_UINT(431, verdict(head_with(50, HTTP_HEADERS_SIZE_MAX + 1)));
}

TEST(header_lines_are_at_most_a_hundred)
{
    EXPECT_UINT(200, verdict(head_with(HTTP_HEADER_LINES_MAX, 1000)));
    EXPECT_UINT(431, verdict(head_with(HTTP_HEADER_LINES_MAX + 1, 1000)));
}

TEST(nobody_needs_more_than_the_largest_head_to_judge)
{
    static const char *const beginnings[] = {
        "",
        "GET ",
        "GET /",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\na: ",
        "GET / HTTP/1.1\r\na: b\r\n",
    };
    static char text[HTTP_HEAD_SIZE_MAX];

    for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++) {
        memset(text, 'a', sizeof text);
        memcpy(text, beginnings[i], strlen(beginnings[i]));
        EXPECT_THAT(verdict((struct str){text, sizeof text}) >= 400, "%s", beginnings[i]);
    }
}

TEST(many_lines_and_one_that_does_not_end_are_refused_too)
{
    struct str whole = head_with(90, 8100);
    char text[2 * HTTP_HEAD_SIZE_MAX];

    memset(text, 'b', sizeof text);
    memcpy(text, whole.text, whole.size - 2); /* without the empty line */
    EXPECT_UINT(100, verdict((struct str){text, whole.size}));
    EXPECT_UINT(431, verdict((struct str){text, HTTP_HEAD_SIZE_MAX}));
}

/* Byte by byte or all at once: who was refused stays refused, who was whole stays as long. */
TEST(more_bytes_never_change_a_verdict)
{
    static const char alphabet[] = "GET /HTTP/1.1\r\n\r\nHost: aHEAD\t%2e.?\x80\x01";
    static const char good[] = "GET /a HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n";
    struct dice dice = {7};

    for (int round = 0; round < 4000; round++) {
        char text[sizeof good + 8];
        size_t size = sizeof good - 1;
        memcpy(text, good, size);
        for (unsigned i = dice_below(&dice, 3); i; i--)
            text[dice_below(&dice, (unsigned)size)] =
                alphabet[dice_below(&dice, sizeof alphabet - 1)];
        struct http_head last = {.verdict = HTTP_HEAD_INCOMPLETE};
        for (size_t given = 0; given <= size; given++) {
            struct http_head head = judge((struct str){text, given});
            if (last.verdict != HTTP_HEAD_INCOMPLETE)
                EXPECT(head.verdict == last.verdict && head.size == last.size &&
                       head.status == last.status);
            if (head.verdict == HTTP_HEAD_COMPLETE)
                EXPECT(head.size <= given && memcmp(text + head.size - 4, "\r\n\r\n", 4) == 0);
            last = head;
        }
    }
}

/* What a library's table may hold: names that begin alike, and a method. */
static const struct str library_names[] = {
    ROW_STR("accept"), ROW_STR("accept-encoding"), ROW_STR("host"), ROW_STR("get"), ROW_STR("te"),
};

static bool names_part(const char *header)
{
    const char *head = fmt("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", header);
    return http_head_names_part_of(str_of(head), library_names, ARRAY_SIZE(library_names));
}

TEST(a_header_whose_name_is_only_the_beginning_of_a_known_one_is_found)
{
    static const char *const parts[] = {"a: y",  "A: y", "accep: y", "accept-: y",
                                        "ho: y", "g: y", "T: y",     "x: 1\r\nHOS: y"};
    static const char *const others[] = {"accept: y", "Accept-Encoding: br", "x: y",
                                         "te: y",     "accepted: y",         "DNT: 1",
                                         "x: a: y"};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        EXPECT_THAT(names_part(parts[i]), "%s", parts[i]);
    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        EXPECT_THAT(!names_part(others[i]), "%s", others[i]);
}

TEST(the_values_of_a_header_are_found_in_their_order)
{
    struct str head =
        STR("GET /?x-forwarded-for:0 HTTP/1.1\r\nHost: x-forwarded-for:1\r\n"
            "X-Forwarded-For: a, b\r\nX-Forwarded-Fort: no\r\nForwarded-For: no\r\n"
            "x-forwarded-for:\tc:d \r\nX-FORWARDED-FOR:\r\n\r\nX-Forwarded-For: beyond");
    struct str values[HTTP_HEADER_LINES_MAX];

    struct http_head judged = http_head_judge(head);
    EXPECT_UINT(HTTP_HEAD_COMPLETE, judged.verdict);
    head.size = judged.size;
    EXPECT_UINT(3, http_head_values(head, STR("x-forwarded-for"), values, ARRAY_SIZE(values)));
    EXPECT_STR("a, b", values[0]);
    EXPECT_STR("c:d", values[1]);
    EXPECT_STR("", values[2]);
    EXPECT_UINT(2, http_head_values(head, STR("X-Forwarded-For"), values, 2));
    EXPECT_UINT(0, http_head_values(head, STR("x-forwarded"), values, ARRAY_SIZE(values)));
}

TEST(headers_that_decide_come_once_at_most)
{
    static const struct {
        const char *lines;
        unsigned status;
    } rows[] = {
        {"Host: y", 400},
        {"Content-Length: 0\r\nX: y\r\nContent-Length: 0", 400},
        {"Origin: http://x\r\nOrigin: http://x", 403}, /* SECURITY R16 */
        {"Origin: http://x\r\nX: y\r\nORIGIN: null", 403},
        {"Origin:", 400},
        {"Origin: \r\nOrigin: http://x", 400},
        {"Origin: http://x\r\nOrigin:", 400},
        {"Upgrade: websocket\r\nUpgrade: websocket", 400},
        {"Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: a", 400},
        {"Sec-WebSocket-Version: 13\r\nsec-websocket-version: 13", 400},
        {"Content-Length: 40", 400},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const char *head = fmt("GET / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n", rows[i].lines);
        EXPECT_THAT(verdict(str_of(head)) == rows[i].status, "%s", rows[i].lines);
    }
}
