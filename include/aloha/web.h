/* web: the public plane. libwebsockets speaks HTTP and WebSocket; http.h decides what to answer and
 * hub.h what the peers hear. Everything runs on the loop's thread.
 *
 * Debian's libwebsockets 4.1.6 is used narrowly, around its known faults: see the comments at each
 * callback and docs/security.md. */
#ifndef ALOHA_WEB_H
#define ALOHA_WEB_H

#include "aloha/http.h"
#include "aloha/hub.h"
#include "aloha/ip.h"
#include "aloha/tls_store.h"

#include <sys/socket.h>
#include <uv.h>

struct web;

struct web_options {
    const struct limits *limits; /* borrowed for life, as all pointers here */
    struct http_policy policy;
    const char
        *assets_dir; /* serve the site from here, read anew for each request; NULL: policy.site */
    struct metrics *metrics;
    struct admission *admission;
    const struct ip_networks *trusted_proxies;
    struct tls_store *tls; /* connections of web_adopt() speak TLS; NULL: not */
    struct siphash_key key;
    struct token_key token_key;
};

/* Makes the plane; connections come through web_adopt(). Returns NULL when there is no memory or
 * the libuv part of libwebsockets is not installed; the log has said which. */
MUST_USE struct web *web_new(uv_loop_t *loop, const struct web_options *options);

/* Takes an accepted connection, or closes it when the limits say so. fits listener_accept_fn.
 *
 * A connection counts for its address from here on. One from a trusted proxy counts for nobody at first; when the
 * head of its first request is whole, it counts for that request's client (forwarded.h), who gets 429 and the
 * end of the connection when they have their share. A request of another client on the same connection moves
 * it over, at the price of a new connection; between requests it stays with its last client. So does a WebSocket to its
 * end, and its joins with it. Requests that arrive together have to be of one client.
 *
 * What this leaves open: connections of a trusted proxy without a whole, well-formed head are bounded by
 * connections_max and the time for a head alone; whoever can connect from a trusted address can name
 * any client; and a proxy that adds no X-Forwarded-For is one client itself, with all who are behind it. */
void web_adopt(void *ctx, int fd, const struct sockaddr *from);

/* The same for a port where plain http is sent on to https: each connection gets one answer. */
void web_adopt_redirect(void *ctx, int fd, const struct sockaddr *from);
/* Where to; before the first connection of web_adopt_redirect(). */
void web_redirect_to(struct web *web, uint16_t https_port);

size_t web_connection_count(const struct web *web);

/* The hub, for the operator's plane. Whatever it is asked from a callback of the loop goes out before the loop
 * sleeps again. Valid as long as the web. */
struct hub *web_hub(const struct web *web);

/* Takes no more connections, closes those that wait for a request and sends the WebSockets away, one after
 * another (hub_drain). on_empty is called when the last one is gone; those that linger WEB_GOODBYE_MS after
 * the last one's time are cut off. */
enum { WEB_GOODBYE_MS = 2000 };
void web_drain(struct web *web, void (*on_empty)(void *ctx), void *ctx);

/* Ends it in two passes, as libwebsockets wants it with a loop that is not its own: web_stop() from
 * a callback of the loop; then, when uv_run() has come back, web_free(), uv_run() once more. */
void web_stop(struct web *web);
void web_free(struct web *web);

#endif
