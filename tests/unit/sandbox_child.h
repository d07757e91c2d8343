/* What the tests of the sandbox share: a place with files in it, and children that enter the sandbox. */
#ifndef ALOHA_SANDBOX_CHILD_H
#define ALOHA_SANDBOX_CHILD_H

#include "edge/sandbox_private.h"

#include "harness.h"

#include <sys/stat.h>

enum { BROKEN = 200 }; /* exit status of a child that could not even enter */

extern char problem[256];

/* A directory of the test's own: certs/cert.pem, live/cert.pem (a link to it), tree/page and elsewhere/file. */
void arrive(void);
void depart(void);
const char *in_place(const char *name); /* valid as long as what fmt() makes */
void put_file(const char *path, const char *text, mode_t mode);

/* Enters with PLACE/state, live/cert.pem and tree. */
bool enter(enum sandbox_mode mode, const char *user);

/* How a child ends that enters and then does this: its exit status, or 1000 and the signal.
 *   user   as --user; fate(): the usual one */
int fate(enum sandbox_mode mode, int (*act)(const void *), const void *with);
int fate_as(const char *user, enum sandbox_mode mode, int (*act)(const void *), const void *with);

#endif
