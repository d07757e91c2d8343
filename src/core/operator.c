#include "aloha/operator.h"

#include "aloha/message.h"

#include <stdio.h>

const struct operator_route operator_routes[OPERATOR_ACTION_COUNT] = {
#define OPERATOR_ROW(id, method, path, access, is_logged, summary)                                 \
    [id] = {method, path, access, is_logged, summary},
    OPERATOR_TABLE(OPERATOR_ROW)
#undef OPERATOR_ROW
};

static const struct {
    unsigned status;
    const char *code, *text;
} faults[OPERATOR_FAULT_COUNT] = {[OPERATOR_FINE] = {200, "ok", ""},
#define OPERATOR_FAULT_ROW(id, status, code, text) [id] = {status, code, text},
                                  OPERATOR_FAULT_TABLE(OPERATOR_FAULT_ROW)
#undef OPERATOR_FAULT_ROW
};

static const char *const readiness_words[NOT_READY_COUNT] = {
#define READINESS_WORD(id, word) [id] = (word),
    READINESS_TABLE(READINESS_WORD)
#undef READINESS_WORD
};

unsigned operator_fault_status(enum operator_fault fault)
{
    return faults[fault].status;
}

const char *operator_fault_code(enum operator_fault fault)
{
    return faults[fault].code;
}

const char *operator_fault_text(enum operator_fault fault)
{
    return faults[fault].text;
}

const char *not_ready_word(enum not_ready why)
{
    return readiness_words[why];
}

/* From three quarters of the queues on nobody can join (limits.h, queues-max). */
uint32_t not_ready_by_load(const struct metrics *metrics, const struct limits *limits)
{
    const struct {
        enum metric metric;
        uint64_t max;
        enum not_ready why;
    } rows[] = {
        {METRIC_CONNECTIONS, limits->connections_max, NOT_READY_CONNECTIONS},
        {METRIC_ROOMS, limits->rooms_max, NOT_READY_ROOMS},
        {METRIC_QUEUE_BYTES, limits->queues_size_max / 4 * UINT64_C(3), NOT_READY_QUEUES},
    };
    uint32_t set = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        if (metrics->values[rows[i].metric] >= rows[i].max)
            set |= UINT32_C(1) << rows[i].why;
    return set;
}

/* ---- the head of a request ---- */

/* SECURITY F9: what libmicrohttpd lets pass and answers twice. */
static enum operator_fault check_framing(const struct operator_request *request, size_t *body_size)
{
    uint64_t size = 0;

    if (request->host_count != 1 || request->content_length_count > 1 ||
        request->authorization_count > 1 || request->has_transfer_encoding)
        return OPERATOR_BAD_REQUEST;
    if (request->content_length_count && !str_to_uint(request->content_length, UINT64_MAX, &size))
        return OPERATOR_BAD_REQUEST;
    if (request->target.size > OPERATOR_TARGET_SIZE_MAX)
        return OPERATOR_TARGET_TOO_LONG;
    if (size > OPERATOR_BODY_SIZE_MAX)
        return OPERATOR_BODY_TOO_BIG;
    *body_size = (size_t)size;
    return OPERATOR_FINE;
}

/* Of an address in digits, without the brackets that IPv6 has in a URL. */
static bool is_bound_to(struct str bound_to, struct str host)
{
    struct hosts own = {.count = 1};
    char text[64];

    if (!bound_to.size || bound_to.size > sizeof text - 3)
        return false;
    bool is_ipv6 = memchr(bound_to.text, ':', bound_to.size) != NULL;
    int size = snprintf(text, sizeof text, "%s%.*s%s", is_ipv6 ? "[" : "", (int)bound_to.size,
                        bound_to.text, is_ipv6 ? "]" : "");
    own.items[0] = (struct str){text, (size_t)size};
    return hosts_have(&own, host);
}

/* A page elsewhere whose name somebody has pointed at this address (DNS rebinding) sends its own name. */
static bool is_our_host(const struct operator_policy *policy, struct str host)
{
    static const struct hosts loopback = {
        .items = {{"localhost", 9}, {"127.0.0.1", 9}, {"[::1]", 5}}, .count = 3};

    if (!host_is_well_formed(host))
        return false;
    return hosts_have(&loopback, host) || is_bound_to(policy->bound_to, host) ||
           (policy->bound_to.size && policy->hosts && hosts_have(policy->hosts, host));
}

/* ---- what it is about ---- */

/* True when path has the form of the pattern; *id is then what stands for {id}. */
static bool matches(struct str path, const char *pattern, struct str *id)
{
    struct str form = str_of(pattern), hole = STR("{id}");
    size_t fixed = form.size - hole.size;

    if (form.size < hole.size || !str_equal((struct str){form.text + fixed, hole.size}, hole))
        return str_equal(path, form);
    if (path.size <= fixed || !str_starts_with(path, (struct str){form.text, fixed}))
        return false;
    *id = (struct str){path.text + fixed, path.size - fixed};
    return !memchr(id->text, '/', id->size);
}

static bool is_for(struct str method, const char *wanted, bool *head_only)
{
    *head_only = str_equal(method, STR("HEAD")) && strcmp(wanted, "GET") == 0;
    return *head_only || str_equal(method, str_of(wanted));
}

/* Finds the row. When there is none for the method, allow lists those that there are; when there is none for
 * the path either, it stays empty. */
static enum operator_action find_action(struct operator_decision *out, struct str path,
                                        struct str method)
{
    size_t size = 0;

    for (int i = 0; i < OPERATOR_ACTION_COUNT; i++) {
        const struct operator_route *route = &operator_routes[i];
        if (!matches(path, route->path, &out->id))
            continue;
        if (is_for(method, route->method, &out->head_only))
            return (enum operator_action)i;
        const char *also = strcmp(route->method, "GET") == 0 ? ", HEAD" : "";
        size += (size_t)snprintf(out->allow + size, sizeof out->allow - size, "%s%s%s",
                                 size ? ", " : "", route->method, also);
    }
    return OPERATOR_ACTION_COUNT;
}

/* ---- who asks ---- */

static enum operator_fault fault_of(enum operator_verdict verdict)
{
    static const enum operator_fault found[] = {
        [OPERATOR_WELCOME] = OPERATOR_FINE,
        [OPERATOR_STRANGER] = OPERATOR_UNAUTHORIZED,
        [OPERATOR_TOO_OFTEN] = OPERATOR_THROTTLED,
        [OPERATOR_NO_MEMORY] = OPERATOR_OUT_OF_MEMORY,
    };
    return found[verdict];
}

/* What there is not needs the token too: who has none is not told which paths there are. */
static enum operator_fault check_access(struct operator_decision *out,
                                        const struct operator_policy *policy,
                                        struct operator_auth *auth,
                                        const struct operator_request *request, struct str path,
                                        address_key from, uint64_t now_ms)
{
    bool is_known = out->action < OPERATOR_ACTION_COUNT;
    enum operator_access access =
        is_known ? operator_routes[out->action].access : OPERATOR_FOR_TOKEN;

    if (out->allow[0] && !is_known)
        access = str_starts_with(path, STR("/api/")) ? OPERATOR_FOR_TOKEN : OPERATOR_FOR_ALL;
    if (access == OPERATOR_FOR_ALL || (access == OPERATOR_FOR_METRICS && policy->metrics_open))
        return OPERATOR_FINE;
    if (!auth->token.is_set && access == OPERATOR_FOR_TOKEN)
        return str_starts_with(path, STR("/api/")) ? OPERATOR_API_OFF : OPERATOR_NOT_FOUND;
    enum operator_fault fault = fault_of(
        operator_auth_judge(auth, from, request->authorization, now_ms, &out->retry_after_s));
    return fault == OPERATOR_UNAUTHORIZED && !auth->token.is_set ? OPERATOR_METRICS_CLOSED : fault;
}

/* ---- the rest of it ---- */

static bool is_json(struct str content_type)
{
    struct str type = str_trim(str_cut(&content_type, ';'));
    struct str parameter = str_trim(content_type);

    return str_equal_nocase(type, STR("application/json")) &&
           (parameter.size == 0 || str_equal_nocase(parameter, STR("charset=utf-8")));
}

/* One parameter of the list of rooms. Of one that comes twice the last counts. */
static bool read_parameter(struct operator_list *list, struct str name, struct str value)
{
    uint64_t number;

    if (str_equal(name, STR("ids"))) {
        list->ids = str_equal(value, STR("yes"));
        return list->ids || str_equal(value, STR("no"));
    }
    if (str_equal(name, STR("after")))
        return str_to_uint(value, INT64_MAX, &list->after);
    if (!str_equal(name, STR("limit")) || !str_to_uint(value, OPERATOR_LIST_MAX, &number))
        return false;
    list->limit = (uint32_t)number;
    return number > 0;
}

static enum operator_fault read_query(struct operator_decision *out, struct str query)
{
    out->list = (struct operator_list){.limit = OPERATOR_LIST_MAX};
    if (out->action != OPERATOR_LIST_ROOMS)
        return query.size && operator_routes[out->action].access == OPERATOR_FOR_TOKEN
                   ? OPERATOR_BAD_QUERY
                   : OPERATOR_FINE; /* who asks after the health may put there what they like */
    while (query.size) {
        struct str value = str_cut(&query, '&');
        struct str name = str_cut(&value, '=');
        if (!read_parameter(&out->list, name, value))
            return OPERATOR_BAD_QUERY;
    }
    return OPERATOR_FINE;
}

/* A valid id is one that there could be: no other is looked for, or logged. */
static bool is_possible(const struct operator_decision *decision)
{
    switch (decision->action) {
    case OPERATOR_SHOW_ROOM:
    case OPERATOR_CLOSE_ROOM:
        return room_id_is_valid(decision->id);
    case OPERATOR_REMOVE_PEER:
        return decision->id.size == PEER_ID_SIZE && room_id_is_valid(decision->id);
    default:
        return true;
    }
}

static enum operator_fault check_action(struct operator_decision *out,
                                        const struct operator_request *request, struct str query)
{
    if (out->action == OPERATOR_ACTION_COUNT)
        return out->allow[0] ? OPERATOR_BAD_METHOD : OPERATOR_NOT_FOUND;
    bool changes = strcmp(operator_routes[out->action].method, "GET") != 0;
    if (changes && !is_json(request->content_type))
        return OPERATOR_NOT_JSON;
    if (!changes && out->body_size)
        return OPERATOR_BAD_REQUEST;
    if (!is_possible(out))
        return OPERATOR_NOT_FOUND;
    return read_query(out, query);
}

void operator_decide(struct operator_decision *out, const struct operator_policy *policy,
                     struct operator_auth *auth, const struct operator_request *request,
                     address_key from, uint64_t now_ms)
{
    struct str query = request->target;
    struct str path = str_cut(&query, '?');

    *out = (struct operator_decision){.action = OPERATOR_ACTION_COUNT};
    out->fault = check_framing(request, &out->body_size);
    if (!out->fault && !is_our_host(policy, request->host))
        out->fault = OPERATOR_MISDIRECTED;
    if (!out->fault && request->has_origin)
        out->fault = OPERATOR_ORIGIN;
    if (out->fault)
        return;
    out->action = find_action(out, path, request->method);
    out->fault = check_access(out, policy, auth, request, path, from, now_ms);
    if (!out->fault)
        out->fault = check_action(out, request, query);
}
