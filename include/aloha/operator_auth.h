/* operator_auth: who may ask what the operator's plane keeps to itself. One token, of which only the
 * digest is kept; and for whoever shows wrong ones, an end (docs/security.md R41, R42). */
#ifndef ALOHA_OPERATOR_AUTH_H
#define ALOHA_OPERATOR_AUTH_H

#include "aloha/admission.h"
#include "aloha/str.h"

enum {
    OPERATOR_TOKEN_SIZE_MIN = 32, /* bytes as they are written */
    OPERATOR_TOKEN_SIZE_MAX = 1024,
    OPERATOR_DIGEST_SIZE = 32,
    OPERATOR_FAILURES_MAX = 10, /* of one address in OPERATOR_FAILURES_MS, then 429 */
    OPERATOR_FAILURES_MS = 30 * 60 * 1000,
    OPERATOR_ADDRESSES_MAX = 256, /* whose failures are counted at once */
};

/* What is compared with: the digest of the token, SHA-256. */
struct operator_token {
    bool is_set;
    uint8_t digest[OPERATOR_DIGEST_SIZE];
};

/* Reads a token as it stands in its file: white space around it does not count.
 *   returns   false, with *out as it was, when it is shorter or longer than the sizes above, holds what a
 *             header cannot carry (RFC 6750 section 2.1: letters, digits and -._~+/=), or there is no
 *             memory. */
MUST_USE bool operator_token_make(struct operator_token *out, struct str text);

/* The first eight hex digits of the digest, as a number: names a token without telling it. */
uint32_t operator_token_id(const struct operator_token *token);

/* What an address has got wrong lately. */
struct operator_failures {
    address_key from;
    uint32_t count; /* 0: this place is free */
    uint64_t since_ms;
};

struct operator_auth {
    struct operator_token token; /* not set: nobody is let in */
    struct operator_failures failures[OPERATOR_ADDRESSES_MAX];
};

enum operator_verdict {
    OPERATOR_WELCOME,   /* the token is right, whatever its address has got wrong before */
    OPERATOR_STRANGER,  /* no token, or a wrong one */
    OPERATOR_TOO_OFTEN, /* the same, and not for the first time */
    OPERATOR_NO_MEMORY, /* it could not be told */
};

/* Judges the value of an Authorization header; empty when there was none.
 *   from          whose failure it is.
 *   retry_after_s of OPERATOR_TOO_OFTEN: when its failures will be forgotten; else untouched. */
MUST_USE enum operator_verdict operator_auth_judge(struct operator_auth *auth, address_key from,
                                                   struct str authorization, uint64_t now_ms,
                                                   uint32_t *retry_after_s);

#endif
