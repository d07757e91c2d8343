#include "aloha/metrics.h"

static const struct {
    const char *name, *type, *help;
} rows[METRIC_COUNT] = {
#define METRIC_ROW(id, name, type, help) [id] = {name, type, help},
    METRIC_TABLE(METRIC_ROW)
#undef METRIC_ROW
};

static void write_head(struct buf *out, const char *name, const char *type, const char *help)
{
    buf_add_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void write_labelled(struct buf *out, const char *name, const char *label, const char *value,
                           uint64_t count)
{
    buf_add_format(out, "%s{%s=\"%s\"} %llu\n", name, label, value, (unsigned long long)count);
}

void metrics_write(const struct metrics *metrics, struct buf *out)
{
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        write_head(out, rows[i].name, rows[i].type, rows[i].help);
        buf_add_format(out, "%s %llu\n", rows[i].name, (unsigned long long)metrics->values[i]);
    }

    write_head(out, "aloha_messages_received_total", "counter", "Messages received, by type.");
    for (size_t i = 0; i < MESSAGE_TYPE_COUNT; i++)
        write_labelled(out, "aloha_messages_received_total", "type",
                       message_type_name((enum message_type)i), metrics->messages[i]);

    write_head(out, "aloha_errors_sent_total", "counter", "Error messages sent, by code.");
    for (size_t i = OK + 1; i < ERR_COUNT; i++)
        if (i != ERR_NO_MEMORY) /* on the wire it is hub-full too */
            write_labelled(out, "aloha_errors_sent_total", "code", err_wire_name((enum err)i),
                           metrics->errors[i] +
                               (i == ERR_HUB_FULL ? metrics->errors[ERR_NO_MEMORY] : 0));

    write_head(out, "aloha_websockets_closed_total", "counter",
               "WebSockets that this server closed, by reason.");
    for (size_t i = CLOSE_NONE + 1; i < CLOSE_COUNT; i++)
        write_labelled(out, "aloha_websockets_closed_total", "reason",
                       close_name((enum close_why)i), metrics->closes[i]);
}
