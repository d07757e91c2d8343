/* siphash: SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash for tables whose keys a
 * stranger chooses. Nobody who does not know the key can make two room names meet in one chain. */
#ifndef ALOHA_SIPHASH_H
#define ALOHA_SIPHASH_H

#include "aloha/base.h"

struct siphash_key {
    uint64_t k0, k1;
};

uint64_t siphash(struct siphash_key key, const void *data, size_t size);

#endif
