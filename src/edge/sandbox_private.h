/* What the files of the sandbox know of each other. */
#ifndef ALOHA_SANDBOX_PRIVATE_H
#define ALOHA_SANDBOX_PRIVATE_H

#include "aloha/sandbox.h"

/* AddressSanitizer's check for leaks stops this process from a helper of its own, with ptrace, and its
 * reports read the program: what they need is allowed where they are built in. */
#ifndef SANDBOX_SANITIZED
#if defined(__SANITIZE_ADDRESS__)
#define SANDBOX_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANDBOX_SANITIZED 1
#endif
#endif
#endif
#ifndef SANDBOX_SANITIZED
#define SANDBOX_SANITIZED 0
#endif

/* ---- sandbox_user.c ---- */

/* Gives what root has made in the state directory, and the sockets, to the user. */
void sandbox_give_paths(const struct sandbox_user *user, const struct sandbox_paths *paths);

/* Becomes the user for good and drops every capability; false with errno. Root that stays root keeps
 * CAP_DAC_OVERRIDE: to read what root can read is what it stays root for. */
MUST_USE bool sandbox_become(const struct sandbox_user *user);

/* ---- sandbox_landlock.c ---- */

unsigned sandbox_landlock_abi(void); /* 0: none */

/* A set of rules as a descriptor, -1 if there is no landlock. */
MUST_USE int sandbox_landlock_prepare(const struct sandbox_paths *paths);

/* From here on the rules hold; closes the descriptor. False with errno. */
MUST_USE bool sandbox_landlock_enforce(int rules);

/* ---- sandbox_calls.c ---- */

bool sandbox_calls_available(void);

/* From here on only the calls of the table; false with errno. */
MUST_USE bool sandbox_calls_enforce(bool kill);

#endif
