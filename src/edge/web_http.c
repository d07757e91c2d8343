#include "aloha/ids.h"
#include "aloha/log.h"
#include "aloha/site_disk.h"
#include "web_private.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BODY_CHUNK_SIZE = 16 * 1024,   /* bytes of a body in one turn of the loop */
    REQUESTS_PER_CONNECTION = 100, /* SECURITY R4 */
};

/* ---- the request, as the library has read it ---- */

/* Copies of the headers that http.h looks at. Too long a value counts as one that makes no sense.
 */
struct request_texts {
    char path[HTTP_TARGET_SIZE_MAX + 1];
    char version[16], host[272], content_length[32], accept_encoding[512], if_none_match[1024];
    char upgrade[32], connection[128], origin[512], key[64], websocket_version[16], protocols[256];
};

static unsigned count_header(struct lws *wsi, enum lws_token_indexes token)
{
    int count = 0;
    while (lws_hdr_fragment_length(wsi, token, count) > 0)
        count++;
    return (unsigned)count;
}

static struct str copy_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size)
{
    int copied = lws_hdr_copy(wsi, out, (int)size, token);
    return (struct str){out, copied > 0 ? (size_t)copied : 0};
}

/* The sum over all headers that the library keeps. */
static size_t headers_size(struct lws *wsi)
{
    size_t size = 0;
    for (int token = 0; token < WSI_TOKEN_COUNT; token++)
        size += (size_t)lws_hdr_total_length(wsi, (enum lws_token_indexes)token);
    return size;
}

static void read_target(struct http_request *request, struct lws *wsi, struct request_texts *texts)
{
    enum lws_token_indexes token = WSI_TOKEN_GET_URI;

    request->method = HTTP_GET;
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HEAD_URI)) {
        request->method = HTTP_HEAD;
        token = WSI_TOKEN_HEAD_URI;
    } else if (!lws_hdr_total_length(wsi, WSI_TOKEN_GET_URI)) {
        request->method = HTTP_OTHER_METHOD;
    }
    request->target_size = (size_t)(lws_hdr_total_length(wsi, token) +
                                    lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_URI_ARGS));
    request->path = copy_header(wsi, token, texts->path, sizeof texts->path);
}

#define COPY(token, field) copy_header(wsi, token, texts->field, sizeof texts->field)

/* A proxy of ours knows better than we, when it tells. In the clear one that nobody told us of may have encrypted it. */
static void read_scheme(struct http_request *request, const struct connection *connection)
{
    bool told = connection->scheme != FORWARDED_SCHEME_UNKNOWN;

    request->secure = told ? connection->scheme == FORWARDED_HTTPS : connection->secure;
    request->scheme_unknown = !told && (connection->proxied || !connection->secure);
}

static void read_request(struct http_request *request, const struct connection *connection,
                         struct request_texts *texts)
{
    struct lws *wsi = connection->wsi;

    *request = (struct http_request){
        .version = COPY(WSI_TOKEN_HTTP, version),
        .headers_size = headers_size(wsi),
        .host = COPY(WSI_TOKEN_HOST, host),
        .host_count = count_header(wsi, WSI_TOKEN_HOST),
        .content_length = COPY(WSI_TOKEN_HTTP_CONTENT_LENGTH, content_length),
        .content_length_count = count_header(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH),
        .has_transfer_encoding = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0,
        .accept_encoding = COPY(WSI_TOKEN_HTTP_ACCEPT_ENCODING, accept_encoding),
        .if_none_match = COPY(WSI_TOKEN_HTTP_IF_NONE_MATCH, if_none_match),
        .upgrade = COPY(WSI_TOKEN_UPGRADE, upgrade),
        .connection = COPY(WSI_TOKEN_CONNECTION, connection),
        .origin = COPY(WSI_TOKEN_ORIGIN, origin),
        .origin_count = count_header(wsi, WSI_TOKEN_ORIGIN),
        .websocket_key = COPY(WSI_TOKEN_KEY, key),
        .websocket_version = COPY(WSI_TOKEN_VERSION, websocket_version),
        .websocket_protocols = COPY(WSI_TOKEN_PROTOCOL, protocols),
    };
    read_scheme(request, connection);
    read_target(request, wsi, texts);
    if (!request->upgrade.size && lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE))
        request->upgrade = STR("?"); /* too long to be one that we know */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP2_SETTINGS))
        request->upgrade = STR("h2c");
}

/* ---- the answer ---- */

static void write_date(char *out, size_t size)
{
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(out, size, "%a, %d %b %Y %H:%M:%S GMT", &utc);
}

void web_http_compose(struct buf *out, const struct http_decision *decision,
                      const struct http_answer *answer, size_t body_size, bool close)
{
    char date[40];

    write_date(date, sizeof date);
    http_answer_write_head(out, decision, answer, date, close);
    buf_add(out, (struct str){answer->body.text, body_size});
}

void web_http_deinit(struct connection *connection)
{
    if (connection->answer)
        http_answer_deinit(connection->answer);
    free(connection->answer);
    connection->answer = NULL;
    site_disk_free(connection->site);
    connection->site = NULL;
}

/* True when the library has read no more than the heads that the door let through. It reads what is
 * there, and a second request right behind the first would pass unjudged: such a connection ends.
 */
static bool has_read_exactly(struct connection *connection)
{
    uint64_t size;
    return socket_bytes_read(&connection->bytes_read, lws_get_socket_fd(connection->wsi), &size) &&
           size == connection->heads_size;
}

/* The answer has been given to the library: the connection waits for the next request, or is done.
 */
static int end_answer(struct connection *connection)
{
    if (lws_partial_buffered(connection->wsi)) {
        lws_callback_on_writable(connection->wsi); /* not all has left: come back then */
        return 0;
    }
    web_http_deinit(connection);
    bool last = connection->requests == connection->heads_passed;
    if (connection->close_after_answer || (last && !has_read_exactly(connection)) ||
        lws_http_transaction_completed(connection->wsi))
        return -1;
    if (last)
        web_door_settle(connection);
    return 0;
}

/* Carries a decision out: the head and the beginning of the body leave in one write. */
static int answer(struct connection *connection, enum http_stage stage,
                  const struct http_decision *decision, const struct http_policy *policy)
{
    char fresh_room[PEER_ID_SIZE + 1] = "";
    struct buf first;

    connection->close_after_answer =
        decision->close || ++connection->requests >= REQUESTS_PER_CONNECTION;
    connection->answer = malloc(sizeof *connection->answer);
    if (!connection->answer)
        return -1;
    if (decision->action == HTTP_NEW_ROOM)
        ids_make_uuid(fresh_room);
    metrics_count_http(connection->web->options.metrics, stage, decision->status);
    if (!http_answer_init(connection->answer, decision, policy, fresh_room))
        return -1;

    size_t body_size = decision->head_only ? 0 : connection->answer->body.size;
    size_t now_size = body_size < BODY_CHUNK_SIZE ? body_size : BODY_CHUNK_SIZE;
    buf_init(&first, BODY_CHUNK_SIZE + HTTP_ANSWER_HEAD_SIZE_MAX);
    web_http_compose(&first, decision, connection->answer, now_size,
                     connection->close_after_answer);
    connection->answer->body.size = body_size;
    connection->answer_sent = now_size;
    bool written = !first.failed && lws_write(connection->wsi, (unsigned char *)first.data,
                                              first.size, LWS_WRITE_HTTP) == (int)first.size;
    buf_deinit(&first);
    if (!written)
        return -1;
    if (now_size == body_size)
        return end_answer(connection);
    lws_callback_on_writable(connection->wsi);
    return 0;
}

struct http_policy web_http_policy(const struct connection *connection)
{
    const struct web_options *options = &connection->web->options;
    struct http_policy policy = options->policy;

    policy.secure = options->tls != NULL;
    policy.demand_https = connection->secure && tls_store_is_trusted(options->tls);
    return policy;
}

/* The policy of this request: while developing, with the site as it is on the disk now. */
static struct http_policy policy_now(struct connection *connection)
{
    struct web *web = connection->web;
    struct http_policy policy = web_http_policy(connection);

    if (web->options.assets_dir) {
        site_disk_free(connection->site);
        connection->site = site_disk_load(web->options.assets_dir);
        if (connection->site)
            policy.site = connection->site;
    }
    return policy;
}

int web_http_request(struct connection *connection)
{
    if (connection->requests == connection->heads_passed)
        return -1; /* the library has seen a head where the door saw none */

    struct http_policy policy = policy_now(connection);
    struct request_texts texts;
    struct http_request request;
    struct http_decision decision;

    read_request(&request, connection, &texts);
    http_decide(&decision, &policy, &request);
    log_debug("http_answered", log_uint("status", decision.status));
    /* What is told to upgrade wanted to be a WebSocket. */
    return answer(connection, decision.status == 426 ? STAGE_WEBSOCKET : STAGE_PAGE, &decision,
                  &policy);
}

int web_http_writeable(struct connection *connection)
{
    struct http_answer *sending = connection->answer;
    if (!sending)
        return 0;

    size_t left = sending->body.size - connection->answer_sent;
    size_t size = left < BODY_CHUNK_SIZE ? left : BODY_CHUNK_SIZE;
    /* The library takes a pointer to non-const and, for HTTP/1, only reads through it. */
    unsigned char *chunk =
        (unsigned char *)(uintptr_t)(sending->body.text + connection->answer_sent);
    if (size && lws_write(connection->wsi, chunk, size, LWS_WRITE_HTTP) < 0)
        return -1;
    connection->answer_sent += size;
    if (size == left)
        return end_answer(connection);
    lws_callback_on_writable(connection->wsi);
    return 0;
}

int web_http_upgrade(struct connection *connection)
{
    char upgrade[16];
    struct lws *wsi = connection->wsi;

    /* Never the callback's `in`: after an unknown upgrade on a kept-alive connection the library
     * has freed what it points to (CVE-2025-11677, SECURITY F1). It has answered 403 then. This
     * also keeps h2c, and with it an HTTP/2 parser of 2020, shut (F3). */
    if (lws_hdr_copy(wsi, upgrade, sizeof upgrade, WSI_TOKEN_UPGRADE) <= 0 ||
        !str_equal_nocase(str_of(upgrade), STR("websocket"))) {
        metrics_count_http(connection->web->options.metrics, STAGE_WEBSOCKET, 403);
        return -1;
    }
    if (connection->requests == connection->heads_passed)
        return -1;

    struct http_policy policy = policy_now(connection);
    struct request_texts texts;
    struct http_request request;
    struct http_decision decision;
    read_request(&request, connection, &texts);
    http_decide(&decision, &policy, &request);
    if (decision.action == HTTP_WEBSOCKET)
        return 0;
    if (decision.status == 403)
        connection->web->options.metrics->values[METRIC_REFUSED_ORIGIN]++;
    log_debug("websocket_refused", log_uint("status", decision.status),
              log_address("client", connection->address), log_str("origin", request.origin),
              log_str("host", request.host));
    decision.close = true;
    (void)answer(connection, STAGE_WEBSOCKET, &decision, &policy);
    return -1;
}
