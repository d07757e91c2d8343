/* token: the resume token, a peer's proof that a seat is its own.
 *
 * It is all the state there is of a peer that is away: a server that was killed and started again, or
 * another one with the same key, knows from it whom it has before it. What it says is not secret, but
 * nobody without the key can make one, nor use one for another room.
 *
 *   80 characters of base64url (RFC 4648 section 5) for 60 bytes:
 *   peer id (16) | process (6) | issued, seconds since 1970 (6) | HMAC-SHA256 (32, RFC 2104)
 *   The HMAC is over a label, those 28 bytes and the room's id. */
#ifndef ALOHA_TOKEN_H
#define ALOHA_TOKEN_H

#include "aloha/message.h"

enum { TOKEN_SIZE = 80, TOKEN_KEY_SIZE = 32 };

struct token_key {
    uint8_t bytes[TOKEN_KEY_SIZE];
};

struct token {
    char peer_id[PEER_ID_SIZE + 1]; /* a UUID, lower case */
    uint64_t process;               /* 48 bits: which process gave it out */
    uint64_t issued_s;              /* 48 bits: wall clock */
};

/* Writes the token and its NUL.
 *   returns  false when there is no memory. */
MUST_USE bool token_write(char out[TOKEN_SIZE + 1], const struct token_key *key, struct str room_id,
                          const struct token *token);

enum token_verdict { TOKEN_GOOD, TOKEN_FORGED, TOKEN_NO_MEMORY };

/* Reads a token that was given out for that room. The comparison takes the same time wherever the
 * bytes differ.
 *   text     any bytes.
 *   returns  TOKEN_FORGED for whatever was not made with this key for this room: *out is then
 *            untouched. Its age is the caller's business. */
MUST_USE enum token_verdict token_read(struct token *out, const struct token_key *key,
                                       struct str room_id, struct str text);

#endif
