/* A growing array of bytes, for the load generator. It never shrinks; running out of memory ends
 * the program, for a benchmark without memory has nothing to report. */
#ifndef BENCH_BYTES_H
#define BENCH_BYTES_H

#include <stddef.h>

struct bytes {
    char *data; /* owned */
    size_t size;
    size_t capacity;
};

/* Makes room for size more bytes at the end and returns where they go; size grows at once. */
char *bytes_extend(struct bytes *bytes, size_t size);
void bytes_append(struct bytes *bytes, const void *data, size_t size);
/* Drops the first size bytes. */
void bytes_consume(struct bytes *bytes, size_t size);
void bytes_deinit(struct bytes *bytes);

#endif
