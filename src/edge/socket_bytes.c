/* A file of its own: <linux/tcp.h> has what <netinet/tcp.h> lacks, and they do not go together. */
#include "aloha/socket_bytes.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

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
bool socket_bytes_read(int fd, uint64_t *out)
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
