/* config_load: the configuration of this process: its command line, its environment and its file. */
#ifndef ALOHA_CONFIG_LOAD_H
#define ALOHA_CONFIG_LOAD_H

#include "aloha/config.h"

/* Reads all there is; see config_read() for *out and what goes wrong.
 *   The file is --config, ALOHA_CONFIG, or the usual one if it is there. It has to be a regular one, of
 *   CONFIG_FILE_SIZE_MAX bytes at most, not writable for everybody. When it belongs to neither root nor
 *   us, root does not read it, for it would do what somebody else says; others may, and
 *   out->file_is_strangers says so.
 *   lifetime   as long as argv and the environment are as they are, and until config_deinit(). */
MUST_USE bool config_load(struct config *out, int argc, char *const argv[], char *problem,
                          size_t problem_size);

#endif
