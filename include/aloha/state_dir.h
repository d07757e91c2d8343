/* state_dir: where what outlives this process is kept. */
#ifndef ALOHA_STATE_DIR_H
#define ALOHA_STATE_DIR_H

#include "aloha/str.h"

#include <sys/types.h>

enum { STATE_PATH_SIZE_MAX = 4096 };

/* Where the state belongs (systemd.exec(5), XDG Base Directory Specification 0.8).
 *   wanted   what was asked for; empty: $STATE_DIRECTORY, else $XDG_STATE_HOME/aloha, else
 *            $HOME/.local/state/aloha.
 *   returns  false when nothing says where, or the path is too long. The directory need not be there. */
MUST_USE bool state_dir_find(char out[STATE_PATH_SIZE_MAX], const char *wanted);

/* Makes each directory of the path that is not there, with mode 0700; false with errno. */
MUST_USE bool state_dir_make(const char *path);

/* The same for another user, by root: what is made belongs to them, and those above it can be passed
 * through (0711). What is there already stays as it is. */
MUST_USE bool state_dir_make_for(const char *path, uid_t user, gid_t group);

/* Writes a file of mode 0600, whole or not at all; false with errno.
 *   replace  whether it takes the place of one that is there; without, that one stays, and that is as good: of two
 *            servers that start at the same moment the first one's counts. */
MUST_USE bool state_file_write(const char *path, struct str text, bool replace);

#endif
