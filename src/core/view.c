#include "aloha/view.h"

#include <string.h>

static struct str escape_of(char c)
{
    switch (c) {
    case '&':
        return STR("&amp;");
    case '<':
        return STR("&lt;");
    case '>':
        return STR("&gt;");
    case '"':
        return STR("&quot;");
    case '\'':
        return STR("&#39;");
    default:
        return (struct str){NULL, 0};
    }
}

static void add_escaped(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.size; i++) {
        struct str escape = escape_of(text.text[i]);
        buf_add(out, escape.size ? escape : (struct str){&text.text[i], 1});
    }
}

static void add_value(struct buf *out, struct str name, const struct view_value *values,
                      size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_equal(name, str_of(values[i].name)))
            add_escaped(out, values[i].text);
}

/* Where `needle` begins in text; NULL when it does not. */
static const char *find(struct str text, const char *needle)
{
    return text.size ? memmem(text.text, text.size, needle, strlen(needle)) : NULL;
}

void view_render(struct buf *out, struct str view, const struct view_value *values, size_t count)
{
    for (;;) {
        const char *open = find(view, "{{");
        if (!open)
            break;
        struct str inside = {open + 2, view.size - (size_t)(open - view.text) - 2};
        const char *close = find(inside, "}}");
        if (!close)
            break;
        inside.size = (size_t)(close - inside.text);
        buf_add(out, (struct str){view.text, (size_t)(open - view.text)});
        add_value(out, str_trim(inside), values, count);
        view.size -= (size_t)(close + 2 - view.text);
        view.text = close + 2;
    }
    buf_add(out, view);
}
