/* The ceiling: the least that a process can do to relay. Accepts connections on 127.0.0.1, makes
 * pairs of them in the order in which they come, tells both with an empty message (four zero bytes
 * of length), and then copies whatever one says to the other, without a look at it. Prints "port=N"
 * once it listens. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER_SIZE = 256 * 1024, EVENTS_MAX = 512, DESCRIPTORS_MAX = 65536 };

/* By descriptor. */
static struct side {
    bool is_open;
    int other;     /* -1 while alone */
    char *backlog; /* what other said and this one's socket did not take; owned */
    size_t backlog_size;
} sides[DESCRIPTORS_MAX];

static int epoll_fd;
static int waiting = -1; /* the first of the pair that is being made */

static void die(const char *what)
{
    fprintf(stderr, "tcprelay: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

static void watch(int fd, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll_fd, operation, fd, &event) < 0)
        die("epoll_ctl");
}

/* One is read while the other has no backlog: a slow reader holds up its partner and nobody else.
 */
static void watch_as_needed(int fd)
{
    const struct side *side = &sides[fd];
    bool reads = side->other < 0 || sides[side->other].backlog_size == 0;
    bool writes = side->backlog_size > 0;
    watch(fd, EPOLL_CTL_MOD, (reads ? (uint32_t)EPOLLIN : 0) | (writes ? (uint32_t)EPOLLOUT : 0));
}

static int listen_on_loopback(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 512) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0)
        die("listen");
    printf("port=%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static void drop(int fd)
{
    if (fd < 0)
        return;
    free(sides[fd].backlog);
    sides[fd] = (struct side){.other = -1};
    if (waiting == fd)
        waiting = -1;
    close(fd);
}

static void drop_pair(int fd)
{
    int other = sides[fd].other;
    drop(fd);
    drop(other);
}

static void accept_all(int listener)
{
    static const char paired[4];
    int fd;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= DESCRIPTORS_MAX) {
            close(fd);
            continue;
        }
        int yes = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        sides[fd] = (struct side){.is_open = true, .other = waiting};
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
        if (waiting < 0) {
            waiting = fd;
            continue;
        }
        sides[waiting].other = fd;
        send(waiting, paired, sizeof paired, MSG_NOSIGNAL);
        send(fd, paired, sizeof paired, MSG_NOSIGNAL);
        waiting = -1;
    }
}

static void keep_backlog(int from, int to, const char *rest, size_t size)
{
    sides[to].backlog = malloc(size);
    if (!sides[to].backlog)
        die("backlog");
    memcpy(sides[to].backlog, rest, size);
    sides[to].backlog_size = size;
    watch_as_needed(to);
    watch_as_needed(from);
}

static void relay(int from)
{
    static char buffer[BUFFER_SIZE];
    int to = sides[from].other;
    if (to >= 0 && sides[to].backlog_size > 0) {
        drop_pair(from); /* not asked to be read: it hung up */
        return;
    }
    ssize_t got = recv(from, buffer, sizeof buffer, 0);
    if (got <= 0 || to < 0) {
        if (got >= 0 || errno != EAGAIN)
            drop_pair(from);
        return;
    }
    ssize_t sent = send(to, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN)
        drop_pair(from);
    else if (sent < got)
        keep_backlog(from, to, buffer + (sent < 0 ? 0 : sent),
                     (size_t)(got - (sent < 0 ? 0 : sent)));
}

static void send_backlog(int to)
{
    struct side *side = &sides[to];
    ssize_t sent = send(to, side->backlog, side->backlog_size, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN)
            drop_pair(to);
        return;
    }
    side->backlog_size -= (size_t)sent;
    memmove(side->backlog, side->backlog + sent, side->backlog_size);
    if (side->backlog_size > 0)
        return;
    free(side->backlog);
    side->backlog = NULL;
    watch_as_needed(to);
    watch_as_needed(side->other);
}

int main(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on_loopback();
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    for (;;) {
        struct epoll_event events[EVENTS_MAX];
        int count = epoll_wait(epoll_fd, events, EVENTS_MAX, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener)
                accept_all(listener);
            else if (sides[fd].backlog_size > 0 && events[i].events & EPOLLOUT)
                send_backlog(fd);
            else if (sides[fd].is_open) /* its partner may have gone within this batch */
                relay(fd);
        }
    }
}
