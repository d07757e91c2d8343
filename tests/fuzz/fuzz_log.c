/* log_event() over a script: a byte for the style, then texts with line feeds between them, each of which
 * becomes a field.
 *
 * What is written is one line of at most LOG_LINE_SIZE_MAX visible bytes. As JSON it is an object for jansson,
 * and each text in it is what was given, with U+FFFD for what a plain decoder cannot read; as logfmt it gives
 * back the very bytes. Of a text that did not fit there is a beginning. */
#include "check.h"
#include "lines.h"

#include "aloha/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXTS_MAX = 12, TEXT_SIZE_MAX = 4096, SAID_SIZE_MAX = 3 * TEXT_SIZE_MAX + 1 };

static struct {
    char line[LOG_LINE_SIZE_MAX + 1];
    size_t size;
    uint64_t now_ms;
} reader;

static uint64_t tell_time(void *ctx)
{
    (void)ctx;
    return reader.now_ms += 1000; /* the rate is not what is looked at here */
}

static bool take_line(void *ctx, const char *line, size_t size)
{
    (void)ctx;
    CHECK(size && size <= LOG_LINE_SIZE_MAX);
    memcpy(reader.line, line, size);
    reader.line[size] = '\0';
    reader.size = size;
    return true;
}

/* ---- the same, plainly ---- */

/* How many bytes of at[0..size) one character takes, good or not: Unicode's table 3-7, row by row. */
static size_t plain_step(const unsigned char *at, size_t size, bool *good)
{
    static const unsigned char rows[][4] = {
        /* first byte from, to; second from, to; the third and fourth are always 80..bf */
        {0xc2, 0xdf, 0x80, 0xbf}, {0xe0, 0xe0, 0xa0, 0xbf}, {0xe1, 0xec, 0x80, 0xbf},
        {0xed, 0xed, 0x80, 0x9f}, {0xee, 0xef, 0x80, 0xbf}, {0xf0, 0xf0, 0x90, 0xbf},
        {0xf1, 0xf3, 0x80, 0xbf}, {0xf4, 0xf4, 0x80, 0x8f},
    };

    *good = at[0] < 0x80;
    for (size_t row = 0; row < ARRAY_SIZE(rows); row++) {
        size_t whole = row < 1 ? 2 : row < 5 ? 3 : 4, taken = 1;
        if (at[0] < rows[row][0] || at[0] > rows[row][1])
            continue;
        if (taken < size && at[1] >= rows[row][2] && at[1] <= rows[row][3])
            for (taken = 2; taken < whole && taken < size && (at[taken] & 0xc0) == 0x80;)
                taken++;
        *good = taken == whole;
        return taken;
    }
    return 1;
}

static size_t plain_text(struct str text, char *out)
{
    size_t size = 0;

    for (size_t at = 0; at < text.size;) {
        bool good;
        size_t step = plain_step((const unsigned char *)text.text + at, text.size - at, &good);
        memcpy(out + size, good ? text.text + at : "\xef\xbf\xbd", good ? step : 3);
        size += good ? step : 3;
        at += step;
    }
    return size;
}

static bool begins(struct str whole, const char *part, size_t size)
{
    return size <= whole.size && (size == 0 || memcmp(whole.text, part, size) == 0);
}

/* ---- what is compared ---- */

static void check_json(const struct str *texts, size_t count)
{
    static char wanted[SAID_SIZE_MAX];
    char name[16];
    json_t *line =
        json_loadb(reader.line, reader.size, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

    CHECK(json_is_object(line));
    CHECK(json_is_string(json_object_get(line, "ts")));
    CHECK(strcmp(json_string_value(json_object_get(line, "level")), "info") == 0);
    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, "t%zu", i);
        const json_t *text = json_object_get(line, name);
        struct str all = {wanted, plain_text(texts[i], wanted)};
        CHECK(!text || begins(all, json_string_value(text), json_string_length(text)));
        CHECK(reader.size > LOG_LINE_SIZE_MAX - 32 ||
              (text && json_string_length(text) == all.size));
    }
    const json_t *number = json_object_get(line, "n");
    CHECK(!number || json_integer_value(number) == 4711);
    json_decref(line);
}

/* Reads a quoted text of logfmt and steps behind its quote. */
static size_t read_logfmt(const char **at, char *out)
{
    size_t size = 0;

    while (**at != '"') {
        unsigned code = (unsigned char)*(*at)++;
        if (code == '\\' && (**at == '"' || **at == '\\'))
            code = (unsigned char)*(*at)++;
        else if (code == '\\') {
            CHECK(sscanf(*at, "x%2x", &code) == 1);
            *at += 3;
        }
        CHECK(**at);
        out[size++] = (char)code;
    }
    ++*at;
    return size;
}

static void check_logfmt(const struct str *texts, size_t count)
{
    static char got[LOG_LINE_SIZE_MAX];
    const char *at = strstr(reader.line, " event=x") + strlen(" event=x");
    char name[16];

    for (size_t i = 0; i < count; i++) {
        snprintf(name, sizeof name, " t%zu=\"", i);
        if (strncmp(at, name, strlen(name)) != 0) {
            CHECK(reader.size > LOG_LINE_SIZE_MAX - 32);
            continue;
        }
        at += strlen(name);
        size_t size = read_logfmt(&at, got);
        CHECK(begins(texts[i], got, size));
        CHECK(size == texts[i].size || reader.size > LOG_LINE_SIZE_MAX - 32);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct log_sink sink = {.wall_ms = tell_time, .write = take_line};
    static const char *const names[] = {"t0", "t1", "t2", "t3", "t4",  "t5",
                                        "t6", "t7", "t8", "t9", "t10", "t11"};
    struct log_field fields[TEXTS_MAX + 1];
    struct str texts[TEXTS_MAX], line, rest = check_input(data, size);
    size_t count = 0;

    if (size < 1 || size > TEXT_SIZE_MAX)
        return 0;
    struct log_style style = {.format = (data[0] & 1) ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT};
    rest = (struct str){rest.text + 1, rest.size - 1};
    while (count < TEXTS_MAX && lines_take(&rest, '\n', &line)) {
        texts[count] = check_copy(line);
        fields[count] = log_str(names[count], texts[count]);
        count++;
    }
    fields[count] = log_uint("n", 4711);
    log_init(&sink, LOG_LEVEL_INFO);
    log_set_style(&style);
    log_event(LOG_LEVEL_INFO, "x", fields, count + 1);

    CHECK(reader.line[reader.size - 1] == '\n');
    for (size_t i = 0; i + 1 < reader.size; i++)
        CHECK(reader.line[i] >= 0x20 && reader.line[i] <= 0x7e);
    if (style.format == LOG_FORMAT_JSON)
        check_json(texts, count);
    else
        check_logfmt(texts, count);
    while (count)
        free((char *)texts[--count].text);
    return 0;
}
