/* The core's part of a relay and nothing else: two peers of one room say so many Signals to each
 * other through a hub whose effects only count. valgrind counts the instructions of a short and of
 * a longer run; the difference over the difference in relays is what one of them takes
 * (relay_cost.mjs).
 *
 *   relays_core RELAYS BYTES   BYTES of each Signal's message */
#include "payload.h"

#include "aloha/config.h"
#include "aloha/hub.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char peer_ids[2][PEER_ID_SIZE + 1] = {
    "00000000-0000-4000-8000-000000000000",
    "00000000-0000-4000-8000-000000000001",
};

static struct {
    uint64_t messages, bytes;
    unsigned peers, closed;
} seen;

static void count_message(void *ctx, conn_id to, const struct str *parts, size_t count)
{
    (void)ctx;
    (void)to;
    seen.messages++;
    for (size_t i = 0; i < count; i++)
        seen.bytes += parts[i].size;
}

static void count_close(void *ctx, conn_id conn, enum close_why why)
{
    (void)ctx;
    (void)conn;
    (void)why;
    seen.closed++;
}

static void ignore_ping(void *ctx, conn_id conn)
{
    (void)ctx;
    (void)conn;
}

static void name_peer(void *ctx, char out[PEER_ID_SIZE + 1])
{
    (void)ctx;
    memcpy(out, peer_ids[seen.peers++ % 2], PEER_ID_SIZE + 1);
}

static uint64_t stand_still(void *ctx)
{
    (void)ctx;
    return 1800000000;
}

static void die(const char *what)
{
    fprintf(stderr, "relays_core: %s\n", what);
    exit(EXIT_FAILURE);
}

/* The defaults, but no rates: who relays as fast as he can is not to be stopped here. */
static struct limits unlimited(void)
{
    char *argv[] = {(char[]){"aloha"}, (char[]){"--rate-messages=0"}, (char[]){"--rate-bytes=0"}};
    char problem[128];
    struct config config;

    if (!config_read(&config, &(struct config_input){.argc = 3, .argv = argv}, problem,
                     sizeof problem))
        die(problem);
    return config.limits;
}

/* A Signal to the peer of that number; the message's bytes are written behind the head later. */
static size_t write_envelope(char *at, size_t capacity, int to)
{
    return (size_t)snprintf(at, capacity,
                            "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":", peer_ids[to]);
}

static void relay(struct hub *hub, const conn_id conns[2], uint32_t count, size_t payload_size)
{
    static struct payload payload;
    static char text[2][PAYLOAD_SIZE_MAX + 256];
    size_t heads[2];

    payload_init(&payload, payload_size);
    for (int i = 0; i < 2; i++) {
        heads[i] = write_envelope(text[i], sizeof text[i], 1 - i);
        payload_write(&payload, text[i] + heads[i], 0);
        text[i][heads[i] + payload_size] = '}';
    }
    for (uint32_t n = 0; n < count; n++) {
        int from = n % 2;
        hub_receive(hub, conns[from], (struct str){text[from], heads[from] + payload_size + 1}, 0);
    }
}

static void run(uint32_t count, size_t payload_size)
{
    static struct metrics metrics;
    struct limits limits = unlimited();
    struct hub_options options = {.limits = &limits, .metrics = &metrics, .process = 1};
    struct effects effects = {.send = count_message,
                              .close = count_close,
                              .ping = ignore_ping,
                              .make_peer_id = name_peer,
                              .wall_s = stand_still};
    conn_id conns[2];

    options.admission = admission_new(&limits, options.key);
    struct hub *hub = options.admission ? hub_new(&options, &effects, 0) : NULL;
    if (!hub)
        die("no memory");
    for (int i = 0; i < 2; i++) {
        conns[i] = hub_open(hub, 1, 0);
        hub_receive(hub, conns[i], STR("{\"type\":\"JoinRoom\",\"roomId\":\"tea\"}"), 0);
    }
    uint64_t greetings = seen.messages; /* two RoomJoined, one UserJoined */
    relay(hub, conns, count, payload_size);
    if (greetings != 3 || seen.messages != greetings + count || seen.closed)
        die("not all was relayed");
    hub_free(hub);
    admission_free(options.admission);
}

int main(int argc, char **argv)
{
    unsigned long count = argc == 3 ? strtoul(argv[1], NULL, 10) : 0;
    unsigned long size = argc == 3 ? strtoul(argv[2], NULL, 10) : 0;

    if (count == 0 || count > UINT32_MAX || size < PAYLOAD_SIZE_MIN || size > PAYLOAD_SIZE_MAX)
        die("wants a number of relays and of bytes");
    run((uint32_t)count, size);
    return EXIT_SUCCESS;
}
