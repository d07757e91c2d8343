/* A file of its own: <linux/tcp.h> has what <netinet/tcp.h> lacks, and they do not go together. */
#include "aloha/socket_bytes.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

bool socket_bytes_read(int fd, uint64_t *out)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    int unread = 0;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        ioctl(fd, FIONREAD, &unread) != 0)
        return false;
    *out = info.tcpi_bytes_received - (unsigned)unread;
    return true;
}
