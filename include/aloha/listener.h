/* listener: the public port. It accepts connections itself, because libwebsockets' own accept spins
 * when descriptors run out. Who may stay is the accepting side's word (web.h).
 * docs/adr/0003-own-listener.md. */
#ifndef ALOHA_LISTENER_H
#define ALOHA_LISTENER_H

#include "aloha/ip.h"

#include <sys/socket.h>
#include <uv.h>

struct listener;

enum { LISTENER_SOCKETS_MAX = 16 };

/* Called for each connection: fd is non-blocking, close-on-exec and, over TCP, TCP_NODELAY; taken.
 * Over a unix socket from->sa_family is AF_UNIX. */
typedef void listener_accept_fn(void *ctx, int fd, const struct sockaddr *from);

/* Sockets that listen already. */
struct listener_given {
    int fds[LISTENER_SOCKETS_MAX];
    size_t count;
};

struct listener_options {
    const struct listener_given
        *given; /* taken, instead of the addresses, when it has any; or NULL */
    const char *
        addresses; /* what sockets.h can listen on, with commas between them; borrowed until the call returns */
    uint16_t port;           /* of those in digits; 0 takes a free one, the same for all */
    const char *port_option; /* the flag that sets it, for who has to take another */
    bool digits_only;        /* the paths are passed over */
    uint32_t socket_mode;    /* of those that are paths */
    listener_accept_fn *on_accept;
    void *ctx; /* its first argument */
};

/* True for one to LISTENER_SOCKETS_MAX valid addresses. */
bool listener_addresses_are_valid(const char *addresses);

/* Listens on all of the addresses, or on none.
 *   problem  on NULL: one line that says why, without a line feed. */
MUST_USE struct listener *listener_open(uv_loop_t *loop, const struct listener_options *options,
                                        char *problem, size_t problem_size);

/* The sockets, in their order; NULL behind the last one. Valid until listener_close(). */
const char *listener_address(const struct listener *listener, size_t index);
uint16_t listener_port_of(const struct listener *listener, size_t index); /* 0 for a path */
uint16_t listener_port(const struct listener *listener); /* the first one's that has one, else 0 */

/* Stops listening at once and removes the socket files that it made; the memory goes when the loop has closed the
 * handles. Accepts NULL. */
void listener_close(struct listener *listener);

/* All zeros for what is no IP address. */
struct ip listener_ip_of(const struct sockaddr *address);

#endif
