/* err: everything a client can do wrong, and every code a WebSocket is closed with.
 *
 * Two tables. A wire name or a close code that was released never changes; the text may.
 * docs/protocol.md repeats both and a test compares. */
#ifndef ALOHA_ERR_H
#define ALOHA_ERR_H

#include "aloha/base.h"

/* Why a WebSocket is closed by us (RFC 6455 section 7.4; 4000 to 4999 are ours): code, short name, whether
 * the peer's seat is kept for it to come back to, reason. */
/* clang-format off */
#define CLOSE_TABLE(X)                                                                        \
    X(CLOSE_PROTOCOL,    1002, "protocol",     false, "a frame breaks RFC 6455")              \
    X(CLOSE_UNSUPPORTED, 1003, "unsupported",  false, "only text messages are understood")    \
    X(CLOSE_BAD_UTF8,    1007, "bad-utf8",     false, "the text is not valid UTF-8")          \
    X(CLOSE_POLICY,      1008, "policy",       false, "this server's limits were not kept")   \
    X(CLOSE_TOO_BIG,     1009, "too-big",      false, "the message is over maxMessageBytes")  \
    X(CLOSE_OUR_FAULT,   1011, "our-fault",    true,  "the server ran out of something")      \
    X(CLOSE_RESTART,     1012, "restart",      true,  "the server restarts, come back")       \
    X(CLOSE_SILENT,      1012, "silent",       true,  "nothing was heard for too long")       \
    X(CLOSE_OVERLOADED,  1013, "overloaded",   true,  "the server is full, try later")        \
    X(CLOSE_NO_JOIN,     4000, "no-join",      false, "no JoinRoom in time")                  \
    X(CLOSE_REPLACED,    4001, "replaced",     false, "a newer connection took this seat")    \
    X(CLOSE_SLOW,        4002, "slow",         false, "this connection does not read")        \
    X(CLOSE_UNAUTHORIZED, 4003, "unauthorized", false, "this server wants an access token")   \
    X(CLOSE_REMOVED,     4004, "removed",      false, "an operator ended this")

/* What an Error message says: wire code, why the socket is closed after it (0: it stays), text. */
#define ERR_TABLE(X)                                                                                \
    X(ERR_BAD_MESSAGE,      "bad-message",      0, "this is not a message of the protocol")         \
    X(ERR_UNKNOWN_TYPE,     "unknown-type",     0, "this server does not know that type")           \
    X(ERR_NOT_IN_ROOM,      "not-in-room",      0, "join a room first")                             \
    X(ERR_ALREADY_IN_ROOM,  "already-in-room",  0, "this connection is in a room already")          \
    X(ERR_BAD_ROOM_ID,      "bad-room-id",      0, "a room's name is 1 to 64 of A-Z a-z 0-9 . _ ~ -") \
    X(ERR_BAD_NAME,         "bad-name",         0, "a name is at most 64 printable characters")     \
    X(ERR_BAD_RESUME_TOKEN, "bad-resume-token", 0, "the resume token is not valid here")            \
    X(ERR_ROOM_FULL,        "room-full",        0, "the room has no free seat")                     \
    X(ERR_ROOM_LOCKED,      "room-locked",      0, "the room is locked")                            \
    X(ERR_HUB_FULL,         "hub-full",         0, "this server has no room left, try later")       \
    X(ERR_UNKNOWN_PEER,     "unknown-peer",     0, "nobody of that peerId is in your room")         \
    X(ERR_RATE_LIMITED,     "rate-limited",     0, "too much at once, slow down")                   \
    X(ERR_UNAUTHORIZED,     "unauthorized",     CLOSE_UNAUTHORIZED, "this server wants an access token") \
    X(ERR_NO_MEMORY,        "hub-full",         CLOSE_OVERLOADED, "this server has no room left, try later")
/* clang-format on */

#define CLOSE_ENUMERATOR(name, ...) name,
enum close_why { CLOSE_NONE, CLOSE_TABLE(CLOSE_ENUMERATOR) CLOSE_COUNT };
#undef CLOSE_ENUMERATOR

#define ERR_ENUMERATOR(name, wire, close, text) name,
enum err { OK, ERR_TABLE(ERR_ENUMERATOR) ERR_COUNT };
#undef ERR_ENUMERATOR

const char *err_wire_name(enum err err); /* "room-full"; "ok" for OK */
const char *err_text(enum err err);      /* for a person; constant, never made of input */
enum close_why err_close(enum err err);

uint16_t close_code(enum close_why why); /* 1000 for CLOSE_NONE */
bool close_keeps_seat(enum close_why why);
const char *close_name(enum close_why why);
const char *close_text(enum close_why why); /* the reason in the close frame; under 124 bytes */

#endif
