/* gzip: what it packs, anybody's zlib unpacks. */
#include "aloha/gzip.h"
#include "harness.h"

#include <zlib.h>

/* Unpacks a gzip file (RFC 1952, nothing else) into `out`; -1 when it is none. */
static long unpack(struct str packed, char *out, size_t capacity)
{
    z_stream stream = {
        .next_in = (Bytef *)(uintptr_t)packed.text,
        .avail_in = (uInt)packed.size,
        .next_out = (Bytef *)out,
        .avail_out = (uInt)capacity,
    };
    if (inflateInit2(&stream, 15 + 16) != Z_OK)
        return -1;
    bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
    long size = whole ? (long)stream.total_out : -1;
    inflateEnd(&stream);
    return size;
}

TEST(what_is_packed_unpacks_to_what_it_was)
{
    static const size_t sizes[] = {0, 1, 7, 300, 5000, 70000};
    static char text[70000], back[70000];
    struct dice dice = {5};

    for (int random = 0; random < 2; random++) {
        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
            struct buf packed;
            for (size_t at = 0; at < sizes[i]; at++)
                text[at] = random ? (char)dice_below(&dice, 256) : "<div>"[at % 5];
            buf_init(&packed, 1024 * 1024);
            EXPECT(gzip_pack(&packed, (struct str){text, sizes[i]}));
            EXPECT_UINT(sizes[i], unpack(buf_str(&packed), back, sizeof back));
            EXPECT(sizes[i] == 0 || memcmp(text, back, sizes[i]) == 0);
            EXPECT(random || sizes[i] < 300 || packed.size < sizes[i] / 4);
            buf_deinit(&packed);
        }
    }
}

TEST(packing_adds_behind_what_is_there)
{
    struct buf out;
    char back[8];

    buf_init(&out, 1000);
    EXPECT(buf_add(&out, STR("head")));
    EXPECT(gzip_pack(&out, STR("tea")));
    EXPECT(memcmp(out.data, "head", 4) == 0);
    EXPECT_UINT(3, unpack((struct str){out.data + 4, out.size - 4}, back, sizeof back));
    EXPECT(memcmp(back, "tea", 3) == 0);
    buf_deinit(&out);
}

TEST(what_does_not_fit_is_not_packed_by_half)
{
    struct buf out;

    buf_init(&out, 20);
    EXPECT(buf_add(&out, STR("head")));
    EXPECT(!gzip_pack(&out, STR("twenty bytes do not hold this text and a header")));
    EXPECT_STR("head", buf_str(&out));
    buf_deinit(&out);
}

TEST(without_memory_nothing_is_packed)
{
    struct buf out;

    buf_init(&out, 1000);
    fail_allocation(1);
    EXPECT(!gzip_pack(&out, STR("tea")));
    EXPECT_UINT(0, out.size);
    buf_clear(&out);
    EXPECT(gzip_pack(&out, STR("tea")));
    buf_deinit(&out);
}
