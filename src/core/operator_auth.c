#include "aloha/operator_auth.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct str without_space(struct str text)
{
    while (text.size && is_space(text.text[0]))
        text = (struct str){text.text + 1, text.size - 1};
    while (text.size && is_space(text.text[text.size - 1]))
        text.size--;
    return text;
}

static bool can_be_carried(struct str token)
{
    static const char letters[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";

    for (size_t i = 0; i < token.size; i++)
        if (!memchr(letters, token.text[i], sizeof letters - 1))
            return false;
    return true;
}

static bool digest(uint8_t out[OPERATOR_DIGEST_SIZE], struct str token)
{
    return EVP_Digest(token.text, token.size, out, NULL, EVP_sha256(), NULL) == 1;
}

bool operator_token_make(struct operator_token *out, struct str text)
{
    struct operator_token made = {.is_set = true};
    struct str token = without_space(text);

    if (token.size < OPERATOR_TOKEN_SIZE_MIN || token.size > OPERATOR_TOKEN_SIZE_MAX ||
        !can_be_carried(token) || !digest(made.digest, token))
        return false;
    *out = made;
    return true;
}

uint32_t operator_token_id(const struct operator_token *token)
{
    const uint8_t *d = token->digest;
    return (uint32_t)d[0] << 24 | (uint32_t)d[1] << 16 | (uint32_t)d[2] << 8 | d[3];
}

/* ---- failures ---- */

static bool is_over(const struct operator_failures *failures, uint64_t now_ms)
{
    return !failures->count || now_ms - failures->since_ms >= OPERATOR_FAILURES_MS;
}

/* The place of that address; else a free one, else the one that began to fail longest ago: who comes from
 * so many addresses gains little, for a token cannot be guessed anyway. */
static struct operator_failures *find_place(struct operator_auth *auth, address_key from,
                                            uint64_t now_ms)
{
    struct operator_failures *best = &auth->failures[0];

    for (size_t i = 0; i < OPERATOR_ADDRESSES_MAX; i++) {
        struct operator_failures *at = &auth->failures[i];
        if (at->count && at->from == from)
            return at;
        if (is_over(best, now_ms))
            continue;
        if (is_over(at, now_ms) || at->since_ms < best->since_ms)
            best = at;
    }
    *best = (struct operator_failures){.from = from};
    return best;
}

static enum operator_verdict note_failure(struct operator_auth *auth, address_key from,
                                          uint64_t now_ms, uint32_t *retry_after_s)
{
    struct operator_failures *failures = find_place(auth, from, now_ms);

    if (is_over(failures, now_ms))
        *failures = (struct operator_failures){.from = from, .since_ms = now_ms};
    if (failures->count < OPERATOR_FAILURES_MAX) {
        failures->count++;
        return OPERATOR_STRANGER;
    }
    uint64_t wait_ms = failures->since_ms + OPERATOR_FAILURES_MS - now_ms;
    *retry_after_s = (uint32_t)((wait_ms + 999) / 1000);
    return OPERATOR_TOO_OFTEN;
}

/* RFC 6750 section 2.1, RFC 9110 section 11.1: the scheme in any case, blanks, the token. */
static struct str bearer_token(struct str authorization)
{
    struct str rest = without_space(authorization);
    struct str scheme = str_cut(&rest, ' ');

    return str_equal_nocase(scheme, STR("bearer")) ? without_space(rest) : (struct str){0};
}

enum operator_verdict operator_auth_judge(struct operator_auth *auth, address_key from,
                                          struct str authorization, uint64_t now_ms,
                                          uint32_t *retry_after_s)
{
    struct str shown = bearer_token(authorization);
    uint8_t shown_digest[OPERATOR_DIGEST_SIZE];

    if (auth->token.is_set && shown.size) {
        if (!digest(shown_digest, shown))
            return OPERATOR_NO_MEMORY;
        if (CRYPTO_memcmp(shown_digest, auth->token.digest, sizeof shown_digest) == 0)
            return OPERATOR_WELCOME;
    }
    return note_failure(auth, from, now_ms, retry_after_s);
}
