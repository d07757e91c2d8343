/* hosts: the names that this server answers to, and the origins whose pages may open its WebSockets.
 * spec: RFC 9110 section 7.2 (Host), RFC 6454 section 7 (Origin); docs/security.md R6, R8, R16. */
#ifndef ALOHA_HOSTS_H
#define ALOHA_HOSTS_H

#include "aloha/buf.h"

enum {
    HOSTS_MAX = 16,
    HOSTS_LIST_SIZE_MAX =
        1024, /* bytes of a whole list: all names stand in a header of each answer */
};

/* Names or origins, as they were given: they point into the list that was read. */
struct hosts {
    struct str items[HOSTS_MAX];
    size_t count;
};

/* True for a name, an IPv4 address or a bracketed IPv6 address, and perhaps a port. */
bool host_is_well_formed(struct str host);

/* Reads names with commas between them and blanks around them, each with or without a port. An empty
 * text is an empty list.
 *   returns   false when one is malformed, there are more than HOSTS_MAX, or list is too long. */
MUST_USE bool hosts_read(struct str list, struct hosts *out);

/* True when host is one of them: letters of any case, and any port unless the list names one. */
bool hosts_have(const struct hosts *hosts, struct str host);

/* NAME of NAME:PORT; an address with its brackets. */
struct str host_without_port(struct str host);

/* Adds " ws://NAME wss://NAME" for each, or with secure the latter alone, as a Content-Security-Policy's source list takes it. IPv6 addresses
 * are left out: its grammar has none (CSP Level 3 section 2.3.1). */
void hosts_write_sources(const struct hosts *hosts, bool secure, struct buf *out);

/* The same for origins: a scheme, "://" and a host in lower case, as browsers write them; never "null",
 * nothing behind the port. Compared byte for byte. */
MUST_USE bool origins_read(struct str list, struct hosts *out);
bool origins_have(const struct hosts *origins, struct str origin);

#endif
