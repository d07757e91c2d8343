#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void check_failed(const char *file, int line, const char *condition)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
    abort();
}

struct str check_input(const uint8_t *data, size_t size)
{
    return (struct str){size ? (const char *)data : NULL, size};
}

struct str check_copy(struct str text)
{
    if (text.size == 0)
        return (struct str){NULL, 0};
    char *copy = malloc(text.size);
    if (!copy)
        abort();
    memcpy(copy, text.text, text.size);
    return (struct str){copy, text.size};
}

bool check_is_inside(struct str part, struct str whole)
{
    return part.text >= whole.text && part.size <= whole.size &&
           (size_t)(part.text - whole.text) <= whole.size - part.size;
}
