/* base: the few words that every module speaks. */
#ifndef ALOHA_BASE_H
#define ALOHA_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The caller must look at what comes back. */
#define MUST_USE __attribute__((warn_unused_result))

/* printf-like: the compiler checks the arguments against the format. */
#define PRINTF_LIKE(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#endif
