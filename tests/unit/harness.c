#include "harness.h"

#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <uninorm.h>
#include <unistd.h>

enum { TESTS_MAX = 512 };

static struct {
    const char *name;
    test_fn *run;
} tests[TESTS_MAX];
static size_t test_count;

static bool failed;
static char failure[1024];

void test_register(const char *name, test_fn *run)
{
    if (test_count == TESTS_MAX)
        abort();
    tests[test_count].name = name;
    tests[test_count++].run = run;
}

void test_fail(const char *file, int line, const char *format, ...)
{
    va_list args;

    if (failed)
        return; /* the first failure is the cause, the others follow from it */
    failed = true;
    int used = snprintf(failure, sizeof failure, "%s:%d: ", file, line);
    va_start(args, format);
    vsnprintf(failure + used, sizeof failure - (size_t)used, format, args);
    va_end(args);
}

bool test_has_failed(void)
{
    return failed;
}

const char *fmt(const char *format, ...)
{
    static char texts[FMT_TEXTS][FMT_SIZE_MAX];
    static size_t next;
    char *text = texts[next++ % FMT_TEXTS];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, FMT_SIZE_MAX, format, args);
    va_end(args);
    if (size < 0 || size >= FMT_SIZE_MAX)
        test_fail(__FILE__, __LINE__, "a text of %d bytes is too long for fmt()", size);
    return text;
}

uint64_t dice_roll(struct dice *dice)
{
    uint64_t z = dice->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

unsigned dice_below(struct dice *dice, unsigned end)
{
    return (unsigned)((dice_roll(dice) >> 32) * end >> 32);
}

struct str source_file_read(const char *path)
{
    FILE *file = fopen(fmt("%s/%s", SOURCE_DIR, path), "rb");
    char *text = NULL;
    size_t size = 0, room = 0;

    while (file && !feof(file) && !ferror(file)) {
        if (size + 1 >= room) {
            char *bigger = realloc(text, room += 65536);
            if (!bigger)
                abort();
            text = bigger;
        }
        size += fread(text + size, 1, room - size - 1, file);
    }
    if (!file || ferror(file)) {
        test_fail(__FILE__, __LINE__, "cannot read %s", path);
        free(text);
        text = NULL;
        size = 0;
    } else {
        text[size] = '\0';
    }
    if (file)
        fclose(file);
    return (struct str){text, size};
}

/* ---- allocations that fail on demand: the linker's --wrap leads our code's calls here ---- */

static unsigned countdown;
static bool has_failed, held;

void fail_allocation(unsigned n)
{
    countdown = n;
    has_failed = false;
}

void hold_failures(bool hold)
{
    held = hold;
}

bool allocation_has_failed(void)
{
    return has_failed;
}

static bool fails_now(void)
{
    if (held || countdown == 0 || --countdown > 0)
        return false;
    has_failed = true;
    return true;
}

/* Names that the linker gives: reserved ones, on purpose. */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails_now() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return fails_now() ? NULL : __real_realloc(old, size);
}

/* libunistring takes no allocator of ours: without memory it gives NULL. */
uint8_t *__real_u8_normalize(uninorm_t form, const uint8_t *text, size_t size, uint8_t *out,
                             size_t *out_size);
uint8_t *__wrap_u8_normalize(uninorm_t form, const uint8_t *text, size_t size, uint8_t *out,
                             size_t *out_size);

uint8_t *__wrap_u8_normalize(uninorm_t form, const uint8_t *text, size_t size, uint8_t *out,
                             size_t *out_size)
{
    return fails_now() ? NULL : __real_u8_normalize(form, text, size, out, out_size);
}

static void *jansson_malloc(size_t size)
{
    return __wrap_malloc(size);
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return __wrap_malloc(size);
}

static void *openssl_realloc(void *old, size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return __wrap_realloc(old, size);
}

static void openssl_free(void *old, const char *file, int line)
{
    (void)file, (void)line;
    free(old);
}

/* What the libraries allocate fails on demand too. OpenSSL loads its algorithms with the first HMAC: that is
 * no part of any test. */
static void hook_libraries(void)
{
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned size = sizeof out;

    json_set_alloc_funcs(jansson_malloc, free);
    json_object_seed(1);
    if (!CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) ||
        !HMAC(EVP_sha256(), "k", 1, out, 0, out, &size))
        abort();
}

/* TAP ends a description at '#' and shows it as it is; test names have neither. */
int main(void)
{
    size_t failures = 0;

    hook_libraries();
    setvbuf(stdout, NULL, _IOLBF, 0); /* seen also when a sanitizer ends the process */
    printf("1..%zu\n", test_count);
    for (size_t i = 0; i < test_count; i++) {
        failed = false;
        tests[i].run();
        fail_allocation(0);
        printf("%s %zu - %s\n", failed ? "not ok" : "ok", i + 1, tests[i].name);
        if (failed)
            printf("# %s\n", failure);
        failures += failed;
    }
    if (failures)
        _exit(1); /* a failed test leaves things behind: no leak report on top */
    return 0;
}
