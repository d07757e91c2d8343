/* operator: what the operator's plane is asked, and whether it does it. One table of what there is; a pure
 * function from a request to a decision. What it then says is in operator_json.h.
 * spec: docs/openapi.yaml (a test compares the table with it), docs/security.md R40 to R45. */
#ifndef ALOHA_OPERATOR_H
#define ALOHA_OPERATOR_H

#include "aloha/buf.h"
#include "aloha/hosts.h"
#include "aloha/limits.h"
#include "aloha/metrics.h"
#include "aloha/operator_auth.h"

enum {
    OPERATOR_TARGET_SIZE_MAX = 512, /* path and query */
    OPERATOR_BODY_SIZE_MAX = 64 * 1024,
    OPERATOR_LIST_MAX = 200,   /* rooms in one answer: a turn of the loop stays short */
    OPERATOR_REFUSAL_MS = 250, /* after which a 401 is said */
};

/* Who may ask for a row. */
enum operator_access {
    OPERATOR_FOR_ALL,
    OPERATOR_FOR_METRICS, /* with the token, or for all where the operator says so */
    OPERATOR_FOR_TOKEN,
};

/* Enumerator, method, path, access, whether it is written to the log, what it does. HEAD is taken where GET
 * is. {id} stands for one segment that is not empty. */
/* clang-format off */
#define OPERATOR_TABLE(X) \
    X(OPERATOR_HEALTH,        "GET",    "/healthz",           OPERATOR_FOR_ALL,     false, "Whether the loop turns")         \
    X(OPERATOR_READINESS,     "GET",    "/readyz",            OPERATOR_FOR_ALL,     false, "Whether to send people here")    \
    X(OPERATOR_METRICS,       "GET",    "/metrics",           OPERATOR_FOR_METRICS, false, "What was counted")               \
    X(OPERATOR_STATUS,        "GET",    "/api/v1/status",     OPERATOR_FOR_TOKEN,   false, "The server at a glance")         \
    X(OPERATOR_LIST_ROOMS,    "GET",    "/api/v1/rooms",      OPERATOR_FOR_TOKEN,   true,  "The rooms")                      \
    X(OPERATOR_SHOW_ROOM,     "GET",    "/api/v1/rooms/{id}", OPERATOR_FOR_TOKEN,   true,  "One room and who is in it")      \
    X(OPERATOR_CLOSE_ROOM,    "DELETE", "/api/v1/rooms/{id}", OPERATOR_FOR_TOKEN,   true,  "Close a room")                   \
    X(OPERATOR_REMOVE_PEER,   "DELETE", "/api/v1/peers/{id}", OPERATOR_FOR_TOKEN,   true,  "Remove a peer")                  \
    X(OPERATOR_SET_DRAIN,     "PUT",    "/api/v1/drain",      OPERATOR_FOR_TOKEN,   true,  "Refuse new rooms, or take them again") \
    X(OPERATOR_RELOAD,        "POST",   "/api/v1/reload",     OPERATOR_FOR_TOKEN,   true,  "Read certificate and token again")     \
    X(OPERATOR_SET_LOG_LEVEL, "PUT",    "/api/v1/log-level",  OPERATOR_FOR_TOKEN,   true,  "How much is logged")

/* Enumerator, status, code, what it says to a person. */
#define OPERATOR_FAULT_TABLE(X) \
    X(OPERATOR_BAD_REQUEST,     400, "bad-request",         "this is no request that this port takes")                      \
    X(OPERATOR_BAD_QUERY,       400, "bad-query",           "the query is not one of those that are known here")            \
    X(OPERATOR_BAD_BODY,        400, "bad-body",            "the body is not the JSON object that belongs here")            \
    X(OPERATOR_UNAUTHORIZED,    401, "unauthorized",        "the operator's token is needed: Authorization: Bearer TOKEN")  \
    X(OPERATOR_METRICS_CLOSED,  401, "no-token-configured", "this server has no operator's token and keeps its metrics closed; see --ops-token-file and --metrics-open") \
    X(OPERATOR_API_OFF,         403, "no-token-configured", "this server has no operator's token, so this is switched off; see --ops-token-file") \
    X(OPERATOR_ORIGIN,          403, "origin-refused",      "a web page has no business here")                              \
    X(OPERATOR_NOT_FOUND,       404, "not-found",           "there is no such thing here")                                  \
    X(OPERATOR_BAD_METHOD,      405, "method-not-allowed",  "this cannot be done here; Allow says what can")                \
    X(OPERATOR_BODY_TOO_BIG,    413, "body-too-big",        "a body has at most 65536 bytes")                               \
    X(OPERATOR_TARGET_TOO_LONG, 414, "target-too-long",     "path and query have at most 512 bytes")                        \
    X(OPERATOR_NOT_JSON,        415, "not-json",            "what changes something needs Content-Type: application/json")  \
    X(OPERATOR_MISDIRECTED,     421, "misdirected",         "this port is not called by that name; see --host")             \
    X(OPERATOR_THROTTLED,       429, "too-many-failures",   "too many wrong tokens came from your address; Retry-After says when to come again") \
    X(OPERATOR_OUT_OF_MEMORY,   503, "out-of-memory",       "there is no memory for this now")
/* clang-format on */

#define OPERATOR_ENUMERATOR(name, ...) name,
enum operator_action { OPERATOR_TABLE(OPERATOR_ENUMERATOR) OPERATOR_ACTION_COUNT };
enum operator_fault {
    OPERATOR_FINE,
    OPERATOR_FAULT_TABLE(OPERATOR_ENUMERATOR) OPERATOR_FAULT_COUNT
};
#undef OPERATOR_ENUMERATOR

struct operator_route {
    const char *method, *path;
    enum operator_access access;
    bool is_logged;
    const char *summary;
};
extern const struct operator_route operator_routes[OPERATOR_ACTION_COUNT]; /* by operator_action */

unsigned operator_fault_status(enum operator_fault fault);  /* 200 for OPERATOR_FINE */
const char *operator_fault_code(enum operator_fault fault); /* a released code never changes */
const char *operator_fault_text(enum operator_fault fault);

/* A request without its body, as it came. Everything is borrowed. Headers that did not come are empty. */
struct operator_request {
    struct str method;
    struct str target; /* path and query, escapes and all */
    struct str host, authorization, content_type, content_length;
    unsigned host_count, authorization_count, content_length_count;
    bool has_origin, has_transfer_encoding;
};

/* Who this server is, for the Host header. */
struct operator_policy {
    const struct hosts
        *hosts;          /* --host, for a port that is not of the loopback alone; may be NULL */
    struct str bound_to; /* the address it listens on, in digits; empty for a socket's file */
    bool metrics_open;
};

/* How much of the list of rooms to show. */
struct operator_list {
    bool ids;
    uint32_t limit; /* 1 to OPERATOR_LIST_MAX */
    uint64_t after; /* begin behind the room of that number; 0: with the first */
};

struct operator_decision {
    enum operator_fault fault; /* OPERATOR_FINE: do what the action says, once the body is there */
    enum operator_action action; /* OPERATOR_ACTION_COUNT: there is none */
    bool head_only;
    struct str id;             /* what stood for {id}; points into the target */
    struct operator_list list; /* of OPERATOR_LIST_ROOMS */
    size_t body_size;          /* that will follow; at most OPERATOR_BODY_SIZE_MAX */
    char allow[32];            /* of OPERATOR_BAD_METHOD */
    uint32_t retry_after_s;    /* of OPERATOR_THROTTLED */
};

/* Decides about a request when its head is there. Whoever shows no right token learns nothing but that,
 * not even whether there is such a path.
 *   auth  counts the failures of `from`. */
void operator_decide(struct operator_decision *out, const struct operator_policy *policy,
                     struct operator_auth *auth, const struct operator_request *request,
                     address_key from, uint64_t now_ms);

/* ---- readiness ---- */

/* Why people had better be sent elsewhere, as bits of a set. */
/* clang-format off */
#define READINESS_TABLE(X) \
    X(NOT_READY_STARTING,       "starting")            \
    X(NOT_READY_DRAINING,       "draining")            \
    X(NOT_READY_CORDONED,       "cordoned")            \
    X(NOT_READY_CONNECTIONS,    "connections-full")    \
    X(NOT_READY_ROOMS,          "rooms-full")          \
    X(NOT_READY_QUEUES,         "queues-full")         \
    X(NOT_READY_NO_DESCRIPTORS, "no-descriptors")      \
    X(NOT_READY_LAGGING,        "lagging")
/* clang-format on */

#define READINESS_ENUMERATOR(name, word) name,
enum not_ready { READINESS_TABLE(READINESS_ENUMERATOR) NOT_READY_COUNT };
#undef READINESS_ENUMERATOR

const char *not_ready_word(enum not_ready why);

/* The reasons that the numbers give: what is full. Bits by enum not_ready. */
uint32_t not_ready_by_load(const struct metrics *metrics, const struct limits *limits);

#endif
