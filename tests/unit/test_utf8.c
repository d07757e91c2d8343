/* utf8: RFC 3629. The forms are those of Markus Kuhn's "UTF-8 decoder capability and stress test"
 * (2015), by its section numbers. */
#include "aloha/utf8.h"
#include "harness.h"

/* Writes any value in the form for so many bytes, whether that is allowed or not. */
static struct str encode(char out[4], uint32_t value, size_t size)
{
    static const unsigned char heads[] = {0, 0x00, 0xc0, 0xe0, 0xf0};

    for (size_t i = size; i-- > 1; value >>= 6)
        out[i] = (char)(0x80 | (value & 0x3f));
    out[0] = (char)(heads[size] | value);
    return (struct str){out, size};
}

static size_t shortest(uint32_t scalar)
{
    return scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4;
}

TEST(every_scalar_value_is_valid_and_comes_back_and_no_surrogate_is)
{
    char bytes[4];

    for (uint32_t scalar = 0; scalar <= 0x10ffff; scalar++) {
        struct str text = encode(bytes, scalar, shortest(scalar));
        bool surrogate = scalar >= 0xd800 && scalar <= 0xdfff; /* Kuhn 5.1 */
        EXPECT_THAT(utf8_is_valid(text) == !surrogate, "U+%04X", scalar);
        if (surrogate)
            continue;
        EXPECT_UINT(scalar, utf8_take(&text));
        EXPECT_UINT(0, text.size);
    }
}

TEST(nothing_above_10ffff_is_valid) /* Kuhn 2.2 and 2.1 */
{
    char bytes[4];

    for (uint32_t value = 0x110000; value <= 0x1fffff; value += 0x3f)
        EXPECT_THAT(!utf8_is_valid(encode(bytes, value, 4)), "%x", value);
    EXPECT(!utf8_is_valid(STR("\xf8\x88\x80\x80\x80")));     /* five bytes */
    EXPECT(!utf8_is_valid(STR("\xfc\x84\x80\x80\x80\x80"))); /* six */
    EXPECT(!utf8_is_valid(STR("\xf4\x90\x80\x80")));
    EXPECT(utf8_is_valid(STR("\xf4\x8f\xbf\xbf")));
}

TEST(no_overlong_form_is_valid) /* Kuhn 4 */
{
    static const uint32_t first_of_size[] = {0, 0, 0x80, 0x800, 0x10000};
    char bytes[4];

    for (size_t size = 2; size <= 4; size++)
        for (uint32_t value = 0; value < first_of_size[size]; value++)
            EXPECT_THAT(!utf8_is_valid(encode(bytes, value, size)), "%x in %zu bytes", value, size);
    EXPECT(!utf8_is_valid(STR("\xc0\xaf"))); /* the slash that passed old path checks */
    EXPECT(!utf8_is_valid(STR("\xe0\x80\xaf")));
    EXPECT(!utf8_is_valid(STR("\xf0\x80\x80\xaf")));
    EXPECT(!utf8_is_valid(STR("\xc0\x80"))); /* Java's NUL */
}

TEST(a_byte_that_follows_nothing_is_not_valid) /* Kuhn 3.1 and 3.5 */
{
    for (int byte = 0x80; byte <= 0xff; byte++) {
        char text[2] = {(char)byte, 'a'};
        EXPECT_THAT(!utf8_is_valid((struct str){text, 1}), "%x", byte);
        EXPECT_THAT(!utf8_is_valid((struct str){text, 2}), "%x a", byte); /* Kuhn 3.2 */
    }
}

TEST(a_sequence_cut_short_is_not_valid_wherever_it_stands) /* Kuhn 3.3 and 3.4 */
{
    static const char *const whole[] = {"\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8c\xba"};
    char text[64];

    for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
        size_t size = strlen(whole[i]);
        for (size_t before = 0; before <= 24; before++) {
            memset(text, 'a', sizeof text);
            memcpy(text + before, whole[i], size);
            EXPECT(utf8_is_valid((struct str){text, before + size}));
            EXPECT(utf8_is_valid((struct str){text, before + size + 16}));
            for (size_t kept = 1; kept < size; kept++) {
                EXPECT_THAT(!utf8_is_valid((struct str){text, before + kept}),
                            "%zu bytes of %zu behind %zu", kept, size, before);
                char broken[64]; /* the same with an ASCII letter in place of the next byte */
                memcpy(broken, text, sizeof broken);
                broken[before + kept] = 'a';
                EXPECT(!utf8_is_valid((struct str){broken, sizeof broken}));
            }
        }
    }
}

TEST(a_bad_byte_is_found_at_every_place_of_every_length)
{
    char text[160]; /* more than two of the blocks that ASCII is passed in */

    for (size_t size = 1; size <= sizeof text; size++) {
        for (size_t at = 0; at < size; at++) {
            memset(text, 'a', sizeof text);
            EXPECT(utf8_is_valid((struct str){text, size}));
            text[at] = (char)0xff; /* Kuhn 3.5 */
            EXPECT_THAT(!utf8_is_valid((struct str){text, size}), "at %zu of %zu", at, size);
        }
    }
}

TEST(nothing_is_read_behind_the_end)
{
    static const char whole[] = "aaaaaaaa\xf0\x9f\x8c\xba";

    for (size_t size = 0; size < sizeof whole; size++) {
        char *copy = malloc(size ? size : 1); /* AddressSanitizer stands at its end */
        EXPECT(copy != NULL);
        memcpy(copy, whole, size);
        bool valid = utf8_is_valid((struct str){copy, size});
        free(copy);
        EXPECT_THAT(valid == (size <= 8 || size == 12), "%zu bytes", size);
    }
}

TEST(nothing_at_all_is_valid_and_so_are_nul_and_noncharacters)
{
    EXPECT(utf8_is_valid((struct str){NULL, 0}));
    EXPECT(utf8_is_valid(STR("a\0b")));
    EXPECT(utf8_is_valid(STR("\xef\xbf\xbe\xef\xbf\xbf"))); /* Kuhn 5.3: RFC 3629 allows them */
    EXPECT(utf8_is_valid(STR("\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5"))); /* Kuhn 1 */
}

TEST(take_goes_through_a_text_scalar_by_scalar)
{
    static const uint32_t scalars[] = {'a', 0xe4, 0x20ac, 0x1f33a, 'z'};
    struct str text = STR("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x8c\xbaz");

    for (size_t i = 0; i < ARRAY_SIZE(scalars); i++)
        EXPECT_UINT(scalars[i], utf8_take(&text));
    EXPECT_UINT(0, text.size);
}

TEST(the_beginning_of_a_sequence_at_the_end_is_told_from_what_cannot_be_one)
{
    static const struct {
        struct str text;
        size_t cut;
    } rows[] = {
        {ROW_STR(""), 0},
        {ROW_STR("a"), 0},
        {ROW_STR("\xc3\xa4"), 0},
        {ROW_STR("a\xc3"), 1},
        {ROW_STR("\xe2"), 1},
        {ROW_STR("a\xe2\x82"), 2},
        {ROW_STR("\xe2\x82\xac"), 0},
        {ROW_STR("\xf0\x9f\x8c"), 3},
        {ROW_STR("\xf0\x9f\x8c\xba"), 0},
        {ROW_STR("\xed\x9f"), 2},
        {ROW_STR("\xed\xa0"), 0}, /* a surrogate */
        {ROW_STR("\xe0\x9f"), 0}, /* overlong */
        {ROW_STR("\xe0\xa0"), 2},
        {ROW_STR("\xf0\x8f"), 0}, /* overlong */
        {ROW_STR("\xf4\x8f\xbf"), 3},
        {ROW_STR("\xf4\x90"), 0}, /* above U+10FFFF */
        {ROW_STR("\xc0"), 0},
        {ROW_STR("\xc1"), 0},
        {ROW_STR("\xf5"), 0},
        {ROW_STR("\xff"), 0},
        {ROW_STR("\x80\x80\x80\x80"), 0},
        {ROW_STR("\xc3\xc3"), 1}, /* what stands before is not looked at */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_THAT(utf8_cut_size(rows[i].text) == rows[i].cut, "row %zu", i);
    EXPECT_UINT(0, utf8_cut_size((struct str){NULL, 0}));
}
