#include "world.h"

#include "aloha/config.h"

#include <stdarg.h>
#include <stdio.h>

static char *keep(struct world *world, size_t size)
{
    if (world->bytes_used + size > sizeof world->bytes)
        abort();
    char *at = world->bytes + world->bytes_used;
    world->bytes_used += size;
    return at;
}

static struct record *record(struct world *world, conn_id conn)
{
    if (world->record_count == WORLD_RECORDS_MAX)
        abort();
    struct record *row = &world->records[world->record_count++];
    *row = (struct record){.conn = conn};
    return row;
}

static void on_send(void *ctx, conn_id to, const struct str *parts, size_t count)
{
    struct world *world = ctx;
    struct record *row = record(world, to);

    row->text.text = world->bytes + world->bytes_used;
    for (size_t i = 0; i < count; i++) {
        if (parts[i].size)
            memcpy(keep(world, parts[i].size), parts[i].text, parts[i].size);
        row->text.size += parts[i].size;
    }
}

static void on_close(void *ctx, conn_id conn, enum close_why why)
{
    struct world *world = ctx;
    struct record *row = record(world, conn);
    char *text = keep(world, 16);

    row->kind = RECORD_CLOSED;
    row->why = why;
    row->text = (struct str){text, (size_t)snprintf(text, 16, "close %u", close_code(why))};
}

static void on_ping(void *ctx, conn_id conn)
{
    struct record *row = record(ctx, conn);

    row->kind = RECORD_PINGED;
    row->text = STR("ping");
}

static void on_make_peer_id(void *ctx, char out[PEER_ID_SIZE + 1])
{
    struct world *world = ctx;

    world->peers_made++;
    memcpy(out, world->next_peer ? world->next_peer : peer_id(world->peers_made), PEER_ID_SIZE + 1);
    world->next_peer = NULL;
}

static uint64_t on_wall_s(void *ctx)
{
    return ((struct world *)ctx)->wall_s;
}

static const struct token_key world_key = {"a key that all worlds have alike"};
static struct limits told_limits; /* by the hub of the last world */

struct limits world_limits(void)
{
    static char name[] = "aloha";
    char *argv[] = {name};
    char problem[128];
    struct config config;

    if (!config_read(&config, &(struct config_input){.argc = 1, .argv = argv}, problem,
                     sizeof problem))
        abort();
    config.limits.connections_max = WORLD_CONNECTIONS_MAX;
    return config.limits;
}

struct limits world_calm_limits(void)
{
    struct limits limits = world_limits();

    limits.ping_after_ms = limits.gone_after_ms = limits.join_deadline_ms = 100 * 3600 * 1000;
    limits.messages_per_s = limits.bytes_per_s = limits.joins_per_minute = 0;
    limits_derive(&limits);
    return limits;
}

struct world *world_new(void)
{
    return world_new_limited(world_limits());
}

struct world *world_new_limited(struct limits limits)
{
    return world_new_process(limits, WORLD_PROCESS);
}

struct world *world_new_process(struct limits limits, uint64_t process)
{
    static const struct siphash_key key = {1, 2};
    static const uint8_t address[4] = {192, 0, 2, 1};
    struct world *world = malloc(sizeof *world);

    if (!world)
        abort();
    world->metrics = (struct metrics){0};
    world->limits = told_limits = limits;
    world->now_ms = 1000000;
    world->from = address_key_ipv4(address);
    world->next_peer = NULL;
    world->peers_made = 0;
    memset(world->opened, 0, sizeof world->opened);
    world->record_count = 0;
    world->bytes_used = 0;
    world->admission = admission_new(&world->limits, key);
    world->process = process;
    world->wall_s = WORLD_WALL_S;
    struct effects effects = {world, on_send, on_close, on_ping, on_make_peer_id, on_wall_s};
    struct hub_options options = {
        .limits = &world->limits,
        .metrics = &world->metrics,
        .admission = world->admission,
        .key = key,
        .token_key = world_key,
        .process = process,
    };
    world->hub = hub_new(&options, &effects, world->now_ms);
    if (!world->admission || !world->hub)
        abort();
    return world;
}

/* Whatever a test has done: when all have gone and no seat is held any more, nothing is left. */
static void end_all(struct world *world)
{
    static const enum metric gauges[] = {METRIC_WEBSOCKETS, METRIC_ROOMS,  METRIC_PEERS,
                                         METRIC_SEATS_HELD, METRIC_KNOCKS, METRIC_BACKLOG_BYTES};

    for (size_t i = 0; i < WORLD_CONNECTIONS_MAX; i++) {
        world_forget(world);
        world_end(world, world->opened[i], HUB_END_GOODBYE);
    }
    for (uint64_t ms = 0; ms <= world->limits.resume_ms; ms += LIMIT_CLOCK_STEP_MAX_MS) {
        world_forget(world);
        world->now_ms += LIMIT_CLOCK_STEP_MAX_MS;
        hub_tick(world->hub, world->now_ms);
    }
    for (size_t i = 0; i < ARRAY_SIZE(gauges); i++)
        EXPECT_THAT(world->metrics.values[gauges[i]] == 0, "gauge %d is %llu at the end",
                    (int)gauges[i], (unsigned long long)world->metrics.values[gauges[i]]);
}

void world_free(struct world *world)
{
    end_all(world);
    world_drop(world);
}

void world_drop(struct world *world)
{
    hub_free(world->hub);
    admission_free(world->admission);
    free(world);
}

conn_id world_open(struct world *world)
{
    conn_id conn = hub_open(world->hub, world->from, world->now_ms);

    if (conn)
        world->opened[(uint32_t)conn] = conn;
    return conn;
}

conn_id world_join(struct world *world, const char *room)
{
    conn_id conn = world_open(world);

    world_say(world, conn, "{\"type\":\"JoinRoom\",\"roomId\":\"%s\"}", room);
    world_forget(world);
    return conn;
}

void world_say(struct world *world, conn_id from, const char *format, ...)
{
    static char text[256 * 1024];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0 || (size_t)size >= sizeof text)
        abort();
    hub_receive(world->hub, from, (struct str){text, (size_t)size}, world->now_ms);
}

void world_say_join(struct world *world, conn_id from, const char *room)
{
    world_say(world, from, "{\"type\":\"JoinRoom\",\"roomId\":\"%s\"}", room);
}

void world_say_resume(struct world *world, conn_id from, const char *room, unsigned peer,
                      uint64_t process)
{
    world_say(world, from, "{\"type\":\"JoinRoom\",\"roomId\":\"%s\",\"resumeToken\":\"%s\"}", room,
              resume_token(room, peer, process));
}

void world_say_signal(struct world *world, conn_id from, unsigned to, const char *message)
{
    world_say(world, from, "{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":%s}", peer_id(to),
              message);
}

void world_say_lock(struct world *world, conn_id from, bool locked)
{
    world_say(world, from, "{\"type\":\"LockRoom\",\"locked\":%s}", locked ? "true" : "false");
}

void world_end(struct world *world, conn_id conn, enum hub_end end)
{
    hub_closed(world->hub, conn, end, world->now_ms);
}

void world_wait(struct world *world, uint64_t ms)
{
    while (ms) {
        uint64_t step = ms < 1000 ? ms : 1000;
        world->now_ms += step;
        ms -= step;
        hub_tick(world->hub, world->now_ms);
    }
}

struct str world_take(struct world *world, conn_id conn)
{
    for (size_t i = 0; i < world->record_count; i++) {
        struct record *row = &world->records[i];
        if (row->conn == conn && !row->taken) {
            row->taken = true;
            return row->text;
        }
    }
    return STR("");
}

struct str world_rest(const struct world *world)
{
    for (size_t i = 0; i < world->record_count; i++)
        if (!world->records[i].taken)
            return world->records[i].text;
    return STR("");
}

bool world_is_quiet(const struct world *world)
{
    return world_rest(world).size == 0;
}

void world_forget(struct world *world)
{
    world->record_count = 0;
    world->bytes_used = 0;
}

const char *peer_id(unsigned n)
{
    return fmt("00000000-0000-4000-8000-%012x", n);
}

const char *resume_token(const char *room, unsigned peer, uint64_t process)
{
    return resume_token_at(room, peer, process, WORLD_WALL_S);
}

const char *resume_token_at(const char *room, unsigned peer, uint64_t process, uint64_t issued_s)
{
    char text[TOKEN_SIZE + 1];
    struct token token = {.process = process, .issued_s = issued_s};

    memcpy(token.peer_id, peer_id(peer), sizeof token.peer_id);
    hold_failures(true);
    if (!token_write(text, &world_key, str_of(room), &token))
        abort();
    hold_failures(false);
    return fmt("%s", text);
}

const char *room_rejoined(const char *room, unsigned peer, const char *others, bool resumed,
                          bool locked, uint64_t process)
{
    char json[1024];
    struct buf out;

    buf_init(&out, sizeof json);
    limits_write_json(&told_limits, &out);
    snprintf(json, sizeof json, "%.*s", (int)out.size, out.data);
    buf_deinit(&out);
    return fmt("{\"type\":\"RoomJoined\",\"roomId\":\"%s\",\"peerId\":\"%s\","
               "\"resumeToken\":\"%s\",\"resumed\":%s,\"participants\":[%s],"
               "\"iceServers\":[],\"locked\":%s,\"limits\":%s}",
               room, peer_id(peer), resume_token(room, peer, process), resumed ? "true" : "false",
               others, locked ? "true" : "false", json);
}

const char *room_joined(const char *room, unsigned peer, const char *others)
{
    return room_rejoined(room, peer, others, false, false, WORLD_PROCESS);
}

const char *participant(unsigned peer)
{
    return fmt("{\"peerId\":\"%s\"}", peer_id(peer));
}

const char *user_joined(unsigned peer)
{
    return fmt("{\"type\":\"UserJoined\",\"peerId\":\"%s\"}", peer_id(peer));
}

const char *user_left(unsigned peer, const char *reason)
{
    return fmt("{\"type\":\"UserLeft\",\"peerId\":\"%s\",\"reason\":\"%s\"}", peer_id(peer),
               reason);
}

const char *relayed(unsigned from, const char *message)
{
    return fmt("{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":%s}", peer_id(from), message);
}

const char *error_of(enum err err)
{
    return error_about(err, NULL, 0);
}

const char *error_about(enum err err, const char *peer_id, uint64_t retry_after_ms)
{
    char peer[64] = "", retry[48] = "";

    if (peer_id)
        snprintf(peer, sizeof peer, ",\"peerId\":\"%s\"", peer_id);
    if (retry_after_ms)
        snprintf(retry, sizeof retry, ",\"retryAfterMs\":%llu", (unsigned long long)retry_after_ms);
    return fmt("{\"type\":\"Error\",\"code\":\"%s\",\"message\":\"%s\"%s%s}", err_wire_name(err),
               err_text(err), peer, retry);
}

const char *room_locked(unsigned peer, bool locked)
{
    return fmt("{\"type\":\"RoomLocked\",\"locked\":%s,\"peerId\":\"%s\"}",
               locked ? "true" : "false", peer_id(peer));
}

const char *knocked(unsigned peer)
{
    return fmt("{\"type\":\"Knock\",\"peerId\":\"%s\"}", peer_id(peer));
}

const char *knock_ended(unsigned peer)
{
    return fmt("{\"type\":\"KnockEnded\",\"peerId\":\"%s\"}", peer_id(peer));
}

const char *reconnect(unsigned after_ms)
{
    return fmt("{\"type\":\"Reconnect\",\"afterMs\":%u}", after_ms);
}
