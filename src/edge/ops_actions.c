/* What the operator can have done: a row of OPERATOR_TABLE each. */
#include "ops_private.h"

#include "aloha/log.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { LAG_MAX_MS = 1000, LAG_REMEMBERED_MS = 5000, THROTTLED_LOG_MS = 60 * 1000 };

/* A question that comes at the end of a stall is answered before the pulse is felt again, so what is overdue
 * counts too. */
uint64_t ops_recent_lag_ms(const struct ops *ops)
{
    uint64_t now_ms = uv_now(ops->loop);
    uint64_t overdue_ms = now_ms - ops->pulse_ms;

    overdue_ms = overdue_ms > OPS_PULSE_MS ? overdue_ms - OPS_PULSE_MS : 0;
    bool is_recent = now_ms - ops->lag_seen_ms < LAG_REMEMBERED_MS;
    return is_recent && ops->lag_ms > overdue_ms ? ops->lag_ms : overdue_ms;
}

/* Whoever asks has taken a descriptor; is there one more? */
static bool has_descriptors(const struct ops *ops)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(ops->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    int fd = fcntl(info->epoll_fd, F_DUPFD_CLOEXEC, 0);

    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

static uint32_t reasons(const struct ops *ops)
{
    uint32_t lagging = ops_recent_lag_ms(ops) >= LAG_MAX_MS;
    uint32_t cordoned = hub_is_cordoned(ops->options.hub);
    uint32_t exhausted = !has_descriptors(ops);

    return ops->not_ready | not_ready_by_load(ops->options.metrics, ops->options.limits) |
           lagging << NOT_READY_LAGGING | cordoned << NOT_READY_CORDONED |
           exhausted << NOT_READY_NO_DESCRIPTORS;
}

static enum operator_fault show_health(struct ops *ops, const struct request *request,
                                       struct reply *reply)
{
    uint64_t lag_ms = ops_recent_lag_ms(ops);

    (void)request;
    reply->type = "text/plain; charset=utf-8";
    if (lag_ms < LAG_MAX_MS) {
        buf_add(&reply->body, STR("ok\n"));
        return OPERATOR_FINE;
    }
    reply->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    buf_add_format(&reply->body, "lagging %llu ms\n", (unsigned long long)lag_ms);
    return OPERATOR_FINE;
}

static enum operator_fault show_readiness(struct ops *ops, const struct request *request,
                                          struct reply *reply)
{
    uint32_t why = reasons(ops);

    (void)request;
    reply->type = "text/plain; charset=utf-8";
    reply->status = why ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_OK;
    operator_write_readiness(&reply->body, why);
    return OPERATOR_FINE;
}

static enum operator_fault show_metrics(struct ops *ops, const struct request *request,
                                        struct reply *reply)
{
    (void)request;
    reply->type = "text/plain; version=0.0.4; charset=utf-8";
    metrics_write(ops->options.metrics, &reply->body);
    return OPERATOR_FINE;
}

static enum operator_fault show_status(struct ops *ops, const struct request *request,
                                       struct reply *reply)
{
    struct operator_status status = {
        .metrics = ops->options.metrics,
        .uptime_ms = uv_now(ops->loop) - ops->started_ms,
        .lag_ms = ops_recent_lag_ms(ops),
        .not_ready = reasons(ops),
        .cordoned = hub_is_cordoned(ops->options.hub),
        .log_level = log_level_now(),
        .certificate_expires_s = ops->options.metrics->values[METRIC_TLS_EXPIRY],
    };

    (void)request;
    operator_write_status(&reply->body, &status);
    return OPERATOR_FINE;
}

static enum operator_fault list_rooms(struct ops *ops, const struct request *request,
                                      struct reply *reply)
{
    operator_write_rooms(&reply->body, ops->options.hub, &request->decision.list,
                         ops->options.metrics->values[METRIC_ROOMS], uv_now(ops->loop));
    return OPERATOR_FINE;
}

static enum operator_fault show_room(struct ops *ops, const struct request *request,
                                     struct reply *reply)
{
    bool found = operator_write_room(&reply->body, ops->options.hub, request->decision.id,
                                     uv_now(ops->loop));
    return found ? OPERATOR_FINE : OPERATOR_NOT_FOUND;
}

static enum operator_fault close_room(struct ops *ops, const struct request *request,
                                      struct reply *reply)
{
    if (!operator_read_nothing(buf_str(&request->body)))
        return OPERATOR_BAD_BODY;
    if (!hub_close_room(ops->options.hub, request->decision.id, uv_now(ops->loop)))
        return OPERATOR_NOT_FOUND;
    buf_add(&reply->body, STR("{\"closed\":true}\n"));
    return OPERATOR_FINE;
}

static enum operator_fault remove_peer(struct ops *ops, const struct request *request,
                                       struct reply *reply)
{
    if (!operator_read_nothing(buf_str(&request->body)))
        return OPERATOR_BAD_BODY;
    if (!hub_remove_peer(ops->options.hub, request->decision.id, uv_now(ops->loop)))
        return OPERATOR_NOT_FOUND;
    buf_add(&reply->body, STR("{\"removed\":true}\n"));
    return OPERATOR_FINE;
}

static enum operator_fault set_drain(struct ops *ops, const struct request *request,
                                     struct reply *reply)
{
    bool on;

    if (!operator_read_drain(buf_str(&request->body), &on))
        return OPERATOR_BAD_BODY;
    hub_set_cordon(ops->options.hub, on);
    reply->detail = on ? "on" : "off";
    buf_add_format(&reply->body, "{\"on\":%s}\n", on ? "true" : "false");
    return OPERATOR_FINE;
}

static enum operator_fault reload(struct ops *ops, const struct request *request,
                                  struct reply *reply)
{
    const struct ops_server *server = &ops->options.server;

    if (!operator_read_nothing(buf_str(&request->body)))
        return OPERATOR_BAD_BODY;
    bool done = server->reload(server->ctx);
    reply->detail = done ? "done" : "kept";
    buf_add_format(&reply->body, "{\"reloaded\":%s}\n", done ? "true" : "false");
    return OPERATOR_FINE;
}

static enum operator_fault set_log_level(struct ops *ops, const struct request *request,
                                         struct reply *reply)
{
    enum log_level level;

    (void)ops;
    if (!operator_read_log_level(buf_str(&request->body), &level))
        return OPERATOR_BAD_BODY;
    log_set_level(level);
    reply->detail = log_level_name(level);
    buf_add_format(&reply->body, "{\"level\":\"%s\"}\n", log_level_name(level));
    return OPERATOR_FINE;
}

typedef enum operator_fault act_fn(struct ops *ops, const struct request *request,
                                   struct reply *reply);

static act_fn *const actions[OPERATOR_ACTION_COUNT] = {
    [OPERATOR_HEALTH] = show_health,          [OPERATOR_READINESS] = show_readiness,
    [OPERATOR_METRICS] = show_metrics,        [OPERATOR_STATUS] = show_status,
    [OPERATOR_LIST_ROOMS] = list_rooms,       [OPERATOR_SHOW_ROOM] = show_room,
    [OPERATOR_CLOSE_ROOM] = close_room,       [OPERATOR_REMOVE_PEER] = remove_peer,
    [OPERATOR_SET_DRAIN] = set_drain,         [OPERATOR_RELOAD] = reload,
    [OPERATOR_SET_LOG_LEVEL] = set_log_level,
};

void ops_act(struct ops *ops, const struct request *request, struct reply *reply)
{
    const struct operator_decision *decision = &request->decision;
    enum operator_fault fault = decision->fault;

    if (!fault)
        fault = actions[decision->action](ops, request, reply);
    if (!fault)
        return;
    reply->status = operator_fault_status(fault);
    operator_write_fault(&reply->body, fault);
}

/* ---- the log ---- */

static bool is_refusal(unsigned status)
{
    return status == MHD_HTTP_UNAUTHORIZED || status == 429;
}

/* Whoever asks without end is refused without end: the log has room for others, its errors above all. */
static bool may_log_throttled(struct ops *ops)
{
    uint64_t now_ms = uv_now(ops->loop);

    if (now_ms < ops->throttled_log_ms)
        return false;
    ops->throttled_log_ms = now_ms + THROTTLED_LOG_MS;
    return true;
}

static struct log_field client_field(const struct caller *caller)
{
    struct ip none = {0};
    bool is_local = !caller || ip_equal(caller->ip, none);
    return is_local ? log_text("client", "socket") : log_address("client", caller->ip);
}

void ops_log_request(struct ops *ops, const struct request *request, const struct reply *reply)
{
    const struct operator_decision *decision = &request->decision;
    const struct operator_route *route =
        decision->action < OPERATOR_ACTION_COUNT ? &operator_routes[decision->action] : NULL;
    struct log_field fields[6];
    size_t count = 0;
    char token[9], what[64];

    if (!is_refusal(reply->status) && (decision->fault || !route || !route->is_logged))
        return;
    if (reply->status == 429 && !may_log_throttled(ops))
        return;
    fields[count++] = client_field(request->caller);
    if (!is_refusal(reply->status)) {
        snprintf(token, sizeof token, "%08x", operator_token_id(&ops->auth.token));
        fields[count++] = log_text("token", token);
    }
    if (route) {
        snprintf(what, sizeof what, "%s %s", route->method, route->path);
        fields[count++] = log_text("action", what);
    }
    if (decision->id.size) /* a peer's id is as little for the log as a room's */
        fields[count++] =
            log_room(decision->action == OPERATOR_REMOVE_PEER ? "peer" : "room", decision->id);
    if (reply->detail)
        fields[count++] = log_text("value", reply->detail);
    fields[count++] = log_uint("status", reply->status);
    if (is_refusal(reply->status))
        log_event(LOG_LEVEL_WARNING, "operator_refused", fields, count);
    else
        log_event(LOG_LEVEL_INFO, "operator_acted", fields, count);
}
