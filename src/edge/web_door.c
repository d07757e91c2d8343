/* The door: looks at the head of each request while it still lies in the kernel (MSG_PEEK) and lets
 * the library read only what is well formed and complete. So slow heads hold no memory of the
 * library's, and its lenient parser never meets what two parsers could read in two ways
 * (http_head.h). */
#include "aloha/log.h"
#include "aloha/tls_link.h"
#include "web_private.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <utlist.h>

enum {
    DESCRIPTORS_KEPT_FREE = 48,
    ARRIVALS_PER_TURN = 256, /* others want their turn too */
};

struct door {
    uv_poll_t poll; /* unless by_arrival */
    int fd; /* ours: the connection's only one before the library has it, a duplicate afterwards */
    struct connection *connection;
    size_t seen; /* bytes that were there the last time */
    /* AF_UNIX sockets know no SO_RCVLOWAT: a level-triggered poll would come back at once, and for ever, for
     * half a head. They are watched edge-triggered, by web->arrivals, which wakes once for what comes. */
    bool by_arrival;
};

static void on_closed(uv_handle_t *handle)
{
    free(handle->data);
}

/* Stops watching. Returns the descriptor, which is the caller's now. */
static int unwatch(struct connection *connection)
{
    struct door *door = connection->door;
    int fd = door->fd;

    connection->door = NULL;
    if (door->by_arrival) {
        /* Closing would not do: the library may have a duplicate. */
        epoll_ctl(connection->web->arrivals, EPOLL_CTL_DEL, fd, NULL);
        free(door);
    } else {
        uv_close((uv_handle_t *)&door->poll, on_closed);
    }
    return fd;
}

void web_door_shut(struct connection *connection)
{
    if (connection->door)
        close(unwatch(connection));
}

/* Wakes us only when there are more than `seen` bytes to look at, or the connection ends. */
static void wait_for_more(struct door *door, size_t seen)
{
    int low_water = (int)seen + 1;

    door->seen = seen;
    if (!door->by_arrival)
        setsockopt(door->fd, SOL_SOCKET, SO_RCVLOWAT, &low_water, sizeof low_water);
}

static void end(struct connection *connection)
{
    if (!connection->wsi) {
        web_connection_free(connection);
        return;
    }
    web_door_shut(connection);
    web_socket_close(connection, CLOSE_POLICY); /* the reaper ends it; it is no WebSocket */
}

/* The strict judgement, and that the library will see the same lines (http_head.h). */
static struct http_head judge(const struct web *web, struct str bytes)
{
    struct http_head head = http_head_judge(bytes);

    if (head.verdict == HTTP_HEAD_COMPLETE &&
        http_head_names_part_of((struct str){bytes.text, head.size}, web->library_headers,
                                web->library_header_count))
        return (struct http_head){.verdict = HTTP_HEAD_REFUSED, .status = 400};
    return head;
}

/* Whom a request counts for, and how its browser has asked. */
struct caller {
    address_key client;
    enum forwarded_scheme scheme;
};

static struct caller caller_of(const struct connection *connection, struct str head)
{
    struct str values[HTTP_HEADER_LINES_MAX];

    if (!connection->proxied)
        return (struct caller){.client = connection->from};
    size_t count = http_head_values(head, STR("x-forwarded-for"), values, ARRAY_SIZE(values));
    struct ip client = forwarded_client(connection->address,
                                        connection->web->options.trusted_proxies, values, count);
    count = http_head_values(head, STR("x-forwarded-proto"), values, ARRAY_SIZE(values));
    return (struct caller){address_key_ipv6(client.bytes), forwarded_scheme(values, count)};
}

static bool is_same_caller(const struct connection *connection, struct str head)
{
    struct caller caller = caller_of(connection, head);
    return caller.client == connection->from && caller.scheme == connection->scheme;
}

/* False when the caller has too many connections. */
static bool take_caller(struct connection *connection, struct str head)
{
    struct caller caller = caller_of(connection, head);

    connection->scheme = caller.scheme;
    return web_count(connection, caller.client);
}

/* Lets the library read: the first head, and those that follow it at once when they are in order
 * too and of the same caller. If anything else follows, web_http.c notices that the library has
 * read too much, and ends it. */
static void pass(struct connection *connection, struct http_head head, struct str bytes)
{
    wait_for_more(connection->door, 0);
    while (head.verdict == HTTP_HEAD_COMPLETE &&
           is_same_caller(connection, (struct str){bytes.text, head.size})) {
        connection->heads_passed++;
        connection->heads_size += head.size;
        bytes = (struct str){bytes.text + head.size, bytes.size - head.size};
        head = judge(connection->web, bytes);
    }
    int fd = unwatch(connection);
    if (!connection->wsi) {
        web_admit(connection, fd);
        return;
    }
    close(fd);
    lws_rx_flow_control(connection->wsi, 1);
    lws_cancel_service(connection->web->context);
}

/* Answers without the library: it must not read these bytes. They are read away first, or the
 * kernel would answer them with a reset that overtakes our words. */
static void answer(struct connection *connection, const struct http_decision *decision)
{
    static char bytes[64 * 1024];
    struct http_policy policy = web_http_policy(connection);
    struct http_answer answer;
    struct buf out;
    int fd = connection->door->fd;

    buf_init(&out, sizeof bytes);
    metrics_count_http(connection->web->options.metrics, STAGE_DOOR, decision->status);
    if (http_answer_init(&answer, decision, &policy, NULL))
        web_http_compose(&out, decision, &answer, answer.body.size, true);
    bool head_only = recv(fd, bytes, sizeof bytes, 0) >= 5 &&
                     str_starts_with((struct str){bytes, 5}, STR("HEAD "));
    size_t size = out.size - (head_only ? answer.body.size : 0);
    if (!out.failed && send(fd, out.data, size, MSG_NOSIGNAL) >= 0)
        shutdown(fd, SHUT_WR);
    http_answer_deinit(&answer);
    buf_deinit(&out);
    end(connection);
}

static void refuse(struct connection *connection, unsigned status)
{
    struct http_decision decision = {.action = HTTP_SHOW_ERROR, .status = status, .close = true};

    log_debug("http_refused", log_uint("status", status));
    answer(connection, &decision);
}

static void redirect(struct connection *connection, struct str head)
{
    struct http_policy policy = web_http_policy(connection);
    struct http_decision decision;

    http_decide_redirect(&decision, &policy, head, connection->redirect_port);
    answer(connection, &decision);
}

/* A client that speaks TLS gets a link in front of it, and from there its requests come in plain. */
static void start_tls(struct connection *connection)
{
    struct web *web = connection->web;
    int fd = tls_link_open(web->loop, web->options.tls, unwatch(connection));

    connection->expects_tls = false;
    connection->secure = true;
    if (fd >= 0)
        socket_bytes_start(&connection->bytes_read, fd);
    if (fd < 0 || !web_door_open(connection, fd))
        web_connection_free(connection);
}

/* Nothing new came: it will not either, when the other end has closed its direction. */
static bool has_ended(const struct door *door)
{
    struct pollfd end = {.fd = door->fd, .events = POLLRDHUP};
    return !door->by_arrival || poll(&end, 1, 0) > 0;
}

/* Something has arrived, or the connection has ended. */
static void look(struct door *door)
{
    static char bytes[HTTP_HEAD_SIZE_MAX + 1];
    struct connection *connection = door->connection;

    connection->web->options.metrics->values[METRIC_HEAD_LOOKS]++;
    ssize_t size = socket_bytes_peek(&connection->bytes_read, door->fd, bytes, sizeof bytes);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0 || ((size_t)size == door->seen && has_ended(door))) {
        end(connection); /* it broke, or ended in the middle of a head */
        return;
    }
    if (connection->expects_tls && bytes[0] == TLS_HANDSHAKE_RECORD) {
        start_tls(connection);
        return;
    }
    connection->redirects = connection->redirects || connection->expects_tls;
    struct str peeked = {bytes, (size_t)size};
    struct http_head head = judge(connection->web, peeked);
    if (head.verdict == HTTP_HEAD_INCOMPLETE) {
        wait_for_more(door, (size_t)size);
        if (door->by_arrival && has_ended(door))
            look(door); /* bytes and end came as one event: there will be no other */
    } else if (head.verdict == HTTP_HEAD_REFUSED)
        refuse(connection, head.status);
    else if (!take_caller(connection, (struct str){bytes, head.size}))
        refuse(connection, 429);
    else if (connection->redirects)
        redirect(connection, (struct str){bytes, head.size});
    else
        pass(connection, head, peeked);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct door *door = poll->data;

    (void)events;
    if (status <
        0) /* reset: the loop looks no more, and what was left unread would seem well so far */
        end(door->connection);
    else
        look(door);
}

/* One at a time: looking at one may end another. Those that are left wake us again. */
static void on_arrivals(uv_poll_t *poll, int status, int events)
{
    struct web *web = poll->data;
    struct epoll_event event;

    (void)status;
    (void)events;
    for (int i = 0; i < ARRIVALS_PER_TURN && epoll_wait(web->arrivals, &event, 1, 0) == 1; i++)
        look(event.data.ptr);
}

bool web_door_start(struct web *web)
{
    web->arrivals = epoll_create1(EPOLL_CLOEXEC);
    if (web->arrivals < 0 || uv_poll_init(web->loop, &web->arrivals_poll, web->arrivals) != 0)
        return false;
    web->arrivals_poll.data = web;
    web->handles_open++;
    uv_poll_start(&web->arrivals_poll, UV_READABLE, on_arrivals);
    return true;
}

void web_door_stop(struct web *web, uv_close_cb on_handle_closed)
{
    if (web->arrivals_poll.data)
        uv_close((uv_handle_t *)&web->arrivals_poll, on_handle_closed);
}

void web_door_free(struct web *web)
{
    if (web->arrivals >= 0)
        close(web->arrivals);
}

static bool watch_descriptor(struct door *door)
{
    struct web *web = door->connection->web;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data = {.ptr = door}};

    if (door->by_arrival)
        return epoll_ctl(web->arrivals, EPOLL_CTL_ADD, door->fd, &event) == 0;
    if (uv_poll_init(web->loop, &door->poll, door->fd) != 0)
        return false;
    door->poll.data = door;
    uv_poll_start(&door->poll, UV_READABLE, on_readable);
    return true;
}

bool web_door_open(struct connection *connection, int fd)
{
    struct door *door = calloc(1, sizeof *door);

    if (door)
        *door = (struct door){.fd = fd,
                              .connection = connection,
                              .by_arrival = connection->bytes_read.by_offset};
    if (!door || !watch_descriptor(door)) {
        free(door);
        close(fd);
        return false;
    }
    connection->door = door;
    return true;
}

void web_door_settle(struct connection *connection)
{
    connection->settling = true;
    DL_APPEND2(connection->web->settling, connection, prev_settling, next_settling);
}

void web_door_unsettle(struct connection *connection)
{
    if (connection->settling)
        DL_DELETE2(connection->web->settling, connection, prev_settling, next_settling);
    connection->settling = false;
}

/* Watches a connection of the library's for its next request. The library has asked to be told when it
 * can write, and would not take that back while its reading is stopped: it gets the event first, or the
 * loop would spin on it. */
static bool watch(struct connection *connection)
{
    struct web *web = connection->web;
    int fd = lws_get_socket_fd(connection->wsi);
    struct lws_pollfd writable = {.fd = fd, .events = POLLIN | POLLOUT, .revents = POLLOUT};

    lws_service_fd(web->context, &writable);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (copy >= 0 && (rlim_t)copy + DESCRIPTORS_KEPT_FREE > web->descriptors_max) {
        close(copy); /* idle connections must not take what new ones need */
        return false;
    }
    if (copy < 0 || !web_door_open(connection, copy))
        return false;
    lws_rx_flow_control(connection->wsi, 0);
    return true;
}

void web_door_watch_settled(struct web *web)
{
    bool any = web->settling != NULL;

    while (web->settling) {
        struct connection *connection = web->settling;
        web_door_unsettle(connection);
        if (!watch(connection))
            web_socket_close(connection, CLOSE_POLICY); /* the reaper ends it */
    }
    if (any)
        lws_cancel_service(web->context);
}
