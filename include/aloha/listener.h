/* listener: the public port. It accepts connections itself, because libwebsockets' own accept spins
 * when descriptors run out. Who may stay is the accepting side's word (web.h).
 * docs/adr/0003-own-listener.md. */
#ifndef ALOHA_LISTENER_H
#define ALOHA_LISTENER_H

#include "aloha/ip.h"

#include <sys/socket.h>
#include <uv.h>

struct listener;

/* Called for each connection: fd is non-blocking, close-on-exec and TCP_NODELAY; taken. */
typedef void listener_accept_fn(void *ctx, int fd, const struct sockaddr *from);

/* True for an IPv4 or IPv6 address in digits. */
bool listener_address_is_valid(const char *address);

/* Listens on a numeric address.
 *   address  "::" takes IPv4 too, and falls back to 0.0.0.0 where there is no IPv6.
 *   port     0 takes a free one.
 *   problem  on NULL: one line that says why, without a line feed. */
MUST_USE struct listener *listener_open(uv_loop_t *loop, const char *address, uint16_t port,
                                        listener_accept_fn *on_accept, void *ctx, char *problem,
                                        size_t problem_size);

uint16_t listener_port(const struct listener *listener);

/* Stops listening at once; the memory goes when the loop has closed the handles. Accepts NULL. */
void listener_close(struct listener *listener);

/* All zeros for what is no IP address. */
struct ip listener_ip_of(const struct sockaddr *address);

#endif
