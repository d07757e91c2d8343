#include "aloha/hosts.h"

#include <string.h>

enum { NAME_SIZE_MAX_OF_DNS = 255, PORT_SIZE_MAX = 6 };

/* What stands in front of the port: all of a name, or an address with its brackets. */
struct str host_without_port(struct str host)
{
    const char *end = NULL;

    if (host.size && host.text[0] == '[')
        end = memchr(host.text, ']', host.size);
    if (end)
        return (struct str){host.text, (size_t)(end - host.text) + 1};
    return str_cut(&host, ':');
}

static bool consists_of(struct str text, const char *allowed)
{
    for (size_t i = 0; i < text.size; i++)
        if (!text.text[i] || !strchr(allowed, text.text[i]))
            return false;
    return text.size > 0;
}

bool host_is_well_formed(struct str host)
{
    struct str name = host_without_port(host);
    uint64_t port;
    bool good;

    if (host.size == 0 || host.size > NAME_SIZE_MAX_OF_DNS + PORT_SIZE_MAX)
        return false;
    if (host.text[0] == '[')
        good = name.size > 2 && name.text[name.size - 1] == ']' &&
               consists_of((struct str){name.text + 1, name.size - 2}, "0123456789abcdefABCDEF:.");
    else
        good =
            consists_of(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~");
    if (!good || name.size == host.size)
        return good;
    struct str rest = {host.text + name.size + 1, host.size - name.size - 1};
    return host.text[name.size] == ':' && str_to_uint(rest, 65535, &port);
}

static bool read_list(struct str list, bool (*accepts)(struct str item), struct hosts *out)
{
    out->count = 0;
    if (list.size > HOSTS_LIST_SIZE_MAX)
        return false;
    if (list.size == 0)
        return true;
    while (list.text) {
        struct str item = str_trim(str_cut(&list, ','));
        if (out->count == HOSTS_MAX || !accepts(item))
            return false;
        out->items[out->count++] = item;
    }
    return true;
}

bool hosts_read(struct str list, struct hosts *out)
{
    return read_list(list, host_is_well_formed, out);
}

bool hosts_have(const struct hosts *hosts, struct str host)
{
    struct str name = host_without_port(host);

    for (size_t i = 0; i < hosts->count; i++) {
        bool any_port = host_without_port(hosts->items[i]).size == hosts->items[i].size;
        if (str_equal_nocase(hosts->items[i], any_port ? name : host))
            return true;
    }
    return false;
}

void hosts_write_sources(const struct hosts *hosts, bool secure, struct buf *out)
{
    for (size_t i = 0; i < hosts->count; i++) {
        struct str host = hosts->items[i];
        if (host.text[0] == '[')
            continue;
        if (!secure)
            buf_add_format(out, " ws://%.*s", (int)host.size, host.text);
        buf_add_format(out, " wss://%.*s", (int)host.size, host.text);
    }
}

/* What a browser can send: RFC 3986 section 3.1 for the scheme, all in lower case. */
static bool origin_is_well_formed(struct str origin)
{
    struct str rest = origin;
    struct str scheme = str_cut(&rest, ':');

    for (size_t i = 0; i < origin.size; i++)
        if (origin.text[i] >= 'A' && origin.text[i] <= 'Z')
            return false;
    return consists_of(scheme, "abcdefghijklmnopqrstuvwxyz0123456789+-.") &&
           scheme.text[0] >= 'a' && str_starts_with(rest, STR("//")) &&
           host_is_well_formed((struct str){rest.text + 2, rest.size - 2});
}

bool origins_read(struct str list, struct hosts *out)
{
    return read_list(list, origin_is_well_formed, out);
}

bool origins_have(const struct hosts *origins, struct str origin)
{
    for (size_t i = 0; i < origins->count; i++)
        if (str_equal(origins->items[i], origin))
            return true;
    return false;
}
