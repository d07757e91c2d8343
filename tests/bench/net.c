#include "net.h"
#include "stats.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_SIZE = 256 * 1024,
    EVENTS_MAX = 512,
    /* RFC 6455 section 5.2 */
    OPCODE_TEXT = 0x1,
    OPCODE_CLOSE = 0x8,
    OPCODE_PING = 0x9,
    OPCODE_PONG = 0xa,
    BIT_FIN = 0x80,
    BIT_MASK = 0x80
};

static void die(const char *what)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

void net_init(struct net *net, uint32_t link_count, uint16_t port, enum net_framing framing,
              net_handler handler, void *ctx)
{
    *net = (struct net){.link_count = link_count,
                        .port = port,
                        .framing = framing,
                        .handler = handler,
                        .ctx = ctx,
                        .mask = 0x9e3779b9U};
    net->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    net->links = calloc(link_count, sizeof *net->links);
    if (net->epoll_fd < 0 || !net->links)
        die("start");
    for (uint32_t i = 0; i < link_count; i++) {
        net->links[i].index = i;
        net->links[i].fd = -1;
    }
}

static void link_drop(struct net *net, struct link *link)
{
    if (net->out_owner == link) {
        net->out.size = 0;
        net->out_owner = NULL;
    }
    /* A reset instead of an orderly end: no TIME_WAIT, or churn would run out of ports. */
    struct linger abort_now = {.l_onoff = 1, .l_linger = 0};
    setsockopt(link->fd, SOL_SOCKET, SO_LINGER, &abort_now, sizeof abort_now);
    close(link->fd);
    link->fd = -1;
    link->state = LINK_CLOSED;
    link->generation++;
    link->in.size = 0;
    link->out.size = 0;
}

void net_deinit(struct net *net)
{
    for (uint32_t i = 0; i < net->link_count; i++) {
        if (net->links[i].fd >= 0)
            link_drop(net, &net->links[i]);
        bytes_deinit(&net->links[i].in);
        bytes_deinit(&net->links[i].out);
    }
    free(net->links);
    bytes_deinit(&net->in);
    bytes_deinit(&net->out);
    close(net->epoll_fd);
}

static void link_watch(struct net *net, struct link *link, int operation, bool writable)
{
    struct epoll_event event = {.events = writable ? EPOLLIN | EPOLLOUT : EPOLLIN};
    event.data.u64 = (uint64_t)link->generation << 32 | link->index;
    if (epoll_ctl(net->epoll_fd, operation, link->fd, &event) < 0)
        die("epoll_ctl");
    link->wants_writable = writable;
}

bool net_connect(struct net *net, struct link *link, const char *path)
{
    link->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (link->fd < 0)
        return false;
    int yes = 1;
    setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(net->port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(link->fd, (const struct sockaddr *)&address, sizeof address) < 0 &&
        errno != EINPROGRESS) {
        close(link->fd);
        link->fd = -1;
        return false;
    }
    link->state = LINK_CONNECTING;
    link_watch(net, link, EPOLL_CTL_ADD, true);
    if (net->framing == NET_WEBSOCKET) {
        char request[512];
        int size = snprintf(request, sizeof request,
                            "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\nUpgrade: websocket\r\n"
                            "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                            path, net->port);
        bytes_append(&link->out, request, (size_t)size);
    }
    return true;
}

/* XORs data with the key of RFC 6455 section 5.3, eight bytes at a time. */
static void apply_mask(char *data, size_t size, uint32_t key)
{
    uint64_t wide = (uint64_t)key << 32 | key;
    size_t i = 0;
    for (; i + sizeof wide <= size; i += sizeof wide) {
        uint64_t word;
        memcpy(&word, data + i, sizeof word);
        word ^= wide;
        memcpy(data + i, &word, sizeof word);
    }
    unsigned char octets[sizeof key];
    memcpy(octets, &key, sizeof key);
    for (; i < size; i++)
        data[i] = (char)((unsigned char)data[i] ^ octets[i % sizeof key]);
}

/* Keys need not be secret here, only never zero and not all alike: some servers skip a key of zero.
 */
static uint32_t next_mask(struct net *net)
{
    net->mask ^= net->mask << 13;
    net->mask ^= net->mask >> 17;
    net->mask ^= net->mask << 5;
    return net->mask;
}

/* Where a link's words go: the shared buffer, which leaves in one write when the event is done;
 * behind a backlog, if it has one. */
static struct bytes *out_of(struct net *net, struct link *link)
{
    if (link->out.size > 0)
        return &link->out;
    if (net->out_owner != link)
        net_flush(net);
    net->out_owner = link;
    return &net->out;
}

static size_t header_size_of(enum net_framing framing, size_t size)
{
    if (framing == NET_LENGTH)
        return 4;
    return (size < 126 ? 2U : size < 65536 ? 4U : 10U) + 4U;
}

static void write_size(char *at, size_t size, unsigned octets)
{
    for (unsigned i = 0; i < octets; i++)
        at[i] = (char)(size >> 8 * (octets - 1 - i) & 0xff);
}

static char *frame_begin(struct net *net, struct link *link, unsigned opcode, size_t size)
{
    struct bytes *out = out_of(net, link);
    size_t header_size = header_size_of(net->framing, size);
    net->frame_start = out->size;
    char *header = bytes_extend(out, header_size + size);
    if (net->framing == NET_LENGTH) {
        write_size(header, size, 4);
        return header + header_size;
    }
    header[0] = (char)(BIT_FIN | opcode);
    header[1] = (char)(BIT_MASK | (size < 126 ? (unsigned)size : size < 65536 ? 126U : 127U));
    if (size >= 126)
        write_size(header + 2, size, size < 65536 ? 2 : 8);
    uint32_t key = next_mask(net);
    memcpy(header + header_size - sizeof key, &key, sizeof key);
    return header + header_size;
}

char *net_frame_begin(struct net *net, struct link *link, size_t size)
{
    return frame_begin(net, link, OPCODE_TEXT, size);
}

void net_frame_end(struct net *net, struct link *link, size_t size)
{
    if (net->framing != NET_WEBSOCKET)
        return;
    struct bytes *out = link->out.size > 0 ? &link->out : &net->out;
    char *text = out->data + net->frame_start + header_size_of(net->framing, size);
    uint32_t key;
    memcpy(&key, text - sizeof key, sizeof key);
    apply_mask(text, size, key);
}

static void send_frame(struct net *net, struct link *link, unsigned opcode, struct slice payload)
{
    char *at = frame_begin(net, link, opcode, payload.size);
    if (payload.size > 0)
        memcpy(at, payload.data, payload.size);
    net_frame_end(net, link, payload.size);
}

void net_send(struct net *net, struct link *link, const char *text, size_t size)
{
    send_frame(net, link, OPCODE_TEXT, (struct slice){text, size});
}

/* Writes what it can; returns how much, or -1 when the socket is dead (its reading end will say
 * so). */
static ssize_t link_write(const struct link *link, const struct bytes *bytes)
{
    ssize_t sent = send(link->fd, bytes->data, bytes->size, MSG_NOSIGNAL);
    return sent < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : sent;
}

void net_flush(struct net *net)
{
    struct link *link = net->out_owner;
    if (!link || net->out.size == 0)
        return;
    ssize_t sent = link_write(link, &net->out);
    if (sent >= 0 && (size_t)sent < net->out.size) {
        bytes_append(&link->out, net->out.data + sent, net->out.size - (size_t)sent);
        if (!link->wants_writable)
            link_watch(net, link, EPOLL_CTL_MOD, true);
    }
    net->out.size = 0;
    net->out_owner = NULL;
}

void net_close(struct net *net, struct link *link)
{
    if (net->framing == NET_WEBSOCKET && link->state == LINK_OPEN) {
        link->state = LINK_CLOSING;
        send_frame(net, link, OPCODE_CLOSE, (struct slice){"\x03\xe8", 2}); /* 1000 */
    } else if (link->fd >= 0) {
        link_drop(net, link);
    }
}

static void link_lost(struct net *net, struct link *link)
{
    link_drop(net, link);
    net->handler(net->ctx, link, NET_CLOSED, (struct slice){0});
}

static void on_writable(struct net *net, struct link *link)
{
    bool was_connecting = link->state == LINK_CONNECTING;
    if (was_connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            link_lost(net, link);
            return;
        }
        link->state = net->framing == NET_WEBSOCKET ? LINK_UPGRADING : LINK_OPEN;
    }
    if (link->out.size > 0) {
        ssize_t sent = link_write(link, &link->out);
        if (sent > 0)
            bytes_consume(&link->out, (size_t)sent);
    }
    if (link->out.size == 0)
        link_watch(net, link, EPOLL_CTL_MOD, false);
    if (was_connecting && net->framing == NET_LENGTH)
        net->handler(net->ctx, link, NET_OPEN, (struct slice){0});
}

/* Takes the answer to the upgrade request off the front. Returns its size, 0 when it is not
 * complete yet, and SIZE_MAX when the server refused. */
static size_t take_upgrade(struct net *net, struct link *link, struct slice input)
{
    const char *end = memmem(input.data, input.size, "\r\n\r\n", 4);
    if (!end)
        return 0;
    if (input.size < 12 || memcmp(input.data, "HTTP/1.1 101", 12) != 0)
        return SIZE_MAX;
    link->state = LINK_OPEN;
    net->handler(net->ctx, link, NET_OPEN, (struct slice){0});
    return (size_t)(end - input.data) + 4;
}

/* Handles one message of NET_LENGTH; the return value is as of take_upgrade. */
static size_t take_length(struct net *net, struct link *link, struct slice input)
{
    if (input.size < 4)
        return 0;
    const unsigned char *octets = (const unsigned char *)input.data;
    size_t size =
        (size_t)octets[0] << 24 | (size_t)octets[1] << 16 | (size_t)octets[2] << 8 | octets[3];
    if (input.size < 4 + size)
        return 0;
    net->handler(net->ctx, link, NET_MESSAGE, (struct slice){input.data + 4, size});
    return 4 + size;
}

/* Handles one WebSocket frame; the return value is as of take_upgrade. A masked or fragmented frame
 * counts as a refusal: no server under test has a reason to send one. */
static size_t take_frame(struct net *net, struct link *link, struct slice input)
{
    if (input.size < 2)
        return 0;
    const unsigned char *octets = (const unsigned char *)input.data;
    size_t size = octets[1] & 0x7fU;
    unsigned extended = size == 126 ? 2 : size == 127 ? 8 : 0;
    if (octets[1] & BIT_MASK || !(octets[0] & BIT_FIN))
        return SIZE_MAX;
    if (input.size < 2U + extended)
        return 0;
    if (extended) {
        size = 0;
        for (unsigned i = 0; i < extended; i++)
            size = size << 8 | octets[2 + i];
    }
    size_t total = 2U + extended + size;
    if (input.size < total)
        return 0;
    struct slice payload = {input.data + total - size, size};
    switch (octets[0] & 0x0fU) {
    case OPCODE_TEXT:
        net->handler(net->ctx, link, NET_MESSAGE, payload);
        return total;
    case OPCODE_PING:
        send_frame(net, link, OPCODE_PONG, payload);
        return total;
    case OPCODE_PONG:
        return total;
    default: /* the server's goodbye, or its answer to ours */
        return SIZE_MAX;
    }
}

static void on_readable(struct net *net, struct link *link)
{
    /* What an earlier read left comes first, so that every message lies in one piece. */
    net->in.size = 0;
    bytes_append(&net->in, link->in.data, link->in.size);
    size_t kept = link->in.size;
    link->in.size = 0;
    ssize_t got = recv(link->fd, bytes_extend(&net->in, READ_SIZE), READ_SIZE, 0);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            bytes_append(&link->in, net->in.data, kept);
        else
            link_lost(net, link);
        return;
    }
    net->now_ns = stats_now_ns();

    uint32_t generation = link->generation;
    struct slice rest = {net->in.data, kept + (size_t)got};
    size_t taken = 1;
    while (rest.size > 0 && taken > 0) {
        taken = link->state == LINK_UPGRADING ? take_upgrade(net, link, rest)
                : net->framing == NET_LENGTH  ? take_length(net, link, rest)
                                              : take_frame(net, link, rest);
        if (link->generation != generation)
            return; /* the handler closed it */
        if (taken == SIZE_MAX) {
            link_lost(net, link);
            return;
        }
        rest.data += taken;
        rest.size -= taken;
    }
    bytes_append(&link->in, rest.data, rest.size);
}

void net_poll(struct net *net, int timeout_ms)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(net->epoll_fd, events, EVENTS_MAX, timeout_ms);
    for (int i = 0; i < count; i++) {
        struct link *link = &net->links[(uint32_t)events[i].data.u64];
        uint32_t generation = (uint32_t)(events[i].data.u64 >> 32);
        if (link->generation == generation && events[i].events & (EPOLLOUT | EPOLLERR) &&
            (link->wants_writable || link->state == LINK_CONNECTING))
            on_writable(net, link);
        if (link->generation == generation && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            on_readable(net, link);
        net_flush(net);
    }
}
