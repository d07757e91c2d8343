#include "aloha/listener.h"

#include "aloha/log.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    BACKLOG = 1024,
    ACCEPTS_PER_TURN = 64, /* others want their turn too */
    COMPLAIN_EVERY_MS = 1000,
    PAUSE_MS = 100, /* when descriptors or memory ran out */
    USER_TIMEOUT_MS =
        45000, /* RFC 5482: unacknowledged data for so long means that the peer is gone */
};

struct listener {
    uv_poll_t poll;
    uv_timer_t pause;
    int fd;
    uint16_t port;
    uint64_t complained_ms;
    listener_accept_fn *on_accept;
    void *ctx;
    unsigned handles_open; /* poll and pause: freed when both are closed */
};

static void accept_ready(uv_poll_t *poll, int status, int events);

static void resume(uv_timer_t *timer)
{
    struct listener *listener = timer->data;
    uv_poll_start(&listener->poll, UV_READABLE, accept_ready);
}

/* A level-triggered poll would come back at once and for ever: sleep on it instead. */
static void pause_accepting(struct listener *listener, int error)
{
    if (uv_now(listener->poll.loop) - listener->complained_ms >= COMPLAIN_EVERY_MS) {
        listener->complained_ms = uv_now(listener->poll.loop);
        log_warning("accept_paused", log_text("reason", strerror(error)));
    }
    uv_poll_stop(&listener->poll);
    uv_timer_start(&listener->pause, resume, PAUSE_MS, 0);
}

static void tune(int fd)
{
    int on = 1;
    unsigned timeout_ms = USER_TIMEOUT_MS;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
}

static void accept_ready(uv_poll_t *poll, int status, int events)
{
    struct listener *listener = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && listener->fd >= 0; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof from;
        int fd =
            accept4(listener->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            tune(fd);
            listener->on_accept(listener->ctx, fd, (struct sockaddr *)&from);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listener, errno);
            return;
        } /* anything else was that one connection's own end */
    }
}

static int open_socket(const struct addrinfo *address, uint16_t port)
{
    struct sockaddr_storage at = {0};
    int on = 1, off = 0;

    memcpy(&at, address->ai_addr, address->ai_addrlen);
    if (at.ss_family == AF_INET6)
        ((struct sockaddr_in6 *)&at)->sin6_port = htons(port);
    else
        ((struct sockaddr_in *)&at)->sin_port = htons(port);

    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (at.ss_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    if (bind(fd, (struct sockaddr *)&at, address->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static struct addrinfo *parse_address(const char *address)
{
    struct addrinfo hints = {.ai_flags = AI_NUMERICHOST | AI_PASSIVE, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;

    return getaddrinfo(address, NULL, &hints, &found) == 0 ? found : NULL;
}

bool listener_address_is_valid(const char *address)
{
    struct addrinfo *found = parse_address(address);

    if (found)
        freeaddrinfo(found);
    return found != NULL;
}

/* Returns a listening descriptor, or -1 and why. */
static int listen_on(const char *address, uint16_t port, char *problem, size_t problem_size)
{
    struct addrinfo *found = parse_address(address);
    int fd = found ? open_socket(found, port) : -1;
    int error = found ? errno : EINVAL;

    if (found)
        freeaddrinfo(found);
    if (fd < 0 && error == EAFNOSUPPORT && strcmp(address, "::") == 0)
        return listen_on("0.0.0.0", port, problem, problem_size);
    if (fd < 0)
        snprintf(problem, problem_size, "cannot listen on port %u of %s: %s%s", port, address,
                 strerror(error), error == EADDRINUSE ? "; --port takes another" : "");
    return fd;
}

static uint16_t port_of(int fd)
{
    struct sockaddr_storage at = {0};
    socklen_t size = sizeof at;

    if (getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        return 0;
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}

struct listener *listener_open(uv_loop_t *loop, const char *address, uint16_t port,
                               listener_accept_fn *on_accept, void *ctx, char *problem,
                               size_t problem_size)
{
    int fd = listen_on(address, port, problem, problem_size);
    if (fd < 0)
        return NULL;
    struct listener *listener = calloc(1, sizeof *listener);
    if (!listener || uv_poll_init(loop, &listener->poll, fd) != 0) {
        snprintf(problem, problem_size, "cannot listen on port %u: out of memory", port);
        close(fd);
        free(listener);
        return NULL;
    }
    uv_timer_init(loop, &listener->pause);
    listener->poll.data = listener;
    listener->pause.data = listener;
    listener->fd = fd;
    listener->port = port_of(fd);
    listener->on_accept = on_accept;
    listener->ctx = ctx;
    listener->handles_open = 2;
    uv_poll_start(&listener->poll, UV_READABLE, accept_ready);
    return listener;
}

uint16_t listener_port(const struct listener *listener)
{
    return listener->port;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = handle->data;
    if (--listener->handles_open == 0)
        free(listener);
}

void listener_close(struct listener *listener)
{
    if (!listener)
        return;
    uv_poll_stop(&listener->poll);
    close(listener->fd);
    listener->fd = -1;
    uv_close((uv_handle_t *)&listener->poll, on_handle_closed);
    uv_close((uv_handle_t *)&listener->pause, on_handle_closed);
}

struct ip listener_ip_of(const struct sockaddr *address)
{
    struct ip ip = {0};

    if (address->sa_family == AF_INET6)
        memcpy(ip.bytes, ((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr, 16);
    else if (address->sa_family == AF_INET)
        ip = ip_of_ipv4((const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr.s_addr);
    return ip;
}
