/* tls_link: TLS, ended in front of everything. It owns an accepted socket and speaks TLS on it; what is said
 * comes out of one end of a socket pair in plain, and what goes in there leaves encrypted. So whoever
 * takes plain connections takes encrypted ones as well. docs/adr/0009. */
#ifndef ALOHA_TLS_LINK_H
#define ALOHA_TLS_LINK_H

#include "aloha/tls_store.h"

enum {
    TLS_LINK_DESCRIPTORS = 3,      /* of one connection: the socket and both ends of the pair */
    TLS_LINK_HANDSHAKE_MS = 10000, /* SECURITY R4 */
    TLS_HANDSHAKE_RECORD = 0x16,   /* what a TLS client says first (RFC 8446 section 5.1) */
};

/* Puts a link in front of an accepted connection.
 *   fd       non-blocking; taken, also on error.
 *   returns  the plain end: a non-blocking, close-on-exec AF_UNIX stream; -1 when there is no memory or no
 *            descriptor. The end of the client's direction arrives as such; a connection that broke, or
 *            whose handshake failed, as the end of both. Closing it sends what was written before, then
 *            close_notify. At most 128 KiB and one record wait in each direction; then whoever writes waits. */
MUST_USE int tls_link_open(uv_loop_t *loop, struct tls_store *store, int fd);

/* Ends a link at once, with what still waits in it. plain_end: not yet closed. */
void tls_link_cut(struct tls_store *store, int plain_end);

#endif
