/* name: SECURITY R36. */
#include "aloha/name.h"
#include "harness.h"

#include <stdio.h>
#include <uninorm.h>

static char out[NAME_SIZE_MAX];
static struct str name;

/* The verdict on a copy that ends where the text ends. */
static enum err normalize(struct str text)
{
    char *copy = malloc(text.size ? text.size : 1);

    if (!copy)
        abort();
    if (text.size)
        memcpy(copy, text.text, text.size);
    enum err err = name_normalize((struct str){copy, text.size}, out, &name);
    free(copy);
    return err;
}

static bool takes(struct str text)
{
    return normalize(text) == OK;
}

/* Adds a scalar value to a text. */
static size_t put(char *at, uint32_t scalar)
{
    if (scalar < 0x80)
        return (size_t)sprintf(at, "%c", (int)scalar);
    if (scalar < 0x800)
        return (size_t)sprintf(at, "%c%c", (int)(0xc0 | scalar >> 6), (int)(0x80 | (scalar & 63)));
    if (scalar < 0x10000)
        return (size_t)sprintf(at, "%c%c%c", (int)(0xe0 | scalar >> 12),
                               (int)(0x80 | (scalar >> 6 & 63)), (int)(0x80 | (scalar & 63)));
    return (size_t)sprintf(at, "%c%c%c%c", (int)(0xf0 | scalar >> 18),
                           (int)(0x80 | (scalar >> 12 & 63)), (int)(0x80 | (scalar >> 6 & 63)),
                           (int)(0x80 | (scalar & 63)));
}

/* "a", the scalar values from first to last, "b". */
static struct str around(uint32_t first, uint32_t last)
{
    static char text[256];
    size_t size = put(text, 'a');

    for (uint32_t scalar = first; scalar <= last; scalar++)
        size += put(text + size, scalar);
    size += put(text + size, 'b');
    return (struct str){text, size};
}

/* `count` times the sequence, with something around it. */
static struct str repeated(const char *before, const char *sequence, size_t count,
                           const char *behind)
{
    static char text[4096];
    size_t size = (size_t)sprintf(text, "%s", before);

    for (size_t i = 0; i < count; i++)
        size += (size_t)sprintf(text + size, "%s", sequence);
    size += (size_t)sprintf(text + size, "%s", behind);
    return (struct str){text, size};
}

TEST(a_name_is_trimmed_at_both_ends_only)
{
    EXPECT_ERR(OK, normalize(STR(" \t Ka  lani \t ")));
    EXPECT_STR("Ka  lani", name);
    EXPECT_ERR(OK, normalize(STR("  \t")));
    EXPECT_UINT(0, name.size);
    EXPECT_ERR(OK, normalize((struct str){NULL, 0}));
    EXPECT_UINT(0, name.size);
}

TEST(what_looks_alike_by_nature_becomes_the_same_name)
{
    static const char *const rows[][2] = {
        {"Rene\xcc\x81", "Ren\xc3\xa9"},
        {"Ren\xc3\xa9", "Ren\xc3\xa9"},
        {"\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab\xe1\x84\x80\xe1\x85\xb3\xe1\x86\xaf",
         "\xed\x95\x9c\xea\xb8\x80"},
        {"Nguye\xcc\x82\xcc\x83n", "Nguy\xe1\xbb\x85n"},
        {"\xe2\x84\xab", "\xc3\x85"},               /* the sign for Angstrom */
        {"q\xcc\x87\xcc\xa3", "q\xcc\xa3\xcc\x87"}, /* marks have an order */
        {"\xef\xac\x81", "\xef\xac\x81"},           /* a ligature stays: NFC, not NFKC */
        {"\xef\xbc\xa1", "\xef\xbc\xa1"},           /* and so does a wide letter */
        {"Ho\xca\xbbomaika\xca\xbbi", "Ho\xca\xbbomaika\xca\xbbi"},
        {"<script>\"&\\", "<script>\"&\\"}, /* escaping is the page's work */
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        EXPECT_ERR(OK, normalize(str_of(rows[i][0])));
        EXPECT_STR(rows[i][1], name);
        EXPECT(name.text == out);
    }
}

TEST(a_name_has_at_most_64_scalar_values_whatever_their_bytes)
{
    static const char *const letters[] = {"a", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8c\xba"};

    for (size_t i = 0; i < ARRAY_SIZE(letters); i++) {
        EXPECT(takes(repeated("", letters[i], 64, "")));
        EXPECT(!takes(repeated("", letters[i], 65, "")));
        EXPECT_UINT(0, name.size);
        EXPECT(takes(repeated("  ", letters[i], 64, "  "))); /* counted after trimming */
    }
}

TEST(scalar_values_are_counted_as_they_are_kept)
{
    EXPECT(takes(repeated("", "e\xcc\x81", 64, "")));
    EXPECT(takes(
        repeated("", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", 64, ""))); /* NAME_RAW_SIZE_MAX */
    EXPECT(!takes(repeated("", "\xe1\x84\x92\xe1\x85\xa1\xe1\x86\xab", 65, "")));
    EXPECT(takes(repeated("", "\xf0\x9d\x85\xa0", 21, "a"))); /* U+1D160 becomes three */
    EXPECT(!takes(repeated("", "\xf0\x9d\x85\xa0", 22, "")));
    EXPECT(!takes(repeated("", "\xf0\x9d\x85\xa0", 144, ""))); /* more than there is space for */
    EXPECT(!takes(repeated("", "a", NAME_RAW_SIZE_MAX + 1, "")));
}

/* Whatever NFC makes one character of, the name that is 64 of them may come taken apart. */
TEST(every_composed_character_is_nine_bytes_at_most_when_it_is_taken_apart)
{
    for (uint32_t scalar = 0x80; scalar <= 0x10ffff; scalar++) {
        char text[8];
        uint8_t apart[64], together[64];
        size_t apart_size = sizeof apart, together_size = sizeof together;
        if (scalar >= 0xd800 && scalar <= 0xdfff)
            continue;
        size_t size = put(text, scalar);
        (void)!u8_normalize(UNINORM_NFD, (const uint8_t *)text, size, apart, &apart_size);
        (void)!u8_normalize(UNINORM_NFC, (const uint8_t *)text, size, together, &together_size);
        bool composed = together_size == size && memcmp(text, together, size) == 0;
        EXPECT_THAT(!composed || apart_size <= 9, "U+%04X", scalar);
    }
}

TEST(controls_and_what_turns_or_hides_text_are_refused)
{
    static const struct {
        uint32_t first, last;
    } refused[] = {
        {0x00, 0x1f},       {0x7f, 0x9f},       {0x61c, 0x61c},
        {0x200b, 0x200f},   {0x202a, 0x202e},   {0x2060, 0x2060},
        {0x2066, 0x2069},   {0xfeff, 0xfeff}, /* SECURITY R36 */
        {0x2028, 0x2029},   {0xad, 0xad},       {0x34f, 0x34f},
        {0x115f, 0x1160},   {0x17b4, 0x17b5},   {0x2061, 0x2065},
        {0x206a, 0x206f},   {0x3164, 0x3164},   {0xffa0, 0xffa0},
        {0xe0001, 0xe0001}, {0xe0020, 0xe007f},
    };

    for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
        for (uint32_t c = refused[i].first; c <= refused[i].last; c++)
            EXPECT_THAT(normalize(around(c, c)) == ERR_BAD_NAME, "U+%04X", c);
}

TEST(what_lies_beside_that_is_taken)
{
    static const uint32_t taken[] = {
        0x20,   0x7e,   0xa0,   0xac,   0xae,   0x61b,  0x61d,  0x200a, 0x2010,  0x2027,
        0x202f, 0x205f, 0x2070, 0x3163, 0x3165, 0xfefe, 0xff00, 0xfffd, 0x1f33a, 0x10fffd,
    };

    for (size_t i = 0; i < ARRAY_SIZE(taken); i++)
        EXPECT_THAT(takes(around(taken[i], taken[i])), "U+%04X", taken[i]);
}

TEST(emoji_are_taken_one_by_one)
{
    EXPECT(takes(STR("\xe2\x9d\xa4\xef\xb8\x8f")));         /* a heart, in colour by U+FE0F */
    EXPECT(takes(STR("\xf0\x9f\x91\x8b\xf0\x9f\x8f\xbd"))); /* a hand and its colour */
    EXPECT(takes(STR("1\xef\xb8\x8f\xe2\x83\xa3")));        /* a keycap: U+FE0F, U+20E3 */
    EXPECT(takes(STR("\xe8\x91\x9b\xf3\xa0\x84\x80")));     /* a kanji in one of its forms */
    EXPECT(!takes(STR("\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80"))); /* an astronaut: U+200D */
    EXPECT(!takes(STR("a\xef\xb8\x8f\xef\xb8\x8f\xef\xb8\x8f\xef\xb8\x8f\xef\xb8\x8f")));
}

TEST(four_combining_marks_in_a_row_are_a_letter_and_five_are_a_tower)
{
    static const char dot[] = "\xcc\xa3", circle[] = "\xe2\x83\x9d";

    EXPECT(takes(repeated("x", dot, 4, "b")));
    EXPECT(!takes(repeated("x", dot, 5, "b")));
    EXPECT(!takes(repeated("", dot, 5, "")));
    EXPECT(!takes(repeated("x", circle, 5, ""))); /* Me */
    EXPECT(!takes(STR("x\xcc\x81\xe2\x83\x90\xef\xb8\xa0\xe1\xb7\x80\xe1\xaa\xb0")));
    EXPECT(takes(STR("x\xcc\x81\xcc\x81\xcc\x81\xcc\x81"
                     "y\xcc\x81\xcc\x81\xcc\x81\xcc\x81")));
    EXPECT(takes(repeated("a", "\xcc\x81", 4, ""))); /* the first is part of the letter then ... */
    EXPECT(!takes(repeated("a", "\xcc\x81", 5, "")));
    EXPECT(
        takes(repeated("\xe1\xbb\x85", "\xcc\x81", 2, ""))); /* ... and counts, however it came */
    EXPECT(!takes(repeated("\xe1\xbb\x85", "\xcc\x81", 3, "")));
    EXPECT(takes(STR("\xe0\xb8\x97\xe0\xb8\xb5\xe0\xb9\x88"))); /* Thai with tone marks */
}

TEST(marks_of_every_script_are_marks)
{
    static const uint32_t marks[] = {0x0300, 0x0483,  0x0591,  0x064b,      0x0711, 0x0901,
                                     0x0941, 0x0e31,  0x0f71,  0x135d,      0x1ab0, 0x1cd0,
                                     0x1dc0, 0x20d0,  0x302a,  0x3099,      0xa66f, 0xa8e0,
                                     0xfe20, 0x101fd, 0x11001, 0x1d165 + 2, 0x1e130};

    for (size_t i = 0; i < ARRAY_SIZE(marks); i++) {
        char text[64] = "x";
        size_t size = 1;
        for (int n = 0; n < NAME_MARKS_MAX; n++)
            size += put(text + size, marks[i]);
        EXPECT_THAT(takes((struct str){text, size}), "U+%04X", marks[i]);
        size += put(text + size, marks[i]);
        EXPECT_THAT(!takes((struct str){text, size}), "U+%04X", marks[i]);
    }
}

TEST(without_memory_there_is_no_name)
{
    for (unsigned n = 1; n <= 2; n++) {
        fail_allocation(n);
        enum err err = name_normalize(STR("Mele"), out, &name);
        EXPECT(allocation_has_failed());
        EXPECT_ERR(ERR_NO_MEMORY, err);
        EXPECT_UINT(0, name.size);
    }
    EXPECT_ERR(OK, name_normalize(STR("Mele"), out, &name));
}
