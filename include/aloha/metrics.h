/* metrics: what this server has counted, in Prometheus' text format.
 * No label ever holds a room, a peer, an address or anything else that a client chose. */
#ifndef ALOHA_METRICS_H
#define ALOHA_METRICS_H

#include "aloha/buf.h"
#include "aloha/message.h"

/* One row a number: enumerator, name, type, help. */
/* clang-format off */
#define METRIC_TABLE(X)                                                                                       \
    X(METRIC_CONNECTIONS,       "aloha_connections",                 "gauge",   "Open TCP connections on the public port.")          \
    X(METRIC_CONNECTIONS_TOTAL, "aloha_connections_total",           "counter", "Accepted TCP connections.")                         \
    X(METRIC_REFUSED_ADDRESS,   "aloha_refused_address_total",       "counter", "Connections closed because their address had too many.") \
    X(METRIC_REFUSED_FULL,      "aloha_refused_full_total",          "counter", "Connections closed because the server had too many.") \
    X(METRIC_REFUSED_ORIGIN,    "aloha_refused_origin_total",        "counter", "WebSockets refused because another page asked for them.") \
    X(METRIC_HEAD_LOOKS,        "aloha_head_looks_total",            "counter", "Looks at the beginning of a request: one, or one more for each part it came in.") \
    X(METRIC_WEBSOCKETS,        "aloha_websockets",                  "gauge",   "Open WebSockets.")                                  \
    X(METRIC_ROOMS,             "aloha_rooms",                       "gauge",   "Rooms with somebody in them.")                      \
    X(METRIC_PEERS,             "aloha_peers",                       "gauge",   "Peers in rooms.")                                   \
    X(METRIC_JOINS_TOTAL,       "aloha_joins_total",                 "counter", "Peers that joined a room.")                         \
    X(METRIC_SEATS_HELD,        "aloha_seats_held",                  "gauge",   "Seats kept for peers whose connection broke.")      \
    X(METRIC_KNOCKS,            "aloha_knocks",                      "gauge",   "Peers waiting at locked rooms.")                    \
    X(METRIC_RESUMES,           "aloha_resumes_total",               "counter", "Seats taken again with a resume token.")            \
    X(METRIC_RESUMES_REFUSED,   "aloha_resumes_refused_total",       "counter", "Resume tokens that were refused.")                  \
    X(METRIC_BACKLOG_BYTES,     "aloha_backlog_bytes",               "gauge",   "Bytes kept for peers who are away or knock.")       \
    X(METRIC_RECEIVED_BYTES,    "aloha_received_bytes_total",        "counter", "Bytes of WebSocket messages received.")             \
    X(METRIC_SENT_BYTES,        "aloha_sent_bytes_total",            "counter", "Bytes of WebSocket frames sent.")                   \
    X(METRIC_SENT_MESSAGES,     "aloha_sent_messages_total",         "counter", "WebSocket messages sent.")                          \
    X(METRIC_RATE_DROPPED,      "aloha_rate_dropped_total",          "counter", "Messages dropped by a rate limit.")                 \
    X(METRIC_QUEUE_BYTES,       "aloha_queue_bytes",                 "gauge",   "Bytes waiting for readers.")                        \
    X(METRIC_QUEUE_HIGH_BYTES,  "aloha_queue_high_bytes",            "gauge",   "Most bytes that ever waited for one reader.")       \
    X(METRIC_HTTP_2XX,          "aloha_http_2xx_total",              "counter", "HTTP answers with a status of 200 to 299.")         \
    X(METRIC_HTTP_3XX,          "aloha_http_3xx_total",              "counter", "HTTP answers with a status of 300 to 399.")         \
    X(METRIC_HTTP_4XX,          "aloha_http_4xx_total",              "counter", "HTTP answers with a status of 400 to 499.")         \
    X(METRIC_HTTP_5XX,          "aloha_http_5xx_total",              "counter", "HTTP answers with a status of 500 to 599.")         \
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

struct metrics {
    uint64_t values[METRIC_COUNT];
    uint64_t messages[MESSAGE_TYPE_COUNT]; /* received and decoded, by type */
    uint64_t errors[ERR_COUNT];            /* Error messages sent, by code */
    uint64_t closes[CLOSE_COUNT];          /* WebSockets that we closed, by reason */
};

/* Writes all of them as Prometheus text format 0.0.4 (docs/operations.md lists them). */
void metrics_write(const struct metrics *metrics, struct buf *out);

#endif
