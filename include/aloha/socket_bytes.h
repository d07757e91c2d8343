/* socket_bytes: how much of a stream has been read by the library that reads it. The kernel knows. */
#ifndef ALOHA_SOCKET_BYTES_H
#define ALOHA_SOCKET_BYTES_H

#include "aloha/base.h"

#include <sys/types.h>

/* A socket that is being counted. */
struct socket_bytes {
    bool by_offset;  /* AF_UNIX: by SO_PEEK_OFF, which goes back by what is read */
    uint64_t before; /* bytes that it has gone back and was set forward again */
};

/* Counts from now on; for TCP the kernel has counted since the socket was made. */
void socket_bytes_start(struct socket_bytes *count, int fd);

/* Bytes that were received on this socket and read from it (TCP: tcpi_bytes_received less FIONREAD). More than
 * 2 GiB between two questions may count as 2 GiB on an AF_UNIX socket.
 *   fd       the one of socket_bytes_start(), or a duplicate.
 *   returns  false when the kernel does not tell. */
MUST_USE bool socket_bytes_read(struct socket_bytes *count, int fd, uint64_t *out);

/* recv() with MSG_PEEK, from the first byte that is unread. A plain one would begin at the offset. */
MUST_USE ssize_t socket_bytes_peek(struct socket_bytes *count, int fd, void *out, size_t size);

#endif
