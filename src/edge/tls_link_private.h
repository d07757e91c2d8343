/* What the files of one TLS connection share: tls_link.c has its life, tls_pump.c its bytes. */
#ifndef ALOHA_TLS_LINK_PRIVATE_H
#define ALOHA_TLS_LINK_PRIVATE_H

#include "tls_private.h"

enum { TLS_RECORD_SIZE_MAX = 16 * 1024 }; /* plain bytes of one record (RFC 8446 section 5.1) */

/* What one side has been given and the other has no room for; malloc()ed while there is something. */
struct tls_waiting {
    char *bytes;
    size_t size, sent;
};

struct tls_link {
    struct tls_store *store;
    SSL *ssl;
    uv_poll_t outer, inner; /* the accepted socket; our end of the pair */
    int outer_fd, inner_fd;
    int plain_end; /* the other end, as long as it is open: for tls_link_cut() */
    enum { HANDSHAKE, OPEN, GOODBYE, GONE } state;
    int outer_wants, inner_wants; /* events that are being waited for */
    struct tls_waiting up, down;  /* to the plain end; to the client */
    bool up_ended;                /* the client says no more */
    bool up_wants_write;          /* reading means writing first: a key update */
    bool inner_closed;            /* the plain end says no more, and hears nothing */
    bool left;                    /* it has closed; what it said before may still wait to be read */
    uint64_t left_ms;             /* then */
    bool goodbye_waits;           /* close_notify, for a socket that is full */
    uint64_t controls_since_ms;   /* when counting of such records began */
    unsigned controls;
    uint64_t deadline_ms; /* 0: none, and not in `timed` */
    unsigned handles_open;
    struct tls_link *prev, *next;             /* links->all */
    struct tls_link *prev_timed, *next_timed; /* links->timed */
};

extern char tls_scratch[TLS_RECORD_SIZE_MAX]; /* one thread, and nothing is kept in it */

uint64_t tls_link_now_ms(const struct tls_link *link);
void tls_link_set_deadline(struct tls_link *link, uint64_t after_ms);
void tls_link_forget(struct tls_waiting *waiting); /* wipes and frees */

/* Closes what is open; the memory goes when the loop has closed the handles. */
void tls_link_end(struct tls_link *link);
/* The plain end has closed, and all that it said is sent. */
void tls_link_say_goodbye(struct tls_link *link);

/* From the client to the plain end, and back: as much as there is and the other side takes, within this turn. Either may
 * end the link. */
void tls_pump_up(struct tls_link *link);
void tls_pump_down(struct tls_link *link);
/* The plain end has closed, and with that whoever counted this connection: a client that reads slowly must not
 * keep its descriptors. */
void tls_pump_bound_leftovers(struct tls_link *link);

#endif
