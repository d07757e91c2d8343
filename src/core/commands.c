#include "aloha/commands.h"

#define COMMAND_ROW(name, run, arguments, words, help) {name, arguments, words, help},
const struct command_row command_rows[] = {COMMAND_TABLE(COMMAND_ROW)};
#undef COMMAND_ROW
const size_t command_count = ARRAY_SIZE(command_rows);
