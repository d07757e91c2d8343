/* buf: bytes that grow up to their maximum. */
#include "aloha/buf.h"
#include "harness.h"

TEST(a_new_buf_holds_nothing_and_no_memory)
{
    struct buf buf;

    buf_init(&buf, 10);
    EXPECT_NULL(buf.data);
    EXPECT_STR("", buf_str(&buf));
    EXPECT(!buf.failed);
    buf_deinit(&buf);
}

TEST(bytes_come_out_as_they_went_in)
{
    struct buf buf;

    buf_init(&buf, 100000);
    for (int i = 0; i < 5000; i++)
        EXPECT(buf_add(&buf, STR("ab\0d")));
    EXPECT_UINT(20000, buf.size);
    for (size_t i = 0; i < buf.size; i += 4)
        EXPECT(memcmp(buf.data + i, "ab\0d", 4) == 0);
    EXPECT(buf_add(&buf, (struct str){NULL, 0}));
    EXPECT_UINT(20000, buf.size);
    buf_deinit(&buf);
}

TEST(exactly_the_maximum_fits_and_one_byte_more_does_not)
{
    struct buf buf;

    buf_init(&buf, 6);
    EXPECT(buf_add(&buf, STR("abc")));
    EXPECT(buf_add(&buf, STR("def")));
    EXPECT(!buf.failed);

    EXPECT(!buf_add(&buf, STR("g")));
    EXPECT(buf.failed);
    EXPECT_STR("abcdef", buf_str(&buf));
    buf_deinit(&buf);
}

TEST(a_size_near_the_end_of_the_address_space_does_not_wrap_around)
{
    struct buf buf;

    buf_init(&buf, 100);
    EXPECT(buf_add(&buf, STR("abc")));
    EXPECT_NULL(buf_reserve(&buf, SIZE_MAX));
    EXPECT_NULL(buf_reserve(&buf, SIZE_MAX - 2));
    EXPECT_STR("abc", buf_str(&buf));
    buf_deinit(&buf);
}

TEST(failed_stays_until_clear_and_clear_keeps_the_memory)
{
    struct buf buf;

    buf_init(&buf, 300);
    EXPECT(buf_add(&buf, STR("abc")));
    char *memory = buf.data;
    EXPECT_NULL(buf_reserve(&buf, 298));
    EXPECT(buf_add(&buf, STR("d")));
    EXPECT(buf.failed);

    buf_clear(&buf);
    EXPECT(!buf.failed);
    EXPECT_UINT(0, buf.size);
    EXPECT(buf.data == memory);
    buf_deinit(&buf);
}

TEST(deinit_leaves_a_buf_that_works_again)
{
    struct buf buf;

    buf_init(&buf, 10);
    EXPECT(buf_add(&buf, STR("abc")));
    buf_deinit(&buf);
    EXPECT_NULL(buf.data);
    EXPECT(buf_add(&buf, STR("0123456789")));
    EXPECT(!buf_add(&buf, STR("x")));
    buf_deinit(&buf);
    buf_deinit(&buf);
}

TEST(format_writes_as_printf_does)
{
    struct buf buf;

    buf_init(&buf, 1000);
    EXPECT(buf_add_format(&buf, "%s-%u|", "a", 7u));
    EXPECT(buf_add_format(&buf, "%0300d", 1));
    EXPECT_UINT(4 + 300, buf.size);
    EXPECT(memcmp(buf.data, "a-7|000", 7) == 0);
    EXPECT(buf_add_format(&buf, "%s", ""));
    EXPECT_UINT(4 + 300, buf.size);
    buf_deinit(&buf);
}

TEST(a_format_that_does_not_fit_adds_nothing)
{
    struct buf buf;

    buf_init(&buf, 8);
    EXPECT(buf_add_format(&buf, "%s", "abc"));
    EXPECT(!buf_add_format(&buf, "%s", "defghi"));
    EXPECT(buf.failed);
    EXPECT_STR("abc", buf_str(&buf));
    buf_deinit(&buf);
}

TEST(without_memory_a_buf_stays_as_it_was)
{
    struct buf buf;

    buf_init(&buf, 100000);
    fail_allocation(1);
    EXPECT(!buf_add(&buf, STR("abc")));
    EXPECT(buf.failed);
    EXPECT_UINT(0, buf.size);

    buf_clear(&buf);
    EXPECT(buf_add(&buf, STR("abc")));
    fail_allocation(1);
    EXPECT(!buf_add_format(&buf, "%01000d", 1));
    EXPECT(buf.failed);
    EXPECT_STR("abc", buf_str(&buf));

    EXPECT(buf_add_format(&buf, "%01000d", 1));
    EXPECT_UINT(1003, buf.size);
    buf_deinit(&buf);
}
