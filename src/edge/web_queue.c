/* What waits to be sent. Frames are built here, as bytes in a row, and leave at the end of the loop's turn
 * in one write: a room that talks costs a system call a turn and reader, not one a message. */
#include "web_private.h"

#include <string.h>

enum {
    FIN = 0x80,
    SPARE_CAPACITY_MAX = 16 * 1024, /* larger queues give their memory back */
};

static size_t queued(const struct connection *connection)
{
    return connection->out.size + connection->out_in_library;
}

static void note_queues(struct web *web, const struct connection *connection)
{
    uint64_t *values = web->options.metrics->values;

    values[METRIC_QUEUE_BYTES] = web->queued_size;
    if (queued(connection) > values[METRIC_QUEUE_HIGH_BYTES])
        values[METRIC_QUEUE_HIGH_BYTES] = queued(connection);
}

static void mark_dirty(struct connection *connection)
{
    struct web *web = connection->web;
    if (connection->dirty)
        return;
    if (web->dirty_count == ARRAY_SIZE(web->dirty))
        web_queue_flush_dirty(web);
    connection->dirty = true;
    web->dirty[web->dirty_count++] = connection->id;
}

static size_t write_frame_head(char *at, unsigned opcode, size_t size)
{
    at[0] = (char)(FIN | opcode);
    if (size < 126) {
        at[1] = (char)size;
        return 2;
    }
    if (size <= UINT16_MAX) {
        at[1] = 126;
        at[2] = (char)(size >> 8);
        at[3] = (char)size;
        return 4;
    }
    at[1] = 127;
    for (int i = 0; i < 8; i++)
        at[2 + i] = (char)((uint64_t)size >> (56 - 8 * i));
    return FRAME_HEAD_SIZE_MAX;
}

static void take_spare(struct connection *connection)
{
    struct web *web = connection->web;
    if (!connection->out.data && web->spare_count) {
        size_t max = connection->out.max;
        connection->out = web->spare[--web->spare_count];
        connection->out.max = max;
    }
}

static void give_spare(struct connection *connection)
{
    struct web *web = connection->web;
    if (connection->out.capacity > SPARE_CAPACITY_MAX ||
        web->spare_count == ARRAY_SIZE(web->spare)) {
        buf_deinit(&connection->out);
        return;
    }
    buf_clear(&connection->out);
    web->spare[web->spare_count++] = connection->out;
    buf_init(&connection->out, connection->out.max);
}

/* Closes the connection that keeps most waiting. It alone pays when all of them together are too much:
 * whoever reads has next to nothing queued. */
static void close_slowest(struct web *web)
{
    struct connection *slowest = NULL;

    for (struct connection *at = web->connections; at; at = at->next)
        if (at->is_websocket && !at->closing && queued(at) &&
            (!slowest || queued(at) > queued(slowest)))
            slowest = at;
    if (slowest)
        web_socket_close(slowest, CLOSE_SLOW);
}

/* What the library kept for a full socket may have left since. */
static void settle_library_queue(struct connection *connection)
{
    if (!connection->out_in_library || lws_partial_buffered(connection->wsi))
        return;
    connection->web->queued_size -= connection->out_in_library;
    connection->out_in_library = 0;
    note_queues(connection->web, connection);
}

/* True when more would wait for this reader than may. Frames that only wait for the end of the turn count
 * by their bytes alone: a room may say a lot at once to a socket that takes it all. */
static bool waits_for_too_much(struct connection *connection, size_t framed)
{
    const struct limits *limits = connection->web->options.limits;

    if (queued(connection) + framed > limits->queue_size_max)
        return true;
    if (!limits->queue_messages_max || connection->out_messages < limits->queue_messages_max)
        return false;
    settle_library_queue(connection);
    return connection->out_in_library > 0;
}

/* Adds one frame to the queue, or closes the connection that lets it grow too long: it alone. */
void web_queue_frame(struct connection *connection, unsigned opcode, const struct str *parts,
                     size_t count)
{
    struct web *web = connection->web;
    const struct limits *limits = web->options.limits;
    size_t size = 0;

    for (size_t i = 0; i < count; i++)
        size += parts[i].size;
    size_t framed = size + FRAME_HEAD_SIZE_MAX;
    if (web->queued_size + framed > limits->queues_size_max)
        close_slowest(web);
    if (connection->closing || connection->client_closed) {
        web->options.metrics->drops[DROP_ENDED]++;
        return;
    }
    take_spare(connection);
    char *at =
        waits_for_too_much(connection, framed) ? NULL : buf_reserve(&connection->out, framed);
    if (!at) {
        connection->out_messages++; /* goes with the others */
        web_socket_close(connection, CLOSE_SLOW);
        return;
    }
    char *start = at;
    at += write_frame_head(at, opcode, size);
    for (size_t i = 0; i < count; at += parts[i++].size)
        if (parts[i].size)
            memcpy(at, parts[i].text, parts[i].size);
    connection->out.size += (size_t)(at - start);
    connection->out_messages++;
    web->queued_size += (size_t)(at - start);
    note_queues(web, connection);
    mark_dirty(connection);
}

/* Gives all queued frames to the library in one write. What the socket does not take at once the
 * library keeps, and calls SERVER_WRITEABLE when it has gone; until then we keep the rest. */
void web_queue_flush(struct connection *connection)
{
    struct web *web = connection->web;
    struct lws *wsi = connection->wsi;

    settle_library_queue(connection);
    if (connection->out.size == 0 || connection->client_closed || lws_partial_buffered(wsi))
        return;
    size_t size = connection->out.size;
    int written = lws_write(wsi, (unsigned char *)connection->out.data, size, LWS_WRITE_RAW);
    web->options.metrics->values[METRIC_SENT_BYTES] += size;
    give_spare(connection);
    connection->out_messages = 0;
    if (written >= 0 && lws_partial_buffered(wsi)) {
        connection->out_in_library = size; /* at most: an upper bound until it is gone */
        lws_callback_on_writable(wsi);
    } else {
        web->queued_size -= size;
        note_queues(web, connection);
    }
    /* A failed write is a dead socket: the library reports that by closing it. */
}

/* From here on nobody new is let in: who is here already comes first. */
static bool is_nearly_full(const struct web *web)
{
    return web->queued_size > web->options.limits->queues_size_max / 4 * 3;
}

void web_queue_flush_dirty(struct web *web)
{
    for (size_t i = 0; i < web->dirty_count; i++) {
        struct connection *connection = web_socket_find(web, web->dirty[i]);
        if (!connection)
            continue;
        connection->dirty = false;
        web_queue_flush(connection);
    }
    web->dirty_count = 0;
    hub_refuse_joins(web->hub, is_nearly_full(web));
}

void web_queue_writeable(struct connection *connection)
{
    web_queue_flush(connection);
    if (connection->out_in_library)
        lws_callback_on_writable(connection->wsi); /* until the library has nothing left */
}

void web_queue_discard(struct connection *connection)
{
    struct web *web = connection->web;

    web->options.metrics->drops[connection->closing == CLOSE_SLOW ? DROP_SLOW : DROP_ENDED] +=
        connection->out_messages;
    web->queued_size -= queued(connection);
    connection->out_in_library = 0;
    connection->out_messages = 0;
    buf_deinit(&connection->out);
    note_queues(web, connection);
}
