/* lines: inputs that people can read. A script is lines, an HTTP request is lines, a command line
 * is arguments: all are parts with one byte between them. */
#ifndef ALOHA_FUZZ_LINES_H
#define ALOHA_FUZZ_LINES_H

#include "aloha/str.h"

/* Takes the next part off *rest.
 *   returns   false when nothing is left. */
bool lines_take(struct str *rest, char separator, struct str *out);

#endif
