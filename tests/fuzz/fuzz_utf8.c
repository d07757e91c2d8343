/* utf8_is_valid() and utf8_take() against a decoder that works the other way round: it puts the
 * scalar value together first and judges it then. */
#include "check.h"

#include "aloha/utf8.h"

#include <stdlib.h>

/* Reads one scalar value at `at`; 0 bytes when there is none (RFC 3629 section 3). */
static size_t decode(struct str text, size_t at, uint32_t *scalar)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned first = (unsigned char)text.text[at];
    unsigned ones = 0;

    while (ones < 8 && (first & (0x80u >> ones)))
        ones++;
    size_t size = ones ? ones : 1;
    if (ones == 1 || ones > 4 || size > text.size - at)
        return 0;
    *scalar = first & (0x7fu >> ones);
    for (size_t i = 1; i < size; i++) {
        unsigned more = (unsigned char)text.text[at + i];
        if (more >> 6 != 2)
            return 0;
        *scalar = *scalar * 64 + (more & 63);
    }
    bool is_surrogate = *scalar >= 0xd800 && *scalar <= 0xdfff;
    return *scalar < smallest[size == 1 ? 0 : size] || *scalar > 0x10ffff || is_surrogate ? 0
                                                                                          : size;
}

/* How many bytes at the front are well formed; *scalars counts what they spell. */
static size_t well_formed_size(struct str text, size_t *scalars)
{
    size_t at = 0;
    uint32_t scalar;

    for (*scalars = 0; at < text.size; ++*scalars) {
        size_t size = decode(text, at, &scalar);
        if (!size)
            break;
        at += size;
    }
    return at;
}

static void check_take(struct str text, size_t scalars)
{
    struct str rest = text;

    for (size_t at = 0; at < text.size; scalars--) {
        uint32_t scalar = 0;
        size_t size = decode(text, at, &scalar);
        CHECK(utf8_take(&rest) == scalar);
        at += size;
        CHECK(rest.text == text.text + at && rest.size == text.size - at);
    }
    CHECK(scalars == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = check_input(data, size);
    size_t scalars;
    size_t good = well_formed_size(text, &scalars);

    CHECK(utf8_is_valid(text) == (good == size));

    /* The part in front of the fault is valid alone, wherever the eight bytes at a time begin. */
    struct str front = check_copy((struct str){text.text, good});
    CHECK(utf8_is_valid(front));
    check_take(front, scalars);
    for (size_t at = 1; at < 8 && at < front.size; at++)
        CHECK(utf8_is_valid((struct str){front.text + at, front.size - at}) ==
              (((unsigned char)front.text[at] & 0xc0) != 0x80));
    free((char *)front.text);
    return 0;
}
