/* metrics: what this server has counted, in Prometheus' text format.
 * No label ever holds a room, a peer, an address or anything else that a client chose: each takes its values
 * from a table, and all of them together are at most METRIC_SERIES_MAX series (SECURITY R44). */
#ifndef ALOHA_METRICS_H
#define ALOHA_METRICS_H

#include "aloha/buf.h"
#include "aloha/message.h"

enum { METRIC_SERIES_MAX = 300 };

/* ---- single numbers, one row each: enumerator, name, type, help ---- */
/* clang-format off */
#define METRIC_TABLE(X)                                                                                       \
    X(METRIC_CONNECTIONS,       "aloha_connections",                 "gauge",   "Open TCP connections on the public port.")          \
    X(METRIC_CONNECTIONS_TOTAL, "aloha_connections_total",           "counter", "Accepted TCP connections.")                         \
    X(METRIC_REFUSED_ORIGIN,    "aloha_refused_origin_total",        "counter", "WebSockets refused because another page asked for them.") \
    X(METRIC_HEAD_LOOKS,        "aloha_head_looks_total",            "counter", "Looks at the beginning of a request: one, or one more for each part it came in.") \
    X(METRIC_WEBSOCKETS,        "aloha_websockets",                  "gauge",   "Open WebSockets.")                                  \
    X(METRIC_ROOMS,             "aloha_rooms",                       "gauge",   "Rooms with somebody in them.")                      \
    X(METRIC_PEERS,             "aloha_peers",                       "gauge",   "Peers in rooms, those who are away included.")      \
    X(METRIC_SEATS_HELD,        "aloha_seats_held",                  "gauge",   "Seats kept for peers whose connection broke.")      \
    X(METRIC_KNOCKS,            "aloha_knocks",                      "gauge",   "Peers waiting at locked rooms.")                    \
    X(METRIC_JOINS_TOTAL,       "aloha_joins_total",                 "counter", "Peers that joined a room.")                         \
    X(METRIC_RESUMES,           "aloha_resumes_total",               "counter", "Seats taken again with a resume token.")            \
    X(METRIC_RESUMES_REFUSED,   "aloha_resumes_refused_total",       "counter", "Resume tokens that were refused.")                  \
    X(METRIC_REMOVED_PEERS,     "aloha_removed_peers_total",         "counter", "Peers that an operator removed, alone or with their room.") \
    X(METRIC_CLOSED_ROOMS,      "aloha_closed_rooms_total",          "counter", "Rooms that an operator closed.")                    \
    X(METRIC_CORDONED,          "aloha_cordoned",                    "gauge",   "1 while an operator wants no new rooms, else 0.")   \
    X(METRIC_RECEIVED_BYTES,    "aloha_received_bytes_total",        "counter", "Bytes of WebSocket messages received.")             \
    X(METRIC_SENT_MESSAGES,     "aloha_sent_messages_total",         "counter", "WebSocket messages sent.")                          \
    X(METRIC_SENT_BYTES,        "aloha_sent_bytes_total",            "counter", "Bytes of WebSocket frames sent.")                   \
    X(METRIC_SIGNALS_RELAYED,   "aloha_signals_relayed_total",       "counter", "Signals passed on at once; not those kept for who is away.") \
    X(METRIC_QUEUE_BYTES,       "aloha_queue_bytes",                 "gauge",   "Bytes waiting for readers, all together.")          \
    X(METRIC_QUEUE_HIGH_BYTES,  "aloha_queue_high_water_bytes",      "gauge",   "Most bytes that ever waited for one reader.")       \
    X(METRIC_BACKLOG_BYTES,     "aloha_backlog_bytes",               "gauge",   "Bytes kept for peers who are away or knock.")                   \
    X(METRIC_TLS_HANDSHAKES,    "aloha_tls_handshakes_total",        "counter", "TLS handshakes that were completed.")               \
    X(METRIC_TLS_HANDSHAKE_FAILURES, "aloha_tls_handshake_failures_total", "counter", "TLS handshakes that failed or took too long.") \
    X(METRIC_TLS_RELOADS,       "aloha_tls_reloads_total",           "counter", "Times that the certificate was replaced.")          \
    X(METRIC_TLS_RELOAD_FAILURES, "aloha_tls_reload_failures_total", "counter", "Times that a new certificate was refused.")         \
    X(METRIC_TLS_EXPIRY,        "aloha_tls_certificate_expiry_seconds", "gauge", "When the certificate expires, in seconds since 1970; 0 without TLS.") \
    X(METRIC_SANDBOX_LANDLOCK,  "aloha_sandbox_landlock_abi",        "gauge",   "Version of landlock that confines this process; 0: none.") \
    X(METRIC_SANDBOX_SECCOMP,   "aloha_sandbox_seccomp",             "gauge",   "1 when system calls are filtered.")                 \
    X(METRIC_SANDBOX_ROOT,      "aloha_sandbox_root",                "gauge",   "1 when this process runs as root.")
/* clang-format on */

#define METRIC_ENUMERATOR(id, name, type, help) id,
enum metric { METRIC_TABLE(METRIC_ENUMERATOR) METRIC_COUNT };
#undef METRIC_ENUMERATOR

/* ---- families: one name, and a number for each value of its labels ---- */
/* clang-format off */

/* Enumerator, name, type, labels, help. */
#define METRIC_FAMILY_TABLE(X)                                                                                \
    X(FAMILY_MESSAGES,  "aloha_messages_received_total",   "counter", "type, verdict",                        \
      "WebSocket messages received, by what became of them: accepted, dropped for their sender's rate, or an error's code.") \
    X(FAMILY_ERRORS,    "aloha_errors_sent_total",         "counter", "code",                                 \
      "Error messages sent.")                                                                                 \
    X(FAMILY_DROPS,     "aloha_messages_dropped_total",    "counter", "reason",                               \
      "Messages that reached nobody: over the sender's rate, for a full backlog, for a reader that was closed as too slow, or for a connection that ended first.") \
    X(FAMILY_CLOSES,    "aloha_websockets_closed_total",   "counter", "reason",                               \
      "WebSockets that this server closed.")                                                                  \
    X(FAMILY_REFUSED,   "aloha_connections_refused_total", "counter", "reason",                               \
      "Connections refused: their address has too many, the server has, no request came in time, or there was no memory.") \
    X(FAMILY_HTTP,      "aloha_http_responses_total",      "counter", "stage, code",                          \
      "Answers to HTTP requests: at the door, before the library reads them; for pages; for WebSockets, where 101 is one that opened.") \
    X(FAMILY_LOG,       "aloha_log_lines_dropped_total",   "counter", "",                                     \
      "Lines of the log that its rate limit or a full pipe has cost.")                                         \
    X(FAMILY_LOOP_LAG,  "aloha_loop_lag_seconds",          "histogram", "",                                   \
      "How late the loop came to its task of every second.")                                                  \
    X(FAMILY_RELAY,     "aloha_relay_latency_seconds",     "histogram", "",                                   \
      "From when the loop took the first message of a turn to when it gave that turn's Signals to the kernel.")

/* Why a message reached nobody. */
#define DROP_TABLE(X)                           \
    X(DROP_RATE,       "rate")                  \
    X(DROP_BACKLOG,    "backlog")               \
    X(DROP_SLOW,       "slow-reader")           \
    X(DROP_ENDED,      "connection-ended")

/* Why a connection was refused. */
#define REFUSAL_TABLE(X)                        \
    X(REFUSED_ADDRESS, "address")               \
    X(REFUSED_FULL,    "full")                  \
    X(REFUSED_LATE,    "late")                  \
    X(REFUSED_MEMORY,  "memory")

/* Who answers a request. */
#define STAGE_TABLE(X)                          \
    X(STAGE_DOOR,      "door")                  \
    X(STAGE_PAGE,      "page")                  \
    X(STAGE_WEBSOCKET, "websocket")

/* The statuses that are told apart, and at which stages each is foreseen; all else is "other". */
#define STATUS_TABLE(X)                                                     \
    X(101, HAS(STAGE_WEBSOCKET))                                            \
    X(200, HAS(STAGE_PAGE))                                                 \
    X(302, HAS(STAGE_PAGE))                                                 \
    X(304, HAS(STAGE_PAGE))                                                 \
    X(308, HAS(STAGE_DOOR))                                                 \
    X(400, HAS(STAGE_DOOR) | HAS(STAGE_PAGE) | HAS(STAGE_WEBSOCKET))        \
    X(403, HAS(STAGE_WEBSOCKET))                                            \
    X(404, HAS(STAGE_PAGE))                                                 \
    X(405, HAS(STAGE_DOOR) | HAS(STAGE_PAGE))                               \
    X(414, HAS(STAGE_DOOR))                                                 \
    X(421, HAS(STAGE_DOOR) | HAS(STAGE_PAGE) | HAS(STAGE_WEBSOCKET))        \
    X(426, HAS(STAGE_WEBSOCKET))                                            \
    X(429, HAS(STAGE_DOOR))                                                 \
    X(431, HAS(STAGE_DOOR))                                                 \
    X(505, HAS(STAGE_DOOR))
/* clang-format on */

#define FAMILY_ENUMERATOR(id, name, type, labels, help) id,
enum metric_family { METRIC_FAMILY_TABLE(FAMILY_ENUMERATOR) FAMILY_COUNT };
#undef FAMILY_ENUMERATOR

#define LABEL_ENUMERATOR(id, name) id,
enum drop { DROP_TABLE(LABEL_ENUMERATOR) DROP_COUNT };
enum refusal { REFUSAL_TABLE(LABEL_ENUMERATOR) REFUSAL_COUNT };
enum http_stage { STAGE_TABLE(LABEL_ENUMERATOR) STAGE_COUNT };
#undef LABEL_ENUMERATOR

#define STATUS_ENUMERATOR(status, stages) STATUS_##status,
enum { STATUS_TABLE(STATUS_ENUMERATOR) STATUS_OTHER, STATUS_COUNT };
#undef STATUS_ENUMERATOR

/* What became of a message: an enum err, OK for accepted, or this. */
enum { VERDICT_DROPPED = ERR_COUNT, VERDICT_COUNT };

/* What had no type that we know, or never came to be read. */
enum { MESSAGE_UNKNOWN = MESSAGE_TYPE_COUNT, MESSAGE_KIND_COUNT };

/* How long something took. Each value counts in the one bucket where it belongs. */
enum { HISTOGRAM_BUCKETS_MAX = 16 };
struct histogram {
    uint64_t counts[HISTOGRAM_BUCKETS_MAX + 1]; /* the last one in use: above all bounds */
    uint64_t sum_ns;
};

struct metrics {
    uint64_t values[METRIC_COUNT];
    uint64_t messages[MESSAGE_KIND_COUNT][VERDICT_COUNT]; /* received */
    uint64_t errors[ERR_COUNT];                           /* sent */
    uint64_t drops[DROP_COUNT];
    uint64_t closes[CLOSE_COUNT];
    uint64_t refused[REFUSAL_COUNT];
    uint64_t http[STAGE_COUNT][STATUS_COUNT];
    struct histogram loop_lag, relay;
    /* Writes more of them, which only the edge knows; NULL: there are none. */
    void (*write_more)(void *ctx, struct buf *out);
    void *write_more_ctx;
};

/* Whether a message of that type can have that verdict: all others have no series. */
bool metrics_verdict_is_foreseen(unsigned kind, unsigned verdict);

void metrics_count_http(struct metrics *metrics, enum http_stage stage, unsigned status);

/* `count` times it took ns nanoseconds. */
void metrics_add_loop_lag(struct metrics *metrics, uint64_t ns, uint64_t count);
void metrics_add_relay(struct metrics *metrics, uint64_t ns, uint64_t count);

/* Writes all of them as Prometheus text format 0.0.4 (docs/operations.md lists them). */
void metrics_write(const struct metrics *metrics, struct buf *out);

/* For whoever has numbers of another kind to write: the two lines above them. */
void metrics_write_head(struct buf *out, const char *name, const char *type, const char *help);

#endif
