#include "aloha/limits.h"

#include <stddef.h>
#include <string.h>

static const struct {
    const char *text;
    uint32_t scale;
} units[UNIT_COUNT] = {
#define UNIT_ROW(unit, text, scale) [unit] = {text, scale},
    UNIT_TABLE(UNIT_ROW)
#undef UNIT_ROW
};

const struct limit_row limit_rows[LIMITS_COUNT] = {
#define LIMIT_ROW(field, option, member, unit, ...)                                                \
    {option, member, offsetof(struct limits, field), unit, __VA_ARGS__},
    LIMIT_TABLE(LIMIT_ROW)
#undef LIMIT_ROW
};

const char *unit_text(enum unit unit)
{
    return units[unit].text;
}

uint32_t unit_scale(enum unit unit)
{
    return units[unit].scale;
}

uint32_t limits_field(const struct limits *limits, const struct limit_row *row)
{
    uint32_t value;
    memcpy(&value, (const char *)limits + row->offset, sizeof value);
    return value;
}

bool limits_is_off(const struct limits *limits, const struct limit_row *row)
{
    /* No time at all is a time; nothing at all is no limit. */
    return row->min == 0 && row->unit != UNIT_SECONDS && limits_field(limits, row) == 0;
}

void limits_init(struct limits *limits)
{
    *limits = (struct limits){0};
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        uint32_t value = limit_rows[i].def * unit_scale(limit_rows[i].unit);
        memcpy((char *)limits + limit_rows[i].offset, &value, sizeof value);
    }
    limits_derive(limits);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

void limits_derive(struct limits *limits)
{
    uint32_t message = limits->message_size_max;

    if (limits->queue_messages_max)
        limits->queue_messages_max =
            larger(limits->queue_messages_max, LIMIT_MESH_MESSAGES * (limits->room_peers_max - 1));

    limits->bytes_burst = larger(limits->bytes_burst, message);
    limits->backlog_size_max = larger(limits->backlog_size_max, 2 * message);
    limits->queue_size_max = larger(limits->queue_size_max, limits->backlog_size_max + message);
    limits->connections =
        (struct bucket_rate){limits->connections_per_s * 60, limits->connections_burst};
    limits->joins = (struct bucket_rate){limits->joins_per_minute, limits->joins_burst};
    limits->messages = (struct bucket_rate){limits->messages_per_s * 60, limits->messages_burst};
    limits->bytes = (struct bucket_rate){limits->bytes_per_s * 60, limits->bytes_burst};
}

void limits_write_json(const struct limits *limits, struct buf *out)
{
    const char *separator = "{";

    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        uint32_t value = limits_field(limits, row);
        if (!row->member[0])
            continue;
        if (row->unit == UNIT_SECONDS)
            value /= unit_scale(UNIT_SECONDS);
        buf_add_format(out, "%s\"%s\":%u", separator, row->member, value);
        separator = ",";
    }
    buf_add(out, STR("}"));
}

void limits_write_markdown(struct buf *out)
{
    buf_add(out, STR("| member of `limits` | option | default | from | to | unit | what it bounds "
                     "| past it |\n"
                     "| --- | --- | --- | --- | --- | --- | --- | --- |\n"));
    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        const struct limit_row *row = &limit_rows[i];
        const char *quote = row->member[0] ? "`" : "";
        buf_add_format(out, "| %s%s%s | `--%s` | %u | %u | %u | %s | %s | %s |\n", quote,
                       row->member, quote, row->option, row->def, row->min, row->max,
                       unit_text(row->unit), row->help, row->exceeding);
    }
}
