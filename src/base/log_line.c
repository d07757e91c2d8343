/* How an event is spelled: logfmt or JSON, in plain ASCII either way. */
#include "log_private.h"

#include "aloha/utf8.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

const char *const log_level_names[] = {"error", "warning", "info", "debug"};

enum {
    ROOM_FOR_END = 8, /* a closing quote, a brace and the line feed always fit */
    ESCAPED_SIZE_MAX = 16,
    REPLACEMENT = 0xfffd,
};

struct line {
    char *text;
    size_t size;
    unsigned fields; /* so far */
};

static size_t room_in(const struct line *line)
{
    return LOG_LINE_SIZE_MAX - ROOM_FOR_END - line->size;
}

static bool put(struct line *line, const char *text, size_t size)
{
    if (size > room_in(line))
        return false;
    memcpy(line->text + line->size, text, size);
    line->size += size;
    return true;
}

/* ---- texts ---- */

/* Takes one character off the front of *text and writes it so that it ends neither the text nor the line.
 *   returns   the size of that. */
typedef size_t escape_fn(char out[ESCAPED_SIZE_MAX], struct str *text);

static bool is_plain(unsigned char c)
{
    return c >= 0x20 && c <= 0x7e && c != '"' && c != '\\';
}

static size_t escape_logfmt(char out[ESCAPED_SIZE_MAX], struct str *text)
{
    unsigned char c = (unsigned char)*text->text;

    text->text++;
    text->size--;
    if (is_plain(c))
        return (size_t)snprintf(out, ESCAPED_SIZE_MAX, "%c", c);
    if (c == '"' || c == '\\')
        return (size_t)snprintf(out, ESCAPED_SIZE_MAX, "\\%c", c);
    return (size_t)snprintf(out, ESCAPED_SIZE_MAX, "\\x%02x", c);
}

/* How many bytes make the first character, or are the beginning of one that is broken (Unicode section 3.9,
 * "maximal subpart": what every browser and language replaces by one U+FFFD). */
static size_t first_character(struct str text, bool *valid)
{
    size_t most = text.size < 4 ? text.size : 4, broken = 1;

    for (size_t size = 1; size <= most; size++) {
        struct str part = {text.text, size};
        *valid = utf8_is_valid(part);
        if (*valid)
            return size;
        if (utf8_cut_size(part) == size)
            broken = size;
    }
    return broken;
}

static size_t escape_json(char out[ESCAPED_SIZE_MAX], struct str *text)
{
    bool valid = false;
    size_t size = first_character(*text, &valid);
    struct str character = {text->text, size};
    uint32_t c = valid ? utf8_take(&character) : REPLACEMENT;

    text->text += size;
    text->size -= size;
    if (c <= 0x7e && is_plain((unsigned char)c))
        return (size_t)snprintf(out, ESCAPED_SIZE_MAX, "%c", (char)c);
    if (c == '"' || c == '\\')
        return (size_t)snprintf(out, ESCAPED_SIZE_MAX, "\\%c", (char)c);
    if (c < 0x10000)
        return (size_t)snprintf(out, ESCAPED_SIZE_MAX, "\\u%04x", (unsigned)c);
    c -= 0x10000; /* two surrogates: RFC 8259 section 7 */
    return (size_t)snprintf(out, ESCAPED_SIZE_MAX, "\\u%04x\\u%04x", (unsigned)(0xd800 + (c >> 10)),
                            (unsigned)(0xdc00 + (c & 0x3ff)));
}

static void put_escaped(struct line *line, struct str text, escape_fn *escape)
{
    char escaped[ESCAPED_SIZE_MAX];

    while (text.size) {
        size_t size = escape(escaped, &text);
        if (!put(line, escaped, size))
            return; /* half an escape would be something else */
    }
}

/* ---- what fields hold ---- */

/* a.b.c.0 or a:b:c:: — who it is does not matter at any level, from which network does. */
static void cut_address(char *out, size_t size, struct ip ip)
{
    const uint8_t *b = ip.bytes;

    if (ip_is_ipv4(ip))
        snprintf(out, size, "%u.%u.%u.0/24", b[12], b[13], b[14]);
    else
        snprintf(out, size, "%x:%x:%x::/48", b[0] << 8 | b[1], b[2] << 8 | b[3], b[4] << 8 | b[5]);
}

/* What the field says: its own text, or one written into scratch. */
static struct str text_of(const struct log_field *field, const struct log_style *style,
                          char *scratch, size_t size)
{
    switch (field->type) {
    case LOG_FIELD_TEXT:
        return field->text;
    case LOG_FIELD_UINT:
        snprintf(scratch, size, "%llu", (unsigned long long)field->uint);
        break;
    case LOG_FIELD_ADDRESS:
        cut_address(scratch, size, field->ip);
        break;
    case LOG_FIELD_ROOM:
        snprintf(scratch, size, "%08x",
                 (unsigned)siphash(style->key, field->text.text, field->text.size));
        break;
    }
    return str_of(scratch);
}

/* How the two formats differ. */
static const struct notation {
    const char *begin, *separator; /* of the line, and between its fields */
    const char *name_quote, *equals;
    const char *end;
    bool quotes_words; /* also what cannot need it: time, level, event */
    escape_fn *escape;
} notations[] = {
    [LOG_FORMAT_LOGFMT] = {"", " ", "", "=", "\n", false, escape_logfmt},
    [LOG_FORMAT_JSON] = {"{", ",", "\"", ":", "}\n", true, escape_json},
};

/* Adds a field, or nothing where it does not fit: half a number would be another number. A text may be cut,
 * but has both its quotes. */
static void put_value(struct line *line, const struct notation *notation, const char *name,
                      struct str value, bool quoted)
{
    char head[128];
    int size = snprintf(head, sizeof head, "%s%s%s%s%s%s", line->fields ? notation->separator : "",
                        notation->name_quote, name, notation->name_quote, notation->equals,
                        quoted ? "\"" : "");

    if ((size_t)size >= sizeof head || (size_t)size + (quoted ? 0 : value.size) > room_in(line))
        return;
    line->fields++;
    put(line, head, (size_t)size);
    if (!quoted) {
        put(line, value.text, value.size);
        return;
    }
    put_escaped(line, value, notation->escape);
    line->text[line->size++] = '"'; /* ROOM_FOR_END: fits once, and then nothing else does */
}

static void put_time(struct line *line, const struct notation *notation, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    char text[64];

    gmtime_r(&seconds, &utc);
    size_t size = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + size, sizeof text - size, ".%03uZ", (unsigned)(wall_ms % 1000));
    put_value(line, notation, "ts", str_of(text), notation->quotes_words);
}

/* sd-daemon(3): the priorities of syslog(3), which the journal takes off the line again. */
static void put_priority(struct line *line, enum log_level level)
{
    static const char *const priorities[] = {
        [LOG_LEVEL_ERROR] = "<3>",
        [LOG_LEVEL_WARNING] = "<4>",
        [LOG_LEVEL_INFO] = "<6>",
        [LOG_LEVEL_DEBUG] = "<7>",
    };
    put(line, priorities[level], 3);
}

size_t log_line_write(char out[LOG_LINE_SIZE_MAX], const struct log_style *style,
                      const struct log_line *line)
{
    const struct notation *notation = &notations[style->format];
    struct line to = {.text = out};
    char scratch[64];

    if (style->journal)
        put_priority(&to, line->level);
    put(&to, notation->begin, strlen(notation->begin));
    if (!style->journal || style->format == LOG_FORMAT_JSON)
        put_time(&to, notation, line->wall_ms);
    put_value(&to, notation, "level", str_of(log_level_names[line->level]), notation->quotes_words);
    put_value(&to, notation, "event", str_of(line->event), notation->quotes_words);
    for (size_t i = 0; i < line->count && to.size < LOG_LINE_SIZE_MAX - ROOM_FOR_END; i++) {
        const struct log_field *field = &line->fields[i];
        struct str value = text_of(field, style, scratch, sizeof scratch);
        put_value(&to, notation, field->name, value, field->type != LOG_FIELD_UINT);
    }
    memcpy(out + to.size, notation->end, strlen(notation->end));
    return to.size + strlen(notation->end);
}
