/* limits: how much anybody may ask of this server. Every number is an option (config.h). */
#ifndef ALOHA_LIMITS_H
#define ALOHA_LIMITS_H

#include "aloha/bucket.h"

struct limits {
    uint32_t connections_max;         /* WebSockets and page requests together */
    uint32_t connections_per_address; /* an address is an IPv4 address or an IPv6 /64 */
    struct bucket_rate connections;   /* new ones, an address */
    struct bucket_rate joins;         /* JoinRoom, an address */
    struct bucket_rate messages;      /* messages, a connection; an invalid one costs five */
    struct bucket_rate bytes;         /* bytes of messages, a connection */
    uint32_t message_size_max;        /* bytes of one message, over all its fragments */
    uint32_t queue_size_max;          /* bytes that wait for one slow reader */
    uint32_t queues_size_max;         /* bytes that wait for all of them */
    uint32_t rooms_max;
    uint32_t room_peers_max;
    uint32_t join_deadline_ms; /* from the handshake to JoinRoom */
    uint32_t ping_after_ms;    /* of silence */
    uint32_t gone_after_ms;    /* of silence */
};

/* Numbers that nobody needs to turn. */
enum {
    LIMIT_HELLO_SIZE_MAX = 8192, /* docs/protocol.md, JoinRoom */
    LIMIT_BAD_MESSAGES_MAX = 10, /* then 1008 */
    LIMIT_BAD_MESSAGE_COST = 5,  /* tokens */
    LIMIT_JOIN_COST = 5,         /* tokens: a join is told to everyone in the room */
    LIMIT_RATE_DROPS_MAX = 500,  /* messages dropped in LIMIT_RATE_WINDOW_MS, then 1008 */
    LIMIT_RATE_WINDOW_MS = 10000,
    LIMIT_RATE_ERROR_EVERY_MS = 1000, /* at most one `rate-limited` in that time */
    LIMIT_CLOCK_STEP_MAX_MS = 2000, /* a longer gap between two ticks was ours, not the clients' */
};

#endif
