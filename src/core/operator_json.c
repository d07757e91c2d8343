#include "aloha/operator_json.h"

#include "aloha/json.h"
#include "aloha/utf8.h"

static const char *word_of(bool value)
{
    return value ? "true" : "false";
}

static unsigned long long seconds(uint64_t ms)
{
    return ms / 1000;
}

/* ---- said ---- */

static void write_reasons(struct buf *out, uint32_t not_ready)
{
    const char *joint = "";

    for (int why = 0; why < NOT_READY_COUNT; why++) {
        if (!(not_ready >> why & 1))
            continue;
        buf_add_format(out, "%s\"%s\"", joint, not_ready_word((enum not_ready)why));
        joint = ",";
    }
}

void operator_write_readiness(struct buf *out, uint32_t not_ready)
{
    if (!not_ready)
        buf_add(out, STR("ready\n"));
    for (int why = 0; why < NOT_READY_COUNT; why++)
        if (not_ready >> why & 1)
            buf_add_format(out, "%s\n", not_ready_word((enum not_ready)why));
}

void operator_write_status(struct buf *out, const struct operator_status *status)
{
    static const struct {
        const char *name;
        enum metric metric;
    } counts[] = {
        {"connections", METRIC_CONNECTIONS},
        {"webSockets", METRIC_WEBSOCKETS},
        {"rooms", METRIC_ROOMS},
        {"peers", METRIC_PEERS},
        {"away", METRIC_SEATS_HELD},
        {"knocking", METRIC_KNOCKS},
    };

    buf_add_format(out, "{\"version\":\"%s\",\"uptimeSeconds\":%llu,\"ready\":%s,\"reasons\":[",
                   ALOHA_VERSION, seconds(status->uptime_ms), word_of(!status->not_ready));
    write_reasons(out, status->not_ready);
    buf_add_format(out, "],\"drain\":%s,\"logLevel\":\"%s\",\"lagMilliseconds\":%llu",
                   word_of(status->cordoned), log_level_name(status->log_level),
                   (unsigned long long)status->lag_ms);
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
        buf_add_format(out, ",\"%s\":%llu", counts[i].name,
                       (unsigned long long)status->metrics->values[counts[i].metric]);
    if (status->certificate_expires_s)
        buf_add_format(out, ",\"certificateExpires\":%llu",
                       (unsigned long long)status->certificate_expires_s);
    buf_add(out, STR("}\n"));
}

void operator_write_fault(struct buf *out, enum operator_fault fault)
{
    buf_add_format(out, "{\"code\":\"%s\",\"message\":\"%s\"}\n", operator_fault_code(fault),
                   operator_fault_text(fault));
}

/* What all that show a room say of it, without the brace at its end. */
static void write_room(struct buf *out, const struct hub_room *room, bool with_id)
{
    buf_add_format(out, "{\"number\":%llu", (unsigned long long)room->number);
    if (with_id) /* of A-Z a-z 0-9 . _ ~ - only: nothing to escape */
        buf_add_format(out, ",\"id\":\"%.*s\"", (int)room->id.size, room->id.text);
    buf_add_format(out,
                   ",\"peers\":%zu,\"away\":%zu,\"knocking\":%zu,\"locked\":%s,\"ageSeconds\":%llu",
                   room->peers, room->held, room->knocks, word_of(room->locked),
                   seconds(room->age_ms));
}

struct listing {
    struct buf *out;
    const struct operator_list *list;
    uint32_t shown;
    uint64_t last; /* number of the room shown last */
    bool more;
};

static bool list_room(void *ctx, const struct hub_room *room)
{
    struct listing *listing = ctx;

    listing->more = listing->shown == listing->list->limit;
    if (listing->more)
        return false;
    buf_add(listing->out, listing->shown++ ? STR(",") : STR(""));
    write_room(listing->out, room, listing->list->ids);
    buf_add(listing->out, STR("}"));
    listing->last = room->number;
    return true;
}

void operator_write_rooms(struct buf *out, const struct hub *hub, const struct operator_list *list,
                          uint64_t total, uint64_t now_ms)
{
    struct listing listing = {.out = out, .list = list};

    buf_add_format(out, "{\"total\":%llu,\"rooms\":[", (unsigned long long)total);
    hub_list_rooms(hub, list->after, list_room, &listing, now_ms);
    buf_add(out, STR("]"));
    if (listing.more)
        buf_add_format(out, ",\"next\":%llu", (unsigned long long)listing.last);
    buf_add(out, STR("}\n"));
}

static bool list_member(void *ctx, const struct hub_peer *peer)
{
    static const char *const states[] = {
        [HUB_PEER_HERE] = "here", [HUB_PEER_AWAY] = "away", [HUB_PEER_KNOCKING] = "knocking"};
    struct listing *listing = ctx;
    struct buf *out = listing->out;

    buf_add_format(out, "%s{\"peerId\":\"%s\",\"state\":\"%s\",\"ageSeconds\":%llu",
                   listing->shown++ ? "," : "", peer->id, states[peer->state],
                   seconds(peer->age_ms));
    if (peer->name_json.size) {
        buf_add(out, STR(",\"name\":"));
        buf_add(out, peer->name_json);
    }
    buf_add(out, STR("}"));
    return true;
}

struct search {
    struct str id;
    struct buf *out;
    const struct hub *hub;
    uint64_t now_ms;
    bool found;
};

static bool show_if_it_is_that(void *ctx, const struct hub_room *room)
{
    struct search *search = ctx;
    struct listing members = {.out = search->out};

    if (!str_equal(room->id, search->id))
        return true;
    search->found = true;
    write_room(search->out, room, true);
    buf_add(search->out, STR(",\"members\":["));
    (void)hub_list_peers(search->hub, search->id, list_member, &members, search->now_ms);
    buf_add(search->out, STR("]}\n"));
    return false;
}

bool operator_write_room(struct buf *out, const struct hub *hub, struct str room_id,
                         uint64_t now_ms)
{
    struct search search = {.id = room_id, .out = out, .hub = hub, .now_ms = now_ms};

    hub_list_rooms(hub, 0, show_if_it_is_that, &search, now_ms);
    return search.found;
}

/* ---- heard ---- */

/* The only member that a body may have. */
struct wanted {
    struct str name;
    struct json_member found;
    unsigned count;
};

static bool take_member(void *ctx, const struct json_member *member)
{
    struct wanted *wanted = ctx;

    wanted->found = *member;
    wanted->count++;
    return str_equal(member->name, wanted->name);
}

static bool read_one(struct str text, struct wanted *wanted)
{
    return utf8_is_valid(text) && json_scan_object(text, take_member, wanted) && wanted->count == 1;
}

bool operator_read_drain(struct str text, bool *on)
{
    struct wanted wanted = {.name = STR("on")};

    if (!read_one(text, &wanted))
        return false;
    *on = wanted.found.kind == JSON_KIND_TRUE;
    return *on || wanted.found.kind == JSON_KIND_FALSE;
}

bool operator_read_log_level(struct str text, enum log_level *level)
{
    struct wanted wanted = {.name = STR("level")};
    char name[16];

    if (!read_one(text, &wanted) || wanted.found.kind != JSON_KIND_STRING)
        return false;
    long size = json_string_read(wanted.found.value, name, sizeof name);
    return size > 0 && log_level_of((struct str){name, (size_t)size}, level);
}

bool operator_read_nothing(struct str text)
{
    struct wanted wanted = {.name = STR("")};

    if (text.size == 0)
        return true;
    return utf8_is_valid(text) && json_scan_object(text, take_member, &wanted) && !wanted.count;
}
