#include "aloha/listener.h"

#include "aloha/log.h"
#include "aloha/sockets.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    ACCEPTS_PER_TURN = 64, /* others want their turn too */
    COMPLAIN_EVERY_MS = 1000,
    PAUSE_MS = 100, /* when descriptors or memory ran out */
    USER_TIMEOUT_MS =
        45000, /* RFC 5482: unacknowledged data for so long means that the peer is gone */
};

struct listening {
    struct listener *listener;
    uv_poll_t poll;
    uv_timer_t pause;
    int fd;
    char address[SOCKET_ADDRESS_SIZE_MAX];
    struct socket_file file;
};

struct listener {
    struct listening sockets[LISTENER_SOCKETS_MAX];
    size_t count;
    uint64_t complained_ms;
    listener_accept_fn *on_accept;
    void *ctx;
    unsigned handles_open; /* poll and pause of each: freed when all are closed */
};

static void accept_ready(uv_poll_t *poll, int status, int events);

static void resume(uv_timer_t *timer)
{
    struct listening *listening = timer->data;
    uv_poll_start(&listening->poll, UV_READABLE, accept_ready);
}

/* A level-triggered poll would come back at once and for ever: sleep on it instead. */
static void pause_accepting(struct listening *listening, int error)
{
    struct listener *listener = listening->listener;

    if (uv_now(listening->poll.loop) - listener->complained_ms >= COMPLAIN_EVERY_MS) {
        listener->complained_ms = uv_now(listening->poll.loop);
        log_warning("accept_paused", log_text("reason", strerror(error)));
    }
    uv_poll_stop(&listening->poll);
    uv_timer_start(&listening->pause, resume, PAUSE_MS, 0);
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
    struct listening *listening = poll->data;

    (void)status;
    (void)events;
    for (int i = 0; i < ACCEPTS_PER_TURN && listening->fd >= 0; i++) {
        struct sockaddr_storage from = {0};
        socklen_t size = sizeof from;
        int fd =
            accept4(listening->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            if (from.ss_family != AF_UNIX)
                tune(fd);
            listening->listener->on_accept(listening->listener->ctx, fd, (struct sockaddr *)&from);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            pause_accepting(listening, errno);
            return;
        } /* anything else was that one connection's own end */
    }
}

/* Takes the next address of a list; false when it is too long to be one. */
static bool take_address(struct str *list, char out[SOCKET_ADDRESS_SIZE_MAX])
{
    struct str address = str_trim(str_cut(list, ','));

    snprintf(out, SOCKET_ADDRESS_SIZE_MAX, "%.*s", (int)address.size, address.text);
    return address.size < SOCKET_ADDRESS_SIZE_MAX;
}

bool listener_addresses_are_valid(const char *addresses)
{
    struct str list = str_of(addresses);
    char address[SOCKET_ADDRESS_SIZE_MAX];
    size_t count = 0;

    do {
        if (!take_address(&list, address) || !socket_address_is_valid(address) ||
            ++count > LISTENER_SOCKETS_MAX)
            return false;
    } while (list.text);
    return true;
}

/* Takes a socket that listens, and with it the file that is removed at the end. */
static bool add(struct listener *listener, uv_loop_t *loop, int fd, const char *address,
                struct socket_file file)
{
    struct listening *listening = &listener->sockets[listener->count];

    if (uv_poll_init(loop, &listening->poll, fd) != 0) {
        socket_file_remove(address, file);
        close(fd);
        return false;
    }
    uv_timer_init(loop, &listening->pause);
    listening->poll.data = listening->pause.data = listening;
    listening->listener = listener;
    listening->fd = fd;
    listening->file = file;
    snprintf(listening->address, sizeof listening->address, "%s", address);
    listener->count++;
    listener->handles_open += 2;
    uv_poll_start(&listening->poll, UV_READABLE, accept_ready);
    return true;
}

/* What helps, behind why the kernel has refused a port. */
static void hint(int error, const char *option, char *problem, size_t problem_size)
{
    size_t size = strlen(problem);

    if (error == EADDRINUSE)
        snprintf(problem + size, problem_size - size, "; %s takes another", option);
    else if (error == EACCES)
        snprintf(problem + size, problem_size - size,
                 "; %s takes another, and root or a socket of systemd this one", option);
}

/* Listens on the addresses of a list; one that takes a free port gives it to those behind it. */
static bool open_all(struct listener *listener, uv_loop_t *loop,
                     const struct listener_options *options, char *problem, size_t problem_size)
{
    struct str list = str_of(options->addresses);
    uint16_t port = options->port;
    char address[SOCKET_ADDRESS_SIZE_MAX];

    do {
        if (!take_address(&list, address) || listener->count == LISTENER_SOCKETS_MAX) {
            snprintf(problem, problem_size, "cannot listen on %s: too much", options->addresses);
            return false;
        }
        if (options->digits_only && socket_path(address))
            continue;
        int fd = socket_listen(address, port, options->socket_mode, problem, problem_size);
        if (fd < 0 && !socket_path(address))
            hint(errno, options->port_option, problem, problem_size);
        if (fd < 0)
            return false;
        if (!port)
            port = socket_port(fd);
        if (!add(listener, loop, fd, address, socket_file_of(address))) {
            snprintf(problem, problem_size, "cannot listen on %s: out of memory", address);
            return false;
        }
    } while (list.text);
    return true;
}

/* Their files belong to who has made them. */
static bool take_given(struct listener *listener, uv_loop_t *loop,
                       const struct listener_given *given, char *problem, size_t problem_size)
{
    char address[SOCKET_ADDRESS_SIZE_MAX];

    for (size_t i = 0; i < given->count; i++) {
        if (!socket_describe(given->fds[i], address) ||
            !add(listener, loop, given->fds[i], address, (struct socket_file){0})) {
            snprintf(problem, problem_size, "cannot listen on descriptor %d", given->fds[i]);
            return false;
        }
    }
    return true;
}

struct listener *listener_open(uv_loop_t *loop, const struct listener_options *options,
                               char *problem, size_t problem_size)
{
    struct listener *listener = calloc(1, sizeof *listener);

    if (!listener) {
        snprintf(problem, problem_size, "cannot listen: out of memory");
        return NULL;
    }
    listener->on_accept = options->on_accept;
    listener->ctx = options->ctx;
    bool is_given = options->given && options->given->count;
    if (is_given ? take_given(listener, loop, options->given, problem, problem_size)
                 : open_all(listener, loop, options, problem, problem_size))
        return listener;
    listener_close(listener);
    return NULL;
}

const char *listener_address(const struct listener *listener, size_t index)
{
    return index < listener->count ? listener->sockets[index].address : NULL;
}

uint16_t listener_port_of(const struct listener *listener, size_t index)
{
    return index < listener->count ? socket_port(listener->sockets[index].fd) : 0;
}

uint16_t listener_port(const struct listener *listener)
{
    for (size_t i = 0; i < listener->count; i++)
        if (!socket_path(listener->sockets[i].address))
            return listener_port_of(listener, i);
    return 0;
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = ((struct listening *)handle->data)->listener;
    if (--listener->handles_open == 0)
        free(listener);
}

void listener_close(struct listener *listener)
{
    if (listener && listener->count == 0)
        free(listener);
    else
        for (size_t i = 0; listener && i < listener->count; i++) {
            struct listening *listening = &listener->sockets[i];
            uv_poll_stop(&listening->poll);
            socket_file_remove(listening->address, listening->file);
            close(listening->fd);
            listening->fd = -1;
            uv_close((uv_handle_t *)&listening->poll, on_handle_closed);
            uv_close((uv_handle_t *)&listening->pause, on_handle_closed);
        }
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
