/* view: HTML pages with {{placeholders}}. */
#ifndef ALOHA_VIEW_H
#define ALOHA_VIEW_H

#include "aloha/buf.h"

struct view_value {
    const char *name;
    struct str text;
};

/* Writes the view with each {{name}} replaced by its value, escaped for HTML text and for quoted
 * attributes (& < > " '). A placeholder without a value becomes nothing. */
void view_render(struct buf *out, struct str view, const struct view_value *values, size_t count);

#endif
