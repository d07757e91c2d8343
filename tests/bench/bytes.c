#include "bytes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *bytes_extend(struct bytes *bytes, size_t size)
{
    size_t needed = bytes->size + size;
    if (needed > bytes->capacity) {
        size_t capacity = bytes->capacity ? bytes->capacity : 256;
        while (capacity < needed)
            capacity *= 2;
        char *data = realloc(bytes->data, capacity);
        if (!data) {
            fputs("loadgen: out of memory\n", stderr);
            exit(EXIT_FAILURE);
        }
        bytes->data = data;
        bytes->capacity = capacity;
    }
    char *end = bytes->data + bytes->size;
    bytes->size = needed;
    return end;
}

void bytes_append(struct bytes *bytes, const void *data, size_t size)
{
    if (size > 0)
        memcpy(bytes_extend(bytes, size), data, size);
}

void bytes_consume(struct bytes *bytes, size_t size)
{
    memmove(bytes->data, bytes->data + size, bytes->size - size);
    bytes->size -= size;
}

void bytes_deinit(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){0};
}
