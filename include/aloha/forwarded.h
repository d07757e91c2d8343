/* forwarded: whose request a proxy has passed on, and how it came to the proxy.
 *
 * Each proxy adds the address that it was asked from at the end of X-Forwarded-For. What a proxy of ours has
 * added is true; what stands to the left of it is only as true as the one who said it. So the list is
 * read from the right, and as long as the address there is one of our own proxies, what it says is believed.
 * RFC 7239 (Forwarded) is not read: a proxy that sends it sends this as well. */
#ifndef ALOHA_FORWARDED_H
#define ALOHA_FORWARDED_H

#include "aloha/ip.h"

enum {
    FORWARDED_ENTRIES_MAX = 32
}; /* looked at, from the right: longer chains are a client's invention */

/* Finds the client of a request.
 *   peer      whom the connection comes from; all zeros for a unix socket, which is a proxy of ours by nature.
 *   trusted   our proxies.
 *   values    the X-Forwarded-For fields of the request, in their order: one list (RFC 9110 section 5.3).
 *             An entry is 1.2.3.4, 1.2.3.4:567, 2001:db8::1, [2001:db8::1] or [2001:db8::1]:567.
 *   returns   the peer when it is none of ours; else the right-most address that is none of ours. Where the
 *             list ends, an entry is malformed, or FORWARDED_ENTRIES_MAX are ours, the last of ours
 *             that was reached: nothing further to the left is believed. */
struct ip forwarded_client(struct ip peer, const struct ip_networks *trusted,
                           const struct str *values, size_t count);

/* How the browser has asked, as far as it is told. */
enum forwarded_scheme {
    FORWARDED_SCHEME_UNKNOWN,
    FORWARDED_HTTP,
    FORWARDED_HTTPS,
};

/* Reads what a proxy of ours says in X-Forwarded-Proto: only its right-most entry, which the nearest proxy has put
 * there. In any case; "ws" and "wss" are what some say of a WebSocket.
 *   values    the fields of the request, in their order: one list.
 *   returns   FORWARDED_SCHEME_UNKNOWN when there is none, or it is neither. */
enum forwarded_scheme forwarded_scheme(const struct str *values, size_t count);

#endif
