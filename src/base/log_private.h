/* What the files of the log share. */
#ifndef ALOHA_LOG_PRIVATE_H
#define ALOHA_LOG_PRIVATE_H

#include "aloha/log.h"

/* One event, as it is to be written. */
struct log_line {
    enum log_level level;
    const char *event;
    const struct log_field *fields;
    size_t count;
    uint64_t wall_ms;
};

extern const char *const log_level_names[];

/* Writes the line with its line feed. What does not fit is cut: a text where a character ends, a number not
 * at all.
 *   returns   its size, at most LOG_LINE_SIZE_MAX. */
size_t log_line_write(char out[LOG_LINE_SIZE_MAX], const struct log_style *style,
                      const struct log_line *line);

#endif
