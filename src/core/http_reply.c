#include "aloha/http_reply.h"

/* Takes a line and its CR LF off *rest; false when there is none. */
static bool take_line(struct str *rest, struct str *line)
{
    const char *end = rest->size ? memmem(rest->text, rest->size, "\r\n", 2) : NULL;

    if (!end)
        return false;
    *line = (struct str){rest->text, (size_t)(end - rest->text)};
    *rest = (struct str){end + 2, rest->size - line->size - 2};
    return true;
}

static bool read_status(struct str line, unsigned *status)
{
    struct str version = str_cut(&line, ' ');
    uint64_t number;

    if (!str_equal(version, STR("HTTP/1.1")) && !str_equal(version, STR("HTTP/1.0")))
        return false;
    struct str code = str_cut(&line, ' ');
    if (code.size != 3 || !str_to_uint(code, 599, &number) || number < 100)
        return false;
    *status = (unsigned)number;
    return true;
}

bool http_reply_read(struct str text, struct http_reply *out)
{
    struct str line;
    uint64_t size = UINT64_MAX;

    *out = (struct http_reply){0};
    if (!take_line(&text, &line) || !read_status(line, &out->status))
        return false;
    while (take_line(&text, &line)) {
        if (line.size == 0) {
            out->body = text;
            return size == UINT64_MAX || size == text.size;
        }
        struct str name = str_cut(&line, ':'), value = str_trim(line);
        if (str_equal_nocase(name, STR("content-type")))
            out->is_json = str_equal_nocase(value, STR("application/json"));
        if (str_equal_nocase(name, STR("transfer-encoding")) ||
            (str_equal_nocase(name, STR("content-length")) &&
             (size != UINT64_MAX || !str_to_uint(value, INT64_MAX, &size))))
            return false;
    }
    return false;
}
