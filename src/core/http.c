#include "aloha/http.h"

#include "aloha/gzip.h"
#include "aloha/message.h"
#include "aloha/view.h"

#include <stdio.h>
#include <string.h>

/* The headers that every answer carries, redirects and errors too; and Content-Security-Policy, of which
 * connect-src may go on. */
/* clang-format off */
static const char policy_begin[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "media-src 'self' blob:; connect-src 'self'";
static const char policy_end[] =
    "; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

static const struct http_header security_headers[] = {
    {"permissions-policy",
     "camera=(self), microphone=(self), display-capture=(self), fullscreen=(self), autoplay=(self), "
     "picture-in-picture=(self), screen-wake-lock=(self), speaker-selection=(self), geolocation=(), "
     "usb=(), serial=(), hid=(), bluetooth=(), midi=(), payment=(), publickey-credentials-get=(), "
     "browsing-topics=()"},
    {"x-content-type-options", "nosniff"},
    {"referrer-policy", "no-referrer"},
    {"x-frame-options", "DENY"},
    {"cross-origin-opener-policy", "same-origin"},
    {"cross-origin-resource-policy", "same-origin"},
};
/* clang-format on */

/* Statuses: the phrase for the status line, and what the error page says. */
static const struct words {
    unsigned status;
    const char *phrase, *title, *text;
} words[] = {
    {200, "OK", "", ""},
    {302, "Found", "", ""},
    {304, "Not Modified", "", ""},
    {308, "Permanent Redirect", "", ""},
    {400, "Bad Request", "That request makes no sense",
     "Your browser sent something this server cannot read."},
    {403, "Forbidden", "Not from here", "A call can only be opened from this server's own page."},
    {404, "Not Found", "Nothing here",
     "There is no such page. Perhaps the link was cut short on its way."},
    {405, "Method Not Allowed", "Only reading", "This server only answers to GET and HEAD."},
    {414, "URI Too Long", "That address is too long", "No room here has a name that long."},
    {421, "Misdirected Request", "Not the name of this server",
     "This server answers to another name. Please check the address."},
    {426, "Upgrade Required", "A WebSocket lives here",
     "This address speaks WebSocket version 13, not pages."},
    {429, "Too Many Requests", "Too much at once",
     "Too many connections come from your address. Please wait a moment."},
    {431, "Request Header Fields Too Large", "Too much to read",
     "The request carries more headers than this server reads."},
    {505, "HTTP Version Not Supported", "Another HTTP, please", "This port speaks HTTP/1.1."},
    {500, "Internal Server Error", "That was our fault",
     "The server ran out of something. Please try again in a moment."},
};

/* The row of a status; the last one for a status that has none. */
static const struct words *words_of(unsigned status)
{
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (words[i].status == status)
            return &words[i];
    return &words[ARRAY_SIZE(words) - 1];
}

/* ---- the decision ---- */

/* 0, or the status for a request that could be read in more than one way: those are where a proxy
 * and a server come to different ends (RFC 9112 section 6.3 and 11.2). */
static unsigned check_framing(const struct http_request *request)
{
    uint64_t length = 0;

    if (request->target_size > HTTP_TARGET_SIZE_MAX)
        return 414;
    if (request->headers_size > HTTP_HEADERS_SIZE_MAX)
        return 431;
    if (request->has_transfer_encoding || request->content_length_count > 1)
        return 400;
    if (request->content_length_count == 1 &&
        !str_to_uint(request->content_length, UINT64_MAX, &length))
        return 400;
    if (request->host_count != 1 || !host_is_well_formed(request->host))
        return 400;
    if (!str_equal(request->version, STR("HTTP/1.1")) &&
        !str_equal(request->version, STR("HTTP/1.0")))
        return 505;
    if (request->method == HTTP_OTHER_METHOD)
        return 405;
    return length ? 400 : 0; /* a body that nobody will read */
}

/* Without a list every Host is ours, so that a LAN address works untouched. */
static bool host_is_ours(const struct http_policy *policy, struct str host)
{
    return !policy->hosts || policy->hosts->count == 0 || hosts_have(policy->hosts, host);
}

/* A configured origin, or the page's own: the scheme that it came by, "://" and, byte for byte, the Host
 * (RFC 6454 section 7). */
static bool origin_is_ours(const struct http_policy *policy, const struct http_request *request)
{
    struct str origin = request->origin;

    if (request->origin_count == 0)
        return policy->allow_no_origin;
    if (request->origin_count != 1)
        return false;
    if (policy->origins && origins_have(policy->origins, origin))
        return true;
    bool encrypted = str_starts_with(origin, STR("https://"));
    if (!encrypted && !str_starts_with(origin, STR("http://")))
        return false;
    if (!request->scheme_unknown && encrypted != request->secure)
        return false;
    size_t scheme_size = encrypted ? 8 : 7;
    origin = (struct str){origin.text + scheme_size, origin.size - scheme_size};
    return str_equal(origin, request->host);
}

/* True when a comma-separated list has the item, in any case. */
static bool lists(struct str list, struct str item)
{
    while (list.size)
        if (str_equal_nocase(str_trim(str_cut(&list, ',')), item))
            return true;
    return false;
}

/* A client that offers subprotocols must offer ours. */
static bool offers_our_protocol(struct str offered)
{
    return offered.size == 0 || lists(offered, STR("aloha.v1"));
}

static unsigned decide_websocket(const struct http_policy *policy,
                                 const struct http_request *request)
{
    if (request->upgrade.size == 0)
        return 426;
    if (!str_equal_nocase(request->upgrade, STR("websocket")) || request->method != HTTP_GET ||
        !str_equal(request->version, STR("HTTP/1.1")))
        return 400;
    if (!str_equal(request->websocket_version, STR("13")))
        return 426;
    if (!lists(request->connection, STR("upgrade")) || request->websocket_key.size != 24 ||
        !offers_our_protocol(request->websocket_protocols))
        return 400;
    if (!origin_is_ours(policy, request))
        return 403;
    return 101;
}

/* True for "TAG" and "TAG-br" and the like: whatever encoding stands behind the digest, the content
 * is the same (RFC 9110 section 13.1.2, weak comparison). */
static bool is_tag(struct str candidate, struct str tag)
{
    if (str_starts_with(candidate, STR("W/")))
        candidate = (struct str){candidate.text + 2, candidate.size - 2};
    if (candidate.size < tag.size + 2 || candidate.text[0] != '"' ||
        candidate.text[candidate.size - 1] != '"')
        return false;
    struct str inside = {candidate.text + 1, candidate.size - 2};
    return str_starts_with(inside, tag) &&
           (inside.size == tag.size || inside.text[tag.size] == '-');
}

static bool matches_tag(struct str if_none_match, struct str tag)
{
    while (if_none_match.size) {
        struct str candidate = str_trim(str_cut(&if_none_match, ','));
        if (str_equal(candidate, STR("*")) || is_tag(candidate, tag))
            return true;
    }
    return false;
}

/* The asset that a path names: /assets/<tree>/<path>, or one of the two that browsers ask for at
 * the top on their own. */
static const struct asset *find_asset(const struct site *site, struct str path)
{
    if (str_equal(path, STR("/favicon.ico")) || str_equal(path, STR("/robots.txt")))
        return site_find(site, (struct str){path.text + 1, path.size - 1});
    if (!str_starts_with(path, STR("/assets/")))
        return NULL;
    path = (struct str){path.text + 8, path.size - 8};
    return str_equal(str_cut(&path, '/'), site->tree_tag) ? site_find(site, path) : NULL;
}

static void decide_asset(struct http_decision *out, const struct http_policy *policy,
                         const struct http_request *request)
{
    out->asset = find_asset(policy->site, request->path);
    if (!out->asset) {
        out->status = 404;
        return;
    }
    out->versioned = str_starts_with(request->path, STR("/assets/"));
    out->encoding = asset_negotiate(out->asset, request->accept_encoding);
    bool unchanged = matches_tag(request->if_none_match, out->asset->tag);
    out->action = unchanged ? HTTP_NOT_CHANGED : HTTP_SHOW_ASSET;
    out->status = unchanged ? 304 : 200;
}

/* A page is packed when it is asked for, so only by what is quick. */
static enum encoding page_encoding(struct str accept_encoding)
{
    static const struct asset page = {.content[ENCODING_GZIP] = {"", 1}};
    return asset_negotiate(&page, accept_encoding);
}

static void decide_route(struct http_decision *out, const struct http_policy *policy,
                         const struct http_request *request)
{
    struct str path = request->path;

    if (str_equal(path, STR("/"))) {
        out->action = HTTP_NEW_ROOM;
        out->status = 302;
    } else if (str_equal(path, STR("/ws"))) {
        out->status = decide_websocket(policy, request);
        out->action = out->status == 101 ? HTTP_WEBSOCKET : HTTP_SHOW_ERROR;
        out->close = out->status != 101;
    } else if (str_starts_with(path, STR("/room/"))) {
        out->room_id = (struct str){path.text + 6, path.size - 6};
        bool valid = room_id_is_valid(out->room_id);
        out->action = valid ? HTTP_SHOW_ROOM : HTTP_SHOW_ERROR;
        out->status = valid ? 200 : 404;
        out->encoding = valid ? page_encoding(request->accept_encoding) : ENCODING_IDENTITY;
    } else {
        decide_asset(out, policy, request);
    }
}

void http_decide(struct http_decision *out, const struct http_policy *policy,
                 const struct http_request *request)
{
    struct http_request below = *request;

    *out = (struct http_decision){
        .action = HTTP_SHOW_ERROR,
        .head_only = request->method == HTTP_HEAD,
        .status = check_framing(request),
    };
    if (!out->status && !host_is_ours(policy, request->host))
        out->status = 421; /* RFC 9110 section 15.5.20 */
    below.path = base_path_below(policy->base_path, request->path);
    if (!out->status && request->upgrade.size && !str_equal(below.path, STR("/ws")))
        out->status = 400; /* nothing else here can be upgraded, to anything */
    if (out->status)
        out->close = true;
    else
        decide_route(out, policy, &below);
}

void http_decide_redirect(struct http_decision *out, const struct http_policy *policy,
                          struct str head, uint16_t port)
{
    struct str hosts[2], rest = head;
    struct str method = str_cut(&rest, ' ');
    struct str target = str_cut(&rest, ' ');
    size_t host_count = http_head_values(head, STR("host"), hosts, ARRAY_SIZE(hosts));

    *out = (struct http_decision){.action = HTTP_SHOW_ERROR,
                                  .head_only = str_equal(method, STR("HEAD")),
                                  .close = true};
    if (host_count != 1 || !host_is_well_formed(hosts[0])) {
        out->status = 400;
    } else if (!host_is_ours(policy, hosts[0])) {
        out->status = 421;
    } else {
        out->action = HTTP_TO_HTTPS;
        out->status = 308; /* RFC 9110 section 15.4.9 */
        out->host = hosts[0];
        out->target = target;
        out->port = port;
    }
}

/* ---- the answer ---- */

static void add_header(struct http_answer *answer, const char *name, const char *value)
{
    if (answer->header_count < HTTP_ANSWER_HEADERS_MAX)
        answer->headers[answer->header_count++] = (struct http_header){name, value};
}

static void asset_headers(struct http_answer *out, const struct http_decision *decision,
                          const struct site *site)
{
    const char *coding = encoding_name(decision->encoding);
    bool versioned = site->immutable && decision->versioned;

    snprintf(out->text, sizeof out->text, "\"%.*s%s%s\"", (int)decision->asset->tag.size,
             decision->asset->tag.text, coding ? "-" : "", coding ? coding : "");
    add_header(out, "etag", out->text);
    add_header(out, "cache-control", versioned ? "max-age=31536000, immutable" : "no-cache");
    add_header(out, "vary", "accept-encoding");
    if (decision->action == HTTP_NOT_CHANGED)
        return;
    add_header(out, "content-type", asset_content_type(decision->asset->path));
    if (coding)
        add_header(out, "content-encoding", coding);
    out->body = decision->asset->content[decision->encoding];
}

static void show_error(struct http_answer *out, const struct http_decision *decision,
                       const struct http_policy *policy, struct str assets)
{
    const struct words *row = words_of(decision->status);
    char status[8];

    snprintf(status, sizeof status, "%u", decision->status);
    struct view_value values[] = {
        {"status", str_of(status)},  {"title", str_of(row->title)},
        {"text", str_of(row->text)}, {"base", policy->base_path},
        {"assets", assets},
    };
    view_render(&out->page, policy->site->error_view, values, ARRAY_SIZE(values));
    if (decision->status == 405)
        add_header(out, "allow", "GET, HEAD");
    if (decision->status == 426) {
        add_header(out, "upgrade", "websocket");
        add_header(out, "sec-websocket-version", "13");
    }
}

enum { PAGE_SIZE_MAX = 1024 * 1024 };

/* When it cannot be packed it goes as it is. */
static void pack_page(struct http_answer *out, enum encoding encoding)
{
    struct buf packed;

    if (encoding != ENCODING_GZIP || out->page.failed)
        return;
    buf_init(&packed, PAGE_SIZE_MAX);
    if (!gzip_pack(&packed, buf_str(&out->page))) {
        buf_deinit(&packed);
        return;
    }
    buf_deinit(&out->page);
    out->page = packed;
    add_header(out, "content-encoding", encoding_name(encoding));
}

/* The only place where what a request calls this server by comes back to it (R6). */
static void redirect_to_https(struct http_answer *out, const struct http_decision *decision)
{
    struct str host = decision->port ? host_without_port(decision->host) : decision->host;

    buf_add_format(&out->page, "https://%.*s", (int)host.size, host.text);
    if (decision->port && decision->port != 443)
        buf_add_format(&out->page, ":%u", decision->port);
    buf_add(&out->page, decision->target);
    buf_add(&out->page, (struct str){"", 1});
    add_header(out, "location", out->page.data);
}

bool http_answer_init(struct http_answer *out, const struct http_decision *decision,
                      const struct http_policy *policy, const char *fresh_room)
{
    const struct site *site = policy->site;
    char assets[BASE_PATH_SIZE_MAX + 64];
    struct str base = policy->base_path;

    *out = (struct http_answer){.hosts = policy->hosts,
                                .secure = policy->secure,
                                .demand_https = policy->demand_https};
    buf_init(&out->page, PAGE_SIZE_MAX);
    if (decision->asset) {
        asset_headers(out, decision, site);
        return true;
    }

    add_header(out, "cache-control", "no-store");
    if (decision->action == HTTP_NEW_ROOM) {
        snprintf(out->text, sizeof out->text, "%.*s/room/%s", (int)base.size, base.text,
                 fresh_room);
        add_header(out, "location", out->text);
        return true;
    }
    if (decision->action == HTTP_TO_HTTPS) {
        redirect_to_https(out, decision);
        if (out->page.failed)
            http_answer_deinit(out);
        return out->header_count > 0;
    }
    snprintf(assets, sizeof assets, "%.*s/assets/%.*s", (int)base.size, base.text,
             (int)site->tree_tag.size, site->tree_tag.text);
    add_header(out, "content-type", "text/html; charset=utf-8");
    if (decision->action == HTTP_SHOW_ROOM) {
        struct view_value values[] = {{"roomId", decision->room_id},
                                      {"base", base},
                                      {"assets", str_of(assets)}};
        view_render(&out->page, site->room_view, values, ARRAY_SIZE(values));
        add_header(out, "vary", "accept-encoding");
        pack_page(out, decision->encoding);
    } else {
        show_error(out, decision, policy, str_of(assets));
    }
    if (out->page.failed) {
        http_answer_deinit(out);
        return false;
    }
    out->body = buf_str(&out->page);
    return true;
}

static void write_header(struct buf *out, const char *name, const char *value)
{
    buf_add_format(out, "%s: %s\r\n", name, value);
}

static void write_security_headers(struct buf *out, const struct http_answer *answer)
{
    buf_add_format(out, "content-security-policy: %s", policy_begin);
    if (answer->hosts)
        hosts_write_sources(answer->hosts, answer->secure, out);
    buf_add_format(out, "%s\r\n", policy_end);
    if (answer->demand_https)
        write_header(out, "strict-transport-security", "max-age=31536000");
    for (size_t i = 0; i < ARRAY_SIZE(security_headers); i++)
        write_header(out, security_headers[i].name, security_headers[i].value);
}

void http_answer_write_head(struct buf *out, const struct http_decision *decision,
                            const struct http_answer *answer, const char *date, bool close)
{
    buf_add_format(out, "HTTP/1.1 %u %s\r\n", decision->status, words_of(decision->status)->phrase);
    write_header(out, "date", date);
    for (size_t i = 0; i < answer->header_count; i++)
        write_header(out, answer->headers[i].name, answer->headers[i].value);
    write_security_headers(out, answer);
    if (close)
        write_header(out, "connection", decision->status == 426 ? "close, upgrade" : "close");
    if (decision->status != 304)
        buf_add_format(out, "content-length: %zu\r\n", answer->body.size);
    buf_add(out, STR("\r\n"));
}

void http_answer_deinit(struct http_answer *answer)
{
    buf_deinit(&answer->page);
    *answer = (struct http_answer){0};
}
