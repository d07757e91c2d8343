#include "aloha/ip.h"

#include <string.h>

enum { MAPPED_PREFIX = 96, BITS = 128 };

bool ip_equal(struct ip a, struct ip b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

struct ip ip_of_ipv4(const uint8_t address[4])
{
    struct ip ip = {{[10] = 0xff, [11] = 0xff}};

    memcpy(ip.bytes + 12, address, 4);
    return ip;
}

bool ip_is_ipv4(struct ip ip)
{
    return ip_equal(ip, ip_of_ipv4(ip.bytes + 12));
}

/* ---- addresses ---- */

/* A decimal number as everybody writes it: nobody's parser takes it for another. */
static bool read_decimal(struct str text, uint64_t max, uint64_t *out)
{
    return !(text.size > 1 && text.text[0] == '0') && str_to_uint(text, max, out);
}

static bool read_octets(struct str text, uint8_t out[4])
{
    for (int i = 0; i < 4; i++) {
        uint64_t octet;
        if (!read_decimal(str_cut(&text, '.'), 255, &octet))
            return false;
        out[i] = (uint8_t)octet;
    }
    return text.text == NULL; /* nothing behind the last one, not even a dot */
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One to four hexadecimal digits. */
static bool read_group(struct str text, uint8_t out[2])
{
    unsigned value = 0;

    if (text.size == 0 || text.size > 4)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        int digit = hex_value(text.text[i]);
        if (digit < 0)
            return false;
        value = value * 16 + (unsigned)digit;
    }
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return true;
}

/* Groups with a colon between them, the last perhaps as IPv4: an even number of bytes, 16 at most.
 *   returns   how many bytes, or -1. An empty text has none. */
static int read_groups(struct str text, uint8_t out[16])
{
    int size = 0;

    while (text.text) {
        struct str group = str_cut(&text, ':');
        bool last = !text.text;
        if (last && size <= 12 && read_octets(group, out + size))
            return size + 4;
        if (size > 14 || !read_group(group, out + size))
            return -1;
        size += 2;
    }
    return size;
}

/* The groups in front of "::" and those behind it, which are one and the same text without it. */
static bool read_ipv6(struct str text, struct ip *out)
{
    uint8_t back[16];
    const char *gap = text.size ? memmem(text.text, text.size, "::", 2) : NULL;

    *out = (struct ip){0};
    if (!gap)
        return read_groups(text, out->bytes) == 16;
    struct str before = {text.text, (size_t)(gap - text.text)};
    struct str behind = {gap + 2, text.size - before.size - 2};
    if (before.size && memchr(before.text, '.', before.size))
        return false; /* an IPv4 address ends it */
    int front_size = before.size ? read_groups(before, out->bytes) : 0;
    int back_size = behind.size ? read_groups(behind, back) : 0;
    if (front_size < 0 || back_size < 0 || front_size + back_size > 14)
        return false; /* "::" stands for one group at least */
    memcpy(out->bytes + 16 - back_size, back, (size_t)back_size);
    return true;
}

bool ip_read(struct str text, struct ip *out)
{
    uint8_t octets[4];

    if (!read_octets(text, octets))
        return read_ipv6(text, out);
    *out = ip_of_ipv4(octets);
    return true;
}

/* ---- networks ---- */

/* True when the first `prefix` bits of both are the same. */
static bool begins_alike(struct ip a, struct ip b, unsigned prefix)
{
    unsigned bytes = prefix / 8, bits = prefix % 8;

    return memcmp(a.bytes, b.bytes, bytes) == 0 &&
           (bits == 0 || (a.bytes[bytes] ^ b.bytes[bytes]) >> (8 - bits) == 0);
}

static struct ip first_of(struct ip ip, unsigned prefix)
{
    for (unsigned bit = prefix; bit < BITS; bit++)
        ip.bytes[bit / 8] &= (uint8_t)~(0x80u >> bit % 8);
    return ip;
}

static bool read_network(struct str text, struct ip *first, unsigned *prefix)
{
    uint64_t bits;
    struct str address = str_cut(&text, '/');

    if (!ip_read(address, first))
        return false;
    *prefix = BITS;
    if (!text.text)
        return true;
    bool ipv4 = !memchr(address.text, ':', address.size);
    if (!read_decimal(text, ipv4 ? BITS - MAPPED_PREFIX : BITS, &bits))
        return false;
    *prefix = (unsigned)bits + (ipv4 ? MAPPED_PREFIX : 0);
    return ip_equal(*first, first_of(*first, *prefix));
}

bool ip_networks_read(struct str list, struct ip_networks *out)
{
    out->count = 0;
    if (list.size == 0)
        return true;
    while (list.text) {
        struct str item = str_trim(str_cut(&list, ','));
        if (out->count == IP_NETWORKS_MAX ||
            !read_network(item, &out->items[out->count].first, &out->items[out->count].prefix))
            return false;
        out->count++;
    }
    return true;
}

bool ip_networks_have(const struct ip_networks *networks, struct ip ip)
{
    bool ipv4 = ip_is_ipv4(ip);

    for (size_t i = 0; i < networks->count; i++) {
        unsigned prefix = networks->items[i].prefix;
        if ((!ipv4 || prefix >= MAPPED_PREFIX) &&
            begins_alike(networks->items[i].first, ip, prefix))
            return true;
    }
    return false;
}
