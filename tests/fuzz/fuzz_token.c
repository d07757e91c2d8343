/* Resume tokens. The first line is the room's id; a line that begins with '+' makes a token (any bytes stand
 * for what it says) and damages it at a place; the rest of any other line is read as a token.
 *
 *   ROOM
 *   +BYTES       the first 16 are the peer's id, 6 the process, 6 the time, then a place and a mask
 *   TEXT         a token to read
 *
 * What token_write() writes is read back as it was, in its own room and with its own key alone. Whatever is
 * good is spelled exactly as token_write() spells what it says; nothing else is good, and then *out is as it
 * was. */
#include "check.h"
#include "lines.h"

#include "aloha/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLAIM_SIZE = 28, MADE_MAX = 16 };

static const struct token_key key = {"the key of this server"},
                              other_key = {"the key of this servez"};

static uint64_t number_of(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < 6; i++)
        number = number << 8 | bytes[i];
    return number;
}

static struct token make_token(const uint8_t bytes[CLAIM_SIZE])
{
    struct token token = {.process = number_of(bytes + 16), .issued_s = number_of(bytes + 22)};
    char *at = token.peer_id;

    for (int i = 0; i < 16; i++)
        at += sprintf(at, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", bytes[i]);
    return token;
}

static bool is_equal(const struct token *a, const struct token *b)
{
    return strcmp(a->peer_id, b->peer_id) == 0 && a->process == b->process &&
           a->issued_s == b->issued_s;
}

/* Reads it from a copy of exactly its size, and holds the reader to what its header says. */
static bool is_good(const struct token_key *with, struct str room, struct str text,
                    struct token *out)
{
    struct token before, spelled;
    char again[TOKEN_SIZE + 1];

    memset(out, 0x5a, sizeof *out);
    before = *out;
    struct str copy = check_copy(text);
    enum token_verdict verdict = token_read(out, with, room, copy);
    CHECK(verdict == TOKEN_GOOD || verdict == TOKEN_FORGED);
    if (verdict == TOKEN_GOOD) {
        spelled = *out;
        CHECK(strlen(out->peer_id) == PEER_ID_SIZE);
        CHECK(token_write(again, with, room, &spelled));
        CHECK(str_equal(copy, str_of(again)));
    } else {
        CHECK(memcmp(&before, out, sizeof before) == 0);
    }
    free((char *)copy.text);
    return verdict == TOKEN_GOOD;
}

static void check_made(struct str room, struct str bytes)
{
    uint8_t claim[CLAIM_SIZE + 2] = {0};
    char text[TOKEN_SIZE + 1];
    struct token out;

    if (bytes.size)
        memcpy(claim, bytes.text, bytes.size < sizeof claim ? bytes.size : sizeof claim);
    struct token token = make_token(claim);
    CHECK(token_write(text, &key, room, &token) && strlen(text) == TOKEN_SIZE);
    CHECK(strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") ==
          TOKEN_SIZE);
    CHECK(is_good(&key, room, str_of(text), &out) && is_equal(&out, &token));
    CHECK(!is_good(&other_key, room, str_of(text), &out));
    CHECK(!is_good(&key, STR("another-room"), str_of(text), &out) ||
          str_equal(room, STR("another-room")));
    CHECK(!is_good(&key, room, (struct str){text, TOKEN_SIZE - 1}, &out));
    CHECK(!is_good(&key, room, (struct str){text, TOKEN_SIZE + 1}, &out));
    text[claim[CLAIM_SIZE] % TOKEN_SIZE] ^= (char)claim[CLAIM_SIZE + 1];
    CHECK(is_good(&key, room, str_of(text), &out) == (claim[CLAIM_SIZE + 1] == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str script = check_input(data, size), line;
    struct token out;

    if (!lines_take(&script, '\n', &line) || !room_id_is_valid(line))
        return 0;
    struct str room = line;
    for (unsigned i = 0; i < MADE_MAX && lines_take(&script, '\n', &line); i++) {
        if (line.size && line.text[0] == '+')
            check_made(room, (struct str){line.text + 1, line.size - 1});
        else
            CHECK(!is_good(&key, room, line, &out)); /* nobody guesses 256 bits */
    }
    return 0;
}
