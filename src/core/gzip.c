#include "aloha/gzip.h"

#include <string.h>
#include <zlib.h>

enum { LEVEL = 6, WINDOW_BITS = 15, GZIP_WRAPPER = 16, MEMORY_LEVEL = 8 };

bool gzip_pack(struct buf *out, struct str text)
{
    z_stream stream = {0};

    if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS + GZIP_WRAPPER, MEMORY_LEVEL,
                     Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    size_t bound = deflateBound(&stream, text.size);
    char *at = buf_reserve(out, bound);
    bool packed = false;
    if (at) {
        stream.next_in = (Bytef *)(uintptr_t)text.text; /* zlib only reads through it */
        stream.avail_in = (uInt)text.size;
        stream.next_out = (Bytef *)at;
        stream.avail_out = (uInt)bound;
        packed = deflate(&stream, Z_FINISH) == Z_STREAM_END;
        out->size += packed ? stream.total_out : 0;
    }
    deflateEnd(&stream);
    return packed;
}
