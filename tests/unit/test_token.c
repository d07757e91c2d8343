/* token: a proof that nobody can make without the key, nor use elsewhere. */
#include "aloha/token.h"
#include "harness.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>

static const struct token_key key = {"a key for these tests"};

static struct token make(void)
{
    return (struct token){.peer_id = "7d3c1f0a-52b6-4c9e-9a41-0e6f2b8d1c34",
                          .process = UINT64_C(0x0102030405f6),
                          .issued_s = 1800000000};
}

static const char *write_token(const char *room, struct token token)
{
    char text[TOKEN_SIZE + 1];
    return token_write(text, &key, str_of(room), &token) ? fmt("%s", text) : "";
}

static enum token_verdict read_token(struct token *out, const char *room, struct str text)
{
    return token_read(out, &key, str_of(room), text);
}

TEST(a_token_says_what_was_written)
{
    static const char *const rooms[] = {
        "a", "tea", "0123456789012345678901234567890123456789012345678901234567890123"};
    static const uint64_t numbers[] = {0, 1, 255, 256, UINT64_C(0xffffffffffff)};

    for (size_t r = 0; r < ARRAY_SIZE(rooms); r++) {
        for (size_t n = 0; n < ARRAY_SIZE(numbers); n++) {
            struct token token = make(), got;
            token.process = numbers[n];
            token.issued_s = numbers[ARRAY_SIZE(numbers) - 1 - n];
            const char *text = write_token(rooms[r], token);
            EXPECT_UINT(TOKEN_SIZE, strlen(text));
            EXPECT_UINT(TOKEN_GOOD, read_token(&got, rooms[r], str_of(text)));
            EXPECT_STR(token.peer_id, str_of(got.peer_id));
            EXPECT(got.process == token.process && got.issued_s == token.issued_s);
        }
    }
}

TEST(every_uuid_comes_back_as_it_was)
{
    struct dice dice = {5};

    for (int i = 0; i < 200; i++) {
        struct token token = make(), got;
        uint64_t a = dice_roll(&dice), b = dice_roll(&dice);
        snprintf(token.peer_id, sizeof token.peer_id, "%08x-%04x-%04x-%04x-%012llx",
                 (unsigned)(a >> 32), (unsigned)(a >> 16) & 0xffff, (unsigned)a & 0xffff,
                 (unsigned)(b >> 48), (unsigned long long)b & 0xffffffffffff);
        EXPECT_UINT(TOKEN_GOOD, read_token(&got, "tea", str_of(write_token("tea", token))));
        EXPECT_STR(token.peer_id, str_of(got.peer_id));
    }
}

/* The format is a promise to tokens that are out there: RFC 2104, RFC 4648 section 5, by other means. */
TEST(a_token_is_made_as_the_contract_says)
{
    static const uint8_t claim[28] = {0x7d, 0x3c, 0x1f, 0x0a, 0x52, 0xb6, 0x4c, 0x9e, 0x9a, 0x41,
                                      0x0e, 0x6f, 0x2b, 0x8d, 0x1c, 0x34, 0x01, 0x02, 0x03, 0x04,
                                      0x05, 0xf6, 0x00, 0x00, 0x6b, 0x49, 0xd2, 0x00};
    uint8_t said[21 + 1 + sizeof claim + 3] = "aloha resume token v1", raw[60];
    unsigned size = 32;
    unsigned char text[TOKEN_SIZE + 1];

    memcpy(said + 22, claim, sizeof claim);
    memcpy(said + 22 + sizeof claim, "tea", 3);
    memcpy(raw, claim, sizeof claim);
    EXPECT(HMAC(EVP_sha256(), key.bytes, sizeof key.bytes, said, sizeof said, raw + sizeof claim,
                &size));
    EXPECT_UINT(TOKEN_SIZE, EVP_EncodeBlock(text, raw, sizeof raw));
    for (size_t i = 0; i < TOKEN_SIZE; i++)
        text[i] = (unsigned char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    EXPECT_STR((const char *)text, str_of(write_token("tea", make())));
}

/* Each letter replaced by each other byte there is: also by letters that stand for the same bits elsewhere. */
TEST(no_token_survives_another_letter_anywhere)
{
    char text[TOKEN_SIZE + 1];
    struct token got = {.process = 99};

    for (size_t at = 0; at < TOKEN_SIZE; at++) {
        memcpy(text, write_token("tea", make()), sizeof text);
        char right = text[at];
        for (int c = 0; c < 256; c++) {
            if ((char)c == right)
                continue;
            text[at] = (char)c;
            EXPECT_THAT(read_token(&got, "tea", (struct str){text, TOKEN_SIZE}) == TOKEN_FORGED,
                        "byte %d at %zu", c, at);
        }
    }
    EXPECT_UINT(99, got.process); /* untouched */
    EXPECT_STR("", str_of(got.peer_id));
}

TEST(a_token_of_any_other_length_is_none)
{
    char text[TOKEN_SIZE + 20];
    struct token got;

    memset(text, 'A', sizeof text);
    memcpy(text, write_token("tea", make()), TOKEN_SIZE);
    for (size_t size = 0; size <= sizeof text; size++)
        EXPECT_UINT(size == TOKEN_SIZE ? TOKEN_GOOD : TOKEN_FORGED,
                    read_token(&got, "tea", (struct str){text, size}));
    EXPECT_UINT(TOKEN_FORGED, read_token(&got, "tea", (struct str){NULL, 0}));
    memcpy(text + TOKEN_SIZE, "==", 3);
    EXPECT_UINT(TOKEN_FORGED, read_token(&got, "tea", str_of(text)));
}

TEST(a_token_is_for_one_room_and_of_one_key)
{
    static const char *const others[] = {"te", "tea-", "Tea", "teb", "t", "coffee"};
    struct token_key other = key;
    struct token got;
    struct str text = str_of(write_token("tea", make()));

    for (size_t i = 0; i < ARRAY_SIZE(others); i++)
        EXPECT_UINT(TOKEN_FORGED, read_token(&got, others[i], text));
    for (size_t bit = 0; bit < 8 * TOKEN_KEY_SIZE; bit++) {
        other.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        EXPECT_UINT(TOKEN_FORGED, token_read(&got, &other, STR("tea"), text));
        other.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    EXPECT_UINT(TOKEN_GOOD, token_read(&got, &other, STR("tea"), text));
}

TEST(each_part_of_the_claim_makes_another_token)
{
    struct token token = make();
    const char *first = write_token("tea", token);

    token.process++;
    EXPECT(strcmp(first, write_token("tea", token)) != 0);
    token = make();
    token.issued_s++;
    EXPECT(strcmp(first, write_token("tea", token)) != 0);
    token = make();
    token.peer_id[0] = '0';
    EXPECT(strcmp(first, write_token("tea", token)) != 0);
    EXPECT(strcmp(first, write_token("tea", make())) == 0);
}

/* Out of memory is neither good nor forged: nobody is blamed for it. */
TEST(without_memory_a_token_is_neither_written_nor_judged)
{
    struct token token = make(), got;
    char text[TOKEN_SIZE + 1] = "", again[TOKEN_SIZE + 1];
    unsigned n = 0, refusals = 0;
    bool failed;

    do {
        fail_allocation(++n);
        bool written = token_write(text, &key, STR("tea"), &token);
        failed = allocation_has_failed();
        fail_allocation(0);
        EXPECT(written || failed);
        refusals += !written;
    } while (failed);
    EXPECT(refusals > 0);

    refusals = n = 0;
    do {
        fail_allocation(++n);
        enum token_verdict verdict = read_token(&got, "tea", str_of(text));
        failed = allocation_has_failed();
        fail_allocation(0);
        EXPECT(verdict == TOKEN_GOOD || (failed && verdict == TOKEN_NO_MEMORY));
        refusals += verdict != TOKEN_GOOD;
    } while (failed);
    EXPECT(refusals > 0);
    EXPECT(token_write(again, &key, STR("tea"), &token));
    EXPECT_STR(text, str_of(again));
}
