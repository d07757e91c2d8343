/* One request: what libmicrohttpd has read of it is handed to operator_decide(), and what comes of that goes back.
 * It is Debian's libmicrohttpd 0.9.75: docs/security.md F9. */
#include "ops_private.h"

#include "aloha/log.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* ---- reading ---- */

void *ops_begin_request(void *ctx, const char *target, struct MHD_Connection *connection)
{
    struct request *request = calloc(1, sizeof *request);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    if (!request)
        return NULL;
    request->ops = ctx;
    request->connection = connection;
    request->caller = info ? info->socket_context : NULL;
    buf_init(&request->body, OPERATOR_BODY_SIZE_MAX);
    /* One byte more than is taken: so that one that is too long is seen to be. */
    strncpy(request->target, target, sizeof request->target - 1);
    return request;
}

void ops_end_request(void *ctx, struct MHD_Connection *connection, void **context,
                     enum MHD_RequestTerminationCode code)
{
    struct request *request = *context;

    (void)connection;
    (void)code;
    if (!request)
        return;
    if (request->phase == REQUEST_HELD_BACK) {
        struct ops *ops = ctx;
        DL_DELETE(ops->held_back, request);
    }
    buf_deinit(&request->body);
    free(request);
    *context = NULL;
}

/* Where a header goes. */
struct header_place {
    struct str name, *value;
    unsigned *count;
    bool *is_there;
};

static enum MHD_Result take_header(void *ctx, enum MHD_ValueKind kind, const char *name,
                                   size_t name_size, const char *value, size_t value_size)
{
    struct operator_request *request = ctx;
    unsigned ignored = 0;
    const struct header_place places[] = {
        {STR("host"), &request->host, &request->host_count, NULL},
        {STR("authorization"), &request->authorization, &request->authorization_count, NULL},
        {STR("content-type"), &request->content_type, &ignored, NULL},
        {STR("content-length"), &request->content_length, &request->content_length_count, NULL},
        {STR("origin"), NULL, NULL, &request->has_origin},
        {STR("transfer-encoding"), NULL, NULL, &request->has_transfer_encoding},
    };

    /* The library takes a blank before the colon for a part of the name (RFC 9112 section 5.1): F9. */
    struct str bare = str_trim((struct str){name, name_size});

    (void)kind;
    for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
        if (!str_equal_nocase(bare, places[i].name))
            continue;
        if (places[i].is_there) {
            *places[i].is_there = true;
        } else {
            *places[i].value = str_trim((struct str){value, value ? value_size : 0});
            ++*places[i].count;
        }
    }
    return MHD_YES;
}

static address_key key_of(const struct caller *caller)
{
    return caller ? address_key_ipv6(caller->ip.bytes) : 0;
}

static void decide(struct request *request, const char *method)
{
    struct ops *ops = request->ops;
    struct operator_request asked = {
        .method = str_of(method),
        .target = str_of(request->target),
    };

    MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, take_header, &asked);
    operator_decide(&request->decision, &ops->policy, &ops->auth, &asked, key_of(request->caller),
                    uv_now(ops->loop));
}

/* ---- answering ---- */

static void add_headers(struct MHD_Response *response, const struct request *request,
                        const struct reply *reply)
{
    const struct operator_decision *decision = &request->decision;
    char number[16];

    MHD_add_response_header(response, "content-type", reply->type);
    MHD_add_response_header(response, "cache-control", "no-store");
    MHD_add_response_header(response, "x-content-type-options", "nosniff");
    MHD_add_response_header(response, "connection", "close"); /* one answer a connection: F9 */
    if (reply->status == MHD_HTTP_UNAUTHORIZED)
        MHD_add_response_header(response, "www-authenticate", "Bearer realm=\"aloha\"");
    if (reply->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "allow", decision->allow);
    if (reply->status == 429) {
        snprintf(number, sizeof number, "%u", decision->retry_after_s);
        MHD_add_response_header(response, "retry-after", number);
    }
}

static enum MHD_Result answer(struct request *request)
{
    struct reply reply = {.status = MHD_HTTP_OK, .type = "application/json"};

    buf_init(&reply.body, OPERATOR_ANSWER_SIZE_MAX);
    ops_act(request->ops, request, &reply);
    ops_log_request(request->ops, request, &reply);
    struct MHD_Response *response = NULL;
    if (!reply.body.failed)
        response = MHD_create_response_from_buffer(reply.body.size, reply.body.data,
                                                   MHD_RESPMEM_MUST_COPY);
    buf_deinit(&reply.body);
    if (!response)
        return MHD_NO; /* no memory: the connection ends */
    add_headers(response, request, &reply);
    enum MHD_Result result = MHD_queue_response(request->connection, reply.status, response);
    MHD_destroy_response(response);
    return result;
}

/* A wrong token is answered late, so that guessing is slow, by a timer: nobody else waits (SECURITY R42). */
static enum MHD_Result hold_back(struct request *request)
{
    struct ops *ops = request->ops;

    request->phase = REQUEST_HELD_BACK;
    request->answer_ms = uv_now(ops->loop) + OPERATOR_REFUSAL_MS;
    DL_APPEND(ops->held_back, request); /* all wait equally long: the first is the next */
    MHD_suspend_connection(request->connection);
    return MHD_YES;
}

uint64_t ops_release_held(struct ops *ops, bool all)
{
    uint64_t now_ms = uv_now(ops->loop);

    while (ops->held_back && (all || ops->held_back->answer_ms <= now_ms)) {
        struct request *request = ops->held_back;
        DL_DELETE(ops->held_back, request);
        request->phase = REQUEST_READING;
        MHD_resume_connection(request->connection);
    }
    return ops->held_back ? ops->held_back->answer_ms - now_ms : UINT64_MAX;
}

enum MHD_Result ops_on_request(void *ctx, struct MHD_Connection *connection, const char *path,
                               const char *method, const char *version, const char *body,
                               size_t *body_size, void **context)
{
    struct request *request = *context;

    (void)ctx, (void)connection, (void)path, (void)version;
    if (!request)
        return MHD_NO;
    if (request->phase == REQUEST_NEW) {
        request->phase = REQUEST_READING;
        decide(request, method);
        const struct operator_decision *decision = &request->decision;
        if (operator_fault_status(decision->fault) == MHD_HTTP_UNAUTHORIZED)
            return hold_back(request);
        if (!decision->fault && decision->body_size)
            return MHD_YES; /* the rest comes in pieces */
        return answer(request);
    }
    if (*body_size && !request->decision.fault) {
        buf_add(&request->body, (struct str){body, *body_size});
        *body_size = 0;
        return MHD_YES;
    }
    return answer(request);
}
