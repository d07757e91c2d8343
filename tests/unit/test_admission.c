/* admission: how much one address may ask for. */
#include "aloha/admission.h"
#include "harness.h"

enum { T0 = 1000000 };

static const struct siphash_key key = {1, 2};

static struct limits limits_of(uint32_t connections, struct bucket_rate rate,
                               struct bucket_rate joins)
{
    return (
        struct limits){.connections_per_address = connections, .connections = rate, .joins = joins};
}

static address_key ipv4(uint8_t a, uint8_t b, uint8_t c, uint8_t d)
{
    return address_key_ipv4((const uint8_t[4]){a, b, c, d});
}

TEST(an_ipv4_address_counts_as_itself)
{
    EXPECT(ipv4(192, 0, 2, 1) == ipv4(192, 0, 2, 1));
    EXPECT(ipv4(192, 0, 2, 1) != ipv4(192, 0, 2, 2));
    EXPECT(ipv4(192, 0, 2, 1) != ipv4(193, 0, 2, 1));
}

TEST(an_ipv6_address_counts_as_its_64)
{
    uint8_t a[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 1}, b[16];

    memcpy(b, a, sizeof b);
    for (size_t bit = 0; bit < 128; bit++) {
        b[bit / 8] = (uint8_t)(b[bit / 8] ^ (0x80 >> bit % 8));
        bool same = address_key_ipv6(a) == address_key_ipv6(b);
        EXPECT_THAT(same == (bit >= 64), "bit %zu", bit);
        b[bit / 8] = a[bit / 8];
    }
}

TEST(a_mapped_address_counts_as_the_ipv4_address_that_it_is)
{
    uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 1};
    uint8_t other[16] = {[10] = 0xff, [11] = 0xff, [12] = 192, [13] = 0, [14] = 2, [15] = 2};

    EXPECT(address_key_ipv6(mapped) == ipv4(192, 0, 2, 1));
    EXPECT(address_key_ipv6(other) == ipv4(192, 0, 2, 2));
}

TEST(loopback_of_both_families_is_no_other_address)
{
    uint8_t loopback[16] = {[15] = 1};

    EXPECT(address_key_ipv6(loopback) != ipv4(127, 0, 0, 1));
    EXPECT(address_key_ipv6(loopback) != ipv4(0, 0, 0, 0));
}

TEST(an_address_has_its_share_of_connections_and_no_more)
{
    struct limits limits = limits_of(3, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1), b = ipv4(192, 0, 2, 2);

    for (int i = 0; i < 3; i++)
        EXPECT(admission_connect(admission, a, T0));
    EXPECT(!admission_connect(admission, a, T0));
    EXPECT(admission_connect(admission, b, T0));
    admission_disconnect(admission, a, T0);
    EXPECT(admission_connect(admission, a, T0));
    EXPECT(!admission_connect(admission, a, T0));
    admission_free(admission);
}

TEST(connections_come_at_the_rate)
{
    struct limits limits = limits_of(0, (struct bucket_rate){60, 5}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1);

    for (int i = 0; i < 5; i++)
        EXPECT(admission_connect(admission, a, T0));
    EXPECT(!admission_connect(admission, a, T0));
    admission_disconnect(admission, a, T0);
    EXPECT(!admission_connect(admission, a, T0 + 999)); /* closing one gives no time back */
    EXPECT(admission_connect(admission, a, T0 + 1000));
    EXPECT(!admission_connect(admission, a, T0 + 1000));
    admission_free(admission);
}

TEST(a_refusal_holds_no_connection)
{
    struct limits limits = limits_of(1, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1);

    EXPECT(admission_connect(admission, a, T0));
    for (int i = 0; i < 100; i++)
        EXPECT(!admission_connect(admission, a, T0));
    admission_disconnect(admission, a, T0);
    EXPECT(admission_connect(admission, a, T0));
    admission_free(admission);
}

TEST(zero_means_no_limit)
{
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1);

    for (int i = 0; i < 10000; i++) {
        EXPECT(admission_connect(admission, a, T0));
        EXPECT_UINT(0, admission_join(admission, a, T0));
    }
    admission_free(admission);
}

TEST(joins_come_at_the_rate_and_the_wait_is_told)
{
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){30, 30});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1), b = ipv4(192, 0, 2, 2);

    EXPECT(admission_connect(admission, a, T0) && admission_connect(admission, a, T0));
    EXPECT(admission_connect(admission, b, T0));
    for (int i = 0; i < 30; i++)
        EXPECT_UINT(0, admission_join(admission, a, T0));
    EXPECT_UINT(2000, admission_join(admission, a, T0));
    EXPECT_UINT(1, admission_join(admission, a, T0 + 1999));
    EXPECT_UINT(0, admission_join(admission, b, T0));
    EXPECT_UINT(0, admission_join(admission, a, T0 + 2000));
    admission_free(admission);
}

TEST(hanging_up_and_calling_again_does_not_refill_a_bucket)
{
    struct limits limits = limits_of(5, (struct bucket_rate){60, 3}, (struct bucket_rate){30, 2});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1);

    EXPECT(admission_connect(admission, a, T0));
    EXPECT_UINT(0, admission_join(admission, a, T0));
    EXPECT_UINT(0, admission_join(admission, a, T0));
    admission_disconnect(admission, a, T0);
    admission_sweep(admission, T0);
    EXPECT_UINT(1, admission_count(admission));
    EXPECT(admission_connect(admission, a, T0));
    EXPECT(admission_join(admission, a, T0) > 0);
    admission_free(admission);
}

TEST(the_sweep_forgets_who_has_nothing_open_and_nothing_to_answer_for)
{
    struct limits limits = limits_of(5, (struct bucket_rate){60, 3}, (struct bucket_rate){30, 2});
    struct admission *admission = admission_new(&limits, key);
    address_key stays = ipv4(192, 0, 2, 1), goes = ipv4(192, 0, 2, 2);

    EXPECT(admission_connect(admission, stays, T0));
    EXPECT(admission_connect(admission, goes, T0));
    admission_disconnect(admission, goes, T0);
    admission_sweep(admission, T0 + 999); /* its connection is not paid back yet */
    EXPECT_UINT(2, admission_count(admission));
    admission_sweep(admission, T0 + 1000);
    EXPECT_UINT(1, admission_count(admission));
    admission_sweep(admission, T0 + 1000000);
    EXPECT_UINT(1, admission_count(admission));

    admission_disconnect(admission, stays, T0 + 1000000);
    admission_sweep(admission, T0 + 1000000);
    EXPECT_UINT(0, admission_count(admission));
    admission_free(admission);
}

TEST(a_disconnect_too_many_does_no_harm)
{
    struct limits limits = limits_of(1, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1);

    admission_disconnect(admission, a, T0);
    EXPECT(admission_connect(admission, a, T0));
    admission_disconnect(admission, a, T0);
    admission_disconnect(admission, a, T0);
    EXPECT(admission_connect(admission, a, T0));
    EXPECT(!admission_connect(admission, a, T0));
    admission_free(admission);
}

TEST(the_table_of_addresses_has_an_end)
{
    struct limits limits = limits_of(1, (struct bucket_rate){60, 3}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);

    for (uint32_t n = 0; n < ADMISSION_ADDRESSES_MAX; n++)
        EXPECT(admission_connect(admission, n, T0));
    EXPECT(!admission_connect(admission, ADMISSION_ADDRESSES_MAX, T0));
    EXPECT_UINT(ADMISSION_ADDRESSES_MAX, admission_count(admission));
    EXPECT(!admission_connect(admission, 7, T0)); /* a known one gets its own answer */
    admission_disconnect(admission, 7, T0);
    EXPECT(admission_connect(admission, 7, T0 + 1000));
    admission_free(admission);
}

/* ---- forged tokens, SECURITY R39 ---- */

TEST(an_address_that_forges_waits_longer_each_time_up_to_a_limit)
{
    static const unsigned waits_ms[] = {1000, 2000, 4000, 8000, 16000, 25000, 25000};
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1), b = ipv4(192, 0, 2, 2);
    uint64_t now_ms = T0;

    EXPECT(admission_connect(admission, a, T0) && admission_connect(admission, b, T0));
    for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX - 1; i++) {
        admission_note_forged(admission, a, now_ms);
        EXPECT_UINT(0, admission_forged_wait(admission, a, now_ms));
    }
    for (size_t i = 0; i < ARRAY_SIZE(waits_ms); i++) {
        admission_note_forged(admission, a, now_ms);
        EXPECT_UINT(waits_ms[i], admission_forged_wait(admission, a, now_ms));
        EXPECT_UINT(1, admission_forged_wait(admission, a, now_ms + waits_ms[i] - 1));
        EXPECT_UINT(0, admission_forged_wait(admission, b, now_ms));
        now_ms += waits_ms[i];
        EXPECT_UINT(0, admission_forged_wait(admission, a, now_ms));
    }
    for (int i = 0; i < 1000; i++) /* and it stays there */
        admission_note_forged(admission, a, now_ms);
    EXPECT_UINT(25000, admission_forged_wait(admission, a, now_ms));
    admission_free(admission);
}

TEST(the_window_of_a_forger_begins_with_the_first_token_and_ends)
{
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1);

    EXPECT(admission_connect(admission, a, T0));
    admission_note_forged(admission, a, T0);
    for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX - 2; i++)
        admission_note_forged(admission, a, T0 + LIMIT_FORGED_WINDOW_MS - 1);
    admission_note_forged(admission, a, T0 + LIMIT_FORGED_WINDOW_MS); /* the first of a new one */
    EXPECT_UINT(0, admission_forged_wait(admission, a, T0 + LIMIT_FORGED_WINDOW_MS));
    for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX - 1; i++)
        admission_note_forged(admission, a, T0 + LIMIT_FORGED_WINDOW_MS);
    EXPECT_UINT(1000, admission_forged_wait(admission, a, T0 + LIMIT_FORGED_WINDOW_MS));
    admission_free(admission);
}

TEST(a_forger_is_remembered_for_the_window_after_hanging_up)
{
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1);

    EXPECT(admission_connect(admission, a, T0));
    for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX; i++)
        admission_note_forged(admission, a, T0);
    admission_disconnect(admission, a, T0);
    admission_sweep(admission, T0 + LIMIT_FORGED_WINDOW_MS - 1);
    EXPECT_UINT(1, admission_count(admission));
    admission_sweep(admission, T0 + LIMIT_FORGED_WINDOW_MS);
    EXPECT_UINT(0, admission_count(admission));
    admission_free(admission);
}

TEST(who_shows_few_forged_tokens_is_forgotten_with_the_rest)
{
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);
    address_key a = ipv4(192, 0, 2, 1);

    EXPECT(admission_connect(admission, a, T0));
    for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX - 1; i++)
        admission_note_forged(admission, a, T0);
    admission_disconnect(admission, a, T0);
    admission_sweep(admission, T0);
    EXPECT_UINT(0, admission_count(admission));
    admission_free(admission);
}

/* A /48 has 65536 /64s: whoever has one must not close the door to all others. */
TEST(forgers_from_very_many_addresses_shut_nobody_out)
{
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);

    EXPECT(admission_connect(admission, 1, T0)); /* it stays, and so it is not forgotten */
    for (uint32_t n = 2; n <= ADMISSION_ADDRESSES_MAX; n++) {
        EXPECT(admission_connect(admission, n, T0));
        for (int i = 0; i < LIMIT_FORGED_TOKENS_MAX; i++)
            admission_note_forged(admission, n, T0);
        admission_disconnect(admission, n, T0);
    }
    admission_sweep(admission, T0 + 1000);
    EXPECT_UINT(ADMISSION_ADDRESSES_MAX, admission_count(admission));
    EXPECT(admission_connect(admission, ADMISSION_ADDRESSES_MAX + 1, T0 + 1000));
    EXPECT_UINT(ADMISSION_ADDRESSES_MAX, admission_count(admission));
    EXPECT_UINT(0, admission_forged_wait(admission, 2, T0)); /* the one known longest has gone */
    EXPECT(admission_forged_wait(admission, 3, T0) > 0);
    admission_free(admission);
}

TEST(of_an_address_that_is_not_known_nothing_is_noted)
{
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);

    for (int i = 0; i < 100; i++)
        admission_note_forged(admission, 7, T0);
    EXPECT_UINT(0, admission_forged_wait(admission, 7, T0));
    EXPECT_UINT(0, admission_count(admission));
    admission_free(admission);
}

TEST(without_memory_a_newcomer_is_refused_and_the_known_are_not)
{
    struct limits limits = limits_of(0, (struct bucket_rate){0, 0}, (struct bucket_rate){0, 0});
    struct admission *admission = admission_new(&limits, key);

    for (address_key n = 0; n < 700; n++) {
        for (unsigned fails = 1;; fails++) {
            fail_allocation(fails);
            bool connected = admission_connect(admission, n, T0);
            bool failed = allocation_has_failed();
            fail_allocation(0);
            if (connected)
                break;
            EXPECT(failed);
            EXPECT_UINT(n, admission_count(admission));
        }
        EXPECT_UINT(n + 1, admission_count(admission));
    }
    for (address_key n = 0; n < 700; n++) {
        fail_allocation(1);
        EXPECT(admission_connect(admission, n, T0));
        admission_disconnect(admission, n, T0);
        admission_disconnect(admission, n, T0);
    }
    fail_allocation(0);
    admission_sweep(admission, T0);
    EXPECT_UINT(0, admission_count(admission));
    admission_free(admission);

    fail_allocation(1);
    EXPECT_NULL(admission_new(&limits, key));
    admission_free(NULL);
}
