#include "aloha/bucket.h"

static uint64_t level_at(const struct bucket *bucket, struct bucket_rate rate, uint64_t now_ms)
{
    uint64_t full = (uint64_t)rate.burst * BUCKET_TOKEN;
    if (now_ms <= bucket->filled_ms || rate.per_minute == 0)
        return bucket->level;
    uint64_t passed_ms = now_ms - bucket->filled_ms;
    if (passed_ms >= full / rate.per_minute + 1)
        return full;
    uint64_t level = bucket->level + passed_ms * rate.per_minute;
    return level < full ? level : full;
}

void bucket_init(struct bucket *bucket, struct bucket_rate rate, uint64_t now_ms)
{
    *bucket = (struct bucket){.level = (uint64_t)rate.burst * BUCKET_TOKEN, .filled_ms = now_ms};
}

bool bucket_take(struct bucket *bucket, struct bucket_rate rate, uint32_t cost, uint64_t now_ms)
{
    if (rate.per_minute == 0)
        return true;
    bucket->level = level_at(bucket, rate, now_ms);
    if (now_ms > bucket->filled_ms)
        bucket->filled_ms = now_ms;
    uint64_t price = (uint64_t)cost * BUCKET_TOKEN;
    if (bucket->level < price)
        return false;
    bucket->level -= price;
    return true;
}

bool bucket_is_full(const struct bucket *bucket, struct bucket_rate rate, uint64_t now_ms)
{
    return level_at(bucket, rate, now_ms) == (uint64_t)rate.burst * BUCKET_TOKEN;
}

uint64_t bucket_wait_ms(const struct bucket *bucket, struct bucket_rate rate, uint32_t cost)
{
    uint64_t price = (uint64_t)cost * BUCKET_TOKEN;
    if (rate.per_minute == 0 || bucket->level >= price)
        return 0;
    return (price - bucket->level + rate.per_minute - 1) / rate.per_minute;
}
