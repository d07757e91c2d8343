/* What the writers of --help, manual, completions and documentation share. */
#ifndef ALOHA_CONFIG_TEXT_H
#define ALOHA_CONFIG_TEXT_H

#include "config_private.h"

/* Adds the words of `text` in lines that end before column `end`; all but the first begin with `indent`
 * spaces. column: where the first one begins. */
void text_wrap(struct buf *out, struct str text, size_t column, size_t indent, size_t end);

/* The part of an option's help that says enough for one line: up to a stop, colon or semicolon. */
struct str text_brief(const char *help);

/* What stands behind the flag: "NUMBER", "no|yes", nothing behind a switch. */
const char *text_placeholder(const struct option *option);

/* The default and its unit, "10 s"; empty when there is none. */
enum { TEXT_DEFAULT_SIZE = 64 };
void text_default(const struct option *option, char out[TEXT_DEFAULT_SIZE]);

/* The topics of --help: each group's section, and "all"; with `separator` between them. */
void text_topics(struct buf *out, const char *separator);

/* help, and what happens past a limit. */
enum { TEXT_HELP_SIZE = 768 };
struct str text_help(const struct option *option, char out[TEXT_HELP_SIZE]);

#endif
