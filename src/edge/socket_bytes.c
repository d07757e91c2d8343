/* A file of its own: <linux/tcp.h> has what <netinet/tcp.h> lacks, and they do not go together. */
#include "aloha/socket_bytes.h"

#include <limits.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

/* ---- TCP ---- */

static bool bytes_received(int fd, uint64_t *out)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0)
        return false;
    *out = info.tcpi_bytes_received;
    return true;
}

enum { TRIES_MAX = 16 };

/* Two questions to the kernel, between which more may arrive: asked again until nothing has. */
static bool read_tcp(int fd, uint64_t *out)
{
    uint64_t before, after;
    int unread = 0;

    for (int i = 0; i < TRIES_MAX; i++) {
        if (!bytes_received(fd, &before) || ioctl(fd, FIONREAD, &unread) != 0 ||
            !bytes_received(fd, &after))
            return false;
        if (before == after) {
            *out = before - (unsigned)unread;
            return true;
        }
    }
    return false;
}

/* ---- AF_UNIX ---- */

/* There the kernel counts nothing, but it has an offset for MSG_PEEK (socket(7), SO_PEEK_OFF) that goes back by
 * every byte that is read, as far as 0. Set as far forward as it goes, it tells how many those were. */
enum { OFFSET_START = INT_MAX };

static bool set_offset(int fd, int offset)
{
    return setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset) == 0;
}

static bool read_offset(struct socket_bytes *count, int fd)
{
    int offset = 0;
    socklen_t size = sizeof offset;

    if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &size) != 0 || offset < 0)
        return false;
    count->before += (unsigned)(OFFSET_START - offset);
    return offset == OFFSET_START || set_offset(fd, OFFSET_START);
}

/* ---- both ---- */

void socket_bytes_start(struct socket_bytes *count, int fd)
{
    int domain = 0;
    socklen_t size = sizeof domain;

    *count = (struct socket_bytes){0};
    count->by_offset = getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
                       domain == AF_UNIX && set_offset(fd, OFFSET_START);
}

bool socket_bytes_read(struct socket_bytes *count, int fd, uint64_t *out)
{
    if (!count->by_offset)
        return read_tcp(fd, out);
    if (!read_offset(count, fd))
        return false;
    *out = count->before;
    return true;
}

ssize_t socket_bytes_peek(struct socket_bytes *count, int fd, void *out, size_t size)
{
    if (!count->by_offset)
        return recv(fd, out, size, MSG_PEEK);
    if (!read_offset(count, fd) || !set_offset(fd, 0))
        return -1;
    ssize_t peeked = recv(fd, out, size, MSG_PEEK);
    return set_offset(fd, OFFSET_START) ? peeked : -1;
}
