#include "aloha/utf8.h"

#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

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

/* True when none of the BLOCK_SIZE bytes has its high bit set: what is relayed is mostly ASCII. */
#ifdef __SSE2__

enum { BLOCK_SIZE = 64 };

static __m128i sixteen_at(const unsigned char *at)
{
    __m128i bytes;

    memcpy(&bytes, at, sizeof bytes);
    return bytes;
}

static bool block_is_ascii(const unsigned char *at)
{
    __m128i first = _mm_or_si128(sixteen_at(at), sixteen_at(at + 16));
    __m128i second = _mm_or_si128(sixteen_at(at + 32), sixteen_at(at + 48));

    return _mm_movemask_epi8(_mm_or_si128(first, second)) == 0;
}

#else

enum { BLOCK_SIZE = 32 };

static bool block_is_ascii(const unsigned char *at)
{
    uint64_t words[BLOCK_SIZE / 8];

    memcpy(words, at, sizeof words);
    return ((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080)) == 0;
}

#endif

static bool word_is_ascii(const unsigned char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    return (word & UINT64_C(0x8080808080808080)) == 0;
}

/* How many bytes at the front are ASCII, for certain; 0 means that the next must be looked at. */
static size_t ascii_size(const unsigned char *at, size_t left)
{
    size_t size = 0;

    while (left - size >= BLOCK_SIZE && block_is_ascii(at + size))
        size += BLOCK_SIZE;
    while (left - size >= sizeof(uint64_t) && word_is_ascii(at + size))
        size += sizeof(uint64_t);
    return size;
}

bool utf8_is_valid(struct str text)
{
    const unsigned char *at = (const unsigned char *)text.text;
    size_t left = text.size;

    while (left) {
        size_t size = ascii_size(at, left);
        if (!size)
            size = at[0] < 0x80 ? 1 : sequence_size(at, left);
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

/* True when these bytes, of which the first is not a continuation, lack only the end of a sequence. */
static bool lacks_its_end(const unsigned char *at, size_t size)
{
    size_t whole = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    char lowest[4], highest[4]; /* what could follow: one of the two fits, if anything does */

    if (size >= whole)
        return false;
    memset(lowest, 0x80, sizeof lowest);
    memset(highest, 0xbf, sizeof highest);
    memcpy(lowest, at, size);
    memcpy(highest, at, size);
    return utf8_is_valid((struct str){lowest, whole}) ||
           utf8_is_valid((struct str){highest, whole});
}

size_t utf8_cut_size(struct str text)
{
    for (size_t size = 1; size <= 3 && size <= text.size; size++) {
        const unsigned char *at = (const unsigned char *)text.text + (text.size - size);
        if ((*at & 0xc0) != 0x80)
            return *at >= 0xc0 && lacks_its_end(at, size) ? size : 0;
    }
    return 0;
}
