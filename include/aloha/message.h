/* message: what a client may say, as one table; decoding a frame's text into slices of it.
 * spec: docs/protocol.md. */
#ifndef ALOHA_MESSAGE_H
#define ALOHA_MESSAGE_H

#include "aloha/err.h"
#include "aloha/json.h"
#include "aloha/str.h"

enum { PEER_ID_SIZE = 36 }; /* a UUID in text, RFC 9562 section 4 */

/* Members that messages from clients carry: their wire name and what JSON they must be.
 * MEMBER_ANY takes every value. */
/* clang-format off */
#define MEMBER_TABLE(X)                              \
    X(MEMBER_ROOM_ID,      "roomId",      MEMBER_STRING)  \
    X(MEMBER_NAME,         "name",        MEMBER_STRING)  \
    X(MEMBER_RESUME_TOKEN, "resumeToken", MEMBER_STRING)  \
    X(MEMBER_HELLO,        "hello",       MEMBER_ANY)     \
    X(MEMBER_PEER_ID,      "peerId",      MEMBER_STRING)  \
    X(MEMBER_MESSAGE,      "message",     MEMBER_ANY)     \
    X(MEMBER_LOCKED,       "locked",      MEMBER_BOOLEAN)

#define HAS(member) (1u << (member))

/* Types that clients send: wire name, members that must be there, members that may be. */
#define MESSAGE_TABLE(X)                                                                              \
    X(MESSAGE_JOIN_ROOM,           "JoinRoom",          HAS(MEMBER_ROOM_ID),                          \
      HAS(MEMBER_NAME) | HAS(MEMBER_RESUME_TOKEN) | HAS(MEMBER_HELLO))                                \
    X(MESSAGE_SIGNAL,              "Signal",            HAS(MEMBER_PEER_ID) | HAS(MEMBER_MESSAGE), 0) \
    X(MESSAGE_LEAVE_ROOM,          "LeaveRoom",         0, 0)                                         \
    X(MESSAGE_LOCK_ROOM,           "LockRoom",          HAS(MEMBER_LOCKED), 0)                        \
    X(MESSAGE_ADMIT,               "Admit",             HAS(MEMBER_PEER_ID), 0)                       \
    X(MESSAGE_DENY,                "Deny",              HAS(MEMBER_PEER_ID), 0)                       \
    X(MESSAGE_REFRESH_ICE_SERVERS, "RefreshIceServers", 0, 0)
/* clang-format on */

#define MEMBER_ENUMERATOR(name, wire, kind) name,
enum member { MEMBER_TABLE(MEMBER_ENUMERATOR) MEMBER_COUNT };
#undef MEMBER_ENUMERATOR

#define MESSAGE_ENUMERATOR(name, wire, required, optional) name,
enum message_type { MESSAGE_TABLE(MESSAGE_ENUMERATOR) MESSAGE_TYPE_COUNT };
#undef MESSAGE_ENUMERATOR

/* A decoded frame. Members are raw JSON text, quotes and all, and point into the frame; one that is
 * absent, or that this type does not have, has a NULL text. */
struct message {
    enum message_type type;
    struct str members[MEMBER_COUNT];
};

/* Decodes one frame.
 *   text      valid UTF-8.
 *   returns   OK; ERR_BAD_MESSAGE when text is not one JSON object within the limits of json.h, a
 *             member comes twice in whatever spelling, `type` or a needed member is missing or of
 *             the wrong JSON type; ERR_UNKNOWN_TYPE when all is well but the type.
 *   spec      docs/protocol.md; RFC 8259 section 4 on duplicate names. */
MUST_USE enum err message_decode_within(struct message *out, struct str text,
                                        struct json_bounds bounds);
/* The same within the usual bounds. */
MUST_USE enum err message_decode(struct message *out, struct str text);

const char *message_type_name(enum message_type type);

/* True for 1 to 64 of A-Z a-z 0-9 . _ ~ - that are not "." or "..". */
bool room_id_is_valid(struct str id);

enum { ROOM_ID_SIZE_MAX = 64 };

#endif
