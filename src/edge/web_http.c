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
    ANSWER_HEAD_SIZE_MAX = 4096,
};

/* ---- the request, as the library has read it ---- */

/* Copies of the headers that http.h looks at. Too long a value counts as one that makes no sense.
 */
struct request_texts {
    char path[HTTP_TARGET_SIZE_MAX + 1];
    char version[16], host[272], content_length[32], accept_encoding[512], if_none_match[1024];
    char upgrade[32], origin[512], key[64], websocket_version[16], protocols[256];
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

static void read_request(struct http_request *request, struct lws *wsi, struct request_texts *texts)
{
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
        .origin = COPY(WSI_TOKEN_ORIGIN, origin),
        .origin_count = count_header(wsi, WSI_TOKEN_ORIGIN),
        .websocket_key = COPY(WSI_TOKEN_KEY, key),
        .websocket_version = COPY(WSI_TOKEN_VERSION, websocket_version),
        .websocket_protocols = COPY(WSI_TOKEN_PROTOCOL, protocols),
    };
    read_target(request, wsi, texts);
    if (!request->upgrade.size && lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE))
        request->upgrade = STR("?"); /* too long to be one that we know */
    if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP2_SETTINGS))
        request->upgrade = STR("h2c");
}

/* ---- the answer ---- */

static bool add_header(struct lws *wsi, const char *name, const char *value, unsigned char **at,
                       unsigned char *end)
{
    char with_colon[64];

    lws_snprintf(with_colon, sizeof with_colon, "%s:", name);
    return lws_add_http_header_by_name(wsi, (const unsigned char *)with_colon,
                                       (const unsigned char *)value, (int)strlen(value), at,
                                       end) == 0;
}

static bool add_date(struct lws *wsi, unsigned char **at, unsigned char *end)
{
    char text[40];
    time_t now = time(NULL);
    struct tm utc;

    gmtime_r(&now, &utc);
    strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc); /* RFC 9110 section 5.6.7 */
    return add_header(wsi, "date", text, at, end);
}

/* Sends status line and headers; the security headers come from the vhost. */
static bool send_head(struct connection *connection, const struct http_decision *decision)
{
    unsigned char head[LWS_PRE + ANSWER_HEAD_SIZE_MAX];
    unsigned char *at = head + LWS_PRE, *end = head + sizeof head;
    struct lws *wsi = connection->wsi;
    const struct http_answer *answer = connection->answer;

    bool ok = lws_add_http_header_status(wsi, decision->status | LWSAHH_FLAG_NO_SERVER_NAME, &at,
                                         end) == 0;
    ok = ok && add_date(wsi, &at, end);
    for (size_t i = 0; ok && i < answer->header_count; i++)
        ok = add_header(wsi, answer->headers[i].name, answer->headers[i].value, &at, end);
    if (ok && connection->close_after_answer)
        ok = add_header(wsi, "connection", "close", &at, end);
    if (ok && decision->status != 304)
        ok = lws_add_http_header_content_length(wsi, answer->body.size, &at, end) == 0;
    ok = ok && lws_finalize_http_header(wsi, &at, end) == 0;
    size_t size = (size_t)(at - head) - LWS_PRE;
    return ok && lws_write(wsi, head + LWS_PRE, size, LWS_WRITE_HTTP_HEADERS) == (int)size;
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

/* The answer is on its way: the connection is ready for the next request, or done. */
static int end_answer(struct connection *connection)
{
    bool close = connection->close_after_answer;

    web_http_deinit(connection);
    if (close)
        return -1;
    return lws_http_transaction_completed(connection->wsi) ? -1 : 0;
}

static void count_status(struct metrics *metrics, unsigned status)
{
    static const enum metric by_class[] = {METRIC_HTTP_2XX, METRIC_HTTP_3XX, METRIC_HTTP_4XX,
                                           METRIC_HTTP_5XX};
    if (status >= 200 && status < 600)
        metrics->values[by_class[status / 100 - 2]]++;
}

/* Carries a decision out. `whole` sends the body at once: for the few bytes that go with a refusal.
 */
static int answer(struct connection *connection, const struct http_decision *decision,
                  const struct site *site, bool whole)
{
    char fresh_room[PEER_ID_SIZE + 1] = "";

    connection->close_after_answer =
        decision->close || ++connection->requests >= REQUESTS_PER_CONNECTION;
    connection->answer_sent = 0;
    connection->answer = malloc(sizeof *connection->answer);
    if (!connection->answer)
        return -1;
    if (decision->action == HTTP_NEW_ROOM)
        ids_make_uuid(fresh_room);
    count_status(connection->web->options.metrics, decision->status);
    if (!http_answer_init(connection->answer, decision, site, fresh_room) ||
        !send_head(connection, decision))
        return -1;

    if (decision->head_only || connection->answer->body.size == 0)
        return end_answer(connection);
    if (!whole) {
        lws_callback_on_writable(connection->wsi);
        return 0;
    }
    struct str body = connection->answer->body;
    lws_write(connection->wsi, (unsigned char *)(uintptr_t)body.text, body.size,
              LWS_WRITE_HTTP_FINAL);
    return end_answer(connection);
}

/* The policy of this request: while developing, with the site as it is on the disk now. */
static struct http_policy policy_now(struct connection *connection)
{
    struct web *web = connection->web;
    struct http_policy policy = web->options.policy;

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
    struct http_policy policy = policy_now(connection);
    struct request_texts texts;
    struct http_request request;
    struct http_decision decision;

    read_request(&request, connection->wsi, &texts);
    http_decide(&decision, &policy, &request);
    log_debug("http_answered", log_uint("status", decision.status));
    return answer(connection, &decision, policy.site, false);
}

int web_http_writeable(struct connection *connection)
{
    struct http_answer *sending = connection->answer;
    if (!sending)
        return 0;

    struct str body = sending->body;
    size_t left = body.size - connection->answer_sent;
    size_t size = left < BODY_CHUNK_SIZE ? left : BODY_CHUNK_SIZE;
    /* The library takes a pointer to non-const and, for HTTP/1, only reads through it. */
    unsigned char *chunk = (unsigned char *)(uintptr_t)(body.text + connection->answer_sent);
    if (lws_write(connection->wsi, chunk, size,
                  size == left ? LWS_WRITE_HTTP_FINAL : LWS_WRITE_HTTP) < 0)
        return -1;
    connection->answer_sent += size;
    if (connection->answer_sent == body.size)
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
        !str_equal_nocase(str_of(upgrade), STR("websocket")))
        return -1;

    struct http_policy policy = policy_now(connection);
    struct request_texts texts;
    struct http_request request;
    struct http_decision decision;
    read_request(&request, wsi, &texts);
    http_decide(&decision, &policy, &request);
    if (decision.action == HTTP_WEBSOCKET)
        return 0;
    decision.close = true;
    answer(connection, &decision, policy.site, true);
    return -1;
}
