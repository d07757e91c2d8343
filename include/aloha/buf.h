/* buf: bytes that grow up to a maximum they were born with. */
#ifndef ALOHA_BUF_H
#define ALOHA_BUF_H

#include "aloha/str.h"

/* A failed add (no memory, or past `max`) leaves the bytes as they were and sets `failed`, so that
 * a page or a frame is written with one check at its end. */
struct buf {
    char *data;      /* owned; NULL while empty */
    size_t size;     /* bytes in use */
    size_t capacity; /* bytes allocated */
    size_t max;      /* never more bytes than this */
    bool failed;     /* an add did not fit since the last buf_clear() */
};

void buf_init(struct buf *buf, size_t max);
void buf_deinit(struct buf *buf); /* frees the bytes; the buf may be used again */
void buf_clear(struct buf *buf);  /* empties it and keeps the memory */

/* Makes room for `more` bytes behind the last one.
 *   returns   where to write them, or NULL; the caller then raises buf->size by what it wrote. */
MUST_USE char *buf_reserve(struct buf *buf, size_t more);

bool buf_add(struct buf *buf, struct str bytes);
bool buf_add_format(struct buf *buf, const char *format, ...) PRINTF_LIKE(2, 3);

/* The bytes as a str, valid until the buf changes. */
struct str buf_str(const struct buf *buf);

#endif
