/* What a person reads of an answer of the operator's plane. */
#include "aloha/ctl.h"

#include "aloha/message.h"
#include "aloha/utf8.h"

#include <jansson.h>
#include <stdio.h>

enum { AGE_SIZE = 32 };

static uint64_t number_of(const json_t *object, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(object, name));
    return value > 0 ? (uint64_t)value : 0;
}

static bool is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

/* A text of the server as a terminal may have it: control characters, of which names have none, would be somebody
 * else's doing. Padded to `columns` characters. */
static void add_value(struct buf *out, const json_t *value, unsigned columns)
{
    struct str rest = str_of(json_string_value(value));
    unsigned shown = 0;

    while (rest.size) { /* valid UTF-8: jansson takes no other */
        struct str here = rest;
        uint32_t c = utf8_take(&rest);
        here.size -= rest.size;
        buf_add(out, c < 0x20 || (c >= 0x7f && c < 0xa0) ? STR("?") : here);
        shown++;
    }
    for (; shown < columns; shown++)
        buf_add(out, STR(" "));
}

static void add_text(struct buf *out, const json_t *object, const char *name)
{
    add_value(out, json_object_get(object, name), 0);
}

/* The two largest units: "3 d 4 h", "59 s". */
static const char *age(char out[AGE_SIZE], uint64_t seconds)
{
    static const struct {
        uint64_t size;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;

    while (i < ARRAY_SIZE(units) - 1 && seconds < units[i].size)
        i++;
    unsigned long long first = seconds / units[i].size, rest = seconds % units[i].size;
    if (i == ARRAY_SIZE(units) - 1 || rest / units[i + 1].size == 0)
        snprintf(out, AGE_SIZE, "%llu %s", first, units[i].name);
    else
        snprintf(out, AGE_SIZE, "%llu %s %llu %s", first, units[i].name,
                 rest / (unsigned long long)units[i + 1].size, units[i + 1].name);
    return out;
}

static void add_reasons(struct buf *out, const json_t *status)
{
    const json_t *reasons = json_object_get(status, "reasons");

    buf_add_format(out, "ready         %s", is_true(status, "ready") ? "yes" : "no");
    for (size_t i = 0; i < json_array_size(reasons); i++) {
        buf_add(out, i ? STR(", ") : STR(": "));
        add_value(out, json_array_get(reasons, i), 0);
    }
    buf_add(out, STR("\n"));
}

static void add_status(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s)
{
    char text[AGE_SIZE];
    uint64_t expires_s = number_of(root, "certificateExpires");

    (void)call;
    buf_add(out, STR("aloha         "));
    add_text(out, root, "version");
    buf_add_format(out, ", up %s\n", age(text, number_of(root, "uptimeSeconds")));
    add_reasons(out, root);
    buf_add_format(out, "connections   %llu, WebSockets %llu\n",
                   (unsigned long long)number_of(root, "connections"),
                   (unsigned long long)number_of(root, "webSockets"));
    buf_add_format(out, "rooms         %llu\npeers         %llu, away %llu, knocking %llu\n",
                   (unsigned long long)number_of(root, "rooms"),
                   (unsigned long long)number_of(root, "peers"),
                   (unsigned long long)number_of(root, "away"),
                   (unsigned long long)number_of(root, "knocking"));
    buf_add_format(out, "drain         %s\nlog level     ", is_true(root, "drain") ? "on" : "off");
    add_text(out, root, "logLevel");
    buf_add_format(out, "\nloop lag      %llu ms\n",
                   (unsigned long long)number_of(root, "lagMilliseconds"));
    if (expires_s > now_s)
        buf_add_format(out, "certificate   expires in %s\n", age(text, expires_s - now_s));
    else if (expires_s)
        buf_add(out, STR("certificate   has expired\n"));
}

static void add_room(struct buf *out, const json_t *room)
{
    char text[AGE_SIZE];

    buf_add_format(out, "%7llu %6llu %5llu %9llu  %-6s  %-12s",
                   (unsigned long long)number_of(room, "number"),
                   (unsigned long long)number_of(room, "peers"),
                   (unsigned long long)number_of(room, "away"),
                   (unsigned long long)number_of(room, "knocking"),
                   is_true(room, "locked") ? "yes" : "no",
                   age(text, number_of(room, "ageSeconds")));
    if (json_object_get(room, "id")) {
        buf_add(out, STR("  "));
        add_text(out, room, "id");
    }
    buf_add(out, STR("\n"));
}

#define ROOMS_HEAD "   ROOM  PEERS  AWAY  KNOCKING  LOCKED  AGE         "

static void add_rooms(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s)
{
    const json_t *rooms = json_object_get(root, "rooms");

    (void)now_s;
    if (!call->after && !json_array_size(rooms))
        buf_add(out, STR("no rooms\n"));
    else if (!call->after)
        buf_add_format(out, ROOMS_HEAD "%s\n", call->ids ? "  ID" : "");
    for (size_t i = 0; i < json_array_size(rooms); i++)
        add_room(out, json_array_get(rooms, i));
    /* What goes backwards would go on for ever. */
    uint64_t next = number_of(root, "next");
    call->after = next > call->after ? next : 0;
}

static void add_members(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s)
{
    const json_t *members = json_object_get(root, "members");
    char text[AGE_SIZE];

    (void)call;
    (void)now_s;
    buf_add(out, STR(ROOMS_HEAD "  ID\n"));
    add_room(out, root);
    buf_add_format(out, "\n%-36s  %-8s  %-12s  NAME\n", "PEER", "STATE", "AGE");
    for (size_t i = 0; i < json_array_size(members); i++) {
        const json_t *member = json_array_get(members, i);
        add_value(out, json_object_get(member, "peerId"), PEER_ID_SIZE);
        buf_add(out, STR("  "));
        add_value(out, json_object_get(member, "state"), 8);
        buf_add_format(out, "  %-12s  ", age(text, number_of(member, "ageSeconds")));
        add_text(out, member, "name");
        buf_add(out, STR("\n"));
    }
}

static void add_closed(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s)
{
    (void)root;
    (void)now_s;
    buf_add_format(out, "room %s is closed\n", call->argument);
}

static void add_removed(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s)
{
    (void)root;
    (void)now_s;
    buf_add_format(out, "peer %s is removed\n", call->argument);
}

static void add_drain(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s)
{
    (void)call;
    (void)now_s;
    buf_add(out, is_true(root, "on") ? STR("drain is on: no new rooms, calls go on\n")
                                     : STR("drain is off: new rooms are welcome\n"));
}

static void add_reload(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s)
{
    (void)call;
    (void)now_s;
    buf_add(out, is_true(root, "reloaded")
                     ? STR("reloaded\n")
                     : STR("something could not be used and stays as it was; the log says what\n"));
}

static void add_level(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s)
{
    (void)call;
    (void)now_s;
    buf_add(out, STR("log level is "));
    add_text(out, root, "level");
    buf_add(out, STR("\n"));
}

typedef void add_fn(struct buf *out, struct ctl_call *call, const json_t *root, uint64_t now_s);

static add_fn *const answers[OPERATOR_ACTION_COUNT] = {
    [OPERATOR_STATUS] = add_status,       [OPERATOR_LIST_ROOMS] = add_rooms,
    [OPERATOR_SHOW_ROOM] = add_members,   [OPERATOR_CLOSE_ROOM] = add_closed,
    [OPERATOR_REMOVE_PEER] = add_removed, [OPERATOR_SET_DRAIN] = add_drain,
    [OPERATOR_RELOAD] = add_reload,       [OPERATOR_SET_LOG_LEVEL] = add_level,
};

bool ctl_write_answer(struct buf *out, struct ctl_call *call, const struct http_reply *reply,
                      uint64_t now_s)
{
    add_fn *add = answers[call->command->action];

    if (!add || call->json)
        buf_add(out, reply->body); /* a text, or as it came */
    if (!add)
        return true;
    json_t *root = json_loadb(reply->body.text, reply->body.size, JSON_REJECT_DUPLICATES, NULL);
    bool good = reply->is_json && json_is_object(root);
    struct buf ignored;
    buf_init(&ignored, OPERATOR_BODY_SIZE_MAX * 8);
    if (good) /* for --json as well, which goes on with the next rooms */
        add(call->json ? &ignored : out, call, root, now_s);
    buf_deinit(&ignored);
    json_decref(root);
    return good;
}

void ctl_write_refusal(char problem[CTL_PROBLEM_SIZE], const struct ctl_call *call,
                       const struct http_reply *reply)
{
    static const struct {
        unsigned status;
        const char *text;
    } rows[] = {
        {401, "the server wants another token than --ops-token-file has"},
        {403, "the server has no operator's token: start it with --ops-token-file"},
        {421, "the server is not called by that name; see --host"},
        {429, "the server has had too many wrong tokens, and this is one of them"},
    };
    const char *name = call->command->name;
    json_t *root = NULL;

    if (reply->status == 401 && !call->has_token) {
        snprintf(problem, CTL_PROBLEM_SIZE,
                 "%s: the server wants its token: --ops-token-file, as it was given to the server",
                 name);
        return;
    }
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        if (rows[i].status == reply->status) {
            snprintf(problem, CTL_PROBLEM_SIZE, "%s: %s", name, rows[i].text);
            return;
        }
    }
    if (reply->status == 404 && call->argument) {
        snprintf(problem, CTL_PROBLEM_SIZE, "%s: there is no %.70s", name, call->argument);
        return;
    }
    if (reply->is_json)
        root = json_loadb(reply->body.text, reply->body.size, JSON_REJECT_DUPLICATES, NULL);
    const char *message = json_string_value(json_object_get(root, "message"));
    snprintf(problem, CTL_PROBLEM_SIZE, "%s: the server says %u%s%.100s", name, reply->status,
             message ? ", " : "", message ? message : "");
    json_decref(root);
}
