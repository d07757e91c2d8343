/* sockets: what this server listens on: addresses in digits, and paths. */
#ifndef ALOHA_SOCKETS_H
#define ALOHA_SOCKETS_H

#include "aloha/base.h"

enum { SOCKET_ADDRESS_SIZE_MAX = 128 };

/* True for an IPv4 or IPv6 address in digits, and for "unix:" with an absolute path behind it that
 * sockaddr_un has room for. */
bool socket_address_is_valid(const char *address);

/* The path behind "unix:"; NULL for an address in digits. */
const char *socket_path(const char *address);

/* Opens a socket that listens: non-blocking, close-on-exec.
 *   address  in digits; "::" takes IPv4 too, and falls back to 0.0.0.0 where there is no IPv6. Or "unix:/path": the
 *            socket file of a server that is gone is replaced; one that somebody listens on never is, nor any
 *            other kind of file.
 *   port     0 takes a free one; unused for a path.
 *   mode     of the socket file, from its first moment: who may write to it may connect.
 *   returns  the descriptor, or -1: then `problem` is one line that says why, without a line feed, and errno tells too. */
MUST_USE int socket_listen(const char *address, uint16_t port, uint32_t mode, char *problem,
                           size_t problem_size);

/* Which file a socket file is, so that only that one is removed. */
struct socket_file {
    uint64_t device, inode; /* 0: none */
};

/* Call it when the address has just been listened on. Nothing for an address in digits. */
struct socket_file socket_file_of(const char *address);

/* Removes the socket file of an address, unless another one is in its place by now. Call it while the descriptor is
 * still open: as long as somebody listens, nobody else takes the place. Does nothing for an address in digits. */
void socket_file_remove(const char *address, struct socket_file file);

/* Says where a socket listens that somebody else has opened, in the form of socket_listen().
 *   returns  false for what is no stream socket that listens, or not on TCP or a path: an abstract name is open to
 *            everybody on the machine. */
MUST_USE bool socket_describe(int fd, char out[SOCKET_ADDRESS_SIZE_MAX]);

/* 0 for what has no port. */
uint16_t socket_port(int fd);

#endif
