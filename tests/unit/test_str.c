/* str: text by address and length. */
#include "harness.h"

TEST(a_str_over_null_is_empty)
{
    EXPECT_UINT(0, str_of(NULL).size);
    EXPECT(str_equal(str_of(NULL), STR("")));
    EXPECT(str_equal_nocase(str_of(NULL), STR("")));
}

TEST(equality_looks_at_length_and_all_bytes)
{
    EXPECT(str_equal(STR("tea"), STR("tea")));
    EXPECT(!str_equal(STR("tea"), STR("te")));
    EXPECT(!str_equal(STR("tea\0a"), STR("tea\0b")));
    EXPECT(!str_equal(STR("tea"), STR("Tea")));
}

TEST(nocase_folds_ascii_letters_only)
{
    EXPECT(str_equal_nocase(STR("WebSocket-13"), STR("webSOCKET-13")));
    EXPECT(!str_equal_nocase(STR("["), STR("{"))); /* 0x20 apart, as letters are */
    EXPECT(!str_equal_nocase(STR("@"), STR("`")));
    EXPECT(!str_equal_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
    EXPECT(!str_equal_nocase(STR("ab"), STR("abc")));
}

TEST(a_prefix_is_never_longer_than_the_text)
{
    EXPECT(str_starts_with(STR("/room/x"), STR("/room/")));
    EXPECT(str_starts_with(STR("/room/"), STR("/room/")));
    EXPECT(str_starts_with(STR("x"), STR("")));
    EXPECT(!str_starts_with(STR("/room"), STR("/room/")));
    EXPECT(!str_starts_with(STR("/Room/"), STR("/room/")));
}

TEST(cut_takes_the_parts_one_by_one_and_then_nothing)
{
    struct str rest = STR("a,,b");

    EXPECT_STR("a", str_cut(&rest, ','));
    EXPECT_STR("", str_cut(&rest, ','));
    EXPECT_STR("b", str_cut(&rest, ','));
    EXPECT_UINT(0, rest.size);
    EXPECT_NULL(rest.text);
    EXPECT_STR("", str_cut(&rest, ','));
}

TEST(cut_tells_an_empty_rest_from_no_separator)
{
    struct str with = STR("name="), without = STR("name");

    EXPECT_STR("name", str_cut(&with, '='));
    EXPECT_STR("name", str_cut(&without, '='));
    EXPECT(with.text != NULL && with.size == 0);
    EXPECT_NULL(without.text);
}

TEST(trim_takes_spaces_and_tabs_off_both_ends)
{
    EXPECT_STR("a b", str_trim(STR(" \t a b\t ")));
    EXPECT_STR("", str_trim(STR(" \t ")));
    EXPECT_STR("\na\n", str_trim(STR("\na\n")));
    EXPECT_STR("", str_trim((struct str){NULL, 0}));
}

TEST(a_number_is_digits_up_to_the_maximum)
{
    static const struct {
        const char *text;
        uint64_t max;
        bool valid;
        uint64_t value;
    } rows[] = {
        {"0", 0, true, 0},
        {"007", 10, true, 7},
        {"65535", 65535, true, 65535},
        {"65536", 65535, false, 0},
        {"9999999999999999999", UINT64_MAX, true, UINT64_C(9999999999999999999)},
        {"18446744073709551616", UINT64_MAX, false, 0}, /* 2^64 must not come back as 0 */
        {"00000000000000000001", UINT64_MAX, false, 0}, /* 20 digits */
        {"", 10, false, 0},
        {"+1", 10, false, 0},
        {"-1", 10, false, 0},
        {" 1", 10, false, 0},
        {"1 ", 10, false, 0},
        {"0x1", 10, false, 0},
        {"1e1", 10, false, 0},
        {"\xd9\xa1", 10, false, 0}, /* ARABIC-INDIC DIGIT ONE */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t value = 4711;
        bool valid = str_to_uint(str_of(rows[i].text), rows[i].max, &value);
        EXPECT_THAT(valid == rows[i].valid, "\"%s\"", rows[i].text);
        EXPECT_UINT(valid ? rows[i].value : 4711, value);
    }
}
