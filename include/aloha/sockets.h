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

/* Removes the socket file of an address that was listened on, once the descriptor is closed, unless somebody else
 * listens there by now. Does nothing for an address in digits. */
void socket_remove(const char *address);

/* 0 for what has no port. */
uint16_t socket_port(int fd);

#endif
