/* One TLS connection: handshake, then bytes to and fro (tls_pump.c), then goodbye. */
#include "tls_link_private.h"

#include "aloha/log.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

enum {
    PAIR_SIZE = 128 * 1024,  /* what waits in the kernel between a link and its reader */
    DRAINS_PER_TURN = 4,     /* reads of what nobody wants: others want their turn */
    HANDSHAKES_PER_TURN = 8, /* steps of them, up to a millisecond each */
    GOODBYE_MS = 1000,       /* for the client to close as well */
    LOOK_MS = 250,           /* at deadlines */
};

char tls_scratch[TLS_RECORD_SIZE_MAX];

uint64_t tls_link_now_ms(const struct tls_link *link)
{
    return uv_now(link->outer.loop);
}

static struct tls_links *links_of(const struct tls_link *link)
{
    return tls_store_links(link->store);
}

static void count(const struct tls_link *link, enum metric metric)
{
    tls_store_metrics(link->store)->values[metric]++;
}

/* ---- deadlines ---- */

static void look_at_deadlines(uv_timer_t *timer);

void tls_link_set_deadline(struct tls_link *link, uint64_t after_ms)
{
    struct tls_links *links = links_of(link);

    if (links->stopping && link->deadline_ms)
        return;
    if (!link->deadline_ms)
        DL_APPEND2(links->timed, link, prev_timed, next_timed);
    link->deadline_ms = tls_link_now_ms(link) + after_ms;
    if (!uv_is_active((uv_handle_t *)&links->timer))
        uv_timer_start(&links->timer, look_at_deadlines, LOOK_MS, LOOK_MS);
}

static void clear_deadline(struct tls_link *link)
{
    struct tls_links *links = links_of(link);

    if (link->deadline_ms)
        DL_DELETE2(links->timed, link, prev_timed, next_timed);
    link->deadline_ms = 0;
    if (!links->timed)
        uv_timer_stop(&links->timer);
}

/* ---- the end ---- */

void tls_link_forget(struct tls_waiting *waiting)
{
    if (waiting->bytes)
        OPENSSL_cleanse(waiting->bytes, waiting->size);
    free(waiting->bytes);
    *waiting = (struct tls_waiting){0};
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct tls_link *link = handle->data;
    struct tls_store *store = link->store;

    if (--link->handles_open)
        return;
    SSL_free(link->ssl);
    free(link);
    tls_store_links(store)->count--;
    tls_store_link_gone(store);
}

static void close_pair(struct tls_link *link)
{
    if (link->inner_fd < 0)
        return;
    uv_close((uv_handle_t *)&link->inner, on_handle_closed);
    close(link->inner_fd);
    link->inner_fd = -1;
    link->plain_end = -1;
}

/* Closes what is open; the memory goes when the loop has closed the handles. */
void tls_link_end(struct tls_link *link)
{
    struct tls_links *links = links_of(link);

    if (link->state == GONE)
        return;
    if (link->state == HANDSHAKE)
        count(link, METRIC_TLS_HANDSHAKE_FAILURES);
    link->state = GONE;
    clear_deadline(link);
    DL_DELETE(links->all, link);
    tls_link_forget(&link->up);
    tls_link_forget(&link->down);
    close_pair(link);
    uv_close((uv_handle_t *)&link->outer, on_handle_closed);
    close(link->outer_fd);
}

/* Ends it by a reset: what waits in the kernel goes as well. */
static void cut(struct tls_link *link)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(link->outer_fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    tls_link_end(link);
}

static void look_at_deadlines(uv_timer_t *timer)
{
    struct tls_links *links = timer->data;
    struct tls_link *link, *next;
    uint64_t now = uv_now(timer->loop);

    for (link = links->timed; link; link = next) {
        next = link->next_timed;
        if (now < link->deadline_ms)
            continue;
        if (link->state == HANDSHAKE)
            log_debug("tls_handshake_failed", log_text("reason", "timeout"));
        if (link->state == OPEN)
            cut(link);
        else
            tls_link_end(link);
    }
}

/* ---- what is waited for ---- */

static void on_outer(uv_poll_t *poll, int status, int events);
static void on_inner(uv_poll_t *poll, int status, int events);

static void wait_for(uv_poll_t *poll, int *wanted, int events, uv_poll_cb on_event)
{
    if (*wanted == events)
        return;
    *wanted = events;
    if (events)
        uv_poll_start(poll, events, on_event);
    else
        uv_poll_stop(poll);
}

static void wait_for_more(struct tls_link *link)
{
    int outer = 0, inner = 0;

    if (link->state == OPEN) {
        if (!link->up_ended && !link->up.size && !link->up_wants_write)
            outer |= UV_READABLE;
        if (link->down.size || link->up_wants_write || link->goodbye_waits)
            outer |= UV_WRITABLE;
        if (!link->inner_closed && !link->down.size)
            inner |= UV_READABLE;
        if (!link->left && link->down.size)
            inner |= UV_DISCONNECT;
        if (!link->inner_closed && link->up.size)
            inner |= UV_WRITABLE;
    }
    wait_for(&link->outer, &link->outer_wants, outer, on_outer);
    wait_for(&link->inner, &link->inner_wants, inner, on_inner);
}

/* ---- goodbye ---- */

/* Reads what still comes, away: unread input would turn our close into a reset that overtakes our words. */
static void drain(struct tls_link *link)
{
    ssize_t got;

    for (int i = 0; i < DRAINS_PER_TURN; i++) {
        got = recv(link->outer_fd, tls_scratch, sizeof tls_scratch, 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0) {
            tls_link_end(link);
            return;
        }
    }
}

static void on_goodbye(uv_poll_t *poll, int status, int events)
{
    struct tls_link *link = poll->data;

    (void)events;
    if (status < 0)
        tls_link_end(link);
    else
        drain(link);
}

/* Nothing more is said; the client has a moment to close too. */
static void hang_up(struct tls_link *link)
{
    link->state = GOODBYE;
    close_pair(link);
    shutdown(link->outer_fd, SHUT_WR);
    if (link->up_ended) {
        tls_link_end(link);
        return;
    }
    tls_link_set_deadline(link, GOODBYE_MS);
    wait_for(&link->outer, &link->outer_wants, 0, on_outer);
    wait_for(&link->outer, &link->outer_wants, UV_READABLE, on_goodbye);
}

void tls_link_say_goodbye(struct tls_link *link)
{
    ERR_clear_error();
    int done = SSL_shutdown(link->ssl);
    link->goodbye_waits = done < 0 && SSL_get_error(link->ssl, done) == SSL_ERROR_WANT_WRITE;
    ERR_clear_error();
    if (!link->goodbye_waits)
        hang_up(link);
}

/* ---- the handshake ---- */

/* Signatures cost: many at once must not hold up those who are in a call. The events come again. */
static bool has_turn(struct tls_link *link)
{
    struct tls_links *links = links_of(link);

    if (links->turn_ms != tls_link_now_ms(link)) {
        links->turn_ms = tls_link_now_ms(link);
        links->handshakes = 0;
    }
    return links->handshakes++ < HANDSHAKES_PER_TURN;
}

/* To plain HTTP on this port. */
static const char speaks_https[] = "HTTP/1.1 400 Bad Request\r\n"
                                   "content-type: text/plain; charset=utf-8\r\n"
                                   "cache-control: no-store\r\n"
                                   "x-content-type-options: nosniff\r\n"
                                   "connection: close\r\n"
                                   "content-length: 42\r\n"
                                   "\r\n"
                                   "This port speaks https: ask for https://.\n";

static void fail_handshake(struct tls_link *link, int why)
{
    unsigned long error = ERR_peek_error();
    const char *reason = ERR_reason_error_string(error);

    log_debug("tls_handshake_failed", log_text("reason", reason ? reason : "the connection broke"));
    ERR_clear_error();
    if (ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) == SSL_R_HTTP_REQUEST)
        send(link->outer_fd, speaks_https, sizeof speaks_https - 1, MSG_NOSIGNAL);
    if (why != SSL_ERROR_SSL) {
        tls_link_end(link);
        return;
    }
    count(link, METRIC_TLS_HANDSHAKE_FAILURES);
    hang_up(link); /* the library has sent an alert */
}

static void shake_hands(struct tls_link *link)
{
    if (!has_turn(link))
        return;
    ERR_clear_error();
    int done = SSL_accept(link->ssl);
    if (done == 1) {
        link->state = OPEN;
        count(link, METRIC_TLS_HANDSHAKES);
        clear_deadline(link);
        return;
    }
    int why = SSL_get_error(link->ssl, done);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE)
        wait_for(&link->outer, &link->outer_wants,
                 why == SSL_ERROR_WANT_READ ? UV_READABLE : UV_WRITABLE, on_outer);
    else
        fail_handshake(link, why);
}

/* ---- events ---- */

/* The plain end has nothing to say before it was asked; when it closes, nobody wants the connection any more. */
static void watch_owner(struct tls_link *link)
{
    if (recv(link->inner_fd, tls_scratch, 1, MSG_PEEK) > 0)
        wait_for(&link->inner, &link->inner_wants, 0, on_inner);
    else
        tls_link_end(link);
}

static void advance(struct tls_link *link)
{
    if (link->state == HANDSHAKE)
        shake_hands(link);
    if (link->state == OPEN)
        tls_pump_up(link);
    if (link->state == OPEN)
        tls_pump_down(link);
    if (link->state == OPEN)
        wait_for_more(link);
}

static void on_outer(uv_poll_t *poll, int status, int events)
{
    struct tls_link *link = poll->data;

    (void)events;
    if (status < 0)
        tls_link_end(link); /* reset */
    else
        advance(link);
}

static void on_inner(uv_poll_t *poll, int status, int events)
{
    struct tls_link *link = poll->data;

    if (status < 0)
        link->inner_wants =
            0; /* it closed and left something unread; there may be words before that */
    if (link->state == OPEN && !link->left && (status < 0 || events & UV_DISCONNECT))
        tls_pump_bound_leftovers(link);
    if (link->state == HANDSHAKE)
        watch_owner(link);
    else
        advance(link);
}

/* ---- making ---- */

static bool make_pair(int ends[2])
{
    int size = PAIR_SIZE;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0)
        return false;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    return true;
}

/* Both polls are initialised and closed together: one that failed would be half a link. */
static bool start_polls(struct tls_link *link, uv_loop_t *loop)
{
    link->outer.data = link->inner.data = link;
    if (uv_poll_init(loop, &link->outer, link->outer_fd) != 0)
        return false;
    link->handles_open = 1;
    links_of(link)->count++;
    if (uv_poll_init(loop, &link->inner, link->inner_fd) != 0) {
        uv_close((uv_handle_t *)&link->outer, on_handle_closed);
        return false;
    }
    link->handles_open = 2;
    return true;
}

static int start(struct tls_link *link, uv_loop_t *loop, int ends[2])
{
    link->inner_fd = ends[0];
    link->plain_end = ends[1];
    if (!start_polls(link, loop))
        return -1;
    DL_PREPEND(links_of(link)->all, link);
    tls_link_set_deadline(link, TLS_LINK_HANDSHAKE_MS);
    wait_for(&link->outer, &link->outer_wants, UV_READABLE, on_outer);
    wait_for(&link->inner, &link->inner_wants, UV_READABLE, on_inner);
    return ends[1];
}

int tls_link_open(uv_loop_t *loop, struct tls_store *store, int fd)
{
    int ends[2] = {-1, -1};
    struct tls_link *link = calloc(1, sizeof *link);
    SSL *ssl = link ? tls_store_session(store) : NULL;

    if (!ssl || SSL_set_fd(ssl, fd) != 1 || !make_pair(ends)) {
        ERR_clear_error();
        SSL_free(ssl);
        free(link);
        close(fd);
        return -1;
    }
    *link = (struct tls_link){.store = store, .ssl = ssl, .outer_fd = fd};
    SSL_set_app_data(ssl, link);
    if (start(link, loop, ends) >= 0)
        return ends[1];
    close(fd);
    close(ends[0]);
    close(ends[1]);
    if (!link->handles_open) { /* else its callback frees it */
        SSL_free(ssl);
        free(link);
    }
    return -1;
}

void tls_link_cut(struct tls_store *store, int plain_end)
{
    struct tls_link *link;

    DL_FOREACH (tls_store_links(store)->all, link) {
        if (link->plain_end == plain_end) {
            cut(link);
            return;
        }
    }
}

void tls_links_init(struct tls_links *links, uv_loop_t *loop)
{
    uv_timer_init(loop, &links->timer);
    links->timer.data = links;
}

void tls_links_stop(struct tls_links *links, uint64_t after_ms)
{
    struct tls_link *link;

    DL_FOREACH (links->all, link) {
        clear_deadline(link);
        tls_link_set_deadline(link, after_ms);
    }
    links->stopping = true;
}
