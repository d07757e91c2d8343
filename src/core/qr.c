#include "aloha/qr.h"

unsigned qr_columns(unsigned width)
{
    return width + 2 * QR_QUIET;
}

unsigned qr_rows(unsigned width)
{
    return (qr_columns(width) + 1) / 2;
}

/* A module by its place in the drawing, quiet zone and all; what is outside is light. */
static bool is_dark(const uint8_t *modules, unsigned width, unsigned x, unsigned y)
{
    if (x < QR_QUIET || y < QR_QUIET || x >= width + QR_QUIET || y >= width + QR_QUIET)
        return false;
    return modules[(y - QR_QUIET) * width + (x - QR_QUIET)] & 1;
}

void qr_write_row(const uint8_t *modules, unsigned width, unsigned row, struct buf *out)
{
    /* By the upper module and the lower one: dark is the foreground. */
    static const char *const blocks[2][2] = {{" ", "\u2584"}, {"\u2580", "\u2588"}};

    buf_add(out, STR("\x1b[38;5;16;48;5;231m")); /* the palette's fixed black and white (xterm) */
    for (unsigned x = 0; x < qr_columns(width); x++)
        buf_add(out, str_of(blocks[is_dark(modules, width, x, 2 * row)]
                                  [is_dark(modules, width, x, 2 * row + 1)]));
    buf_add(out, STR("\x1b[0m"));
}
