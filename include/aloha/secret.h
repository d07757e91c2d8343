/* secret: what must not be known, from where nobody else can read it. */
#ifndef ALOHA_SECRET_H
#define ALOHA_SECRET_H

#include "aloha/config.h"
#include "aloha/token.h"

#include <sys/stat.h>

enum { SECRET_SIZE_MIN = 32, SECRET_SIZE_MAX = 4096, SECRET_DIGEST_SIZE = 32 };

/* Holds the text without the line feeds at its end; secret_forget() wipes it. */
struct secret {
    char text[SECRET_SIZE_MAX];
    size_t size; /* SECRET_SIZE_MIN at least */
};

enum secret_verdict {
    SECRET_FOUND,
    SECRET_NOT_GIVEN, /* nobody has said where it is: *out is untouched */
    SECRET_UNUSABLE,  /* one line in `problem` says which file, and what is wrong with it */
};

/* Reads a secret from the first place that has it: the value of the environment, the file that was named,
 * $CREDENTIALS_DIRECTORY/NAME. May be called again later (SIGHUP): files are read anew.
 *   A file has to be a regular one, of root or of the user that we are or will be, and open to nobody
 *   else; but what lies in the credentials' directory may be open to its group if it is root's
 *   (systemd.exec(5), LoadCredential=, gives 0440 where it cannot change the owner). */
MUST_USE enum secret_verdict secret_read(struct secret *out, const struct secret_source *source,
                                         char *problem, size_t problem_size);

/* Files of this user are good as well from here on: of whom root will become. */
void secret_trust_user(uid_t user);

/* NULL, or why a file that is this cannot have kept a secret, as a complaint about it. */
const char *secret_file_fault(const struct stat *info);

/* SHA-256 of it: a key of the right size, or something to compare in constant time.
 *   returns  false when there is no memory. */
MUST_USE bool secret_digest(const struct secret *secret, uint8_t out[SECRET_DIGEST_SIZE]);

void secret_forget(struct secret *secret);

/* Reads the key of the resume tokens, and makes it first if it is not there.
 *   source       where it was said to be; not given: DIR/secret.
 *   state_dir    DIR, made if need be with mode 0700; empty: $STATE_DIRECTORY, else
 *                $XDG_STATE_HOME/aloha, else $HOME/.local/state/aloha. If none of these can be used
 *                there is a warning in the log and a key that ends with this process.
 *   returns      false with one line in `problem`: a file or directory that was asked for cannot be
 *                used, or there is a key file that cannot be, or is open to others. */
MUST_USE bool secret_load(struct token_key *out, const struct secret_source *source,
                          const char *state_dir, char *problem, size_t problem_size);

#endif
