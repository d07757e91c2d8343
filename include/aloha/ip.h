/* ip: IP addresses and networks, read from text strictly. No I/O: nothing is looked up.
 * spec: RFC 4291 section 2.2 (IPv6 text) and 2.5.5.2 (mapped addresses), RFC 4632 section 3.1. */
#ifndef ALOHA_IP_H
#define ALOHA_IP_H

#include "aloha/str.h"

/* An IPv6 address, or an IPv4 address as ::ffff:a.b.c.d, in network order. */
struct ip {
    uint8_t bytes[16];
};

bool ip_equal(struct ip a, struct ip b);
bool ip_is_ipv4(struct ip ip);
struct ip ip_of_ipv4(const uint8_t address[4]);

/* Reads one address and nothing else.
 *   text      a.b.c.d in decimal without leading zeros, for others read those as octal; or IPv6 without a zone.
 *   returns   false when it is none; *out is then undefined. */
MUST_USE bool ip_read(struct str text, struct ip *out);

enum { IP_NETWORKS_MAX = 64 };

/* Networks by their first address and how many of its 128 bits count. One of IPv6 holds no IPv4 address,
 * not even ::/0: who writes it means IPv6. */
struct ip_networks {
    struct {
        struct ip first;
        unsigned prefix;
    } items[IP_NETWORKS_MAX];
    size_t count;
};

/* Reads a list: addresses and networks such as 10.0.0.0/8 or 2001:db8::/32, commas between them, blanks
 * around them. An empty text is an empty list.
 *   returns   false when one of them is malformed, has bits behind its prefix, or there are too many. */
MUST_USE bool ip_networks_read(struct str list, struct ip_networks *out);

bool ip_networks_have(const struct ip_networks *networks, struct ip ip);

#endif
