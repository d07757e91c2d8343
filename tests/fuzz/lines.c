#include "lines.h"

bool lines_take(struct str *rest, char separator, struct str *out)
{
    if (rest->size == 0)
        return false;
    *out = str_cut(rest, separator);
    return true;
}
