#include "aloha/base_path.h"

/* RFC 3986 section 2.3. */
static bool is_unreserved(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

static bool is_segment(struct str text)
{
    for (size_t i = 0; i < text.size; i++)
        if (!is_unreserved(text.text[i]))
            return false;
    return text.size && !str_equal(text, STR(".")) && !str_equal(text, STR(".."));
}

bool base_path_read(struct str text, struct str *out)
{
    struct str rest = text;

    *out = (struct str){NULL, 0};
    if (str_equal(text, STR("/")))
        return true;
    if (text.size > BASE_PATH_SIZE_MAX || str_cut(&rest, '/').size || !rest.text)
        return false;
    while (rest.text)
        if (!is_segment(str_cut(&rest, '/')))
            return false;
    *out = text;
    return true;
}

struct str base_path_below(struct str base, struct str path)
{
    if (path.size == 0 || !str_starts_with(path, base)) /* NULL + 0 has no meaning in C */
        return (struct str){NULL, 0};
    path = (struct str){path.text + base.size, path.size - base.size};
    if (path.size == 0)
        return base.size ? STR("/") : path;
    return path.text[0] == '/' ? path : (struct str){NULL, 0};
}
