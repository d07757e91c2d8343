/* view_render() against a state machine that reads one byte at a time. The input is parts with a
 * NUL between them: the view, then names and values in turn. Whatever the buffer's maximum, what is
 * written is never more, and it is all of the page or the buffer says that it failed. */
#include "check.h"
#include "lines.h"

#include "aloha/view.h"

#include <stdlib.h>
#include <string.h>

enum { VALUES_MAX = 8, OUT_SIZE_MAX = 64 * 1024 };

struct page {
    char *text;
    size_t size;
};

static void put(struct page *page, const char *text, size_t size)
{
    if (size > OUT_SIZE_MAX - page->size)
        size = OUT_SIZE_MAX - page->size;
    memcpy(page->text + page->size, text, size);
    page->size += size;
}

static void put_escaped(struct page *page, struct str text)
{
    static const char *const escapes[256] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;",
    };

    for (size_t i = 0; i < text.size; i++) {
        const char *escape = escapes[(unsigned char)text.text[i]];
        put(page, escape ? escape : &text.text[i], escape ? strlen(escape) : 1);
    }
}

/* Where "}}" stands at or behind `at`; the view's size when nowhere. */
static size_t find_close(struct str view, size_t at)
{
    for (; at + 1 < view.size; at++)
        if (view.text[at] == '}' && view.text[at + 1] == '}')
            return at;
    return view.size;
}

static void render(struct page *page, struct str view, const struct view_value *values,
                   size_t count)
{
    for (size_t at = 0; at < view.size;) {
        bool opens = view.size - at >= 2 && view.text[at] == '{' && view.text[at + 1] == '{';
        size_t close = opens ? find_close(view, at + 2) : view.size;
        if (close == view.size) {
            put(page, &view.text[at++], 1);
            continue;
        }
        struct str name = str_trim((struct str){view.text + at + 2, close - at - 2});
        for (size_t i = 0; i < count; i++)
            if (name.size == strlen(values[i].name) &&
                strncmp(name.text, values[i].name, name.size) == 0)
                put_escaped(page, values[i].text);
        at = close + 2;
    }
}

/* The same with less room: never more than that, and complete only when it fits. */
static void check_small(struct str view, const struct view_value *values, size_t count,
                        struct str whole, size_t max)
{
    struct buf out;

    buf_init(&out, max);
    view_render(&out, view, values, count);
    CHECK(out.size <= max);
    CHECK(out.failed == (whole.size > max));
    CHECK(out.failed || str_equal(buf_str(&out), whole));
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = check_input(data, size), view = {NULL, 0}, part;
    struct view_value values[VALUES_MAX];
    char *names[VALUES_MAX];
    size_t count = 0;

    if (lines_take(&rest, '\0', &part))
        view = check_copy(part);
    while (count < VALUES_MAX && lines_take(&rest, '\0', &part)) {
        names[count] = strndup(part.text, part.size);
        values[count] = (struct view_value){.name = names[count]};
        if (lines_take(&rest, '\0', &part))
            values[count].text = part;
        count++;
    }

    struct page page = {.text = malloc(OUT_SIZE_MAX)};
    struct buf out;
    render(&page, view, values, count);
    buf_init(&out, OUT_SIZE_MAX);
    view_render(&out, view, values, count);
    if (page.size < OUT_SIZE_MAX) {
        struct str whole = {page.text, page.size};
        CHECK(!out.failed);
        CHECK(str_equal(buf_str(&out), whole));
        check_small(view, values, count, whole, page.size);
        check_small(view, values, count, whole, page.size ? page.size - 1 : 0);
        check_small(view, values, count, whole, page.size / 2);
    }

    buf_deinit(&out);
    free(page.text);
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free((char *)view.text);
    return 0;
}
