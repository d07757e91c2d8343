/* What the static analysers read in place of some macros of uthash and utlist: the same lists, said
 * simply. In the originals they lose track of which element is which, and warn of what cannot be.
 */
#ifndef ALOHA_LINT_H
#define ALOHA_LINT_H

#ifdef __clang_analyzer__
#include "aloha/hash.h"
#include <utlist.h>
#endif

#ifndef ALOHA_VERSION /* comes from the build */
#define ALOHA_VERSION "0"
#endif

#undef HASH_ITER
#undef HASH_DEL
#undef DL_FOREACH
#undef DL_FOREACH_SAFE
#define HASH_ITER(hh, head, item, next)                                                            \
    for ((item) = (head); (item) && ((next) = (item)->hh.next, 1); (item) = (next))
#define HASH_DEL(head, item)   ((head) = (item)->hh.next)
#define DL_FOREACH(head, item) for ((item) = (head); (item); (item) = (item)->next)
#define DL_FOREACH_SAFE(head, item, next)                                                          \
    for ((item) = (head); (item) && ((next) = (item)->next, 1); (item) = (next))

#endif
