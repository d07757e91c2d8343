/* reassembly: makes one message of the parts that a WebSocket's frames come in (RFC 6455 section 5.4).
 *
 * The protocol lets a client cut a message into any number of frames of any size, and the network cuts
 * frames as it likes: all bounds are here. A message that comes in one part is passed on where it lies. */
#ifndef ALOHA_REASSEMBLY_H
#define ALOHA_REASSEMBLY_H

#include "aloha/buf.h"
#include "aloha/err.h"

enum {
    REASSEMBLY_SECONDS_MAX = 10, /* from the first part of a message to its last */
    /* So many parts may bring nothing; each byte pays for one more. Who sends empty ones for ever is
     * not talking. */
    REASSEMBLY_EMPTY_PARTS_MAX = 1024,
};

/* Bytes of a data frame as they came in, in order and unmasked. */
struct reassembly_part {
    struct str bytes;
    uint64_t
        to_come; /* bytes of the same frame that its head has declared and that are not here yet */
    bool is_final;  /* its frame is the last one of the message */
    bool is_binary; /* the message is; of each part, also of continuations */
};

struct reassembly {
    struct buf bytes;    /* parts of a message that is not whole; no memory between messages */
    size_t checked_size; /* how many of them are known to be UTF-8 */
    size_t parts;        /* of this message, so far */
    uint64_t since_s;    /* when the first of them came */
    bool has_begun;      /* a message has, be it empty so far, and has not ended */
};

struct reassembled {
    enum {
        REASSEMBLY_MORE, /* well so far */
        REASSEMBLY_WHOLE,
        REASSEMBLY_CLOSE,
    } verdict;
    struct str
        message; /* REASSEMBLY_WHOLE: valid until the next call, or as long as the part's bytes */
    enum close_why why; /* REASSEMBLY_CLOSE */
};

/*   size_max   bytes of one message, over all its frames. */
void reassembly_init(struct reassembly *reassembly, size_t size_max);
void reassembly_deinit(struct reassembly *reassembly);

/* Takes the next part.
 *   now_s     seconds of a clock that only goes forward, and not while this process is stopped.
 *   returns   REASSEMBLY_WHOLE with the message, when this part ends it; call reassembly_done() when it
 *             has been dealt with.
 *             REASSEMBLY_CLOSE with
 *             - CLOSE_UNSUPPORTED: it is binary;
 *             - CLOSE_TOO_BIG: with what is declared it is over size_max; this part was not kept;
 *             - CLOSE_BAD_UTF8: at the end of a frame that is not the last one, no bytes that may follow
 *               could make it UTF-8 (RFC 6455 section 8.1). Whether a whole message is UTF-8 is not
 *               looked at here: whoever reads it has to;
 *             - CLOSE_POLICY: too many parts, or too long on its way;
 *             - CLOSE_OUR_FAULT: no memory.
 *             Then nothing is kept, and nothing that comes behind it means anything. */
MUST_USE struct reassembled reassembly_add(struct reassembly *reassembly,
                                           const struct reassembly_part *part, uint64_t now_s);

/* Gives back the memory of a whole message: an idle connection holds none. */
void reassembly_done(struct reassembly *reassembly);

/* True when a message has been on its way for more than REASSEMBLY_SECONDS_MAX. */
bool reassembly_is_late(const struct reassembly *reassembly, uint64_t now_s);

#endif
