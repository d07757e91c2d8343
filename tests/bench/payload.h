/* The body of a Signal as the load generator sends it: one JSON object of an exact size, with a
 * sequence number and text like a session description's, so that scanners meet the escapes they
 * meet in life. */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include "net.h"

enum { PAYLOAD_SIZE_MIN = 64, PAYLOAD_SIZE_MAX = 60000 };

struct payload {
    char text[PAYLOAD_SIZE_MAX];
    size_t size;
};

/* size is between PAYLOAD_SIZE_MIN and PAYLOAD_SIZE_MAX. */
void payload_init(struct payload *payload, size_t size);
/* Writes payload->size bytes to at. */
void payload_write(const struct payload *payload, char *at, uint64_t sequence);
/* Finds a body inside a message of any dialect and returns its offset, or SIZE_MAX when there is
 * none. hint is where the last one was found. */
size_t payload_find(const struct payload *payload, struct slice text, size_t hint);
/* Reads the body at an offset of payload_find. Returns false when it is not byte for byte what was
 * sent. */
bool payload_read(const struct payload *payload, const char *body, uint64_t *sequence);

#endif
