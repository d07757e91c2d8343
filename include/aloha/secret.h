/* secret: the key that outlives this process, from a file that nobody else can read. */
#ifndef ALOHA_SECRET_H
#define ALOHA_SECRET_H

#include "aloha/token.h"

/* Reads the key of the resume tokens, and makes it first if it is not there.
 *   secret_file  where it is, at least SECRET_SIZE_MIN bytes of any kind; empty: DIR/secret.
 *   state_dir    DIR, made if need be with mode 0700; empty: $STATE_DIRECTORY, else
 *                $XDG_STATE_HOME/aloha, else $HOME/.local/state/aloha. If none of these can be used
 *                there is a warning in the log and a key that ends with this process.
 *   returns      false with one line in `problem`: a file or directory that was asked for cannot be
 *                used, or there is a key file that cannot be, or is open to others. */
enum { SECRET_SIZE_MIN = 32 };
MUST_USE bool secret_load(struct token_key *out, const char *secret_file, const char *state_dir,
                          char *problem, size_t problem_size);

#endif
