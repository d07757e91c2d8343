/* check: what every fuzz target needs. */
#ifndef ALOHA_FUZZ_CHECK_H
#define ALOHA_FUZZ_CHECK_H

#include "aloha/str.h"

/* libFuzzer calls this with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

_Noreturn void check_failed(const char *file, int line, const char *condition);

/* A property that does not hold ends the run, and libFuzzer keeps the input. */
#define CHECK(condition) ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, #condition))

/* The input as a str; an empty one has a NULL text, as str.h allows. */
struct str check_input(const uint8_t *data, size_t size);

/* A copy in an allocation of exactly its size: a read past its end is seen. The caller frees the
 * text. An empty one has a NULL text. */
struct str check_copy(struct str text);

/* True when `part` lies inside `whole`. */
bool check_is_inside(struct str part, struct str whole);

#endif
