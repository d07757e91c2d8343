/* What the files of the program share: main.c has the commands, serve.c what it does without one. */
#ifndef ALOHA_PROGRAM_H
#define ALOHA_PROGRAM_H

#include "aloha/config.h"

enum { EXIT_CANNOT_START = 1, EXIT_BAD_USAGE = 2 };

/* Says what is wrong on standard error, in one line: what came from outside cannot steer the terminal. Returns status. */
int complain(char *problem, int status);

/* What the table of options cannot judge by itself: false, and one line in problem. */
MUST_USE bool program_check_options(const struct config *config, char *problem,
                                    size_t problem_size);

/* Serves until a signal ends it. Lowers limits that cannot be had here. Returns the exit status. */
int serve(struct config *config);

#endif
