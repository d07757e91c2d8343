#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct seat *load_seat(struct load *load, const struct link *link)
{
    return &load->seats[link->index];
}

struct link *load_partner(struct load *load, const struct link *link)
{
    return &load->net.links[link->index ^ 1U];
}

void load_connect(struct load *load, struct link *link)
{
    struct seat *seat = load_seat(load, link);
    const char *const *parts = load->dialect->path;
    char path[256];
    seat->id[0] = '\0';
    if (load->dialect
            ->chooses_id) /* the generation keeps it from being a name that is still taken */
        snprintf(seat->id, sizeof seat->id, "bench-%d-%u-%u", (int)getpid(), link->index,
                 link->generation);
    snprintf(path, sizeof path, "%s%s%s", parts[0], seat->id, parts[1]);
    load->opening++;
    if (!net_connect(&load->net, link, path)) {
        load->opening--;
        load->refused++;
    }
}

static void connect_some(struct load *load)
{
    while (load->connected_up_to < load->connect_limit && load->opening < LOAD_OPENING_MAX)
        load_connect(load, &load->net.links[load->connected_up_to++]);
}

void load_connect_up_to(struct load *load, uint32_t limit)
{
    load->connect_limit = limit;
    connect_some(load);
}

void load_join(struct load *load, struct link *link, uint32_t room)
{
    const char *const *parts = load->dialect->join;
    load_seat(load, link)->room = room;
    if (!load->dialect->has_rooms)
        return;
    char text[256];
    int size =
        snprintf(text, sizeof text, "%sbench-%d-%u%s", parts[0], (int)getpid(), room, parts[1]);
    net_send(&load->net, link, text, (size_t)size);
}

void load_signal(struct load *load, struct link *link, const struct seat *to)
{
    struct seat *seat = load_seat(load, link);
    const char *const *parts = load->dialect->signal;
    size_t sizes[] = {strlen(parts[0]), *parts[1] ? strlen(to->id) : 0, strlen(parts[1]),
                      strlen(parts[2])};
    size_t size = sizes[0] + sizes[1] + sizes[2] + load->payload.size + sizes[3];
    char *at = net_frame_begin(&load->net, link, size);
    memcpy(at, parts[0], sizes[0]);
    at += sizes[0];
    memcpy(at, to->id, sizes[1]);
    at += sizes[1];
    memcpy(at, parts[1], sizes[2]);
    at += sizes[2];
    payload_write(&load->payload, at, seat->next_out);
    memcpy(at + load->payload.size, parts[2], sizes[3]);
    net_frame_end(&load->net, link, size);
    seat->next_out++;
}

void load_check_sequence(struct load *load, struct seat *seat, uint64_t sequence)
{
    if (sequence == seat->next_in) {
        seat->next_in++;
        seat->seen = seat->seen << 1 | 1;
        return;
    }
    if (sequence > seat->next_in) { /* those between are missing, until they come late */
        uint64_t missing = sequence - seat->next_in;
        load->lost += missing;
        seat->seen = missing < 63 ? seat->seen << (missing + 1) | 1 : 1;
        seat->next_in = sequence + 1;
        return;
    }
    uint64_t age = seat->next_in - 1 - sequence;
    if (age < 64 && !(seat->seen >> age & 1)) {
        seat->seen |= UINT64_C(1) << age;
        load->lost--;
        load->reordered++;
    } else {
        load->duplicated++;
    }
}

void load_set_id(struct load *load, struct seat *seat, struct slice id)
{
    if (id.size == 0 || id.size >= sizeof seat->id) {
        load->errors++;
    } else if (seat->id[0] == '\0') {
        memcpy(seat->id, id.data, id.size);
        seat->id[id.size] = '\0';
    } else if (strlen(seat->id) != id.size || memcmp(seat->id, id.data, id.size) != 0) {
        load->errors++;
    }
}

/* A relayed Signal must say who sent it, somewhere outside its body. */
static bool names_sender(const struct load *load, struct slice text, size_t body,
                         const struct seat *sender)
{
    size_t id_size = strlen(sender->id);
    if (load->dialect->signal[1][0] == '\0')
        return true;
    size_t after = body + load->payload.size;
    return memmem(text.data, body, sender->id, id_size) ||
           memmem(text.data + after, text.size - after, sender->id, id_size);
}

static void become_ready(struct load *load, struct link *link)
{
    load_seat(load, link)->ready = true;
    load->opening--;
    load->ready++;
    connect_some(load);
    if (load->mode->on_ready)
        load->mode->on_ready(load, link);
}

static void on_message(struct load *load, struct link *link, struct slice text)
{
    size_t body = payload_find(&load->payload, text, load->body_hint);
    if (body != SIZE_MAX) {
        uint64_t sequence;
        const struct seat *sender = load_seat(load, load_partner(load, link));
        load->body_hint = body;
        if (!payload_read(&load->payload, text.data + body, &sequence) ||
            !names_sender(load, text, body, sender))
            load->corrupted++;
        if (load->mode->on_signal)
            load->mode->on_signal(load, link, sequence);
        return;
    }
    struct slice id = {0};
    enum news news = load->dialect->read(text, &id);
    if (news == NEWS_KEEPALIVE) {
        net_send(&load->net, link, load->dialect->keepalive, strlen(load->dialect->keepalive));
        return;
    }
    if (news == NEWS_ERROR) {
        load->errors++;
        if (load->errors <= 5)
            fprintf(stderr, "loadgen: the server says: %.*s\n",
                    (int)(text.size < 300 ? text.size : 300), text.data);
        return;
    }
    if (news == NEWS_HELLO) {
        load_set_id(load, load_seat(load, link), id);
        become_ready(load, link);
        return;
    }
    if (news != NEWS_NONE && load->mode->on_news)
        load->mode->on_news(load, link, news, id);
}

static void on_open(struct load *load, struct link *link)
{
    const char *greeting = load->dialect->greeting;
    if (greeting)
        net_send(&load->net, link, greeting, strlen(greeting));
    if (load->dialect->says_hello)
        return;
    become_ready(load, link);
}

static void on_closed(struct load *load, struct link *link)
{
    struct seat *seat = load_seat(load, link);
    if (seat->ready)
        load->ready--;
    else
        load->opening--;
    if (!load->closing)
        load->refused++;
    seat->ready = false;
    seat->joined = false;
    connect_some(load);
    if (load->mode->on_closed)
        load->mode->on_closed(load, link);
}

static void on_net(void *ctx, struct link *link, enum net_event event, struct slice message)
{
    struct load *load = ctx;
    switch (event) {
    case NET_OPEN:
        on_open(load, link);
        break;
    case NET_MESSAGE:
        on_message(load, link, message);
        break;
    case NET_CLOSED:
        on_closed(load, link);
        break;
    }
}

bool load_poll_until(struct load *load, bool (*done)(const struct load *load), uint32_t limit_ms)
{
    int64_t deadline_ns = stats_now_ns() + (int64_t)limit_ms * 1000000;
    while (!done(load)) {
        if (load->refused > 0 || stats_now_ns() > deadline_ns)
            return false;
        net_poll(&load->net, 10);
    }
    return true;
}

static bool never(const struct load *load)
{
    (void)load;
    return false;
}

void load_poll_for(struct load *load, uint32_t duration_ms)
{
    load_poll_until(load, never, duration_ms);
}

bool load_is_ready(const struct load *load)
{
    return load->ready >= load->connect_limit;
}

struct mark load_mark(const struct load *load)
{
    pid_t server = (pid_t)load->options->server_pid;
    return (struct mark){.at_ns = stats_now_ns(),
                         .server_cpu_s = server ? stats_process_cpu_s(server) : -1,
                         .own_cpu_s = stats_own_cpu_s()};
}

void load_report_work(const struct load *load, const char *thing, uint64_t count, struct mark from,
                      struct mark to)
{
    char name[64];
    double seconds = (double)(to.at_ns - from.at_ns) / 1e9;
    report_number("seconds", seconds);
    report_number(thing, (double)count);
    snprintf(name, sizeof name, "%s_per_s", thing);
    report_number(name, (double)count / seconds);
    report_number("generator_busy", (to.own_cpu_s - from.own_cpu_s) / seconds);
    if (load->options->server_pid && from.server_cpu_s >= 0 && to.server_cpu_s >= 0) {
        double cpu_s = to.server_cpu_s - from.server_cpu_s;
        report_number("server_busy", cpu_s / seconds);
        report_number("cpu_us_each", count ? cpu_s * 1e6 / (double)count : 0);
    }
}

/* The report is one line of JSON; main writes its beginning and its end. */
void report_text(const char *name, const char *value)
{
    printf(",\"%s\":\"%s\"", name, value);
}

void report_number(const char *name, double value)
{
    printf(",\"%s\":%.10g", name, value);
}

void report_quantiles(const char *prefix, const struct histogram *histogram)
{
    static const struct {
        const char *name;
        double share;
    } quantiles[] = {{"p50_us", 0.5}, {"p99_us", 0.99}, {"p999_us", 0.999}};
    for (size_t i = 0; i < sizeof quantiles / sizeof *quantiles; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s", prefix, quantiles[i].name);
        report_number(name, histogram_quantile_us(histogram, quantiles[i].share));
    }
}

void load_run(struct load *load, const struct load_options *options)
{
    uint32_t link_count = options->mode->link_count(options);
    *load = (struct load){.options = options, .dialect = options->dialect, .mode = options->mode};
    load->seats = calloc(link_count, sizeof *load->seats);
    if (!load->seats) {
        fputs("loadgen: out of memory\n", stderr);
        exit(EXIT_FAILURE);
    }
    load->ring_mask = LOAD_SENT_RING - 1;
    payload_init(&load->payload, options->payload);
    net_init(&load->net, link_count, (uint16_t)options->port, options->dialect->framing, on_net,
             load);
    options->mode->run(load);
    net_deinit(&load->net);
    free(load->seats);
}
