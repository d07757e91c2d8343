/* base_path: where on its host this server is, as --base-path says. */
#ifndef ALOHA_BASE_PATH_H
#define ALOHA_BASE_PATH_H

#include "aloha/str.h"

enum { BASE_PATH_SIZE_MAX = 128 };

/* Reads "/", or "/" and segments of unreserved characters (RFC 3986 section 2.3) with slashes between them.
 *   out      on true: without the slash at its end, so nothing for "/"; points into text. */
MUST_USE bool base_path_read(struct str text, struct str *out);

/* The path below a base path, which may be asked for without the slash at its end; empty for one that is not there. */
struct str base_path_below(struct str base, struct str path);

#endif
