/* commands: what `aloha WORD` does instead of serving. One table: main.c takes the functions from it;
 * --help, the manual and the shells' completions take the texts. */
#ifndef ALOHA_COMMANDS_H
#define ALOHA_COMMANDS_H

#include "aloha/base.h"

/* Name, function in main.c, what stands behind it, what a shell completes there ("topics" of --help,
 * "options", or words with blanks between them), help. */
#define COMMAND_TABLE(X)                                                                           \
    X("check", run_check, "[OPTIONS]", "options",                                                  \
      "Tells what is wrong with these options and machine: it does not serve.")                    \
    X("help", run_help, "[TOPIC]", "topics",                                                       \
      "Shows the options; in full those of a group or all, or a single one.")                      \
    X("version", run_version, "", "", "Shows the version.")                                        \
    X("ctl", ctl_run, "COMMAND",                                                                   \
      "status rooms room close-room remove drain reload log-level health ready metrics",           \
      "Asks the running server, or tells it what to do; aloha ctl --help lists what.")

struct command_row {
    const char *name, *arguments, *words, *help;
};

extern const struct command_row command_rows[];
extern const size_t command_count;

#endif
