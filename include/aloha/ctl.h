/* ctl: `aloha ctl COMMAND`, as far as it needs no socket: from words to a request to the operator's plane, and from
 * its answer to what a person reads. ctl_run.h has the rest. */
#ifndef ALOHA_CTL_H
#define ALOHA_CTL_H

#include "aloha/http_reply.h"
#include "aloha/operator.h"

/* Name, argument, what it asks for, body (%s: the argument; NULL: none), what it does. */
/* clang-format off */
#define CTL_TABLE(X) \
    X("status",     "",       OPERATOR_STATUS,        NULL,                "Shows the server at a glance.")                                  \
    X("rooms",      "",       OPERATOR_LIST_ROOMS,    NULL,                "Lists the rooms; with --ids also how they are called.")          \
    X("room",       "ID",     OPERATOR_SHOW_ROOM,     NULL,                "Shows one room and who is in it.")                               \
    X("close-room", "ID",     OPERATOR_CLOSE_ROOM,    "{}",                "Closes a room for all who are in it.")                           \
    X("remove",     "PEER",   OPERATOR_REMOVE_PEER,   "{}",                "Removes a peer from its room; `room` shows who there is.")       \
    X("drain",      "on|off", OPERATOR_SET_DRAIN,     "{\"on\":%s}",       "Refuses new rooms, or takes them again; calls go on.")           \
    X("reload",     "",       OPERATOR_RELOAD,        "{}",                "Reads certificate and token again, as SIGHUP does.")             \
    X("log-level",  "LEVEL",  OPERATOR_SET_LOG_LEVEL, "{\"level\":\"%s\"}", "Logs error, warning, info or debug from now on.")               \
    X("health",     "",       OPERATOR_HEALTH,        NULL,                "Succeeds when the server is alive; for health checks.")          \
    X("ready",      "",       OPERATOR_READINESS,     NULL,                "Succeeds when people may be sent there; else tells why not.")    \
    X("metrics",    "",       OPERATOR_METRICS,       NULL,                "Shows the metrics.")
/* clang-format on */

struct ctl_command {
    const char *name, *argument;
    enum operator_action action;
    const char *body, *help;
};

/* What was asked for. */
struct ctl_call {
    const struct ctl_command *command; /* NULL: help was */
    const char *argument;              /* points into the words; NULL where there is none */
    bool ids, json;
    bool has_token; /* one was shown; set by who asks */
    uint64_t after; /* of the rooms: begin behind this one */
};

enum { CTL_PROBLEM_SIZE = 192, CTL_REQUEST_SIZE_MAX = 2048 };

/* Reads the words behind `aloha ctl`. What begins with -- and is not its own (--ids, --json, --help) is an option of the
 * server, with its value, and goes to `options`.
 *   options   room for argc words.
 *   returns   false with one line in problem. */
MUST_USE bool ctl_read(struct ctl_call *out, int argc, char *const argv[], char *options[],
                       int *option_count, char problem[CTL_PROBLEM_SIZE]);

void ctl_write_help(struct buf *out);

/* Writes the request.
 *   host   as the Host header has it.
 *   token  empty: none. */
void ctl_write_request(struct buf *out, const struct ctl_call *call, const char *host,
                       struct str token);

/* Writes what a person reads of a good answer; a list of rooms may come in parts, of which only the first has a head.
 *   returns   false when it is not what was asked for. When there are more rooms, call->after says how to go on; else it
 *             is 0. */
MUST_USE bool ctl_write_answer(struct buf *out, struct ctl_call *call,
                               const struct http_reply *reply, uint64_t now_s);

/* One line on what went wrong, for an answer that is none of 200. */
void ctl_write_refusal(char problem[CTL_PROBLEM_SIZE], const struct ctl_call *call,
                       const struct http_reply *reply);

#endif
