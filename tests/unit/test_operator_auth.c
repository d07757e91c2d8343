/* operator_auth: who is let in, and when somebody has tried too often. */
#include "harness.h"

#include "aloha/operator_auth.h"

#define TOKEN "0123456789abcdef0123456789abcdef"

static struct operator_auth *make_auth(void)
{
    struct operator_auth *auth = calloc(1, sizeof *auth);
    if (!operator_token_make(&auth->token, STR(TOKEN "\n")))
        test_fail(__FILE__, __LINE__, "no token");
    return auth;
}

static enum operator_verdict judge(struct operator_auth *auth, address_key from,
                                   const char *authorization, uint64_t now_ms)
{
    uint32_t retry_after_s = 0;
    return operator_auth_judge(auth, from, str_of(authorization), now_ms, &retry_after_s);
}

TEST(a_token_is_long_enough_and_fits_into_a_header)
{
    char long_one[OPERATOR_TOKEN_SIZE_MAX + 2];
    memset(long_one, 'x', sizeof long_one);
    const struct {
        struct str text;
        bool good;
    } rows[] = {
        {STR(TOKEN), true},
        {STR("  " TOKEN "\r\n"), true},
        {STR("ABCabc012-._~+/=ABCabc012-._~+/="), true},
        {STR("0123456789abcdef0123456789abcde"), false},
        {STR("0123456789abcdef 0123456789abcdef"), false},
        {STR("0123456789abcdef\n0123456789abcdef"), false},
        {STR("0123456789abcdef0123456789abcde\xc3\xa9"), false},
        {STR("0123456789abcdef0123456789abcdef\0"), false},
        {STR(""), false},
        {STR("                                      "), false},
        {{long_one, OPERATOR_TOKEN_SIZE_MAX}, true},
        {{long_one, OPERATOR_TOKEN_SIZE_MAX + 1}, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct operator_token token = {.digest = {7}};
        EXPECT_THAT(operator_token_make(&token, rows[i].text) == rows[i].good, "row %zu", i);
        EXPECT_THAT(token.is_set == rows[i].good, "row %zu", i);
        EXPECT_THAT(rows[i].good || token.digest[0] == 7, "row %zu: it was touched", i);
    }
}

TEST(a_token_is_named_by_the_first_digits_of_its_digest)
{
    struct operator_token token;

    EXPECT(operator_token_make(&token, STR(TOKEN)));
    EXPECT_STR("3eb1bd43", str_of(fmt("%08x", operator_token_id(&token))));
}

TEST(without_memory_there_is_no_token_and_nobody_is_let_in)
{
    unsigned n = 0;
    bool failed;

    do {
        struct operator_auth *auth = make_auth();
        struct operator_token token = {0};
        fail_allocation(++n);
        bool made = operator_token_make(&token, STR(TOKEN));
        failed = allocation_has_failed();
        fail_allocation(n);
        enum operator_verdict verdict = judge(auth, 1, "Bearer " TOKEN, 0);
        bool failed_then = allocation_has_failed();
        fail_allocation(0);
        EXPECT(made == token.is_set && (made || failed));
        EXPECT(verdict == OPERATOR_WELCOME || (failed_then && verdict == OPERATOR_NO_MEMORY));
        failed |= failed_then;
        free(auth);
    } while (failed && !test_has_failed());
}

TEST(the_token_is_taken_in_the_spellings_of_rfc_6750_and_no_other)
{
    static const struct {
        const char *authorization;
        bool welcome;
    } rows[] = {
        {"Bearer " TOKEN, true},
        {"bearer " TOKEN, true},
        {"BEARER   " TOKEN "  ", true},
        {" Bearer " TOKEN, true},
        {"Bearer" TOKEN, false},
        {"Bearer", false},
        {"Bearer ", false},
        {TOKEN, false},
        {"", false},
        {"Basic " TOKEN, false},
        {"Bearer " TOKEN "x", false},
        {"Bearer 0123456789abcdef0123456789abcde", false},
        {"Bearer 0123456789ABCDEF0123456789ABCDEF", false},
        {"Bearer " TOKEN ", Bearer " TOKEN, false},
        {"Bearer x " TOKEN, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct operator_auth *auth = make_auth();
        enum operator_verdict verdict = judge(auth, 1, rows[i].authorization, 0);
        EXPECT_THAT(verdict == (rows[i].welcome ? OPERATOR_WELCOME : OPERATOR_STRANGER), "\"%s\"",
                    rows[i].authorization);
        free(auth);
    }
}

TEST(without_a_token_nobody_is_let_in)
{
    struct operator_auth *auth = calloc(1, sizeof *auth);

    EXPECT_UINT(OPERATOR_STRANGER, judge(auth, 1, "", 0));
    EXPECT_UINT(OPERATOR_STRANGER, judge(auth, 1, "Bearer " TOKEN, 0));
    EXPECT_UINT(OPERATOR_STRANGER, judge(auth, 1, "Bearer ", 0));
    free(auth);
}

TEST(ten_failures_in_half_an_hour_are_enough_and_are_forgotten_after_it)
{
    struct operator_auth *auth = make_auth();
    uint32_t retry_after_s = 0;

    for (unsigned i = 0; i < OPERATOR_FAILURES_MAX; i++)
        EXPECT_UINT(OPERATOR_STRANGER, judge(auth, 1, "Bearer x", 1000 + i));
    EXPECT_UINT(OPERATOR_TOO_OFTEN,
                operator_auth_judge(auth, 1, STR("Bearer x"), 2000, &retry_after_s));
    EXPECT_UINT(1799, retry_after_s);
    EXPECT_UINT(OPERATOR_TOO_OFTEN, operator_auth_judge(auth, 1, STR(""), 1800999, &retry_after_s));
    EXPECT_UINT(1, retry_after_s);
    EXPECT_UINT(OPERATOR_STRANGER, judge(auth, 2, "Bearer x", 2000));
    EXPECT_UINT(OPERATOR_STRANGER, judge(auth, 1, "Bearer x", 1801000));
    free(auth);
}

TEST(who_has_the_token_never_waits)
{
    struct operator_auth *auth = make_auth();

    for (unsigned i = 0; i < 3 * OPERATOR_FAILURES_MAX; i++)
        (void)judge(auth, 1, "Bearer x", 0);
    EXPECT_UINT(OPERATOR_TOO_OFTEN, judge(auth, 1, "Bearer x", 0));
    EXPECT_UINT(OPERATOR_WELCOME, judge(auth, 1, "Bearer " TOKEN, 0));
    EXPECT_UINT(OPERATOR_TOO_OFTEN, judge(auth, 1, "Bearer x", 0));
    free(auth);
}

TEST(more_addresses_than_there_is_place_for_push_the_oldest_out)
{
    struct operator_auth *auth = make_auth();

    for (unsigned i = 0; i < OPERATOR_FAILURES_MAX; i++) {
        (void)judge(auth, 1, "", 0);
        (void)judge(auth, 2, "", 1);
    }
    for (address_key from = 3; from <= OPERATOR_ADDRESSES_MAX; from++)
        EXPECT_UINT(OPERATOR_STRANGER, judge(auth, from, "", 2));
    EXPECT_UINT(OPERATOR_TOO_OFTEN, judge(auth, 1, "", 3));
    EXPECT_UINT(OPERATOR_STRANGER, judge(auth, 1000, "", 3));
    EXPECT_UINT(OPERATOR_TOO_OFTEN, judge(auth, 2, "", 3));
    EXPECT_UINT(OPERATOR_STRANGER, judge(auth, 1, "", 3));
    free(auth);
}
