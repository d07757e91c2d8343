/* socket_bytes: how much of a TCP stream has been read. */
#ifndef ALOHA_SOCKET_BYTES_H
#define ALOHA_SOCKET_BYTES_H

#include "aloha/base.h"

/* Bytes that were received on this socket and read from it, since it was made (Linux: TCP_INFO's
 * tcpi_bytes_received less FIONREAD).
 *   returns  false when the kernel does not tell. */
MUST_USE bool socket_bytes_read(int fd, uint64_t *out);

#endif
