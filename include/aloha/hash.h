/* hash: uthash (Troy D. Hanson), told to report a lack of memory instead of ending the process.
 * Include this, never <uthash.h>. The hash values are our own (siphash.h): use the _BYHASHVALUE
 * forms. */
#ifndef ALOHA_HASH_H
#define ALOHA_HASH_H

/* A function that adds to a table declares `bool added = true` and looks at it afterwards. */
#define HASH_NONFATAL_OOM         1
#define uthash_nonfatal_oom(item) added = false
#include <uthash.h>

#endif
