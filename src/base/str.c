#include "aloha/str.h"

#include <string.h>

struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool str_equal_nocase(struct str a, struct str b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++)
        if (lower(a.text[i]) != lower(b.text[i]))
            return false;
    return true;
}

bool str_starts_with(struct str text, struct str prefix)
{
    return text.size >= prefix.size && str_equal((struct str){text.text, prefix.size}, prefix);
}

struct str str_cut(struct str *rest, char separator)
{
    const char *at = rest->size ? memchr(rest->text, separator, rest->size) : NULL;
    struct str head = *rest;

    if (!at) {
        *rest = (struct str){NULL, 0};
        return head;
    }
    head.size = (size_t)(at - rest->text);
    *rest = (struct str){at + 1, rest->size - head.size - 1};
    return head;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct str str_trim(struct str text)
{
    while (text.size && is_blank(text.text[0])) {
        text.text++;
        text.size--;
    }
    while (text.size && is_blank(text.text[text.size - 1]))
        text.size--;
    return text;
}

void str_make_printable(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

bool str_to_uint(struct str text, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;

    if (text.size == 0 || text.size > 19)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.text[i] < '0' || text.text[i] > '9')
            return false;
        value = value * 10 + (uint64_t)(text.text[i] - '0');
    }
    if (value > max)
        return false;
    *out = value;
    return true;
}
