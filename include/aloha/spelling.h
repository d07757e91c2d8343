/* spelling: whether one word is probably another one, mistyped. */
#ifndef ALOHA_SPELLING_H
#define ALOHA_SPELLING_H

#include "aloha/str.h"

enum { SPELLING_WORD_SIZE_MAX = 64, SPELLING_DISTANCE_MAX = 2 };

/* How many letters have to be put in, left out, changed, or swapped with their neighbour to make one
 * word of the other (optimal string alignment: Damerau 1964, Levenshtein 1966).
 *   returns  SPELLING_DISTANCE_MAX + 1 for whatever is further away, and for longer words. */
unsigned spelling_distance(struct str a, struct str b);

/* True when `typed` is near enough to `meant` to ask for it: at most SPELLING_DISTANCE_MAX away, and no
 * more than half of the typed letters. */
bool spelling_is_near(struct str typed, struct str meant);

#endif
