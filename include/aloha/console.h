/* console: what a person at the terminal sees, and where the log goes. */
#ifndef ALOHA_CONSOLE_H
#define ALOHA_CONSOLE_H

#include "aloha/config.h"
#include "aloha/welcome.h"

/* Logs to standard error. A pipe that nobody reads costs lines, never time. Where that is systemd's journal,
 * lines are as it wants them (log.h). */
void console_start_log(enum log_level level, enum log_format format);

/* Shows welcome.h's text on standard output, with a QR code where the terminal can show one. Fills in what the
 * machine and the terminal are. Nothing where that is the journal, which has the same from the log. */
void console_show_welcome(struct welcome *welcome);

/* True when escape sequences may be written there: a terminal that knows them, and nobody said NO_COLOR
 * (no-color.org). */
bool console_has_colour(int fd);

#endif
