/* http_head_judge() on any bytes: what it lets in has the grammar of http_head.h, worked out anew
 * here; and it judges as the bytes come in: well so far, then complete or refused, and never
 * otherwise again, however the bytes were cut on their way. */
#include "check.h"
#include "lines.h"

#include "aloha/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool consists_of(struct str text, const char *allowed)
{
    for (size_t i = 0; i < text.size; i++)
        if (!text.text[i] || !strchr(allowed, text.text[i]))
            return false;
    return true;
}

static bool is_token(struct str text)
{
    return text.size && consists_of(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
}

/* Unescapes the path; every escape is whole and none spells a control, slash or backslash. */
static size_t unescape(struct str path, char *out)
{
    size_t size = 0;

    for (size_t i = 0; i < path.size; i++) {
        char hex[3] = "";
        out[size] = path.text[i];
        CHECK(out[size] > ' ' && out[size] < 0x7f && out[size] != '\\' && out[size] != '#');
        if (path.text[i] == '%') {
            CHECK(path.size - i > 2);
            memcpy(hex, path.text + i + 1, 2);
            CHECK(strspn(hex, "0123456789abcdefABCDEF") == 2);
            out[size] = (char)strtol(hex, NULL, 16);
            CHECK((unsigned char)out[size] >= 0x20 && out[size] != 0x7f);
            CHECK(out[size] != '/' && out[size] != '\\');
            i += 2;
        }
        size++;
    }
    return size;
}

static void check_target(struct str target)
{
    char path[HTTP_TARGET_SIZE_MAX];

    CHECK(target.size >= 1 && target.size <= HTTP_TARGET_SIZE_MAX && target.text[0] == '/');
    for (size_t i = 0; i < target.size; i++)
        CHECK(target.text[i] > ' ' && target.text[i] < 0x7f && target.text[i] != '#');
    struct str rest = {path, unescape(str_cut(&target, '?'), path)}, segment;
    CHECK(lines_take(&rest, '/', &segment) && segment.size == 0);
    while (lines_take(&rest, '/', &segment))
        CHECK(segment.size && !str_equal(segment, STR(".")) && !str_equal(segment, STR("..")));
}

/* A line up to its CR, which is cut off. */
static struct str take_line(struct str *rest)
{
    struct str line;

    CHECK(lines_take(rest, '\n', &line));
    CHECK(line.size && line.text[line.size - 1] == '\r');
    line.size--;
    CHECK(!line.size || !memchr(line.text, '\r', line.size));
    return line;
}

static bool is_named(struct str name, const char *wanted)
{
    return name.size == strlen(wanted) && strncasecmp(name.text, wanted, name.size) == 0;
}

static void check_header_line(struct str line)
{
    struct str name = str_cut(&line, ':');

    CHECK(line.text && is_token(name));
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.text[i];
        CHECK(c == '\t' || (c >= 0x20 && c != 0x7f));
    }
    struct str value = str_trim(line);
    CHECK(!is_named(name, "transfer-encoding"));
    CHECK(!is_named(name, "origin") || value.size);
    CHECK(!is_named(name, "upgrade") || is_named(value, "websocket"));
    CHECK(!is_named(name, "content-length") ||
          (value.size && value.size <= 19 && consists_of(value, "0123456789")));
}

static void check_complete(struct str head)
{
    struct str rest = head, line = take_line(&rest);
    struct str method = str_cut(&line, ' ');

    CHECK(str_equal(method, STR("GET")) || str_equal(method, STR("HEAD")));
    check_target(str_cut(&line, ' '));
    CHECK(str_equal(line, STR("HTTP/1.0")) || str_equal(line, STR("HTTP/1.1")));
    CHECK(rest.size <= HTTP_HEADERS_SIZE_MAX + 2);
    for (unsigned lines = 0;; lines++) {
        CHECK(lines <= HTTP_HEADER_LINES_MAX);
        line = take_line(&rest);
        if (line.size == 0)
            break;
        check_header_line(line);
    }
    CHECK(rest.size == 0);
}

/* http_head_values() finds what a walk along the lines finds: here of a header that proxies add. */
static void check_values(struct str head)
{
    struct str values[HTTP_HEADER_LINES_MAX], rest = head, line;
    size_t found = http_head_values(head, STR("X-Forwarded-For"), values, ARRAY_SIZE(values));
    size_t count = 0;

    (void)take_line(&rest);
    for (line = take_line(&rest); line.size; line = take_line(&rest)) {
        struct str name = str_cut(&line, ':');
        if (!is_named(name, "x-forwarded-for"))
            continue;
        CHECK(count < found && str_equal(values[count], str_trim(line)));
        count++;
    }
    CHECK(count == found);
}

/* Sent on to https it is sent to its own target, at a host that it named, in one line. */
static void check_redirect(struct str head)
{
    static const struct site site = {.error_view = {"{{status}}", 10}};
    static const struct http_policy policy = {.site = &site};
    struct http_decision decision;
    struct http_answer answer;
    struct str target = head, hosts[1] = {{NULL, 0}};

    http_decide_redirect(&decision, &policy, head, 8443);
    CHECK(decision.status == 308 || decision.status == 400);
    CHECK(http_answer_init(&answer, &decision, &policy, NULL));
    const char *location = answer.headers[answer.header_count - 1].value;
    str_cut(&target, ' ');
    target = str_cut(&target, ' ');
    if (decision.status == 308) {
        CHECK(http_head_values(head, STR("host"), hosts, 1) == 1);
        struct str name = host_without_port(hosts[0]);
        char *wanted = NULL;
        CHECK(asprintf(&wanted, "https://%.*s:8443%.*s", (int)name.size, name.text,
                       (int)target.size, target.text) > 0);
        CHECK(strcmp(location, wanted) == 0 && strspn(location, "\r\n ") == 0);
        free(wanted);
    }
    http_answer_deinit(&answer);
}

static void check_status(unsigned status)
{
    CHECK(status == 400 || status == 403 || status == 405 || status == 414 || status == 431 ||
          status == 505);
}

/* How often a line begins so, in any case. */
static unsigned count_lines(struct str bytes, const char *beginning)
{
    size_t size = strlen(beginning);
    unsigned count = 0;

    for (size_t at = 0; at + size <= bytes.size; at++)
        count += strncasecmp(bytes.text + at, beginning, size) == 0;
    return count;
}

/* What was judged with fewer bytes stands. */
static void check_front(struct str bytes, size_t size, struct http_head whole)
{
    struct str front = check_copy((struct str){bytes.text, size});
    struct http_head head = http_head_judge(front);

    if (whole.verdict == HTTP_HEAD_COMPLETE) {
        CHECK((head.verdict == HTTP_HEAD_COMPLETE) == (size >= whole.size));
        CHECK(head.verdict != HTTP_HEAD_REFUSED);
        CHECK(head.verdict != HTTP_HEAD_COMPLETE || head.size == whole.size);
    } else if (whole.verdict == HTTP_HEAD_INCOMPLETE) {
        CHECK(head.verdict == HTTP_HEAD_INCOMPLETE);
    } else {
        CHECK(head.verdict != HTTP_HEAD_COMPLETE);
    }
    free((char *)front.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = check_input(data, size);
    struct http_head head = http_head_judge(bytes);

    switch (head.verdict) {
    case HTTP_HEAD_INCOMPLETE:
        CHECK(size < HTTP_HEAD_SIZE_MAX); /* so that many are always enough */
        break;
    case HTTP_HEAD_COMPLETE:
        CHECK(head.size <= size && head.size <= HTTP_HEAD_SIZE_MAX);
        check_complete((struct str){bytes.text, head.size});
        check_values((struct str){bytes.text, head.size});
        check_redirect((struct str){bytes.text, head.size});
        break;
    case HTTP_HEAD_REFUSED:
        check_status(head.status);
        CHECK(head.status != 405 || bytes.text[0] != ' '); /* there was a method */
        CHECK(head.status != 403 || count_lines(bytes, "\norigin:") >= 2);
        break;
    }
    size_t step = size / 64 + 1; /* of a long head some of the cuts */
    for (size_t cut = 0; cut < size; cut += step)
        check_front(bytes, cut, head);
    if (size)
        check_front(bytes, size - 1, head);
    return 0;
}
