/* ids: fresh identifiers from the kernel's randomness. */
#ifndef ALOHA_IDS_H
#define ALOHA_IDS_H

#include "aloha/message.h"
#include "aloha/siphash.h"

/* Writes a random UUID (version 4, lower case) and its NUL: libuuid over getrandom(2). */
void ids_make_uuid(char out[PEER_ID_SIZE + 1]);

/* Fills out with random bytes. Ends the process when the kernel has none, which it always has. */
void ids_random(void *out, size_t size);

#endif
