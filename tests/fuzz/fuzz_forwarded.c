/* ip_read(), ip_networks_read(), forwarded_client() and forwarded_scheme() over three kinds of lines: the peer's address, the
 * list of trusted networks, then X-Forwarded-For fields.
 *
 * An address is what inet_pton() takes, and the same one; a network holds what bit by bit it should. The
 * client is the one that a plain reading finds: all fields joined, cut at each comma, walked from the
 * right. It is the peer or stands in the text, and it is a trusted one only where the list gave no more. */
#include "check.h"
#include "lines.h"

#include "aloha/forwarded.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { VALUES_MAX = 16, ENTRIES_MAX = 4096, NETWORKS_MAX = 128, TEXT_MAX = 64 };

/* ---- the same, plainly ---- */

/* A copy with a NUL; false when it is too long for an address or has a NUL of its own. */
static bool copy_text(struct str text, char out[TEXT_MAX])
{
    if (text.size >= TEXT_MAX || (text.size && memchr(text.text, '\0', text.size)))
        return false;
    if (text.size)
        memcpy(out, text.text, text.size);
    out[text.size] = '\0';
    return true;
}

static bool plain_ipv4(const char *text, struct ip *out)
{
    uint8_t octets[4];
    if (inet_pton(AF_INET, text, octets) != 1)
        return false;
    *out = ip_of_ipv4(octets);
    return true;
}

static bool plain_address(const char *text, struct ip *out)
{
    return plain_ipv4(text, out) || inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool is_plain_port(const char *text)
{
    size_t size = strlen(text);
    return size >= 1 && size <= 5 && strspn(text, "0123456789") == size && atoi(text) <= 65535;
}

static bool plain_entry(struct str entry, struct ip *out)
{
    char text[TEXT_MAX];

    if (!copy_text(str_trim(entry), text))
        return false;
    if (text[0] == '[') {
        char *end = strchr(text, ']');
        if (!end || (end[1] && (end[1] != ':' || !is_plain_port(end + 2))))
            return false;
        *end = '\0';
        return inet_pton(AF_INET6, text + 1, out->bytes) == 1;
    }
    if (plain_address(text, out))
        return true;
    char *port = strrchr(text, ':');
    if (!port || !is_plain_port(port + 1))
        return false;
    *port = '\0';
    return plain_ipv4(text, out);
}

struct plain_network {
    struct ip ip;
    unsigned prefix;
    bool ipv4;
};

static bool bit_of(struct ip ip, unsigned bit)
{
    return ip.bytes[bit / 8] >> (7 - bit % 8) & 1;
}

static bool plain_network_has(const struct plain_network *network, struct ip ip)
{
    if (ip_is_ipv4(ip) != network->ipv4)
        return false;
    for (unsigned bit = 0; bit < network->prefix; bit++)
        if (bit_of(ip, bit) != bit_of(network->ip, bit))
            return false;
    return true;
}

static bool plain_read_network(struct str item, struct plain_network *out)
{
    char text[TEXT_MAX];

    if (!copy_text(str_trim(item), text))
        return false;
    char *slash = strchr(text, '/');
    if (slash)
        *slash = '\0';
    if (!plain_address(text, &out->ip))
        return false;
    unsigned base = strchr(text, ':') ? 0 : 96;
    out->prefix = 128;
    if (slash) {
        size_t digits = strlen(slash + 1);
        if (digits < 1 || digits > 3 || strspn(slash + 1, "0123456789") != digits ||
            (digits > 1 && slash[1] == '0'))
            return false;
        out->prefix = base + (unsigned)atoi(slash + 1);
    }
    if (out->prefix > 128)
        return false;
    for (unsigned bit = out->prefix; bit < 128; bit++)
        if (bit_of(out->ip, bit))
            return false;
    out->ipv4 = ip_is_ipv4(out->ip) && out->prefix >= 96;
    return true;
}

static struct plain_network plain[NETWORKS_MAX];
static size_t plain_count;

static bool plain_read_networks(struct str list)
{
    plain_count = 0;
    if (list.size == 0)
        return true;
    for (struct str rest = list; rest.text;)
        if (plain_count == IP_NETWORKS_MAX ||
            !plain_read_network(str_cut(&rest, ','), &plain[plain_count++]))
            return false;
    return true;
}

static bool is_trusted(struct ip ip)
{
    for (size_t i = 0; i < plain_count; i++)
        if (plain_network_has(&plain[i], ip))
            return true;
    return false;
}

/* All entries of all values, from the left. */
static size_t split(const struct str *values, size_t count, struct str entries[ENTRIES_MAX])
{
    size_t found = 0;

    for (size_t i = 0; i < count; i++) {
        struct str rest = values[i];
        do {
            CHECK(found < ENTRIES_MAX);
            entries[found++] = str_cut(&rest, ',');
        } while (rest.text);
    }
    return found;
}

/* ---- what is compared ---- */

static void check_address(struct str text)
{
    char copy[TEXT_MAX];
    struct ip ours, theirs;
    bool good = ip_read(text, &ours);

    CHECK(good == (copy_text(text, copy) && plain_address(copy, &theirs)));
    CHECK(!good || ip_equal(ours, theirs));
}

static void check_networks(const struct ip_networks *networks, struct ip ip)
{
    CHECK(networks->count == plain_count);
    CHECK(ip_networks_have(networks, ip) == is_trusted(ip));
    for (size_t i = 0; i < plain_count; i++)
        CHECK(ip_networks_have(networks, plain[i].ip) == is_trusted(plain[i].ip));
}

static void check_client(struct ip client, struct ip peer, const struct str *values, size_t count)
{
    static struct str entries[ENTRIES_MAX];
    size_t left = split(values, count, entries);
    struct ip wanted = peer, before;
    bool occurs = ip_equal(client, peer);

    for (size_t i = 0; i < left; i++)
        occurs |= plain_entry(entries[i], &before) && ip_equal(before, client);
    CHECK(occurs);

    unsigned taken = 0;
    bool ended = false;
    while ((is_trusted(wanted) || (taken == 0 && ip_equal(peer, (struct ip){{0}}))) && !ended) {
        ended =
            taken == FORWARDED_ENTRIES_MAX || left == 0 || !plain_entry(entries[left - 1], &before);
        if (!ended) {
            wanted = before;
            left--;
            taken++;
        }
    }
    CHECK(ip_equal(client, wanted));
    CHECK(!is_trusted(client) || ended);
}

static bool is_word(struct str text, const char *word)
{
    return text.size == strlen(word) && strncasecmp(text.text, word, text.size) == 0;
}

/* Only the right-most entry says how it was asked. */
static void check_scheme(enum forwarded_scheme scheme, const struct str *values, size_t count)
{
    static struct str entries[ENTRIES_MAX];
    size_t found = split(values, count, entries);
    struct str last = found ? str_trim(entries[found - 1]) : (struct str){NULL, 0};

    CHECK((scheme == FORWARDED_HTTPS) == (is_word(last, "https") || is_word(last, "wss")));
    CHECK((scheme == FORWARDED_HTTP) == (is_word(last, "http") || is_word(last, "ws")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = check_input(data, size), line, values[VALUES_MAX];
    struct str peer_text = {NULL, 0}, list = {NULL, 0};
    struct ip_networks networks;
    struct ip peer = ip_of_ipv4((const uint8_t[]){192, 0, 2, 1});
    size_t count = 0;

    if (size > ENTRIES_MAX / 2)
        return 0;
    if (lines_take(&rest, '\n', &line))
        peer_text = check_copy(line);
    if (lines_take(&rest, '\n', &line))
        list = check_copy(line);
    while (count < VALUES_MAX && lines_take(&rest, '\n', &line))
        values[count++] = check_copy(line);

    check_address(peer_text);
    for (size_t i = 0; i < count; i++)
        check_address(values[i]);
    if (!ip_read(peer_text, &peer))
        peer = ip_of_ipv4((const uint8_t[]){192, 0, 2, 1});
    check_scheme(forwarded_scheme(values, count), values, count);
    bool good = ip_networks_read(list, &networks);
    CHECK(good == plain_read_networks(list));
    if (good) {
        check_networks(&networks, peer);
        check_client(forwarded_client(peer, &networks, values, count), peer, values, count);
    }

    while (count)
        free((char *)values[--count].text);
    free((char *)list.text);
    free((char *)peer_text.text);
    return 0;
}
