#include "aloha/http_head.h"

#include <string.h>

/* Where the judge is. A step returns 0 to go on, or the verdict's status; NEED_MORE when the bytes
 * end. */
struct judge {
    const char *at, *end;
    bool known_method;
    unsigned seen; /* a bit for each header of single_headers that has come */
};

enum { GO_ON = 0, NEED_MORE = 1 };

/* RFC 9110 section 5.6.2. */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Takes bytes up to a separator: `accepts` says which may come, `max` how many. */
static unsigned take_until(struct judge *judge, char separator, bool (*accepts)(char c), size_t max,
                           unsigned too_long, struct str *out)
{
    const char *start = judge->at;

    for (; judge->at < judge->end; judge->at++) {
        if (*judge->at == separator) {
            *out = (struct str){start, (size_t)(judge->at++ - start)};
            return GO_ON;
        }
        if ((size_t)(judge->at - start) >= max)
            return too_long;
        if (!accepts(*judge->at))
            return 400;
    }
    return NEED_MORE;
}

static bool is_visible(char c)
{
    return c > ' ' && c < 0x7f;
}

/* One byte of the path, unescaped; -1 when it is none that a path may have. */
static int take_path_byte(struct str *path)
{
    char c = path->text[0];
    int high, low;

    if (c == '\\' || c == '#')
        return -1;
    if (c != '%') {
        *path = (struct str){path->text + 1, path->size - 1};
        return c;
    }
    if (path->size < 3 || (high = hex_value(path->text[1])) < 0 ||
        (low = hex_value(path->text[2])) < 0)
        return -1;
    *path = (struct str){path->text + 3, path->size - 3};
    int byte = high * 16 + low;
    return byte < ' ' || byte == 0x7f || byte == '/' || byte == '\\' ? -1 : byte;
}

/* No empty and no dot segments, in any spelling: nobody here needs them, and parsers differ about
 * them. */
static bool path_is_plain(struct str path)
{
    size_t segment = 0, dots = 0; /* bytes of this segment, and how many are dots */

    path = (struct str){path.text + 1, path.size - 1}; /* the slash in front */
    while (path.size) {
        bool slash = path.text[0] == '/';
        int byte = take_path_byte(&path);
        if (byte < 0)
            return false;
        if (slash) {
            if (segment == dots && dots <= 2)
                return false;
            segment = dots = 0;
            continue;
        }
        segment++;
        dots += byte == '.';
    }
    return !(segment && segment == dots && dots <= 2);
}

static unsigned judge_target(struct str target)
{
    if (target.size == 0 || target.text[0] != '/')
        return 400;
    struct str query = target;
    struct str path = str_cut(&query, '?');
    if (query.size && memchr(query.text, '#', query.size))
        return 400;
    return path_is_plain(path) ? GO_ON : 400;
}

static bool is_version_char(char c)
{
    return (c >= '0' && c <= '9') || (c && strchr("HTTP/.", c));
}

static unsigned judge_version(struct str version)
{
    if (str_equal(version, STR("HTTP/1.1")) || str_equal(version, STR("HTTP/1.0")))
        return GO_ON;
    return version.size == 8 && str_starts_with(version, STR("HTTP/")) ? 505 : 400;
}

static unsigned take_line_feed(struct judge *judge)
{
    if (judge->at == judge->end)
        return NEED_MORE;
    return *judge->at++ == '\n' ? GO_ON : 400;
}

static unsigned judge_request_line(struct judge *judge)
{
    struct str method, target, version;

    unsigned status = take_until(judge, ' ', is_token_char, HTTP_METHOD_SIZE_MAX, 400, &method);
    if (!status && method.size == 0)
        status = 400;
    if (status)
        return status;
    judge->known_method = str_equal(method, STR("GET")) || str_equal(method, STR("HEAD"));
    status = take_until(judge, ' ', is_visible, HTTP_TARGET_SIZE_MAX, 414, &target);
    if (status)
        return status;
    status = take_until(judge, '\r', is_version_char, 8, 400, &version);
    if (!status)
        status = take_line_feed(judge);
    if (status)
        return status;
    status = judge_version(version);
    if (status)
        return status;
    return judge->known_method ? judge_target(target) : GO_ON;
}

static bool is_value_char(char c)
{
    return c == '\t' || ((unsigned char)c >= ' ' && c != 0x7f);
}

static bool may_be_value(struct str value)
{
    (void)value;
    return true;
}

static bool is_zero(struct str value)
{
    uint64_t length;
    return str_to_uint(value, 0, &length);
}

static bool is_not_empty(struct str value)
{
    return value.size > 0; /* an empty Origin: the library could not tell it from none */
}

static bool is_websocket(struct str value)
{
    return str_equal_nocase(value, STR("websocket"));
}

static bool is_refused(struct str value)
{
    (void)value;
    return false;
}

/* Headers that decide how a request is read or whether it is let in: each comes once at most, for two
 * readers might take different ones. No body is read here, least of all one without a length. */
static const struct {
    struct str name;
    bool (*accepts)(struct str value);
    unsigned when_repeated;
} single_headers[] = {
    {{"host", 4}, may_be_value, 400},
    {{"content-length", 14}, is_zero, 400},
    {{"transfer-encoding", 17}, is_refused, 400},
    {{"origin", 6}, is_not_empty, 403},
    {{"upgrade", 7}, is_websocket, 400},
    {{"sec-websocket-key", 17}, may_be_value, 400},
    {{"sec-websocket-version", 21}, may_be_value, 400},
};

static unsigned judge_header(struct judge *judge, struct str name, struct str value)
{
    for (unsigned i = 0; i < ARRAY_SIZE(single_headers); i++) {
        if (!str_equal_nocase(name, single_headers[i].name))
            continue;
        if (!single_headers[i].accepts(value))
            return 400;
        if (judge->seen & (1u << i))
            return single_headers[i].when_repeated;
        judge->seen |= 1u << i;
    }
    return GO_ON;
}

/* One header line behind its first byte. */
static unsigned judge_header_line(struct judge *judge)
{
    struct str name = {NULL, 0}, value = {NULL, 0};

    unsigned status = take_until(judge, ':', is_token_char, HTTP_HEADERS_SIZE_MAX, 431, &name);
    if (!status && name.size == 0)
        status = 400;
    if (!status)
        status = take_until(judge, '\r', is_value_char, HTTP_HEADERS_SIZE_MAX, 431, &value);
    if (!status)
        status = take_line_feed(judge);
    return status ? status : judge_header(judge, name, str_trim(value));
}

static unsigned judge_headers(struct judge *judge)
{
    const char *start = judge->at;

    for (unsigned lines = 0;; lines++) {
        if (judge->at - start > HTTP_HEADERS_SIZE_MAX)
            return 431;
        if (judge->at == judge->end)
            return NEED_MORE;
        if (*judge->at == '\r') {
            judge->at++;
            return take_line_feed(judge);
        }
        if (lines == HTTP_HEADER_LINES_MAX)
            return 431;
        unsigned status = judge_header_line(judge);
        if (status == NEED_MORE && judge->end - start > HTTP_HEADERS_SIZE_MAX)
            return 431;
        if (status)
            return status;
    }
}

struct http_head http_head_judge(struct str bytes)
{
    if (bytes.size == 0)
        return (struct http_head){.verdict = HTTP_HEAD_INCOMPLETE};

    struct judge judge = {.at = bytes.text, .end = bytes.text + bytes.size};
    unsigned status = judge_request_line(&judge);
    if (!status)
        status = judge_headers(&judge);
    if (!status && !judge.known_method)
        status = 405; /* HTTP, but nothing that is done here */
    if (status == NEED_MORE)
        return (struct http_head){.verdict = HTTP_HEAD_INCOMPLETE};
    if (status)
        return (struct http_head){.verdict = HTTP_HEAD_REFUSED, .status = status};
    return (struct http_head){.verdict = HTTP_HEAD_COMPLETE,
                              .size = (size_t)(judge.at - bytes.text)};
}

/* Part of a name, and not a name itself: "accep", not "accept", though "accept-encoding" is one too. */
static bool is_part_only(struct str name, const struct str *names, size_t count)
{
    bool part = false;

    for (size_t i = 0; i < count; i++) {
        if (str_equal_nocase(names[i], name))
            return false;
        part = part || (names[i].size > name.size &&
                        str_equal_nocase(name, (struct str){names[i].text, name.size}));
    }
    return part;
}

bool http_head_names_part_of(struct str head, const struct str *names, size_t count)
{
    str_cut(&head, '\n'); /* the request line */
    while (head.size) {
        struct str line = str_cut(&head, '\n');
        struct str name = str_cut(&line, ':');
        if (line.text && is_part_only(name, names, count))
            return true;
    }
    return false;
}

size_t http_head_values(struct str head, struct str name, struct str *out, size_t max)
{
    size_t count = 0;

    str_cut(&head, '\n'); /* the request line */
    while (head.size && count < max) {
        struct str value = str_cut(&head, '\r');
        str_cut(&head, '\n');
        struct str its_name = str_cut(&value, ':');
        if (value.text && str_equal_nocase(its_name, name))
            out[count++] = str_trim(value);
    }
    return count;
}
