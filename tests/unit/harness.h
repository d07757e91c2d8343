/* The house's test macros. A test binary is some files with TESTs and this; it prints TAP
 * (testanything.org), one line a test, and exits with 1 when one has failed.
 *
 *   TEST(full_room_refuses_and_stays_as_it_was)
 *   {
 *       EXPECT_ERR(ERR_ROOM_FULL, room_add_peer(...));
 *   }
 */
#ifndef ALOHA_HARNESS_H
#define ALOHA_HARNESS_H

#include "aloha/err.h"
#include "aloha/str.h"

#include <stdlib.h>
#include <string.h>

typedef void test_fn(void);

void test_register(const char *name, test_fn *run);
void test_fail(const char *file, int line, const char *format, ...) PRINTF_LIKE(3, 4);

bool test_has_failed(void); /* the running test, so far: for helpers that cannot EXPECT */

/* A text made by printf's rules, valid for the next FMT_TEXTS - 1 calls. */
enum { FMT_TEXTS = 16, FMT_SIZE_MAX = 16384 };
const char *fmt(const char *format, ...) PRINTF_LIKE(1, 2);

/* As STR(), to initialise a static table, where a compound literal may not stand. */
#define ROW_STR(literal) {(literal), sizeof(literal) - 1}

/* Numbers that look random and are the same at each run (SplitMix64: Steele, Lea, Flood, 2014). */
struct dice {
    uint64_t state;
};
uint64_t dice_roll(struct dice *dice);
unsigned dice_below(struct dice *dice, unsigned end); /* 0 to end - 1 */

/* The content of a file of the repository, with a NUL behind it; free() it.
 *   returns   text NULL when it cannot be read; the running test has then failed. */
struct str source_file_read(const char *path);

/* From now on the n-th allocation (1 is the next) made by our code, by jansson or by OpenSSL fails, once.
 * 0: none. */
void fail_allocation(unsigned n);
/* While held, allocations neither fail nor count: for what the test itself does. */
void hold_failures(bool hold);
/* True when an allocation has failed since fail_allocation(). */
bool allocation_has_failed(void);

#define TEST(name)                                                                                 \
    static void name(void);                                                                        \
    __attribute__((constructor)) static void register_##name(void)                                 \
    {                                                                                              \
        test_register(#name, name);                                                                \
    }                                                                                              \
    static void name(void)

/* The first failed expectation ends the test. */
#define EXPECT_THAT(condition, ...)                                                                \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            test_fail(__FILE__, __LINE__, __VA_ARGS__);                                            \
            return;                                                                                \
        }                                                                                          \
    } while (0)

#define EXPECT(condition)    EXPECT_THAT((condition), "%s", #condition)
#define EXPECT_NULL(pointer) EXPECT_THAT((pointer) == NULL, "%s is not NULL", #pointer)
#define EXPECT_UINT(expected, actual)                                                              \
    do {                                                                                           \
        unsigned long long wanted_ = (unsigned long long)(expected);                               \
        unsigned long long got_ = (unsigned long long)(actual);                                    \
        EXPECT_THAT(wanted_ == got_, "%s: wanted %llu, got %llu", #actual, wanted_, got_);         \
    } while (0)
#define EXPECT_ERR(expected, actual)                                                               \
    do {                                                                                           \
        enum err wanted_ = (expected), got_ = (actual);                                            \
        EXPECT_THAT(wanted_ == got_, "%s: wanted %s, got %s", #actual, err_wire_name(wanted_),     \
                    err_wire_name(got_));                                                          \
    } while (0)
#define EXPECT_STR(expected, actual)                                                               \
    do {                                                                                           \
        struct str wanted_ = str_of(expected), got_ = (actual);                                    \
        EXPECT_THAT(str_equal(wanted_, got_), "%s: wanted \"%s\", got \"%.*s\"", #actual,          \
                    wanted_.text, (int)got_.size, got_.text ? got_.text : "");                     \
    } while (0)

#endif
