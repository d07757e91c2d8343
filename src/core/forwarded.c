#include "aloha/forwarded.h"

#include <string.h>

/* What is left of the list: whole values, then the beginning of one. */
struct list {
    const struct str *values;
    size_t count; /* of the values, with the one that is begun */
    struct str begun;
};

/* Takes the right-most entry off the list; false when there is none. */
static bool take_last(struct list *list, struct str *out)
{
    struct str *begun = &list->begun;
    size_t start = begun->size;

    if (list->count == 0)
        return false;
    while (start && begun->text[start - 1] != ',')
        start--;
    struct str last = start ? (struct str){begun->text + start, begun->size - start} : *begun;
    *out = str_trim(last);
    if (start)
        begun->size = start - 1;
    else if (--list->count)
        *begun = list->values[list->count - 1];
    return true;
}

static bool is_port(struct str text)
{
    uint64_t port;
    return text.size <= 5 && str_to_uint(text, 65535, &port);
}

/* [address] or [address]:port; only IPv6 needs brackets. */
static bool read_bracketed(struct str entry, struct ip *out)
{
    struct str rest = {entry.text + 1, entry.size - 1};
    struct str address = str_cut(&rest, ']');

    if (!rest.text || !address.size || !memchr(address.text, ':', address.size))
        return false;
    if (rest.size && (rest.text[0] != ':' || !is_port((struct str){rest.text + 1, rest.size - 1})))
        return false;
    return ip_read(address, out);
}

static bool read_entry(struct str entry, struct ip *out)
{
    struct str port = entry;

    if (entry.size && entry.text[0] == '[')
        return read_bracketed(entry, out);
    struct str address = str_cut(&port, ':');
    bool one_colon = port.text && !(port.size && memchr(port.text, ':', port.size));
    if (!one_colon)
        return ip_read(entry, out);
    return is_port(port) && ip_read(address, out);
}

/* Whoever may connect through a socket file is trusted by that. A list cannot claim so: only the peer is asked. */
static bool is_socket_file(struct ip peer)
{
    return ip_equal(peer, (struct ip){{0}});
}

struct ip forwarded_client(struct ip peer, const struct ip_networks *trusted,
                           const struct str *values, size_t count)
{
    struct list list = {values, count, count ? values[count - 1] : (struct str){NULL, 0}};
    struct str entry;
    struct ip client = peer, before;

    for (int i = 0; i < FORWARDED_ENTRIES_MAX; i++) {
        if (!ip_networks_have(trusted, client) && !(i == 0 && is_socket_file(peer)))
            break;
        if (!take_last(&list, &entry) || !read_entry(entry, &before))
            break;
        client = before;
    }
    return client;
}

enum forwarded_scheme forwarded_scheme(const struct str *values, size_t count)
{
    struct list list = {values, count, count ? values[count - 1] : (struct str){NULL, 0}};
    struct str entry;

    if (!take_last(&list, &entry))
        return FORWARDED_SCHEME_UNKNOWN;
    if (str_equal_nocase(entry, STR("https")) || str_equal_nocase(entry, STR("wss")))
        return FORWARDED_HTTPS;
    if (str_equal_nocase(entry, STR("http")) || str_equal_nocase(entry, STR("ws")))
        return FORWARDED_HTTP;
    return FORWARDED_SCHEME_UNKNOWN;
}
