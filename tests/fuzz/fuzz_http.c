/* http_decide() and http_answer_init() over requests that are written as on the wire: a request
 * line, then headers. Five more lines set what a request cannot: "!target-size", "!headers-size",
 * "!site" with any of the words developing, native-clients-refused, "!hosts" and "!origins" with lists.
 *
 * 101 comes exactly when all of SECURITY R15 and R16 hold, worked out anew here; a status is one of
 * the known ones and has its headers; header values have no control characters; a room's name
 * reaches the page escaped only; and what is shown depends on the Host in
 * nothing but that one which is not listed is 421. */
#include "check.h"
#include "lines.h"

#include "aloha/http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PATH_SIZE_MAX = 4096, PAGE_SIZE_MAX = 64 * 1024, OWN_MAX = 4 };

#define FRESH_ROOM "0b1f7c52-93d8-4a6e-8f05-d1c2b3a49687"
#define TREE_TAG   "3f9a1c2b4d5e"

/* ---- a site of three files ---- */

/* A struct str as an initialiser. */
#define TEXT(literal) {(literal), sizeof(literal) - 1}

static const struct asset assets[] = {
    {.path = TEXT("css/main.css"),
     .tag = TEXT("aaaa0000"),
     .content = {TEXT("p { margin: 0 }"), TEXT("br-css"), TEXT("gzip-css")}},
    {.path = TEXT("favicon.ico"), .tag = TEXT("bbbb1111"), .content = {TEXT("icon")}},
    {.path = TEXT("js/main.js"),
     .tag = TEXT("cccc2222"),
     .content = {TEXT("export {};"), {NULL, 0}, TEXT("gzip-js")}},
};

static const struct site site_of_the_test = {
    .assets = assets,
    .asset_count = ARRAY_SIZE(assets),
    .tree_tag = TEXT(TREE_TAG),
    .immutable = true,
    .room_view = TEXT("<p id='{{roomId}}' class=\"{{assets}}\">{{roomId}}</p>"),
    .error_view = TEXT("<h1>{{status}} {{title}}</h1>{{text}}<a href=\"{{assets}}\">"),
};

/* ---- from the input to a request ---- */

struct input {
    struct http_request request;
    struct http_policy policy;
    struct site site;
    struct hosts hosts, origins;
    char path[PATH_SIZE_MAX];
    const char *own[OWN_MAX]; /* copies of exactly their size: a read past their end is seen */
};

static int hex_value(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c + 32 : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* Decodes the path as the server library does: once, and without the query. */
static void read_path(struct input *input, struct str target)
{
    struct str raw = str_cut(&target, '?');
    size_t size = 0;

    for (size_t i = 0; i < raw.size && size < sizeof input->path; i++) {
        bool coded = raw.text[i] == '%' && raw.size - i > 2 && hex_value(raw.text[i + 1]) >= 0 &&
                     hex_value(raw.text[i + 2]) >= 0;
        input->path[size++] =
            coded ? (char)(hex_value(raw.text[i + 1]) * 16 + hex_value(raw.text[i + 2]))
                  : raw.text[i];
        i += coded ? 2 : 0;
    }
    input->request.path = (struct str){input->path, size};
    input->request.target_size = raw.size + target.size;
}

static void read_request_line(struct input *input, struct str line)
{
    struct str method = str_cut(&line, ' ');
    struct str target = str_cut(&line, ' ');

    input->request.method = str_equal(method, STR("GET"))    ? HTTP_GET
                            : str_equal(method, STR("HEAD")) ? HTTP_HEAD
                                                             : HTTP_OTHER_METHOD;
    input->request.version = line;
    read_path(input, target);
}

static void read_header(struct input *input, struct str line)
{
    struct http_request *request = &input->request;
    const struct {
        const char *name;
        struct str *value;
        unsigned *count;
    } known[] = {
        {"host", &request->host, &request->host_count},
        {"content-length", &request->content_length, &request->content_length_count},
        {"accept-encoding", &request->accept_encoding, NULL},
        {"if-none-match", &request->if_none_match, NULL},
        {"upgrade", &request->upgrade, NULL},
        {"connection", &request->connection, NULL},
        {"origin", &request->origin, &request->origin_count},
        {"sec-websocket-key", &request->websocket_key, NULL},
        {"sec-websocket-version", &request->websocket_version, NULL},
        {"sec-websocket-protocol", &request->websocket_protocols, NULL},
    };
    struct str name = str_cut(&line, ':'), value = str_trim(line);
    uint64_t number = 0;

    request->headers_size += value.size;
    for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
        if (!str_equal_nocase(name, str_of(known[i].name)))
            continue;
        *known[i].value = value;
        if (known[i].count)
            ++*known[i].count;
    }
    if (str_equal_nocase(name, STR("transfer-encoding")))
        request->has_transfer_encoding = true;
    if (str_equal(name, STR("!target-size")) && str_to_uint(value, 100000, &number))
        request->target_size = (size_t)number;
    if (str_equal(name, STR("!headers-size")) && str_to_uint(value, 100000, &number))
        request->headers_size = (size_t)number;
    if (str_equal(name, STR("!site")) && value.size) {
        input->site.immutable = !memmem(value.text, value.size, "developing", 10);
        input->policy.allow_no_origin = !memmem(value.text, value.size, "refused", 7);
    }
    if (str_equal(name, STR("!scheme"))) {
        request->secure = str_equal(value, STR("https"));
        request->scheme_unknown = str_equal(value, STR("unknown"));
        input->policy.secure = request->secure;
        input->policy.demand_https = request->secure;
    }
    if (str_equal(name, STR("!hosts")) && !hosts_read(value, &input->hosts))
        input->hosts.count = 0;
    if (str_equal(name, STR("!origins")) && !origins_read(value, &input->origins))
        input->origins.count = 0;
}

static void read_input(struct input *input, struct str text)
{
    struct str line = {NULL, 0};

    *input = (struct input){.site = site_of_the_test};
    input->policy = (struct http_policy){.site = &input->site,
                                         .allow_no_origin = true,
                                         .hosts = &input->hosts,
                                         .origins = &input->origins};
    (void)lines_take(&text, '\n', &line);
    read_request_line(input, line);
    while (lines_take(&text, '\n', &line))
        read_header(input, line);

    struct str *own[OWN_MAX] = {&input->request.path, &input->request.host, &input->request.origin,
                                &input->request.websocket_protocols};
    for (size_t i = 0; i < OWN_MAX; i++)
        input->own[i] = own[i]->text = check_copy(*own[i]).text;
}

static void free_input(struct input *input)
{
    for (size_t i = 0; i < OWN_MAX; i++)
        free((char *)input->own[i]);
}

/* ---- the rules, once more ---- */

static bool consists_of(struct str text, const char *allowed)
{
    for (size_t i = 0; i < text.size; i++)
        if (!text.text[i] || !strchr(allowed, text.text[i]))
            return false;
    return true;
}

static bool is_number(struct str text)
{
    return text.size && consists_of(text, "0123456789");
}

/* name, address or [address], perhaps with a port (RFC 9110 section 7.2) */
static bool is_host(struct str host)
{
    struct str port = host;

    if (host.size > 261)
        return false;
    if (host.size && host.text[0] == '[') {
        struct str address = str_cut(&port, ']');
        if (!port.text || address.size < 2 ||
            !consists_of((struct str){address.text + 1, address.size - 1},
                         "0123456789abcdefABCDEF:."))
            return false;
        if (port.size == 0)
            return true;
        if (port.text[0] != ':')
            return false;
        port = (struct str){port.text + 1, port.size - 1};
    } else {
        struct str name = str_cut(&port, ':');
        if (name.size == 0 || !consists_of(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrst"
                                                 "uvwxyz0123456789-._~"))
            return false;
        if (!port.text)
            return true;
    }
    char digits[20] = "";
    if (!is_number(port) || port.size > 19)
        return false;
    memcpy(digits, port.text, port.size);
    return strtoull(digits, NULL, 10) <= 65535;
}

static bool is_readable(const struct http_request *request)
{
    bool has_body = request->content_length_count &&
                    !(is_number(request->content_length) && request->content_length.size <= 19 &&
                      consists_of(request->content_length, "0"));
    return request->target_size <= 2048 && request->headers_size <= 8192 &&
           !request->has_transfer_encoding && request->content_length_count <= 1 && !has_body &&
           request->host_count == 1 && is_host(request->host);
}

static bool has_item(struct str list, struct str item)
{
    while (list.size)
        if (str_equal_nocase(str_trim(str_cut(&list, ',')), item))
            return true;
    return false;
}

/* scheme "://" host: the whole of it, and nothing behind. */
static bool is_origin(struct str origin, struct str scheme, struct str host)
{
    return origin.size == scheme.size + host.size && str_starts_with(origin, scheme) &&
           str_equal((struct str){origin.text + scheme.size, host.size}, host);
}

/* One of the names as it stands there, or with a port behind it. */
static bool is_host_listed(const struct input *input)
{
    struct str host = input->request.host;

    for (size_t i = 0; i < input->hosts.count; i++) {
        size_t size = input->hosts.items[i].size;
        if (host.size >= size &&
            str_equal_nocase(input->hosts.items[i], (struct str){host.text, size}) &&
            (host.size == size || host.text[size] == ':'))
            return true;
    }
    return input->hosts.count == 0;
}

static bool is_origin_listed(const struct input *input)
{
    struct str origin = input->request.origin;

    for (size_t i = 0; i < input->origins.count; i++) {
        struct str item = input->origins.items[i];
        if (item.size == origin.size && memcmp(item.text, origin.text, item.size) == 0)
            return true;
    }
    return false;
}

static bool may_upgrade(const struct input *input)
{
    const struct http_request *request = &input->request;
    if (!is_readable(request) || !is_host_listed(input))
        return false;
    bool is_ours = is_origin_listed(input) ||
                   ((!request->secure || request->scheme_unknown) &&
                    is_origin(request->origin, STR("http://"), request->host)) ||
                   ((request->secure || request->scheme_unknown) &&
                    is_origin(request->origin, STR("https://"), request->host));
    return str_equal(request->path, STR("/ws")) && request->method == HTTP_GET &&
           str_equal(request->version, STR("HTTP/1.1")) &&
           str_equal_nocase(request->upgrade, STR("websocket")) &&
           str_equal(request->websocket_version, STR("13")) && request->websocket_key.size == 24 &&
           (request->websocket_protocols.size == 0 ||
            has_item(request->websocket_protocols, STR("aloha.v1"))) &&
           has_item(request->connection, STR("upgrade")) &&
           (request->origin_count == 0 ? input->policy.allow_no_origin
                                       : request->origin_count == 1 && is_ours);
}

static bool is_room_path(struct str path)
{
    if (path.size <= 6 || memcmp(path.text, "/room/", 6) != 0)
        return false;
    struct str id = {path.text + 6, path.size - 6};
    return id.size <= 64 &&
           consists_of(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._~-") &&
           !str_equal(id, STR(".")) && !str_equal(id, STR(".."));
}

/* ---- the decision ---- */

static void check_decision(const struct http_decision *decision, const struct input *input)
{
    const struct http_request *request = &input->request;
    struct str path = request->path;

    CHECK((decision->status == 101) == may_upgrade(input));
    CHECK((decision->status == 101) == (decision->action == HTTP_WEBSOCKET));
    CHECK(decision->head_only == (request->method == HTTP_HEAD));
    if (decision->status < 400) {
        CHECK(is_readable(request) && request->method != HTTP_OTHER_METHOD);
        CHECK(is_host_listed(input));
        CHECK(request->upgrade.size == 0 || decision->status == 101);
        CHECK(!decision->close);
    } else {
        CHECK(decision->action == HTTP_SHOW_ERROR);
        CHECK(decision->close || decision->status == 404);
    }

    switch (decision->status) {
    case 101:
        return;
    case 200:
        if (decision->action == HTTP_SHOW_ROOM)
            CHECK(is_room_path(path) &&
                  str_equal(decision->room_id, (struct str){path.text + 6, path.size - 6}));
        else
            CHECK(decision->action == HTTP_SHOW_ASSET && decision->asset);
        return;
    case 302:
        CHECK(decision->action == HTTP_NEW_ROOM && str_equal(path, STR("/")));
        return;
    case 304:
        CHECK(decision->action == HTTP_NOT_CHANGED && decision->asset);
        CHECK(request->if_none_match.size);
        return;
    case 400:
    case 403:
    case 426:
        return;
    case 404:
        CHECK(!is_room_path(path) && !str_equal(path, STR("/")) && !str_equal(path, STR("/ws")));
        return;
    case 405:
        CHECK(request->method == HTTP_OTHER_METHOD);
        return;
    case 414:
        CHECK(request->target_size > 2048);
        return;
    case 421:
        CHECK(!is_host_listed(input));
        return;
    case 431:
        CHECK(request->headers_size > 8192);
        return;
    case 505:
        CHECK(!str_starts_with(request->version, STR("HTTP/1.")) || request->version.size != 8 ||
              request->version.text[7] > '1' || request->version.text[7] < '0');
        return;
    default:
        CHECK(decision->status == 0); /* a status that nobody knows */
    }
}

/* ---- the answer ---- */

static const char *header(const struct http_answer *answer, const char *name)
{
    const char *value = NULL;

    for (size_t i = 0; i < answer->header_count; i++) {
        if (strcmp(answer->headers[i].name, name) != 0)
            continue;
        CHECK(!value); /* never twice */
        value = answer->headers[i].value;
    }
    return value;
}

static bool header_is(const struct http_answer *answer, const char *name, const char *value)
{
    const char *there = header(answer, name);
    return there && strcmp(there, value) == 0;
}

/* Visible characters and spaces only: nothing that ends a header, or begins another. */
static void check_header(const struct http_header *one)
{
    CHECK(one->name[0] && one->value[0]);
    for (const char *at = one->name; *at; at++)
        CHECK((*at >= 'a' && *at <= 'z') || *at == '-');
    for (const char *at = one->value; *at; at++)
        CHECK(*at >= 0x20 && *at <= 0x7e);
}

static void add_escaped(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        char c = text.text[i];
        const char *escape = c == '&'    ? "&amp;"
                             : c == '<'  ? "&lt;"
                             : c == '>'  ? "&gt;"
                             : c == '"'  ? "&quot;"
                             : c == '\'' ? "&#39;"
                                         : NULL;
        buf_add(out, escape ? str_of(escape) : (struct str){&c, 1});
    }
}

/* What a page is when it is unpacked (RFC 1952): one gzip member and nothing behind it. */
static void unpack(struct buf *out, struct str packed)
{
    z_stream stream = {0};
    char *at = buf_reserve(out, PAGE_SIZE_MAX);

    CHECK(at && inflateInit2(&stream, 15 + 16) == Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)packed.text;
    stream.avail_in = (uInt)packed.size;
    stream.next_out = (Bytef *)at;
    stream.avail_out = PAGE_SIZE_MAX;
    CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0);
    out->size = stream.total_out;
    inflateEnd(&stream);
}

/* The page is the view's own text around the escaped name, and nothing else. */
static void check_room_page(const struct http_answer *answer, struct str room_id)
{
    struct buf wanted, unpacked;
    const char *coding = header(answer, "content-encoding");
    struct str body = answer->body;

    buf_init(&unpacked, PAGE_SIZE_MAX);
    if (coding) {
        CHECK(strcmp(coding, "gzip") == 0);
        unpack(&unpacked, body);
        body = buf_str(&unpacked);
    }
    buf_init(&wanted, PAGE_SIZE_MAX);
    buf_add(&wanted, STR("<p id='"));
    add_escaped(&wanted, room_id);
    buf_add(&wanted, STR("' class=\"/assets/" TREE_TAG "\">"));
    add_escaped(&wanted, room_id);
    buf_add(&wanted, STR("</p>"));
    CHECK(!wanted.failed && str_equal(body, buf_str(&wanted)));
    buf_deinit(&wanted);
    buf_deinit(&unpacked);
}

/* The same words for a status whatever the request was. */
static void check_error_page(struct str body, unsigned status)
{
    static struct str first[600];
    char number[8] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
                      (char)('0' + status % 10)};

    CHECK(status < ARRAY_SIZE(first));
    if (!first[status].text) {
        CHECK(body.size < 1024 && memmem(body.text, body.size, number, 3));
        first[status] = check_copy(body);
    }
    CHECK(str_equal(body, first[status]));
}

/* True when the coding, or "*", stands somewhere in the header. */
static bool names_coding(struct str accepted, struct str coding)
{
    for (size_t at = 0; at < accepted.size; at++)
        if (accepted.text[at] == '*' ||
            (accepted.size - at >= coding.size &&
             str_equal_nocase((struct str){accepted.text + at, coding.size}, coding)))
            return true;
    return false;
}

static void check_asset(const struct http_answer *answer, const struct http_decision *decision,
                        const struct input *input)
{
    const struct asset *asset = decision->asset;
    struct str path = input->request.path, accepted = input->request.accept_encoding;
    const char *coding = encoding_name(decision->encoding);
    const char *etag = header(answer, "etag");

    CHECK(path.size > asset->path.size && memcmp(path.text + path.size - asset->path.size,
                                                 asset->path.text, asset->path.size) == 0);
    CHECK(header_is(answer, "vary", "accept-encoding"));
    bool versioned =
        input->site.immutable && path.size > 8 && memcmp(path.text, "/assets/", 8) == 0;
    CHECK(
        header_is(answer, "cache-control", versioned ? "max-age=31536000, immutable" : "no-cache"));
    CHECK(etag && etag[0] == '"' && memcmp(etag + 1, asset->tag.text, asset->tag.size) == 0);
    if (coding)
        CHECK(names_coding(accepted, str_of(coding)));
    if (decision->status == 304) {
        CHECK(answer->body.size == 0);
        return;
    }
    CHECK(header(answer, "content-type"));
    CHECK(coding ? header_is(answer, "content-encoding", coding)
                 : !header(answer, "content-encoding"));
    CHECK(answer->body.size && str_equal(answer->body, asset->content[decision->encoding]));
}

static void check_answer(const struct http_answer *answer, const struct http_decision *decision,
                         const struct input *input)
{
    for (size_t i = 0; i < answer->header_count; i++)
        check_header(&answer->headers[i]);
    if (decision->asset) {
        check_asset(answer, decision, input);
        return;
    }
    CHECK(header_is(answer, "cache-control", "no-store"));
    CHECK((decision->status == 302) == (header(answer, "location") != NULL));
    CHECK((decision->status == 405) == header_is(answer, "allow", "GET, HEAD"));
    CHECK((decision->status == 426) == header_is(answer, "sec-websocket-version", "13"));
    if (decision->status == 302) {
        CHECK(header_is(answer, "location", "/room/" FRESH_ROOM));
        return;
    }
    CHECK(header_is(answer, "content-type", "text/html; charset=utf-8"));
    if (decision->status == 200) {
        CHECK(header_is(answer, "vary", "accept-encoding"));
        CHECK(!header(answer, "content-encoding") ||
              names_coding(input->request.accept_encoding, STR("gzip")));
        check_room_page(answer, decision->room_id);
    } else {
        CHECK(!header(answer, "content-encoding"));
        check_error_page(answer->body, decision->status);
    }
}

static bool is_same_answer(const struct http_answer *a, const struct http_answer *b)
{
    if (a->header_count != b->header_count || !str_equal(a->body, b->body))
        return false;
    for (size_t i = 0; i < a->header_count; i++)
        if (strcmp(a->headers[i].name, b->headers[i].name) != 0 ||
            strcmp(a->headers[i].value, b->headers[i].value) != 0)
            return false;
    return true;
}

/* Another Host, and with it the Origin of its page, gets the same answer byte for byte. */
static void check_without_host(const struct http_answer *answer,
                               const struct http_decision *decision, const struct input *input)
{
    struct input other = *input;
    struct http_decision again;
    struct http_answer second;
    struct str origin = input->request.origin, host = input->request.host;

    if (!is_host(host) || input->hosts.count)
        return;
    other.policy.site = &other.site;
    other.request.host = STR("other.example:8443");
    if (origin.size > host.size &&
        str_equal_nocase((struct str){origin.text + origin.size - host.size, host.size}, host))
        return; /* may be the page's own origin: check_decision() has looked at it */
    http_decide(&again, &other.policy, &other.request);
    CHECK(again.status == decision->status && again.action == decision->action);
    CHECK(http_answer_init(&second, &again, &other.policy, FRESH_ROOM));
    CHECK(is_same_answer(answer, &second));
    http_answer_deinit(&second);
}

/* Even a name that http_decide() would never let through is escaped. */
static void check_hostile_room(const struct input *input)
{
    struct str path = input->request.path;
    struct http_decision decision = {.action = HTTP_SHOW_ROOM,
                                     .status = 200,
                                     .room_id = {path.text, path.size}};
    struct http_answer answer;

    CHECK(http_answer_init(&answer, &decision, &input->policy, FRESH_ROOM));
    check_room_page(&answer, decision.room_id);
    http_answer_deinit(&answer);
}

/* One line of the head, with its end.
 *   returns   false when it is none that an HTTP parser reads in one way only. */
static bool is_head_line(struct str line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.text[i] < 0x20 || line.text[i] > 0x7e)
            return i + 1 == line.size && line.text[i] == '\r';
    return false;
}

static bool head_has(struct str head, const char *line)
{
    return memmem(head.text, head.size, line, strlen(line)) != NULL;
}

/* The head on the wire: whole lines, an empty one at the end and nowhere else, and on each answer
 * what SECURITY R8 asks for. */
static void check_head(const struct http_answer *answer, const struct http_decision *decision)
{
    static const char *const always[] = {
        "\r\ndate: Thu, 01 Jan 1970 00:00:00 GMT\r\n",
        "\r\ncontent-security-policy: default-src 'none'; script-src 'self'; ",
        "frame-ancestors 'none'\r\n",
        "\r\npermissions-policy: camera=(self), microphone=(self), ",
        "\r\nx-content-type-options: nosniff\r\n",
        "\r\nreferrer-policy: no-referrer\r\n",
        "\r\nx-frame-options: DENY\r\n",
        "\r\ncross-origin-opener-policy: same-origin\r\n",
        "\r\ncross-origin-resource-policy: same-origin\r\n",
    };
    char text[64];
    struct buf out;

    buf_init(&out, HTTP_ANSWER_HEAD_SIZE_MAX);
    http_answer_write_head(&out, decision, answer, "Thu, 01 Jan 1970 00:00:00 GMT",
                           decision->close);
    CHECK(!out.failed);
    struct str head = buf_str(&out), rest = head, line;
    snprintf(text, sizeof text, "HTTP/1.1 %u ", decision->status);
    CHECK(str_starts_with(head, str_of(text)));
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        CHECK(head_has(head, always[i]));
    snprintf(text, sizeof text, "\r\ncontent-length: %zu\r\n", answer->body.size);
    CHECK(head_has(head, text) == (decision->status != 304));
    CHECK(head_has(head, "\r\nconnection: close") == decision->close);
    while (lines_take(&rest, '\n', &line)) {
        CHECK(is_head_line(line));
        CHECK((line.size == 1) == (rest.size == 0));
    }
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct input input;
    struct http_decision decision;
    struct http_answer answer;

    read_input(&input, check_input(data, size));
    http_decide(&decision, &input.policy, &input.request);
    check_decision(&decision, &input);
    if (decision.action != HTTP_WEBSOCKET) {
        CHECK(http_answer_init(&answer, &decision, &input.policy, FRESH_ROOM));
        check_answer(&answer, &decision, &input);
        check_head(&answer, &decision);
        check_without_host(&answer, &decision, &input);
        http_answer_deinit(&answer);
    }
    check_hostile_room(&input);
    free_input(&input);
    return 0;
}
