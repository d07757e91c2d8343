/* site_disk: the page as it lies on the disk, for work on it (--assets). */
#ifndef ALOHA_SITE_DISK_H
#define ALOHA_SITE_DISK_H

#include "aloha/asset.h"

/* Reads DIR/views/room.html, DIR/views/error.html and all of DIR/public. Blocks: it is for one
 * developer, not for a public server.
 *   returns  NULL when something cannot be read; the log says what. site_disk_free() it. */
struct site *site_disk_load(const char *dir);
void site_disk_free(struct site *site); /* accepts NULL */

#endif
