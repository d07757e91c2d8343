#include "aloha/token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

enum {
    UUID_BYTES = 16,
    NUMBER_BYTES = 6,
    CLAIM_SIZE = UUID_BYTES + 2 * NUMBER_BYTES,
    MAC_SIZE = 32,
    RAW_SIZE = CLAIM_SIZE + MAC_SIZE,
};

static const char label[] = "aloha resume token v1"; /* no other use of the key says the same */

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* RAW_SIZE is a multiple of three: no padding, and one spelling for each token. */
static void write_base64url(char out[TOKEN_SIZE + 1], const uint8_t raw[RAW_SIZE])
{
    for (size_t i = 0; i < RAW_SIZE; i += 3, out += 4) {
        uint32_t three = (uint32_t)raw[i] << 16 | (uint32_t)raw[i + 1] << 8 | raw[i + 2];
        for (int k = 0; k < 4; k++)
            out[k] = letters[three >> (18 - 6 * k) & 0x3f];
    }
    *out = '\0';
}

static bool read_base64url(uint8_t out[RAW_SIZE], struct str text)
{
    if (text.size != TOKEN_SIZE)
        return false;
    for (size_t i = 0; i < TOKEN_SIZE; i += 4, out += 3) {
        uint32_t three = 0;
        for (size_t k = i; k < i + 4; k++) {
            const char *letter = text.text[k] ? strchr(letters, text.text[k]) : NULL;
            if (!letter)
                return false;
            three = three << 6 | (uint32_t)(letter - letters);
        }
        out[0] = (uint8_t)(three >> 16);
        out[1] = (uint8_t)(three >> 8);
        out[2] = (uint8_t)three;
    }
    return true;
}

static uint8_t nibble(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
}

static void pack_uuid(uint8_t out[UUID_BYTES], const char *uuid)
{
    for (size_t i = 0; i < UUID_BYTES; i++, uuid += 2) {
        if (*uuid == '-')
            uuid++;
        out[i] = (uint8_t)(nibble(uuid[0]) << 4 | nibble(uuid[1]));
    }
}

/* RFC 9562 section 4: 8-4-4-4-12. */
static void unpack_uuid(char out[PEER_ID_SIZE + 1], const uint8_t bytes[UUID_BYTES])
{
    for (size_t i = 0; i < UUID_BYTES; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *out++ = '-';
        *out++ = "0123456789abcdef"[bytes[i] >> 4];
        *out++ = "0123456789abcdef"[bytes[i] & 0xf];
    }
    *out = '\0';
}

static void pack_number(uint8_t out[NUMBER_BYTES], uint64_t number)
{
    for (int i = NUMBER_BYTES - 1; i >= 0; i--, number >>= 8)
        out[i] = (uint8_t)number;
}

static uint64_t unpack_number(const uint8_t bytes[NUMBER_BYTES])
{
    uint64_t number = 0;
    for (int i = 0; i < NUMBER_BYTES; i++)
        number = number << 8 | bytes[i];
    return number;
}

static bool make_mac(uint8_t out[MAC_SIZE], const struct token_key *key,
                     const uint8_t claim[CLAIM_SIZE], struct str room_id)
{
    uint8_t text[sizeof label + CLAIM_SIZE + ROOM_ID_SIZE_MAX];
    unsigned size = MAC_SIZE;

    memcpy(text, label, sizeof label);
    memcpy(text + sizeof label, claim, CLAIM_SIZE);
    memcpy(text + sizeof label + CLAIM_SIZE, room_id.text, room_id.size);
    return HMAC(EVP_sha256(), key->bytes, TOKEN_KEY_SIZE, text,
                sizeof label + CLAIM_SIZE + room_id.size, out, &size) != NULL;
}

bool token_write(char out[TOKEN_SIZE + 1], const struct token_key *key, struct str room_id,
                 const struct token *token)
{
    uint8_t raw[RAW_SIZE];

    pack_uuid(raw, token->peer_id);
    pack_number(raw + UUID_BYTES, token->process);
    pack_number(raw + UUID_BYTES + NUMBER_BYTES, token->issued_s);
    if (!make_mac(raw + CLAIM_SIZE, key, raw, room_id))
        return false;
    write_base64url(out, raw);
    return true;
}

enum token_verdict token_read(struct token *out, const struct token_key *key, struct str room_id,
                              struct str text)
{
    uint8_t raw[RAW_SIZE], mac[MAC_SIZE];

    if (!read_base64url(raw, text))
        return TOKEN_FORGED;
    if (!make_mac(mac, key, raw, room_id))
        return TOKEN_NO_MEMORY;
    if (CRYPTO_memcmp(mac, raw + CLAIM_SIZE, MAC_SIZE) != 0)
        return TOKEN_FORGED;
    unpack_uuid(out->peer_id, raw);
    out->process = unpack_number(raw + UUID_BYTES);
    out->issued_s = unpack_number(raw + UUID_BYTES + NUMBER_BYTES);
    return TOKEN_GOOD;
}
