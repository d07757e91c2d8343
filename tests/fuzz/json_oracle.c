#include "json_oracle.h"

#include "check.h"

#include <stdlib.h>
#include <string.h>

/* A run of digits longer than this is cut: 1e299 fits a double, 1e309 does not. */
enum { DIGITS_MAX = 300 };

struct rewrite {
    const char *at, *end;
    char *out; /* as large as what comes in: nothing here grows */
    size_t size;
    unsigned depth, depth_max, members;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void put(struct rewrite *rewrite, char c)
{
    rewrite->out[rewrite->size++] = c;
}

/* The value of a \uXXXX at `at`; -1 when there is none. */
static long escape_at(const struct rewrite *rewrite, const char *at)
{
    char digits[5] = {0};

    if (rewrite->end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    memcpy(digits, at + 2, 4);
    return strspn(digits, "0123456789abcdefABCDEF") == 4 ? strtol(digits, NULL, 16) : -1;
}

static bool is_high(long unit)
{
    return unit >= 0xd800 && unit <= 0xdbff;
}

static bool is_low(long unit)
{
    return unit >= 0xdc00 && unit <= 0xdfff;
}

static void copy_bytes(struct rewrite *rewrite, size_t size)
{
    memcpy(rewrite->out + rewrite->size, rewrite->at, size);
    rewrite->size += size;
    rewrite->at += size;
}

static void rewrite_escape(struct rewrite *rewrite)
{
    long unit = escape_at(rewrite, rewrite->at);

    if (unit < 0) {
        copy_bytes(rewrite, rewrite->end - rewrite->at > 1 ? 2 : 1);
    } else if (is_high(unit) && is_low(escape_at(rewrite, rewrite->at + 6))) {
        copy_bytes(rewrite, 12);
    } else if (unit == 0 || is_high(unit) || is_low(unit)) {
        memcpy(rewrite->out + rewrite->size, "\\ufffd", 6);
        rewrite->size += 6;
        rewrite->at += 6;
    } else {
        copy_bytes(rewrite, 6);
    }
}

static void rewrite_string(struct rewrite *rewrite)
{
    copy_bytes(rewrite, 1);
    while (rewrite->at < rewrite->end) {
        if (*rewrite->at == '\\') {
            rewrite_escape(rewrite);
            continue;
        }
        put(rewrite, *rewrite->at);
        if (*rewrite->at++ == '"')
            return;
    }
}

/* True when the digits that come next stand behind an "e", "e+" or "e-". */
static bool is_in_exponent(const struct rewrite *rewrite)
{
    size_t size = rewrite->size;
    if (size && (rewrite->out[size - 1] == '+' || rewrite->out[size - 1] == '-'))
        size--;
    return size && (rewrite->out[size - 1] == 'e' || rewrite->out[size - 1] == 'E');
}

static void rewrite_digits(struct rewrite *rewrite)
{
    bool exponent = is_in_exponent(rewrite);

    for (size_t count = 0; rewrite->at < rewrite->end && is_digit(*rewrite->at); rewrite->at++)
        if (count++ < DIGITS_MAX)
            put(rewrite, exponent ? '0' : *rewrite->at);
}

/* Counts the first element or member of what opens here; the others are counted by their commas. */
static void count_open(struct rewrite *rewrite, char close)
{
    const char *next = rewrite->at + 1;

    while (next < rewrite->end && is_space(*next))
        next++;
    if (next < rewrite->end && *next != close)
        rewrite->members++;
    if (++rewrite->depth > rewrite->depth_max)
        rewrite->depth_max = rewrite->depth;
}

static void rewrite_all(struct rewrite *rewrite)
{
    while (rewrite->at < rewrite->end) {
        char c = *rewrite->at;
        if (c == '"') {
            rewrite_string(rewrite);
            continue;
        }
        if (is_digit(c)) {
            rewrite_digits(rewrite);
            continue;
        }
        if (c == '{' || c == '[')
            count_open(rewrite, c == '{' ? '}' : ']');
        else if (c == ',')
            rewrite->members++;
        else if ((c == '}' || c == ']') && rewrite->depth)
            rewrite->depth--;
        copy_bytes(rewrite, 1);
    }
}

json_t *json_oracle_parse(struct str text)
{
    struct rewrite rewrite = {.at = text.text};

    if (text.size == 0 || memchr(text.text, '\0', text.size))
        return NULL;
    rewrite.end = text.text + text.size;
    rewrite.out = malloc(text.size);
    if (!rewrite.out)
        abort();
    rewrite_all(&rewrite);

    json_t *root =
        json_loadb(rewrite.out, rewrite.size, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    free(rewrite.out);
    if (rewrite.depth_max > JSON_DEPTH_MAX || rewrite.members > JSON_MEMBERS_MAX) {
        json_decref(root);
        return NULL;
    }
    return root;
}

bool json_outline_add(void *outline, const struct json_member *member)
{
    struct json_outline *out = outline;

    CHECK(out->count < JSON_OUTLINE_MAX);
    out->members[out->count++] = *member;
    return out->count != out->stop_at;
}

json_t *json_oracle_name(const struct json_member *member)
{
    return json_oracle_parse((struct str){member->name.text - 1, member->name.size + 2});
}

/* Writes one code point, a lone surrogate too, in the shape of UTF-8. */
static size_t write_code_point(char *out, unsigned long point)
{
    static const unsigned firsts[] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;

    for (size_t i = size; i-- > 1; point >>= 6)
        out[i] = (char)(0x80 | (point & 0x3f));
    out[0] = (char)(firsts[size] | point);
    return size;
}

/* What a name means, in no more bytes than it is spelled with. The caller frees the text. */
static struct str spell(struct str name)
{
    static const char letters[] = "bfnrt", controls[] = "\b\f\n\r\t";
    struct rewrite from = {.at = name.text, .end = name.text + name.size};
    struct str out = check_copy(name);
    char *text = (char *)out.text;

    for (out.size = 0; from.at < from.end;) {
        long unit = escape_at(&from, from.at), low = -1;
        if (*from.at != '\\') {
            text[out.size++] = *from.at++;
        } else if (unit < 0) {
            const char *letter = strchr(letters, from.at[1]);
            text[out.size++] = letter ? controls[letter - letters] : from.at[1];
            from.at += 2;
        } else {
            from.at += 6;
            if (is_high(unit) && is_low(low = escape_at(&from, from.at))) {
                unit = 0x10000 + (unit - 0xd800) * 0x400 + (low - 0xdc00);
                from.at += 6;
            }
            out.size += write_code_point(text + out.size, (unsigned long)unit);
        }
    }
    return out;
}

bool json_oracle_same_name(const struct json_member *a, const struct json_member *b)
{
    struct str first = spell(a->name), second = spell(b->name);
    bool same = str_equal(first, second);

    free((char *)first.text);
    free((char *)second.text);
    return same;
}

static int compare_spelled(const void *a, const void *b)
{
    const struct str *first = a, *second = b;
    size_t shorter = first->size < second->size ? first->size : second->size;
    int order = shorter ? memcmp(first->text, second->text, shorter) : 0;
    return order ? order : (first->size > second->size) - (first->size < second->size);
}

bool json_outline_repeats(const struct json_outline *outline)
{
    struct str names[JSON_OUTLINE_MAX];
    bool repeats = false;

    for (size_t i = 0; i < outline->count; i++)
        names[i] = spell(outline->members[i].name);
    qsort(names, outline->count, sizeof *names, compare_spelled);
    for (size_t i = 0; i < outline->count; i++) {
        repeats |= i + 1 < outline->count && str_equal(names[i], names[i + 1]);
        free((char *)names[i].text);
    }
    return repeats;
}

const struct json_member *json_outline_find(const struct json_outline *outline, const char *name)
{
    const struct json_member *found = NULL;

    for (size_t i = 0; i < outline->count; i++) {
        json_t *spelled = json_oracle_name(&outline->members[i]);
        if (spelled && strcmp(json_string_value(spelled), name) == 0) {
            CHECK(!found);
            found = &outline->members[i];
        }
        json_decref(spelled);
    }
    return found;
}
