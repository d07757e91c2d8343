#include "log_private.h"

/* One process, one thread, one log: the only mutable state outside main's own. */
static struct {
    struct log_sink sink;
    enum log_level level;
    struct log_style style;
    uint64_t second; /* the second that lines_in_second counts */
    unsigned lines_in_second;
    uint64_t dropped;
    uint64_t dropped_reported;
} logger;

static bool write_line(enum log_level level, const char *event, const struct log_field *fields,
                       size_t count, uint64_t wall_ms)
{
    char text[LOG_LINE_SIZE_MAX];
    struct log_line line = {level, event, fields, count, wall_ms};

    size_t size = log_line_write(text, &logger.style, &line);
    return logger.sink.write(logger.sink.ctx, text, size);
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
 * the limit is for. But whatever the crowd does, it cannot drown them. */
static bool may_write(enum log_level level, uint64_t wall_ms)
{
    unsigned most = LOG_LINES_PER_S - (level > LOG_LEVEL_WARNING ? LOG_LINES_FOR_WARNINGS : 0);

    if (wall_ms / 1000 != logger.second) {
        logger.second = wall_ms / 1000;
        logger.lines_in_second = 0;
        report_dropped(wall_ms);
    }
    if (logger.lines_in_second >= most)
        return false;
    logger.lines_in_second++;
    return true;
}

void log_init(const struct log_sink *sink, enum log_level level)
{
    logger.sink = sink ? *sink : (struct log_sink){0};
    logger.level = level;
}

void log_set_style(const struct log_style *style)
{
    logger.style = *style;
}

void log_set_level(enum log_level level)
{
    logger.level = level;
}

enum log_level log_level_now(void)
{
    return logger.level;
}

const char *log_level_name(enum log_level level)
{
    return log_level_names[level];
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
    for (size_t i = 0; i <= LOG_LEVEL_DEBUG; i++) {
        if (str_equal(name, str_of(log_level_names[i]))) {
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

struct log_field log_address(const char *name, struct ip ip)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_ADDRESS, .ip = ip};
}

struct log_field log_room(const char *name, struct str id)
{
    return (struct log_field){.name = name, .type = LOG_FIELD_ROOM, .text = id};
}

void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t count)
{
    if (!log_level_is_on(level))
        return;
    uint64_t wall_ms = logger.sink.wall_ms(logger.sink.ctx);
    if (!may_write(level, wall_ms) || !write_line(level, event, fields, count, wall_ms))
        logger.dropped++;
}
