/* limits: how much anybody may ask of this server.
 *
 * One table. From each row come a field of struct limits, an option with its bounds (config.h), a
 * member of RoomJoined's `limits` when clients should know, and a row of the documentation. */
#ifndef ALOHA_LIMITS_H
#define ALOHA_LIMITS_H

#include "aloha/bucket.h"
#include "aloha/buf.h"

/* How an option counts, and how many of the field's bytes or milliseconds that is. */
/* clang-format off */
#define UNIT_TABLE(X)                       \
    X(UNIT_NONE,        "",            1)   \
    X(UNIT_CONNECTIONS, "connections", 1)   \
    X(UNIT_ROOMS,       "rooms",       1)   \
    X(UNIT_PEERS,       "peers",       1)   \
    X(UNIT_MESSAGES,    "messages",    1)   \
    X(UNIT_JOINS,       "joins",       1)   \
    X(UNIT_LEVELS,      "levels",      1)   \
    X(UNIT_VALUES,      "values",      1)   \
    X(UNIT_PER_SECOND,  "a second",    1)   \
    X(UNIT_PER_MINUTE,  "a minute",    1)   \
    X(UNIT_KIB,         "KiB",         1024)        \
    X(UNIT_KIB_SECOND,  "KiB a second", 1024)       \
    X(UNIT_MIB,         "MiB",         1024 * 1024) \
    X(UNIT_SECONDS,     "s",           1000)

/* Field, option, member of RoomJoined.limits (bytes, seconds or a number; "" for none), unit,
 * default, least, most, what it is, what exceeding it gets. */
#define LIMIT_TABLE(X)                                                                                          \
    X(message_size_max, "message-max", "maxMessageBytes", UNIT_KIB, 64, 9, 1024,                               \
      "Size of one message, over all its fragments.", "closed 1009")                                            \
    X(json_depth_max, "json-depth-max", "maxDepth", UNIT_LEVELS, 16, 4, 64,                                     \
      "Nested arrays and objects in one message.", "bad-message")                                             \
    X(json_values_max, "json-values-max", "maxValues", UNIT_VALUES, 512, 16, 2048,                              \
      "Members of objects and elements of arrays in one message, together.", "bad-message")                   \
    X(messages_per_s, "rate-messages", "messagesPerSecond", UNIT_PER_SECOND, 50, 0, 100000,                     \
      "Messages of one connection; an invalid one and a JoinRoom count as five. 0 for no limit.",               \
      "dropped, rate-limited; closed 1008 after 500 in 10 s")                                                 \
    X(messages_burst, "burst-messages", "messagesBurst", UNIT_MESSAGES, 300, 10, 1000000,                       \
      "How many of them at once.", "as rate-messages")                                                        \
    X(bytes_per_s, "rate-bytes", "bytesPerSecond", UNIT_KIB_SECOND, 256, 0, 65536,                              \
      "Message bytes of one connection. 0 for no limit.", "as rate-messages")                                 \
    X(bytes_burst, "burst-bytes", "bytesBurst", UNIT_KIB, 2048, 1, 65536,                                       \
      "How much of that at once; at least one message of the largest size.", "as rate-messages")              \
    X(joins_per_minute, "rate-joins", "joinsPerMinute", UNIT_PER_MINUTE, 30, 0, 1000000,                        \
      "JoinRoom messages of one address, resumed seats not counted. 0 for no limit.", "rate-limited")         \
    X(joins_burst, "burst-joins", "joinsBurst", UNIT_JOINS, 30, 1, 1000000,                                     \
      "How many of them at once.", "rate-limited")                                                            \
    X(room_peers_max, "room-peers-max", "maxParticipants", UNIT_PEERS, 12, 1, 50,                               \
      "Peers in one room, and as many who knock. Each sends to each other one: a mesh wants small rooms.",      \
      "room-full")                                                                                            \
    X(rooms_max, "rooms-max", "maxRooms", UNIT_ROOMS, 10000, 1, 1000000,                                                \
      "Rooms with somebody in them.", "hub-full")                                                             \
    X(resume_ms, "resume-seconds", "resumeSeconds", UNIT_SECONDS, 30, 0, 3600,                                  \
      "How long a seat is kept for a peer whose connection broke. 0 keeps none.", "UserLeft to the others")   \
    X(backlog_messages_max, "backlog-messages", "maxBacklogMessages", UNIT_MESSAGES, 64, 1, 4096,                                 \
      "What is kept for a peer who is away.", "rate-limited to the sender")                                   \
    X(backlog_size_max, "backlog-max", "maxBacklogBytes", UNIT_KIB, 256, 1, 16384,                                             \
      "The same in bytes; a message of the largest size always fits.", "rate-limited to the sender")                                                  \
    X(backlogs_size_max, "backlogs-max", "maxBacklogsBytes", UNIT_MIB, 32, 1, 1024,                                             \
      "What is kept for all who are away or knock, together.", "rate-limited to the sender, hub-full to who knocks") \
    X(join_deadline_ms, "join-deadline", "joinSeconds", UNIT_SECONDS, 10, 1, 3600,                              \
      "From the WebSocket's handshake to its first JoinRoom.", "closed 4000")                                   \
    X(ping_after_ms, "ping-after", "heartbeatSeconds", UNIT_SECONDS, 20, 1, 3600,                               \
      "Silence after which a connection is pinged.", "a ping")                                                  \
    X(gone_after_ms, "gone-after", "goneSeconds", UNIT_SECONDS, 45, 2, 7200,                                    \
      "Silence after which a connection counts as lost.", "closed 1012, the seat is kept")                      \
    X(queue_size_max, "queue-max", "maxQueueBytes", UNIT_KIB, 1024, 64, 65536,                                  \
      "What may wait for a connection that does not read.", "closed 4002")                                      \
    X(queue_messages_max, "queue-messages", "maxQueueMessages", UNIT_MESSAGES, 256, 0, 65536,                   \
      "Messages that may wait for a connection while its socket is full; 23 for each other one in a room "       \
      "always may. 0 for no limit.", "closed 4002")                                                             \
    X(queues_size_max, "queues-max", "maxQueuesBytes", UNIT_MIB, 128, 1, 4095,                                                \
      "What may wait for all connections together; from three quarters of it on nobody can join.", "the slowest is closed 4002")     \
    X(connections_max, "connections-max", "maxConnections", UNIT_CONNECTIONS, 10000, 1, 1000000,                              \
      "Open connections in all. Lowered to what the descriptor limit allows.", "accepted and closed")           \
    X(connections_per_address, "connections-per-address", "maxConnectionsPerAddress", UNIT_CONNECTIONS, 100, 0, 1000000,                \
      "Open connections of one IPv4 address or IPv6 /64. 0 for no limit.", "accepted and closed; through a trusted proxy 429") \
    X(connections_per_s, "rate-connections", "connectionsPerSecond", UNIT_PER_SECOND, 20, 0, 100000,                                \
      "New connections of one address. 0 for no limit.", "accepted and closed; through a trusted proxy 429")    \
    X(connections_burst, "burst-connections", "connectionsBurst", UNIT_CONNECTIONS, 60, 1, 1000000,                             \
      "How many of them at once.", "accepted and closed; through a trusted proxy 429")                          \
    X(drain_ms, "drain-grace", "drainSeconds", UNIT_SECONDS, 10, 0, 300,                                                    \
      "Over how long the clients are sent away when the server ends.", "closed 1012")
/* clang-format on */

#define UNIT_ENUMERATOR(unit, text, scale) unit,
enum unit { UNIT_TABLE(UNIT_ENUMERATOR) UNIT_COUNT };
#undef UNIT_ENUMERATOR

struct limits {
#define LIMIT_FIELD(field, ...) uint32_t field; /* a number, bytes or milliseconds */
    LIMIT_TABLE(LIMIT_FIELD)
#undef LIMIT_FIELD

    /* Made of the fields above by limits_derive(). */
    struct bucket_rate connections; /* new ones, an address */
    struct bucket_rate joins;       /* JoinRoom, an address */
    struct bucket_rate messages;    /* a connection */
    struct bucket_rate bytes;       /* a connection */
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
    LIMIT_ICE_PER_MINUTE = 6,       /* RefreshIceServers of one connection */
    LIMIT_MESH_MESSAGES = 23, /* that each sends to one who joins: an offer and its candidates */
    LIMIT_FORGED_TOKENS_MAX = 10, /* of one address in LIMIT_FORGED_WINDOW_MS; then it waits ... */
    LIMIT_FORGED_WINDOW_MS = 30 * 60 * 1000,
    LIMIT_FORGED_WAIT_MAX_MS = 25000,      /* ... longer each time, up to this (SECURITY R39) */
    LIMIT_TOKEN_AGE_MAX_S = 7 * 24 * 3600, /* of a token that another process gave out */
};

/* What nobody has set. */
void limits_init(struct limits *limits);

/* Makes the rates, and what is set together work together: a message of the allowed size fits its
 * sender's rate and, in its envelope, its receiver's queue or backlog. Called when all fields are set. */
void limits_derive(struct limits *limits);

/* Writes the JSON object that RoomJoined carries as `limits`. */
void limits_write_json(const struct limits *limits, struct buf *out);

/* Writes the table that docs/protocol.md has of them, in Markdown. */
void limits_write_markdown(struct buf *out);

/* One row, for the table of options and for documentation. */
struct limit_row {
    const char *option, *member;
    size_t offset; /* of the field in struct limits */
    enum unit unit;
    uint32_t def, min, max; /* in that unit, as all that a person sets */
    const char *help, *exceeding;
};

#define LIMIT_ENUMERATOR(field, ...) LIMIT_OF_##field,
enum { LIMIT_TABLE(LIMIT_ENUMERATOR) LIMITS_COUNT };
#undef LIMIT_ENUMERATOR
extern const struct limit_row limit_rows[LIMITS_COUNT];

uint32_t limits_field(const struct limits *limits, const struct limit_row *row);
/* True for a limit that was switched off. */
bool limits_is_off(const struct limits *limits, const struct limit_row *row);

const char *unit_text(enum unit unit);
uint32_t unit_scale(enum unit unit); /* an option's 1 is so much in the field */

#endif
