/* One run of the load generator: its connections as participants ("seats") of rooms, and the modes,
 * each of which decides what the participants do and what is measured. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include "dialect.h"
#include "net.h"
#include "payload.h"
#include "stats.h"

enum {
    LOAD_OPENING_MAX =
        64,              /* connections not yet open at any time: fewer than any server's backlog */
    LOAD_SENT_RING = 256 /* messages of one seat on their way at any time */
};

struct load_options {
    const struct mode *mode;
    const struct dialect *dialect;
    uint32_t port;
    uint32_t server_pid; /* 0: no figures of the server's CPU and memory */
    uint32_t rooms;
    uint32_t room_size;   /* fanout */
    uint32_t payload;     /* bytes of a Signal's message */
    uint32_t outstanding; /* messages of each seat on their way at any time (relay) */
    uint32_t rate;        /* relays per second (paced) */
    uint32_t seconds;     /* that are measured */
    uint32_t warmup_ms;   /* that are not */
    uint32_t settle_ms;   /* between the last join and the look at memory (idle) */
};

/* A participant; the link of the same index is its connection. */
struct seat {
    char id[DIALECT_ID_SIZE]; /* empty until known */
    uint32_t room;
    bool ready;        /* connected, and the server ready to be asked for a room */
    bool joined;       /* the server acknowledged */
    bool told;         /* the other of a pair was announced to this one */
    uint64_t next_out; /* sequence number of the next Signal to send */
    uint64_t next_in;  /* and of the next to receive, */
    uint64_t seen;     /* with one bit for each of the 64 before it, the newest lowest */
    int64_t sent_ns[LOAD_SENT_RING];
};

struct load {
    const struct load_options *options;
    const struct dialect *dialect;
    const struct mode *mode;
    struct net net;
    struct seat *seats; /* owned, one for each link */
    struct payload payload;
    uint32_t ring_mask;     /* how much of sent_ns is in use: a power of two, less one */
    size_t body_hint;       /* where payload_find found the last body */
    uint32_t connect_limit; /* links up to this index are to be connected */
    uint32_t connected_up_to;
    uint32_t opening;
    uint32_t ready; /* seats that are */
    bool closing;   /* a closed connection is what we asked for */

    /* What must not happen. */
    uint64_t refused;   /* connections refused or cut by the server */
    uint64_t errors;    /* messages that say that something is wrong */
    uint64_t corrupted; /* bodies that changed on the way, or came from the wrong sender */
    uint64_t lost;      /* or, of an announcement: never came */
    uint64_t duplicated;
    uint64_t reordered;
};

/* What a mode does with events. Any of them may be NULL. */
struct mode {
    const char *name;
    const char *help;
    uint32_t (*link_count)(const struct load_options *options);
    bool needs_rooms; /* useless with a dialect that has none */
    void (*run)(struct load *load);
    void (*on_ready)(struct load *load, struct link *link);
    void (*on_news)(struct load *load, struct link *link, enum news news, struct slice id);
    void (*on_signal)(struct load *load, struct link *link, uint64_t sequence);
    void (*on_closed)(struct load *load, struct link *link);
};

extern const struct mode mode_relay, mode_paced, mode_churn, mode_fanout, mode_idle;

/* Runs options->mode to its end; load then holds the counts of what went wrong. */
void load_run(struct load *load, const struct load_options *options);

struct seat *load_seat(struct load *load, const struct link *link);
/* The other of a pair: rooms of two are links 2k and 2k + 1. */
struct link *load_partner(struct load *load, const struct link *link);

void load_connect(struct load *load, struct link *link);
/* Connects, a few at a time, the links up to an index; the rest happens while polling. */
void load_connect_up_to(struct load *load, uint32_t limit);
void load_join(struct load *load, struct link *link, uint32_t room);
/* Sends the next Signal to a seat. */
void load_signal(struct load *load, struct link *link, const struct seat *to);
/* Notes the arrival of a Signal's sequence number, and what is wrong with it. */
void load_check_sequence(struct load *load, struct seat *seat, uint64_t sequence);
/* Learns who a seat is, or counts an error when that is not who it was. */
void load_set_id(struct load *load, struct seat *seat, struct slice id);
/* Polls until done says so; false when limit_ms passed first, or a connection was refused or cut.
 */
bool load_poll_until(struct load *load, bool (*done)(const struct load *load), uint32_t limit_ms);
void load_poll_for(struct load *load, uint32_t duration_ms);
bool load_is_ready(const struct load *load); /* all of connect_limit */

/* CPU and time at one moment, and the difference of two. */
struct mark {
    int64_t at_ns;
    double server_cpu_s;
    double own_cpu_s;
};
struct mark load_mark(const struct load *load);
/* Writes the members that all modes share for count things (say "relays") done between two marks.
 */
void load_report_work(const struct load *load, const char *thing, uint64_t count, struct mark from,
                      struct mark to);

void report_text(const char *name, const char *value);
void report_number(const char *name, double value);
void report_quantiles(const char *prefix, const struct histogram *histogram);

#endif
