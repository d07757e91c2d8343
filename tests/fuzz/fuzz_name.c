/* name_normalize() on any valid UTF-8.
 *
 * A name that is taken says the same as what came (they are canonically equivalent), is in its form already
 * when it comes again, and has none of what SECURITY R36 lists. How the text was spelled, composed or taken
 * apart, changes neither verdict nor name, as long as it is short enough to be read. What is refused has a
 * reason. */
#include "check.h"

#include "aloha/name.h"
#include "aloha/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <unictype.h>
#include <uninorm.h>

/* A text in a form, allocated; the caller frees it. */
static struct str in_form(uninorm_t form, struct str text)
{
    size_t size = 0;
    uint8_t *normal = u8_normalize(form, (const uint8_t *)text.text, text.size, NULL, &size);

    CHECK(normal);
    return (struct str){(const char *)normal, size};
}

/* SECURITY R36, word for word. */
static bool is_listed(uint32_t scalar)
{
    return scalar < 0x20 || (scalar >= 0x7f && scalar < 0xa0) || scalar == 0x61c ||
           (scalar >= 0x200b && scalar <= 0x200f) || (scalar >= 0x202a && scalar <= 0x202e) ||
           scalar == 0x2060 || (scalar >= 0x2066 && scalar <= 0x2069) || scalar == 0xfeff;
}

static bool is_separator(uint32_t scalar)
{
    return scalar == 0x2028 || scalar == 0x2029;
}

static bool is_variation_selector(uint32_t scalar)
{
    return (scalar >= 0xfe00 && scalar <= 0xfe0f) || (scalar >= 0xe0100 && scalar <= 0xe01ef) ||
           (scalar >= 0x180b && scalar <= 0x180d) || scalar == 0x180f;
}

static bool is_hidden(uint32_t scalar)
{
    return uc_is_property(scalar, UC_PROPERTY_DEFAULT_IGNORABLE_CODE_POINT) &&
           !is_variation_selector(scalar);
}

static bool has_any(struct str text, bool (*is_it)(uint32_t scalar))
{
    while (text.size)
        if (is_it(utf8_take(&text)))
            return true;
    return false;
}

static size_t count_scalars(struct str text)
{
    size_t count = 0;

    for (; text.size; count++)
        (void)utf8_take(&text);
    return count;
}

/* The longest run of marks. */
static unsigned most_marks(struct str text)
{
    unsigned run = 0, most = 0;

    while (text.size) {
        const char *category = uc_general_category_name(uc_general_category(utf8_take(&text)));
        run = strcmp(category, "Mn") == 0 || strcmp(category, "Me") == 0 ? run + 1 : 0;
        most = run > most ? run : most;
    }
    return most;
}

/* By the rules, of a text that is not empty. */
static bool is_good(struct str text)
{
    struct str apart = in_form(UNINORM_NFD, text), composed = in_form(UNINORM_NFC, text);
    bool good = text.size <= NAME_RAW_SIZE_MAX && most_marks(apart) <= 4 &&
                count_scalars(composed) <= 64 && !has_any(composed, is_listed) &&
                !has_any(composed, is_separator) && !has_any(composed, is_hidden);

    free((char *)apart.text);
    free((char *)composed.text);
    return good;
}

static void check_taken(struct str text, struct str name, const char *out)
{
    char again_out[NAME_SIZE_MAX];
    struct str again;
    int order = -1;

    CHECK(name.text == out && name.size && name.size <= NAME_SIZE_MAX && utf8_is_valid(name));
    CHECK(u8_normcmp((const uint8_t *)text.text, text.size, (const uint8_t *)name.text, name.size,
                     UNINORM_NFD, &order) == 0 &&
          order == 0);
    CHECK(name_normalize(name, again_out, &again) == OK && str_equal(again, name));
}

/* The same text, spelled otherwise. */
static void check_spelling(struct str text, uninorm_t form, enum err err, struct str name)
{
    struct str other = in_form(form, text), again;
    char out[NAME_SIZE_MAX];

    if (other.size <= NAME_RAW_SIZE_MAX && text.size <= NAME_RAW_SIZE_MAX)
        CHECK(name_normalize(other, out, &again) == err && str_equal(again, name));
    free((char *)other.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str input = check_input(data, size), name;
    char out[NAME_SIZE_MAX];

    if (!utf8_is_valid(input))
        return 0;
    struct str copy = check_copy(input);
    enum err err = name_normalize(copy, out, &name);
    struct str text = str_trim(copy);
    if (text.size == 0) {
        CHECK(err == OK && name.size == 0);
    } else {
        CHECK(err == (is_good(text) ? OK : ERR_BAD_NAME));
        if (err)
            CHECK(name.size == 0);
        else
            check_taken(text, name, out);
        check_spelling(text, UNINORM_NFD, err, name);
        check_spelling(text, UNINORM_NFC, err, name);
    }
    free((char *)copy.text);
    return 0;
}
