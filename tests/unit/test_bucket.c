/* bucket: a token bucket. */
#include "aloha/bucket.h"
#include "harness.h"

enum { T0 = 1000000 };

/* How many single tokens can be taken at that moment. */
static unsigned drain(struct bucket *bucket, struct bucket_rate rate, uint64_t now_ms)
{
    unsigned taken = 0;
    while (taken < 100000 && bucket_take(bucket, rate, 1, now_ms))
        taken++;
    return taken;
}

TEST(a_new_bucket_is_full_and_gives_its_burst_once)
{
    struct bucket_rate rate = {60, 5};
    struct bucket bucket;

    bucket_init(&bucket, rate, T0);
    EXPECT(bucket_is_full(&bucket, rate, T0));
    EXPECT_UINT(5, drain(&bucket, rate, T0));
    EXPECT(!bucket_is_full(&bucket, rate, T0));
}

TEST(tokens_come_at_the_rate_and_not_a_millisecond_early)
{
    struct bucket_rate rate = {60, 5}; /* one a second */
    struct bucket bucket;

    bucket_init(&bucket, rate, T0);
    EXPECT_UINT(5, drain(&bucket, rate, T0));
    EXPECT(!bucket_take(&bucket, rate, 1, T0 + 999));
    EXPECT(bucket_take(&bucket, rate, 1, T0 + 1000));
    EXPECT(!bucket_take(&bucket, rate, 1, T0 + 1999));
    EXPECT_UINT(2, drain(&bucket, rate, T0 + 3999));
}

TEST(a_slow_rate_loses_no_fraction_however_often_it_is_asked)
{
    struct bucket_rate rate = {1, 1}; /* one a minute */
    struct bucket bucket;
    unsigned taken = 0;

    bucket_init(&bucket, rate, T0);
    for (uint64_t ms = 0; ms <= 600000; ms++)
        taken += bucket_take(&bucket, rate, 1, T0 + ms);
    EXPECT_UINT(11, taken);
}

TEST(over_a_long_time_the_rate_holds)
{
    static const struct bucket_rate rates[] = {{7, 3}, {3000, 300}, {1200, 60}, {59999, 10}};

    for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
        struct bucket bucket;
        uint64_t taken = 0;
        bucket_init(&bucket, rates[i], T0);
        for (uint64_t ms = 0; ms <= 120000; ms += 3)
            taken += drain(&bucket, rates[i], T0 + ms);
        EXPECT_UINT(rates[i].burst + 2 * rates[i].per_minute, taken);
    }
}

TEST(it_never_holds_more_than_its_burst)
{
    struct bucket_rate rate = {60000, 7};
    struct bucket bucket;

    bucket_init(&bucket, rate, T0);
    EXPECT_UINT(7, drain(&bucket, rate, T0));
    EXPECT_UINT(7, drain(&bucket, rate, T0 + 1000000));
    EXPECT(bucket_is_full(&bucket, rate, T0 + 2000000));
}

TEST(a_refusal_takes_nothing)
{
    struct bucket_rate rate = {60, 10};
    struct bucket bucket;

    bucket_init(&bucket, rate, T0);
    EXPECT(bucket_take(&bucket, rate, 6, T0));
    EXPECT(!bucket_take(&bucket, rate, 5, T0));
    EXPECT_UINT(4, drain(&bucket, rate, T0));
}

TEST(a_time_that_goes_backwards_fills_nothing)
{
    struct bucket_rate rate = {60, 5};
    struct bucket bucket;

    bucket_init(&bucket, rate, T0);
    EXPECT_UINT(5, drain(&bucket, rate, T0));
    EXPECT(!bucket_take(&bucket, rate, 1, 0));
    EXPECT(!bucket_take(&bucket, rate, 1, T0 + 500));
    EXPECT(!bucket_take(&bucket, rate, 1, T0)); /* and the half token is not counted twice */
    EXPECT(!bucket_take(&bucket, rate, 1, T0 + 999));
    EXPECT(bucket_take(&bucket, rate, 1, T0 + 1000));
}

TEST(a_rate_of_zero_switches_the_limit_off)
{
    struct bucket_rate off = {0, 0};
    struct bucket bucket;

    bucket_init(&bucket, off, T0);
    EXPECT_UINT(100000, drain(&bucket, off, T0));
    EXPECT(bucket_take(&bucket, off, UINT32_MAX, T0));
    EXPECT(bucket_is_full(&bucket, off, T0));
    EXPECT_UINT(0, bucket_wait_ms(&bucket, off, 1000));
}

TEST(the_biggest_numbers_do_not_overflow)
{
    struct bucket_rate biggest = {UINT32_MAX, UINT32_MAX};
    struct bucket_rate slowest = {1, UINT32_MAX};
    struct bucket bucket;

    bucket_init(&bucket, biggest, 0);
    EXPECT(bucket_take(&bucket, biggest, UINT32_MAX, 0));
    EXPECT(!bucket_take(&bucket, biggest, 1, 0));
    EXPECT(bucket_take(&bucket, biggest, UINT32_MAX, UINT64_MAX));

    bucket_init(&bucket, slowest, 0);
    EXPECT(bucket_take(&bucket, slowest, UINT32_MAX, 0));
    EXPECT(!bucket_take(&bucket, slowest, 1, 59999));
    EXPECT(bucket_take(&bucket, slowest, 1, 60000));
    EXPECT(bucket_take(&bucket, slowest, UINT32_MAX, UINT64_MAX));
}

TEST(waiting_as_long_as_told_is_enough_and_one_less_is_not)
{
    struct dice dice = {1};

    for (int i = 0; i < 2000; i++) {
        struct bucket_rate rate = {1 + dice_below(&dice, 5000), 20};
        struct bucket bucket;
        bucket_init(&bucket, rate, T0);
        EXPECT(bucket_take(&bucket, rate, 1 + dice_below(&dice, 20), T0));
        uint32_t cost = 1 + dice_below(&dice, 20);
        uint64_t wait_ms = bucket_wait_ms(&bucket, rate, cost);
        if (wait_ms)
            EXPECT(!bucket_take(&bucket, rate, cost, T0 + wait_ms - 1));
        EXPECT(bucket_take(&bucket, rate, cost, T0 + wait_ms));
    }
}

TEST(full_again_means_full_and_not_almost)
{
    struct bucket_rate rate = {60, 3};
    struct bucket bucket;

    bucket_init(&bucket, rate, T0);
    EXPECT(bucket_take(&bucket, rate, 2, T0));
    EXPECT(!bucket_is_full(&bucket, rate, T0 + 1999));
    EXPECT(bucket_is_full(&bucket, rate, T0 + 2000));
    EXPECT_UINT(1, drain(&bucket, rate, T0)); /* asking has filled nothing */
}
