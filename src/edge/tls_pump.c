/* The bytes of a TLS connection, to and fro. */
#include "tls_link_private.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
    ROUNDS_PER_TURN = 4,  /* records of one connection and direction: others want their turn */
    STALL_MS = 10000,     /* nothing of what is left moves: the client is gone */
    LEFTOVERS_MS = 30000, /* for all that is left: it counts for nobody any more */
    CONTROLS_MAX = 64, /* records of a client that are no data, in so long, once hands are shaken */
    CONTROLS_MS = 60 * 1000,
};

/* ---- up: from the client to the plain end ---- */

static bool keep(struct tls_waiting *waiting, const char *bytes, size_t size)
{
    waiting->bytes = malloc(size);
    if (!waiting->bytes)
        return false;
    memcpy(waiting->bytes, bytes, size);
    waiting->size = size;
    waiting->sent = 0;
    return true;
}

/* As much as the pair takes; what is left once the plain end has closed goes nowhere. */
static size_t give_up(struct tls_link *link, const char *bytes, size_t size)
{
    ssize_t sent =
        link->inner_closed ? (ssize_t)size : send(link->inner_fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR || errno == ENOBUFS))
        return 0;
    return sent < 0 ? size : (size_t)sent;
}

static void end_up(struct tls_link *link)
{
    link->up_ended = true;
    if (!link->up.size)
        shutdown(link->inner_fd, SHUT_WR);
}

/* What waited has left: true. */
static bool flush_up(struct tls_link *link)
{
    struct tls_waiting *up = &link->up;

    if (!up->size)
        return true;
    up->sent += give_up(link, up->bytes + up->sent, up->size - up->sent);
    if (up->sent < up->size)
        return false;
    tls_link_forget(up);
    if (link->up_ended)
        shutdown(link->inner_fd, SHUT_WR);
    return true;
}

/* Key updates (RFC 8446 section 4.6.3), and wishes to negotiate again: each costs us a calculation and an answer,
 * and no limit behind this one sees them. Told of by the library, as it reads a record. */
void tls_link_see_record(int is_ours, int version, int kind, const void *bytes, size_t size,
                         SSL *ssl, void *ctx)
{
    struct tls_link *link = SSL_get_app_data(ssl);

    (void)version, (void)ctx;
    bool tells_type = kind == SSL3_RT_INNER_CONTENT_TYPE ||
                      (kind == SSL3_RT_HEADER && SSL_version(ssl) < TLS1_3_VERSION);
    if (is_ours || !tells_type || !size || !link || link->state != OPEN ||
        *(const unsigned char *)bytes == SSL3_RT_APPLICATION_DATA)
        return;
    if (tls_link_now_ms(link) - link->controls_since_ms >= CONTROLS_MS) {
        link->controls_since_ms = tls_link_now_ms(link);
        link->controls = 0;
    }
    link->controls++;
}

/* Nothing could be read; ends the link when that means that it broke. */
static void judge_read(struct tls_link *link, int result)
{
    switch (SSL_get_error(link->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        break;
    case SSL_ERROR_WANT_WRITE:
        link->up_wants_write = true;
        break;
    case SSL_ERROR_ZERO_RETURN: /* close_notify, or the end of the stream */
        end_up(link);
        break;
    default:
        ERR_clear_error();
        tls_link_end(link);
    }
}

void tls_pump_up(struct tls_link *link)
{
    link->up_wants_write = false;
    for (int i = 0; i < ROUNDS_PER_TURN && flush_up(link) && !link->up_ended; i++) {
        ERR_clear_error();
        int got = SSL_read(link->ssl, tls_scratch, sizeof tls_scratch);
        if (link->controls > CONTROLS_MAX) {
            tls_link_end(link);
            return;
        }
        if (got <= 0) {
            judge_read(link, got);
            return;
        }
        size_t sent = give_up(link, tls_scratch, (size_t)got);
        if (sent < (size_t)got && !keep(&link->up, tls_scratch + sent, (size_t)got - sent)) {
            tls_link_end(link);
            return;
        }
    }
}

/* ---- down: from the plain end to the client ---- */

/* Encrypts and sends. Returns how many bytes were taken: all, or 0 when the socket is full; -1 when it broke. */
static int give_down(struct tls_link *link, const char *bytes, size_t size)
{
    ERR_clear_error();
    int sent = SSL_write(link->ssl, bytes, (int)size);
    if (sent > 0)
        return sent;
    int why = SSL_get_error(link->ssl, sent);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ ? 0 : -1;
}

/* The plain end has closed, and with that whoever counted this connection: a client that reads slowly must not
 * keep its descriptors. */
void tls_pump_bound_leftovers(struct tls_link *link)
{
    if (!link->left)
        link->left_ms = tls_link_now_ms(link);
    link->left = true;
    uint64_t passed_ms = tls_link_now_ms(link) - link->left_ms;
    uint64_t rest_ms = passed_ms < LEFTOVERS_MS ? LEFTOVERS_MS - passed_ms : 0;
    tls_link_set_deadline(link, rest_ms < STALL_MS ? rest_ms : STALL_MS);
}

/* What waited has left: true. Ends the link when it broke. */
static bool flush_down(struct tls_link *link)
{
    struct tls_waiting *down = &link->down;

    while (down->size) {
        int sent = give_down(link, down->bytes + down->sent, down->size - down->sent);
        if (sent < 0)
            tls_link_end(link);
        if (sent <= 0)
            return false;
        if (link->left) /* it moves */
            tls_pump_bound_leftovers(link);
        down->sent += (size_t)sent;
        if (down->sent == down->size)
            tls_link_forget(down);
    }
    return true;
}

/* The plain end has closed: everything before that has been read. */
static void close_inner(struct tls_link *link)
{
    link->inner_closed = true;
    link->plain_end = -1;
    tls_link_forget(&link->up);
    tls_pump_bound_leftovers(link);
}

/* Takes the next bytes of the plain end; false when there are none for now. */
static bool take_down(struct tls_link *link)
{
    ssize_t got = recv(link->inner_fd, tls_scratch, sizeof tls_scratch, 0);

    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return false;
    if (got <= 0) { /* the end; ECONNRESET when it left something unread */
        close_inner(link);
        return true;
    }
    int sent = give_down(link, tls_scratch, (size_t)got);
    if (sent < 0 || (sent < got && !keep(&link->down, tls_scratch + sent, (size_t)(got - sent)))) {
        tls_link_end(link);
        return false;
    }
    return true;
}

void tls_pump_down(struct tls_link *link)
{
    for (int i = 0; i < ROUNDS_PER_TURN && flush_down(link); i++) {
        if (link->inner_closed) {
            tls_link_say_goodbye(link);
            return;
        }
        if (!take_down(link))
            return;
    }
}
