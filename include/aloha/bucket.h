/* bucket: a token bucket. Tokens drip in at a steady rate; what somebody does takes some out. */
#ifndef ALOHA_BUCKET_H
#define ALOHA_BUCKET_H

#include "aloha/base.h"

enum { BUCKET_TOKEN = 60000 };

struct bucket_rate {
    uint32_t per_minute; /* tokens a minute; 0 switches the limit off */
    uint32_t burst;      /* how many it holds at most, and at the start */
};

struct bucket {
    uint64_t level;     /* tokens left, in 1/BUCKET_TOKEN of one: what drips in a millisecond at 1 a
                           minute */
    uint64_t filled_ms; /* when level was last brought up to date */
};

void bucket_init(struct bucket *bucket, struct bucket_rate rate, uint64_t now_ms);

/* Takes `cost` tokens.
 *   returns   true when they were there; false leaves the bucket as it was. A time that goes
 *             backwards fills nothing. */
MUST_USE bool bucket_take(struct bucket *bucket, struct bucket_rate rate, uint32_t cost,
                          uint64_t now_ms);

/* True when the bucket is as full as it gets: forgetting it then changes nothing. */
bool bucket_is_full(const struct bucket *bucket, struct bucket_rate rate, uint64_t now_ms);

/* How long until `cost` tokens will be there, in milliseconds, rounded up. 0 when the limit is off.
 */
uint64_t bucket_wait_ms(const struct bucket *bucket, struct bucket_rate rate, uint32_t cost);

#endif
