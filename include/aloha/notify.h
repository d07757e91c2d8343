/* notify: tells the service manager how we are, as sd_notify(3) says, and that the loop turns
 * (WatchdogSec=). A few datagrams to a socket: no library is needed for that. */
#ifndef ALOHA_NOTIFY_H
#define ALOHA_NOTIFY_H

#include "aloha/base.h"

#include <uv.h>

struct notify;

/* Reads $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID and removes them from the environment.
 * To be called before the sandbox closes, for it connects to the socket.
 *   returns  NULL when nobody wants to know, or cannot be reached: all others accept NULL. */
struct notify *notify_new(uv_loop_t *loop);

/* Ready to serve, also again after notify_reloading(). From the first time on the watchdog hears from us
 * twice in each of its times, as long as the loop turns. */
void notify_ready(struct notify *notify);
void notify_reloading(struct notify *notify);
void notify_stopping(struct notify *notify);

/* One line for `systemctl status`. */
void notify_status(struct notify *notify, const char *text);

/* The memory goes when the loop has closed the handle. */
void notify_free(struct notify *notify);

#endif
