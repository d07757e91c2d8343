/* What rooms cost besides relaying: coming and going (churn), announcing (fanout), being there
 * (idle). */
#include "load.h"

#include <stdlib.h>
#include <string.h>

enum {
    STALL_LIMIT_MS = 20000,
    SETUP_LIMIT_MS = 60000,
    IDLE_WARM_LINKS = 64,
    FANOUT_PASSES_MAX = 1000
};

/* churn: in each room one stays and one comes and goes. A cycle is connect, join, be announced,
 * close, be announced again; the visitor's next one begins when all of it is done. */

static struct {
    uint64_t cycles;
    uint32_t residents;
    bool running;
} churn;

static uint32_t pair_link_count(const struct load_options *options)
{
    return options->rooms * 2;
}

static bool is_visitor(const struct link *link)
{
    return link->index % 2 == 1;
}

static void churn_on_ready(struct load *load, struct link *link)
{
    load_join(load, link, link->index / 2);
    if (!is_visitor(link) && !load->dialect->acknowledges)
        churn.residents++;
}

/* Goes when both the visitor and the resident know that the visitor has come. */
static void leave_when_seen(struct load *load, struct link *visitor)
{
    const struct seat *seat = load_seat(load, visitor);
    const struct seat *resident = load_seat(load, load_partner(load, visitor));
    bool acknowledged = seat->joined || !load->dialect->acknowledges;
    bool announced = resident->told || !load->dialect->has_rooms;
    if (acknowledged && announced)
        net_close(&load->net, visitor);
}

/* Comes again when the connection is closed and the resident knows that the visitor has left. */
static void come_again_when_gone(struct load *load, struct link *visitor)
{
    const struct seat *resident = load_seat(load, load_partner(load, visitor));
    if (visitor->state != LINK_CLOSED || resident->told)
        return;
    churn.cycles++;
    if (churn.running)
        load_connect(load, visitor);
}

static void churn_on_news(struct load *load, struct link *link, enum news news, struct slice id)
{
    struct seat *seat = load_seat(load, link);
    struct link *partner = load_partner(load, link);
    if (news == NEWS_JOINED) {
        seat->joined = true;
        if (load->dialect->has_rooms)
            load_set_id(load, seat, id);
        if (is_visitor(link))
            leave_when_seen(load, link);
        else
            churn.residents++;
    } else if (is_visitor(link)) {
        load->errors++; /* nobody comes or goes while a visitor is there */
    } else if (news == NEWS_USER_JOINED) {
        load->duplicated += seat->told;
        seat->told = true;
        load_set_id(load, load_seat(load, partner), id);
        leave_when_seen(load, partner);
    } else if (news == NEWS_USER_LEFT) {
        load->duplicated += !seat->told;
        seat->told = false;
        load_set_id(load, load_seat(load, partner), id);
        come_again_when_gone(load, partner);
    }
}

static void churn_on_closed(struct load *load, struct link *link)
{
    if (is_visitor(link))
        come_again_when_gone(load, link);
}

static bool all_residents_are_there(const struct load *load)
{
    return churn.residents == load->options->rooms;
}

static bool all_visitors_are_gone(const struct load *load)
{
    for (uint32_t i = 1; i < load->net.link_count; i += 2) {
        if (load->net.links[i].state != LINK_CLOSED || load->seats[i - 1].told)
            return false;
    }
    return true;
}

static void run_churn(struct load *load)
{
    const struct load_options *options = load->options;
    for (uint32_t i = 0; i < load->net.link_count; i += 2)
        load_connect(load, &load->net.links[i]);
    if (!load_poll_until(load, all_residents_are_there, SETUP_LIMIT_MS)) {
        load->errors += options->rooms - churn.residents;
        return;
    }
    load->closing = true;
    churn.running = true;
    for (uint32_t i = 1; i < load->net.link_count; i += 2)
        load_connect(load, &load->net.links[i]);
    load_poll_for(load, options->warmup_ms);
    uint64_t before = churn.cycles;
    struct mark from = load_mark(load);
    load_poll_for(load, options->seconds * 1000);
    struct mark to = load_mark(load);
    uint64_t count = churn.cycles - before;
    churn.running = false;
    if (!load_poll_until(load, all_visitors_are_gone, STALL_LIMIT_MS))
        load->lost++;
    load_report_work(load, "cycles", count, from, to);
}

const struct mode mode_churn = {.name = "churn",
                                .help = "connect, join and leave, over and over",
                                .link_count = pair_link_count,
                                .run = run_churn,
                                .on_ready = churn_on_ready,
                                .on_news = churn_on_news,
                                .on_closed = churn_on_closed};

/* fanout: rooms fill one by one, and each newcomer is announced to all who are there. Connections
 * are made before and closed after the time that counts. */

static struct room {
    uint32_t asked;     /* members that have asked to join */
    uint32_t joined;    /* and were acknowledged */
    uint32_t announced; /* UserJoined that arrived, at any of them */
} *rooms;

static struct {
    uint32_t rooms_full;
    uint32_t pass;
    uint64_t deliveries;
} fanout;

static uint32_t room_link_count(const struct load_options *options)
{
    return options->rooms * options->room_size;
}

/* The next member joins when everything about the one before has arrived. */
static void fill_room(struct load *load, uint32_t index)
{
    struct room *room = &rooms[index];
    uint32_t room_size = load->options->room_size;
    bool acknowledged = room->joined == room->asked || !load->dialect->acknowledges;
    uint32_t expected = room->asked * (room->asked - (room->asked > 0)) / 2;
    load->duplicated += room->announced > expected;
    if (!acknowledged || room->announced != expected)
        return;
    if (room->asked == room_size) {
        fanout.rooms_full++;
        return;
    }
    uint32_t member = index * room_size + room->asked++;
    load_join(load, &load->net.links[member], fanout.pass * load->options->rooms + index);
    if (!load->dialect->acknowledges && room->asked == 1)
        fill_room(load, index); /* nobody is there to be told of the first */
}

static void fanout_on_news(struct load *load, struct link *link, enum news news, struct slice id)
{
    (void)id;
    if (load->closing)
        return; /* UserLeft, as all go */
    uint32_t index = link->index / load->options->room_size;
    if (news == NEWS_JOINED) {
        rooms[index].joined++;
    } else if (news == NEWS_USER_JOINED) {
        rooms[index].announced++;
        fanout.deliveries++;
    } else {
        load->errors++;
        return;
    }
    fill_room(load, index);
}

static bool all_rooms_are_full(const struct load *load)
{
    return fanout.rooms_full == load->options->rooms;
}

static bool all_are_gone(const struct load *load)
{
    return load->ready == 0;
}

/* Fills all rooms once. Returns false when that came to a halt. */
static bool fanout_pass(struct load *load, struct mark *from, struct mark *to)
{
    memset(rooms, 0, load->options->rooms * sizeof *rooms);
    fanout.rooms_full = 0;
    fanout.pass++;
    load->closing = false;
    load->connected_up_to = 0;
    load_connect_up_to(load, load->net.link_count);
    if (!load_poll_until(load, load_is_ready, SETUP_LIMIT_MS))
        return false;
    *from = load_mark(load);
    for (uint32_t i = 0; i < load->options->rooms; i++) {
        fill_room(load, i);
        net_flush(&load->net);
    }
    bool filled = load_poll_until(load, all_rooms_are_full, STALL_LIMIT_MS);
    *to = load_mark(load);
    load->closing = true;
    for (uint32_t i = 0; i < load->net.link_count; i++) {
        net_close(&load->net, &load->net.links[i]);
        net_flush(&load->net);
    }
    return load_poll_until(load, all_are_gone, STALL_LIMIT_MS) && filled;
}

static void run_fanout(struct load *load)
{
    rooms = calloc(load->options->rooms, sizeof *rooms);
    if (!rooms) {
        load->errors++;
        return;
    }
    struct mark from, to;
    struct mark sum = {0};
    bool good = fanout_pass(load, &from, &to); /* the first one warms up */
    fanout.deliveries = 0;
    for (int pass = 0; good && pass < FANOUT_PASSES_MAX; pass++) {
        good = fanout_pass(load, &from, &to);
        sum.at_ns += to.at_ns - from.at_ns;
        sum.own_cpu_s += to.own_cpu_s - from.own_cpu_s;
        sum.server_cpu_s += to.server_cpu_s - from.server_cpu_s;
        if (sum.at_ns >= (int64_t)load->options->seconds * 1000000000)
            break;
    }
    load->lost += !good;
    report_number("room_size", load->options->room_size);
    load_report_work(load, "deliveries", fanout.deliveries, (struct mark){0}, sum);
    free(rooms);
}

const struct mode mode_fanout = {.name = "fanout",
                                 .help = "rooms fill up; every newcomer is announced to all",
                                 .link_count = room_link_count,
                                 .needs_rooms = true,
                                 .run = run_fanout,
                                 .on_news = fanout_on_news};

/* idle: pairs that join and say nothing; what the server's memory grows by. */

static uint32_t idle_arrived; /* joins that the server has shown to be done */

static void idle_on_ready(struct load *load, struct link *link)
{
    load_join(load, link, link->index / 2);
}

static void idle_on_news(struct load *load, struct link *link, enum news news, struct slice id)
{
    (void)link;
    (void)id;
    if (news == NEWS_JOINED)
        idle_arrived++;
    else if (news == NEWS_USER_JOINED && !load->dialect->acknowledges)
        idle_arrived += 2; /* the two of a room */
}

static bool idle_all_arrived(const struct load *load)
{
    return idle_arrived >= load->connect_limit;
}

/* Brings the joined connections up to count and returns the server's resident KiB some time later.
 */
static double idle_rss_kib_with(struct load *load, uint32_t count)
{
    load_connect_up_to(load, count);
    if (!load_poll_until(load, idle_all_arrived, SETUP_LIMIT_MS))
        load->errors += count - idle_arrived;
    load_poll_for(load, load->options->settle_ms);
    return stats_process_rss_kib((pid_t)load->options->server_pid);
}

static void run_idle(struct load *load)
{
    uint32_t count = load->net.link_count;
    double start_kib = stats_process_rss_kib((pid_t)load->options->server_pid);
    /* What the first few connections cost is not theirs: code paged in, pools begun. */
    double few_kib = idle_rss_kib_with(load, IDLE_WARM_LINKS);
    double half_kib = idle_rss_kib_with(load, count / 4 * 2);
    double all_kib = idle_rss_kib_with(load, count);
    load->closing = true;
    report_number("connections", count);
    if (load->options->server_pid) {
        report_number("rss_start_kib", start_kib);
        report_number("rss_few_kib", few_kib);
        report_number("rss_half_kib", half_kib);
        report_number("rss_all_kib", all_kib);
        report_number("rss_kib_each", (all_kib - few_kib) / (count - IDLE_WARM_LINKS));
    }
}

const struct mode mode_idle = {
    .name = "idle",
    .help = "joined connections that say nothing; the server's memory for each",
    .link_count = pair_link_count,
    .run = run_idle,
    .on_ready = idle_on_ready,
    .on_news = idle_on_news};
