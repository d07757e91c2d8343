#include "aloha/admission.h"

#include "aloha/hash.h"

#include <stdlib.h>
#include <string.h>

struct address {
    address_key key;
    uint32_t connections;
    struct bucket connecting;
    struct bucket joining;
    uint32_t forged; /* tokens since forged_since_ms */
    uint64_t forged_since_ms;
    uint64_t forged_until_ms; /* no further one before that */
    UT_hash_handle hh;
};

struct admission {
    const struct limits *limits; /* borrowed */
    struct siphash_key key;
    struct address *addresses; /* the table's head; owned */
};

struct admission *admission_new(const struct limits *limits, struct siphash_key key)
{
    struct admission *admission = calloc(1, sizeof *admission);
    if (admission)
        *admission = (struct admission){.limits = limits, .key = key};
    return admission;
}

void admission_free(struct admission *admission)
{
    struct address *address, *next;

    if (!admission)
        return;
    HASH_ITER (hh, admission->addresses, address, next) {
        HASH_DEL(admission->addresses, address);
        free(address);
    }
    free(admission);
}

address_key address_key_ipv4(const uint8_t address[4])
{
    uint64_t key = 0;
    for (int i = 0; i < 4; i++)
        key = key << 8 | address[i];
    return UINT64_C(0xffff) << 32 |
           key; /* as ::ffff:a.b.c.d ends; no /64 of IPv6 sources begins 0000:ffff */
}

address_key address_key_ipv6(const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    uint64_t key = 0;

    if (memcmp(address, mapped, sizeof mapped) == 0)
        return address_key_ipv4(address + 12);
    for (int i = 0; i < 8; i++)
        key = key << 8 | address[i];
    return key;
}

static unsigned hash_of(const struct admission *admission, address_key key)
{
    return (unsigned)siphash(admission->key, &key, sizeof key);
}

static struct address *find(struct admission *admission, address_key key)
{
    struct address *address = NULL;
    HASH_FIND_BYHASHVALUE(hh, admission->addresses, &key, sizeof key, hash_of(admission, key),
                          address);
    return address;
}

/* Forgets the address that has been known longest and has nothing open: whoever comes from many
 * addresses must not close the door to all others. */
static bool make_room(struct admission *admission)
{
    struct address *address, *next;

    HASH_ITER (hh, admission->addresses, address, next) {
        if (address->connections)
            continue;
        HASH_DEL(admission->addresses, address);
        free(address);
        return true;
    }
    return false;
}

static struct address *add(struct admission *admission, address_key key, uint64_t now_ms)
{
    if (HASH_COUNT(admission->addresses) >= ADMISSION_ADDRESSES_MAX && !make_room(admission))
        return NULL;
    struct address *address = calloc(1, sizeof *address);
    if (!address)
        return NULL;
    address->key = key;
    bucket_init(&address->connecting, admission->limits->connections, now_ms);
    bucket_init(&address->joining, admission->limits->joins, now_ms);

    bool added = true;
    HASH_ADD_BYHASHVALUE(hh, admission->addresses, key, sizeof address->key,
                         hash_of(admission, key), address);
    if (!added) {
        free(address);
        return NULL;
    }
    return address;
}

bool admission_connect(struct admission *admission, address_key from, uint64_t now_ms)
{
    const struct limits *limits = admission->limits;
    struct address *address = find(admission, from);

    if (!address)
        address = add(admission, from, now_ms);
    if (!address)
        return false;
    if (limits->connections_per_address && address->connections >= limits->connections_per_address)
        return false;
    if (!bucket_take(&address->connecting, limits->connections, 1, now_ms))
        return false;
    address->connections++;
    return true;
}

void admission_disconnect(struct admission *admission, address_key from, uint64_t now_ms)
{
    struct address *address = find(admission, from);

    (void)now_ms;
    if (address && address->connections)
        address->connections--;
}

uint64_t admission_join(struct admission *admission, address_key from, uint64_t now_ms)
{
    struct address *address = find(admission, from);

    if (!address || bucket_take(&address->joining, admission->limits->joins, 1, now_ms))
        return 0;
    return bucket_wait_ms(&address->joining, admission->limits->joins, 1);
}

static bool is_forging(const struct address *address, uint64_t now_ms)
{
    return address->forged && now_ms - address->forged_since_ms < LIMIT_FORGED_WINDOW_MS;
}

void admission_note_forged(struct admission *admission, address_key from, uint64_t now_ms)
{
    struct address *address = find(admission, from);

    if (!address)
        return;
    if (!is_forging(address, now_ms)) {
        address->forged = 0;
        address->forged_since_ms = now_ms;
    }
    if (++address->forged < LIMIT_FORGED_TOKENS_MAX)
        return;
    unsigned doublings = address->forged - LIMIT_FORGED_TOKENS_MAX;
    uint64_t wait_ms = doublings < 5 ? UINT64_C(1000) << doublings : LIMIT_FORGED_WAIT_MAX_MS;
    address->forged_until_ms = now_ms + wait_ms;
}

uint64_t admission_forged_wait(struct admission *admission, address_key from, uint64_t now_ms)
{
    const struct address *address = find(admission, from);
    return address && address->forged_until_ms > now_ms ? address->forged_until_ms - now_ms : 0;
}

void admission_sweep(struct admission *admission, uint64_t now_ms)
{
    const struct limits *limits = admission->limits;
    struct address *address, *next;

    HASH_ITER (hh, admission->addresses, address, next) {
        bool waits = is_forging(address, now_ms) && address->forged >= LIMIT_FORGED_TOKENS_MAX;
        if (address->connections || waits ||
            !bucket_is_full(&address->connecting, limits->connections, now_ms) ||
            !bucket_is_full(&address->joining, limits->joins, now_ms))
            continue;
        HASH_DEL(admission->addresses, address);
        free(address);
    }
}

size_t admission_count(const struct admission *admission)
{
    return HASH_COUNT(admission->addresses);
}
