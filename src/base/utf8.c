#include "aloha/utf8.h"

#include <string.h>

/* The ranges of RFC 3629 section 4: first byte, then how many follow and which second byte may. */
struct sequence {
    unsigned char first_min, first_max, more, second_min, second_max;
};

static const struct sequence sequences[] = {
    {0xc2, 0xdf, 1, 0x80, 0xbf}, {0xe0, 0xe0, 2, 0xa0, 0xbf}, {0xe1, 0xec, 2, 0x80, 0xbf},
    {0xed, 0xed, 2, 0x80, 0x9f}, {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf},
    {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f},
};

/* How many bytes the sequence at the front takes; 0 when it is not well formed. */
static size_t sequence_size(const unsigned char *at, size_t left)
{
    for (size_t i = 0; i < ARRAY_SIZE(sequences); i++) {
        const struct sequence *seq = &sequences[i];
        if (at[0] < seq->first_min || at[0] > seq->first_max)
            continue;
        if (left <= seq->more || at[1] < seq->second_min || at[1] > seq->second_max)
            return 0;
        for (size_t k = 2; k <= seq->more; k++)
            if ((at[k] & 0xc0) != 0x80)
                return 0;
        return seq->more + 1u;
    }
    return 0;
}

bool utf8_is_valid(struct str text)
{
    const unsigned char *at = (const unsigned char *)text.text;
    size_t left = text.size;

    while (left) {
        uint64_t eight;
        if (left >= sizeof eight) {
            memcpy(&eight, at, sizeof eight);
            if ((eight & UINT64_C(0x8080808080808080)) == 0) {
                at += sizeof eight;
                left -= sizeof eight;
                continue;
            }
        }
        size_t size = at[0] < 0x80 ? 1 : sequence_size(at, left);
        if (!size)
            return false;
        at += size;
        left -= size;
    }
    return true;
}

uint32_t utf8_take(struct str *text)
{
    const unsigned char *at = (const unsigned char *)text->text;
    size_t size = at[0] < 0x80 ? 1 : at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t scalar = at[0] & first_bits[size];

    for (size_t i = 1; i < size; i++)
        scalar = (scalar << 6) | (at[i] & 0x3fu);
    text->text += size;
    text->size -= size;
    return scalar;
}
