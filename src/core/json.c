#include "aloha/json.h"

#include <endian.h>
#include <jansson.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Where the scan is. It walks forward only and looks at each byte once. */
struct scan {
    const char *at, *end;
    unsigned depth;
    unsigned members;
    struct json_bounds bounds;
};

static const struct json_bounds usual = {JSON_DEPTH_MAX, JSON_MEMBERS_MAX};

/* ---- blocks ----
 * Strings are most of what is relayed, so a block of bytes is looked at in one go. A mask has
 * MASK_STEP bits for each byte of a block, the first byte lowest; a byte that is meant has its
 * highest bit set. */

struct block {
    uint64_t controls; /* below 0x20 */
    uint64_t quotes;
    uint64_t backslashes;
    uint64_t letters; /* n and r: after a backslash they are what ends the lines of an SDP */
};

#ifdef __SSE2__

enum { BLOCK_SIZE = 16, MASK_STEP = 1 };

static __m128i is_byte(__m128i bytes, char c)
{
    return _mm_cmpeq_epi8(bytes, _mm_set1_epi8(c));
}

static uint64_t mask_of(__m128i found)
{
    return (unsigned)_mm_movemask_epi8(found);
}

static struct block look_at_block(const char *at)
{
    __m128i bytes;

    memcpy(&bytes, at, sizeof bytes);
    __m128i lowered = _mm_min_epu8(bytes, _mm_set1_epi8(0x1f));
    return (struct block){
        .controls = mask_of(_mm_cmpeq_epi8(bytes, lowered)),
        .quotes = mask_of(is_byte(bytes, '"')),
        .backslashes = mask_of(is_byte(bytes, '\\')),
        .letters = mask_of(_mm_or_si128(is_byte(bytes, 'n'), is_byte(bytes, 'r'))),
    };
}

#else

enum { BLOCK_SIZE = 8, MASK_STEP = 8 };

#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Marks the bytes below `limit`, which is 0x80 at most. The sums stay inside their bytes, so no
 * byte is judged by its neighbour. */
static uint64_t bytes_below(uint64_t word, unsigned limit)
{
    uint64_t not_below = (word & EIGHT(0x7fu)) + EIGHT(0x80u - limit);
    return ~(not_below | word) & EIGHT(0x80u);
}

static uint64_t bytes_equal(uint64_t word, char c)
{
    return bytes_below(word ^ EIGHT((unsigned char)c), 1);
}

static struct block look_at_block(const char *at)
{
    uint64_t word;

    memcpy(&word, at, sizeof word);
    word = le64toh(word);
    return (struct block){
        .controls = bytes_below(word, 0x20),
        .quotes = bytes_equal(word, '"'),
        .backslashes = bytes_equal(word, '\\'),
        .letters = bytes_equal(word, 'n') | bytes_equal(word, 'r'),
    };
}

#endif

/* How many bytes of a block go by: those in front of the first control character, quote that ends
 * the string, or backslash that begins anything but \", \n and \r (or ends the block). In front
 * of that no backslash follows another, so each of them begins an escape. */
static int skip_block(const char *at)
{
    struct block block = look_at_block(at);
    uint64_t escaped = block.backslashes << MASK_STEP;
    uint64_t before_easy = (block.quotes | block.letters) >> MASK_STEP;
    uint64_t stops =
        block.controls | (block.quotes & ~escaped) | (block.backslashes & ~before_easy);

    return stops ? __builtin_ctzll(stops) / MASK_STEP : BLOCK_SIZE;
}

/* True for the letter of a one-character escape. */
static const bool is_short_escape[256] = {
    ['"'] = true, ['\\'] = true, ['/'] = true, ['b'] = true,
    ['f'] = true, ['n'] = true,  ['r'] = true, ['t'] = true,
};

static void skip_space(struct scan *scan)
{
    while (scan->at < scan->end &&
           (*scan->at == ' ' || *scan->at == '\n' || *scan->at == '\r' || *scan->at == '\t'))
        scan->at++;
}

static bool take(struct scan *scan, char c)
{
    if (scan->at == scan->end || *scan->at != c)
        return false;
    scan->at++;
    return true;
}

static bool take_word(struct scan *scan, struct str word)
{
    if ((size_t)(scan->end - scan->at) < word.size || memcmp(scan->at, word.text, word.size) != 0)
        return false;
    scan->at += word.size;
    return true;
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Looks at an escape behind its backslash. Returns what follows it, or NULL. */
static const char *scan_escape(const char *at, const char *end)
{
    if (at == end)
        return NULL;
    if (is_short_escape[(unsigned char)*at])
        return at + 1;
    if (*at != 'u' || end - at < 5)
        return NULL;
    for (int i = 1; i <= 4; i++)
        if (!is_hex(at[i]))
            return NULL;
    return at + 5;
}

/* Where a byte comes that takes more than a look. */
static const char *skip_plain(const char *at, const char *end)
{
    while (end - at >= BLOCK_SIZE) {
        int size = skip_block(at);
        at += size;
        if (size < BLOCK_SIZE)
            return at;
    }
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"' && *at != '\\')
        at++;
    return at;
}

static bool scan_string(struct scan *scan)
{
    if (!take(scan, '"'))
        return false;
    const char *at = scan->at;
    for (;;) {
        at = skip_plain(at, scan->end);
        if (at == scan->end || (*at != '"' && *at != '\\'))
            return false;
        if (*at++ == '"')
            break;
        at = scan_escape(at, scan->end);
        if (!at)
            return false;
    }
    scan->at = at;
    return true;
}

static bool scan_digits(struct scan *scan)
{
    const char *start = scan->at;
    while (scan->at < scan->end && *scan->at >= '0' && *scan->at <= '9')
        scan->at++;
    return scan->at > start;
}

static bool scan_number(struct scan *scan)
{
    take(scan, '-');
    if (!take(scan, '0') && !scan_digits(scan))
        return false;
    if (take(scan, '.') && !scan_digits(scan))
        return false;
    if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
        scan->at++;
        if (!take(scan, '+'))
            take(scan, '-');
        return scan_digits(scan);
    }
    return true;
}

static bool scan_value(struct scan *scan, enum json_kind *kind);

static bool scan_array(struct scan *scan)
{
    skip_space(scan);
    if (take(scan, ']'))
        return true;
    do {
        enum json_kind kind;
        if (++scan->members > scan->bounds.values_max)
            return false;
        skip_space(scan);
        if (!scan_value(scan, &kind))
            return false;
        skip_space(scan);
    } while (take(scan, ','));
    return take(scan, ']');
}

/* One `"name": value`, with the white space around it. */
static bool scan_member(struct scan *scan, struct json_member *member)
{
    if (++scan->members > scan->bounds.values_max)
        return false;
    skip_space(scan);
    const char *name = scan->at;
    if (!scan_string(scan))
        return false;
    member->name = (struct str){name + 1, (size_t)(scan->at - name) - 2};
    skip_space(scan);
    if (!take(scan, ':'))
        return false;
    skip_space(scan);
    const char *value = scan->at;
    if (!scan_value(scan, &member->kind))
        return false;
    member->value = (struct str){value, (size_t)(scan->at - value)};
    skip_space(scan);
    return true;
}

/* The members behind the opening brace. on_member is NULL below the outermost object. */
static bool scan_members(struct scan *scan, json_member_fn *on_member, void *ctx)
{
    skip_space(scan);
    if (take(scan, '}'))
        return true;
    do {
        struct json_member member;
        if (!scan_member(scan, &member) || (on_member && !on_member(ctx, &member)))
            return false;
    } while (take(scan, ','));
    return take(scan, '}');
}

static bool scan_nested(struct scan *scan, bool object)
{
    if (++scan->depth > scan->bounds.depth_max)
        return false;
    bool valid = object ? scan_members(scan, NULL, NULL) : scan_array(scan);
    scan->depth--;
    return valid;
}

/* Recurses at most bounds.depth_max deep. */
static bool scan_value(struct scan *scan, enum json_kind *kind)
{
    if (scan->at == scan->end)
        return false;
    switch (*scan->at) {
    case '{':
        *kind = JSON_KIND_OBJECT;
        scan->at++;
        return scan_nested(scan, true);
    case '[':
        *kind = JSON_KIND_ARRAY;
        scan->at++;
        return scan_nested(scan, false);
    case '"':
        *kind = JSON_KIND_STRING;
        return scan_string(scan);
    case 't':
        *kind = JSON_KIND_TRUE;
        return take_word(scan, STR("true"));
    case 'f':
        *kind = JSON_KIND_FALSE;
        return take_word(scan, STR("false"));
    case 'n':
        *kind = JSON_KIND_NULL;
        return take_word(scan, STR("null"));
    default:
        *kind = JSON_KIND_NUMBER;
        return scan_number(scan);
    }
}

bool json_scan_object(struct str text, json_member_fn *on_member, void *ctx)
{
    return json_scan_object_within(text, usual, on_member, ctx);
}

bool json_scan_object_within(struct str text, struct json_bounds bounds, json_member_fn *on_member,
                             void *ctx)
{
    if (text.size == 0)
        return false;

    struct scan scan = {.at = text.text,
                        .end = text.text + text.size,
                        .depth = 1,
                        .bounds = bounds};

    skip_space(&scan);
    if (!take(&scan, '{') || !scan_members(&scan, on_member, ctx))
        return false;
    skip_space(&scan);
    return scan.at == scan.end;
}

bool json_scan_value(struct str text)
{
    if (text.size == 0)
        return false;

    struct scan scan = {.at = text.text, .end = text.text + text.size, .bounds = usual};
    enum json_kind kind;

    skip_space(&scan);
    if (!scan_value(&scan, &kind))
        return false;
    skip_space(&scan);
    return scan.at == scan.end;
}

/* ---- what strings spell ----
 * Our own, because the relay path allocates nothing, and jansson 2.14 loses bytes or writes past its
 * buffer when it finds no memory in the middle of a string (akheron/jansson issue 362). */

enum { NOT_HEX = -1, HIGH_SURROGATE = 0xd800, LOW_SURROGATE = 0xdc00, SURROGATES_END = 0xe000 };

/* The value of \uXXXX at the front, or NOT_HEX. */
static int32_t peek_unicode_escape(struct str text)
{
    int32_t value = 0;

    if (text.size < 6 || text.text[0] != '\\' || text.text[1] != 'u')
        return NOT_HEX;
    for (int i = 2; i < 6; i++) {
        char c = text.text[i];
        if (!is_hex(c))
            return NOT_HEX;
        value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static void skip(struct str *text, size_t size)
{
    *text = (struct str){text->text + size, text->size - size};
}

/* Takes \uXXXX off the front, or a pair of them that is a surrogate pair (RFC 8259 section 7). */
static int32_t take_unicode_escape(struct str *text)
{
    int32_t scalar = peek_unicode_escape(*text);

    if (scalar == NOT_HEX)
        return NOT_HEX;
    skip(text, 6);
    int32_t low = peek_unicode_escape(*text);
    if (scalar < HIGH_SURROGATE || scalar >= LOW_SURROGATE || low < LOW_SURROGATE ||
        low >= SURROGATES_END)
        return scalar;
    skip(text, 6);
    return 0x10000 + ((scalar - HIGH_SURROGATE) << 10) + (low - LOW_SURROGATE);
}

/* Takes an escape off the front. Returns what it stands for, or NOT_HEX when it is none. */
static int32_t take_escape(struct str *text)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char *letter = text->size >= 2 && text->text[1] ? strchr(letters, text->text[1]) : NULL;

    if (!letter)
        return take_unicode_escape(text);
    skip(text, 2);
    return meanings[letter - letters];
}

/* Writes a code point as UTF-8 (a lone surrogate as if it were one); returns its size. */
static size_t write_utf8(int32_t scalar, char out[4])
{
    size_t size = scalar < 0x80 ? 1 : scalar < 0x800 ? 2 : scalar < 0x10000 ? 3 : 4;
    static const unsigned char first_byte[] = {0, 0, 0xc0, 0xe0, 0xf0};

    for (size_t i = size - 1; i > 0; i--, scalar >>= 6)
        out[i] = (char)(0x80 | (scalar & 0x3f));
    out[0] = (char)(first_byte[size] | scalar);
    return size;
}

/* Appends bytes to out; false when they do not fit. */
static bool append(char *out, size_t capacity, size_t *used, struct str bytes)
{
    if (bytes.size > capacity - *used)
        return false;
    if (bytes.size)
        memcpy(out + *used, bytes.text, bytes.size);
    *used += bytes.size;
    return true;
}

long json_string_read(struct str text, char *out, size_t capacity)
{
    size_t used = 0;

    if (text.size < 2)
        return -1;
    struct str rest = {text.text + 1, text.size - 2};
    while (rest.size) {
        const char *escape = memchr(rest.text, '\\', rest.size);
        size_t run = escape ? (size_t)(escape - rest.text) : rest.size;
        if (!append(out, capacity, &used, (struct str){rest.text, run}))
            return -1;
        skip(&rest, run);
        if (!escape)
            break;

        char bytes[4];
        int32_t scalar = take_escape(&rest);
        if (scalar <= 0 || (scalar >= HIGH_SURROGATE && scalar < SURROGATES_END))
            return -1;
        size_t size = write_utf8(scalar, bytes);
        if (!append(out, capacity, &used, (struct str){bytes, size}))
            return -1;
    }
    return (long)used;
}

uint64_t json_name_hash(struct str name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */

    while (name.size) {
        char bytes[4] = {name.text[0]};
        size_t size = 1;
        int32_t scalar = bytes[0] == '\\' ? take_escape(&name) : NOT_HEX;
        if (scalar != NOT_HEX)
            size = write_utf8(scalar, bytes);
        else
            skip(&name, 1);
        for (size_t i = 0; i < size; i++)
            hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
    }
    return hash;
}

long json_string_write(struct str text, char *out, size_t capacity)
{
    json_t *string = json_stringn(text.text ? text.text : "", text.size);
    if (!string)
        return -1;
    size_t size = json_dumpb(string, out, capacity, JSON_ENCODE_ANY);
    json_decref(string);
    return size == 0 || size > capacity ? -1 : (long)size;
}
