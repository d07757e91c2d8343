#include "aloha/log.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const level_names[] = {"error", "warning", "info", "debug"};

/* One process, one thread, one log: the only mutable state outside main's own. */
static struct {
    struct log_sink sink;
    enum log_level level;
    uint64_t second; /* the second that lines_in_second counts */
    unsigned lines_in_second;
    uint64_t dropped;
    uint64_t dropped_reported;
} logger;

struct line {
    char text[LOG_LINE_SIZE_MAX];
    size_t size;
};

enum { ROOM_FOR_END = 8 }; /* a closing quote and the line feed always fit */

static void put(struct line *line, const char *text, size_t size)
{
    size_t room = sizeof line->text - ROOM_FOR_END - line->size;
    if (size > room)
        size = room;
    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void put_escaped(struct line *line, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.text[i];
        char escaped[8];
        int size;
        if (c == '"' || c == '\\')
            size = snprintf(escaped, sizeof escaped, "\\%c", c);
        else if (c < 0x20 || c > 0x7e)
            size = snprintf(escaped, sizeof escaped, "\\x%02x", c);
        else
            size = snprintf(escaped, sizeof escaped, "%c", c);
        if ((size_t)size > sizeof line->text - ROOM_FOR_END - line->size)
            return; /* half an escape would be something else */
        put(line, escaped, (size_t)size);
    }
}

static void put_time(struct line *line, uint64_t wall_ms)
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm utc = {0};
    char text[64];

    gmtime_r(&seconds, &utc);
    size_t size = strftime(text, sizeof text, "ts=%Y-%m-%dT%H:%M:%S", &utc);
    size += (size_t)snprintf(text + size, sizeof text - size, ".%03uZ", (unsigned)(wall_ms % 1000));
    put(line, text, size);
}

/* Adds a field, or nothing where it does not fit: half a number would be another number. A text may
 * be cut, but has both its quotes. */
static void put_field(struct line *line, const struct log_field *field)
{
    char head[128], number[24] = "";
    size_t room = sizeof line->text - ROOM_FOR_END - line->size;
    bool is_text = field->type == LOG_FIELD_TEXT;

    int head_size = snprintf(head, sizeof head, " %s=%s", field->name, is_text ? "\"" : "");
    int number_size =
        is_text ? 0 : snprintf(number, sizeof number, "%llu", (unsigned long long)field->uint);
    if ((size_t)(head_size + number_size) > room)
        return;
    put(line, head, (size_t)head_size);
    put(line, number, (size_t)number_size);
    if (!is_text)
        return;
    put_escaped(line, field->text);
    line->text[line->size++] = '"'; /* ROOM_FOR_END: fits once, and then nothing else does */
}

static bool write_line(enum log_level level, const char *event, const struct log_field *fields,
                       size_t count, uint64_t wall_ms)
{
    struct line line = {.size = 0};

    put_time(&line, wall_ms);
    put(&line, " level=", 7);
    put(&line, level_names[level], strlen(level_names[level]));
    put(&line, " event=", 7);
    put(&line, event, strlen(event));
    for (size_t i = 0; i < count && line.size < sizeof line.text - ROOM_FOR_END; i++)
        put_field(&line, &fields[i]);
    line.text[line.size++] = '\n';
    return logger.sink.write(logger.sink.ctx, line.text, line.size);
}

/* Tells how many lines were lost since it was last told. */
static void report_dropped(uint64_t wall_ms)
{
    uint64_t dropped = logger.dropped;
    struct log_field lines = log_uint("lines", dropped - logger.dropped_reported);

    if (dropped == logger.dropped_reported)
        return;
    logger.lines_in_second++;
    if (write_line(LOG_LEVEL_WARNING, "log_dropped", &lines, 1, wall_ms))
        logger.dropped_reported = dropped;
}

/* True when this second has room for one more line. Errors are not spared: a flood of them is what
 * the limit is for. */
static bool may_write(uint64_t wall_ms)
{
    if (wall_ms / 1000 != logger.second) {
        logger.second = wall_ms / 1000;
        logger.lines_in_second = 0;
        report_dropped(wall_ms);
    }
    return logger.lines_in_second++ < LOG_LINES_PER_S;
}

void log_init(const struct log_sink *sink, enum log_level level)
{
    logger.sink = sink ? *sink : (struct log_sink){0};
    logger.level = level;
}

void log_set_level(enum log_level level)
{
    logger.level = level;
}

bool log_level_is_on(enum log_level level)
{
    return logger.sink.write && level <= logger.level;
}

uint64_t log_dropped_count(void)
{
    return logger.dropped;
}

bool log_level_of(struct str name, enum log_level *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(level_names); i++) {
        if (str_equal(name, str_of(level_names[i]))) {
            *out = (enum log_level)i;
            return true;
        }
    }
    return false;
}

struct log_field log_text(const char *name, const char *text)
{
    return log_str(name, str_of(text));
}

struct log_field log_str(const char *name, struct str text)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_TEXT, .text = text};
}

struct log_field log_uint(const char *name, uint64_t value)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_UINT, .uint = value};
}

void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (!log_level_is_on(level))
        return;
    uint64_t wall_ms = logger.sink.wall_ms(logger.sink.ctx);
    if (!may_write(wall_ms) || !write_line(level, event, fields, count, wall_ms))
        logger.dropped++;
}
