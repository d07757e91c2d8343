/* How a report is printed. */
#include "aloha/check.h"

#include <stdio.h>

enum { COLUMNS = 80, TEXT_COLUMN = 24 };

static const struct {
    const char *word, *colour;
} verdicts[] = {
    [CHECK_OK] = {"ok", "\x1b[32m"},
    [CHECK_WARNING] = {"warning", "\x1b[33m"},
    [CHECK_ERROR] = {"error", "\x1b[31m"},
};

/* Goes on from TEXT_COLUMN, and there again with each further line. A word that is wider stays whole. */
static void add_wrapped(struct buf *out, const char *text)
{
    struct str rest = str_of(text);
    size_t column = TEXT_COLUMN;

    while (rest.size) {
        struct str word = str_cut(&rest, ' ');
        bool first = column == TEXT_COLUMN;
        if (!first && column + 1 + word.size > COLUMNS) {
            buf_add_format(out, "\n%*s", TEXT_COLUMN, "");
            column = TEXT_COLUMN;
            first = true;
        }
        buf_add_format(out, "%s%.*s", first ? "" : " ", (int)word.size, word.text);
        column += word.size + !first;
    }
    buf_add(out, STR("\n"));
}

static void add_row(struct buf *out, const struct check_row *row, bool colour)
{
    char remedy[CHECK_TEXT_SIZE_MAX + 4];

    buf_add_format(out, "%s%-8s%s %-14s ", colour ? verdicts[row->verdict].colour : "",
                   verdicts[row->verdict].word, colour ? "\x1b[0m" : "", row->name);
    add_wrapped(out, row->text);
    if (!row->remedy[0])
        return;
    snprintf(remedy, sizeof remedy, "-> %s", row->remedy);
    buf_add_format(out, "%*s", TEXT_COLUMN, "");
    add_wrapped(out, remedy);
}

static void add_count(struct buf *out, size_t count, const char *what)
{
    buf_add_format(out, "%zu %s%s", count, what, count == 1 ? "" : "s");
}

void check_write(const struct check_report *report, bool colour, struct buf *out)
{
    for (size_t i = 0; i < report->count; i++)
        add_row(out, &report->rows[i], colour);
    buf_add(out, STR("\n"));
    add_count(out, report->counts[CHECK_ERROR], "error");
    buf_add(out, STR(", "));
    add_count(out, report->counts[CHECK_WARNING], "warning");
    buf_add(out, report->counts[CHECK_ERROR] ? STR(": aloha does not start like this\n")
                                             : STR(": aloha starts like this\n"));
}
