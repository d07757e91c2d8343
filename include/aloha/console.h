/* console: what a person at the terminal sees, and where the log goes. */
#ifndef ALOHA_CONSOLE_H
#define ALOHA_CONSOLE_H

#include "aloha/config.h"
#include "aloha/tls_store.h"

/* Logs to standard error. A pipe that nobody reads costs lines, never time. Where that is systemd's journal,
 * lines are as it wants them (log.h). */
void console_start_log(enum log_level level, enum log_format format);

/* Shows where to open the page: from this machine and, when it listens there, from its networks; with hosts
 * by those names alone, for any other is refused.
 *   tls  NULL: plain http. A certificate that was made here is shown with its fingerprint. */
void console_show_addresses(const char *bind, uint16_t port, const struct tls_store *tls,
                            const struct hosts *hosts);

#endif
