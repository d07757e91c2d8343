#include "aloha/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CAPACITY = 256 };

void buf_init(struct buf *buf, size_t max)
{
    *buf = (struct buf){.max = max};
}

void buf_deinit(struct buf *buf)
{
    free(buf->data);
    buf_init(buf, buf->max);
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->failed = false;
}

char *buf_reserve(struct buf *buf, size_t more)
{
    if (more > buf->max - buf->size) {
        buf->failed = true;
        return NULL;
    }
    if (buf->size + more > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity : FIRST_CAPACITY;
        while (capacity < buf->size + more)
            capacity *= 2;
        char *data = realloc(buf->data, capacity);
        if (!data) {
            buf->failed = true;
            return NULL;
        }
        buf->data = data;
        buf->capacity = capacity;
    }
    return buf->data + buf->size;
}

bool buf_add(struct buf *buf, struct str bytes)
{
    if (bytes.size == 0)
        return true;
    char *at = buf_reserve(buf, bytes.size);
    if (!at)
        return false;
    memcpy(at, bytes.text, bytes.size);
    buf->size += bytes.size;
    return true;
}

bool buf_add_format(struct buf *buf, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int size = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *at = size < 0 ? NULL : buf_reserve(buf, (size_t)size + 1); /* and vsnprintf's NUL */
    if (!at) {
        buf->failed = true;
        return false;
    }
    va_start(args, format);
    vsnprintf(at, (size_t)size + 1, format, args);
    va_end(args);
    buf->size += (size_t)size;
    return true;
}

struct str buf_str(const struct buf *buf)
{
    return (struct str){buf->data, buf->size};
}
