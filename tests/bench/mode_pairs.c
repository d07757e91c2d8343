/* Rooms of two that relay: as fast as the server can (relay), or at a fixed rate (paced). */
#include "load.h"

#include <stdlib.h>

enum { SETUP_LIMIT_MS = 60000, DRAIN_LIMIT_MS = 5000 };

static struct {
    uint32_t pairs_ready;
    bool running;
    uint64_t sent;
    uint64_t received;
    uint64_t stalled; /* paced: a message not sent, since too many of its pair were on their way */
    struct histogram latency;
} pairs;

static uint32_t link_count(const struct load_options *options)
{
    return options->rooms * 2;
}

static void on_ready(struct load *load, struct link *link)
{
    load_join(load, link, link->index / 2);
    /* Without rooms nobody is announced: the two find each other by what they acknowledge. */
    load_seat(load, link)->told = !load->dialect->has_rooms;
}

/* A pair is ready when the server has shown that both are in the room. */
static bool is_ready(const struct load *load, const struct seat *one, const struct seat *other)
{
    if (load->dialect->acknowledges && !(one->joined && other->joined))
        return false;
    return one->told || other->told;
}

static void on_news(struct load *load, struct link *link, enum news news, struct slice id)
{
    struct seat *seat = load_seat(load, link);
    struct seat *partner = load_seat(load, load_partner(load, link));
    bool was_ready = is_ready(load, seat, partner);
    if (news == NEWS_JOINED) {
        seat->joined = true;
        if (load->dialect->has_rooms)
            load_set_id(load, seat, id);
    } else if (news == NEWS_USER_JOINED) {
        seat->told = true;
        load_set_id(load, partner, id);
    } else {
        load->errors++;
    }
    pairs.pairs_ready += !was_ready && is_ready(load, seat, partner);
}

static bool all_pairs_are_ready(const struct load *load)
{
    return pairs.pairs_ready == load->options->rooms;
}

static bool nothing_is_on_its_way(const struct load *load)
{
    (void)load;
    return pairs.received >= pairs.sent;
}

static void send_next(struct load *load, struct link *link, int64_t at_ns)
{
    struct seat *seat = load_seat(load, link);
    seat->sent_ns[seat->next_out & load->ring_mask] = at_ns;
    pairs.sent++;
    load_signal(load, link, load_seat(load, load_partner(load, link)));
}

/* Returns false, with a count of what is missing, when the rooms could not be made. */
static bool set_up(struct load *load)
{
    load_connect_up_to(load, load->net.link_count);
    if (load_poll_until(load, all_pairs_are_ready, SETUP_LIMIT_MS))
        return true;
    load->errors += load->options->rooms - pairs.pairs_ready;
    return false;
}

static void drain(struct load *load)
{
    pairs.running = false;
    if (!load_poll_until(load, nothing_is_on_its_way, DRAIN_LIMIT_MS))
        load->lost = pairs.sent > pairs.received ? pairs.sent - pairs.received : load->lost;
    load->closing = true;
}

static void report(const struct load *load, uint64_t count, struct mark from, struct mark to)
{
    load_report_work(load, "relays", count, from, to);
    report_number("relays_all", (double)pairs.received); /* not only while it was measured */
    report_number("rooms", load->options->rooms);
    report_number("payload", load->options->payload);
    report_quantiles("", &pairs.latency);
}

/* relay: the latency is from the sending of a message to its arrival at the other. */
static void on_relay_signal(struct load *load, struct link *link, uint64_t sequence)
{
    const struct seat *sender = load_seat(load, load_partner(load, link));
    load_check_sequence(load, load_seat(load, link), sequence);
    pairs.received++;
    histogram_add(&pairs.latency, load->net.now_ns - sender->sent_ns[sequence & load->ring_mask]);
    if (pairs.running)
        send_next(load, link, load->net.now_ns);
}

static void run_relay(struct load *load)
{
    const struct load_options *options = load->options;
    load->ring_mask = 0;
    while (load->ring_mask + 1 < options->outstanding)
        load->ring_mask = load->ring_mask << 1 | 1;
    if (!set_up(load))
        return;
    pairs.running = true;
    for (uint32_t i = 0; i < load->net.link_count; i++) {
        for (uint32_t k = 0; k < options->outstanding; k++)
            send_next(load, &load->net.links[i], stats_now_ns());
        net_flush(&load->net);
    }
    load_poll_for(load, options->warmup_ms);
    pairs.latency = (struct histogram){0};
    uint64_t before = pairs.received;
    struct mark from = load_mark(load);
    load_poll_for(load, options->seconds * 1000);
    struct mark to = load_mark(load);
    uint64_t count = pairs.received - before;
    drain(load);
    report_number("outstanding", options->outstanding);
    report(load, count, from, to);
}

/* paced: one of each pair calls, the other answers at once; the time is from when the call was due
 * (not from when it left, or a stall would hide the calls that waited behind it) to the answer: two
 * relays. */
static void on_paced_signal(struct load *load, struct link *link, uint64_t sequence)
{
    struct seat *seat = load_seat(load, link);
    bool is_caller = link->index % 2 == 0;
    load_check_sequence(load, seat, sequence);
    pairs.received++;
    if (is_caller)
        histogram_add(&pairs.latency, load->net.now_ns - seat->sent_ns[sequence & load->ring_mask]);
    else
        send_next(load, link, load->net.now_ns);
}

static void call_on_time(struct load *load, int64_t from_ns, int64_t until_ns)
{
    static uint32_t room;
    double interval_ns = 2e9 / load->options->rate;
    double due_ns = (double)from_ns;
    for (int64_t now_ns = from_ns; now_ns < until_ns; now_ns = stats_now_ns()) {
        for (; due_ns <= (double)now_ns; due_ns += interval_ns) {
            struct link *caller = &load->net.links[2 * (room++ % load->options->rooms)];
            const struct seat *seat = load_seat(load, caller);
            if (seat->next_out - seat->next_in <= load->ring_mask)
                send_next(load, caller, (int64_t)due_ns);
            else
                pairs.stalled++;
        }
        net_flush(&load->net);
        net_poll(&load->net, 0); /* never sleeps: a wake-up would be measured with the answer */
    }
}

static void run_paced(struct load *load)
{
    const struct load_options *options = load->options;
    if (!set_up(load))
        return;
    int64_t start_ns = stats_now_ns();
    int64_t warm_ns = start_ns + (int64_t)options->warmup_ms * 1000000;
    call_on_time(load, start_ns, warm_ns);
    pairs.latency = (struct histogram){0};
    uint64_t before = pairs.received;
    struct mark from = load_mark(load);
    call_on_time(load, warm_ns, warm_ns + (int64_t)options->seconds * 1000000000);
    struct mark to = load_mark(load);
    uint64_t count = pairs.received - before;
    drain(load);
    report_number("rate", options->rate);
    report_number("stalled", (double)pairs.stalled);
    report(load, count, from, to);
}

const struct mode mode_relay = {.name = "relay",
                                .help = "rooms of two relay as fast as they can",
                                .link_count = link_count,
                                .run = run_relay,
                                .on_ready = on_ready,
                                .on_news = on_news,
                                .on_signal = on_relay_signal};

const struct mode mode_paced = {.name = "paced",
                                .help = "rooms of two relay at a fixed rate; round trips are timed",
                                .link_count = link_count,
                                .run = run_paced,
                                .on_ready = on_ready,
                                .on_news = on_news,
                                .on_signal = on_paced_signal};
