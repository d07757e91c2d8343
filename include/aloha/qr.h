/* qr: a QR code (ISO/IEC 18004) as text for a terminal. */
#ifndef ALOHA_QR_H
#define ALOHA_QR_H

#include "aloha/buf.h"

enum { QR_QUIET = 4 }; /* light modules on each side that a reader wants to see (section 6.3.8) */

/* How many columns and rows of a terminal a code of so many modules a side takes. */
unsigned qr_columns(unsigned width);
unsigned qr_rows(unsigned width);

/* Adds one line of the drawing, without a line feed: two rows of modules, one above the other in each character
 * (U+2580, U+2584, U+2588). Black and white are set by themselves, so it is right on a dark terminal and on a light one.
 *   modules  width * width bytes, row by row; the lowest bit tells a dark one, as libqrencode has it.
 *   row      0 to qr_rows(width) - 1. */
void qr_write_row(const uint8_t *modules, unsigned width, unsigned row, struct buf *out);

#endif
