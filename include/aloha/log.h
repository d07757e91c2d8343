/* log: one line an event, in logfmt or JSON. An event is a stable name in the past tense and typed
 * fields, never a sentence: people build alerts on them.
 *
 *   log_info("room_opened", log_room("room", id), log_uint("rooms", 3));
 *   ts=2026-03-01T10:15:02.114Z level=info event=room_opened room="5d1c02aa" rooms=3
 *   {"ts":"2026-03-01T10:15:02.114Z","level":"info","event":"room_opened","room":"5d1c02aa","rooms":3}
 *
 * Lines are at most LOG_LINE_SIZE_MAX bytes of 0x20..0x7e; what else a text holds is escaped here and
 * nowhere else: byte by byte in logfmt (\xc3), as characters in JSON (\u00e4), where a byte that is no
 * UTF-8 becomes U+FFFD. At most LOG_LINES_PER_S lines a second are written, the last of them by warnings
 * and errors only; the rest is counted and reported by one `log_dropped` line.
 * At the info level and above there are no tokens, SDP, candidates, names or peer ids; addresses and
 * rooms at no level but as log_address() and log_room() write them. */
#ifndef ALOHA_LOG_H
#define ALOHA_LOG_H

#include "aloha/ip.h"
#include "aloha/siphash.h"
#include "aloha/str.h"

enum { LOG_LINE_SIZE_MAX = 1024, LOG_LINES_PER_S = 100, LOG_LINES_FOR_WARNINGS = 20 };

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };
#define LOG_LEVELS "error|warning|info|debug" /* their names, in that order */

enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };
#define LOG_FORMATS "logfmt|json" /* their names, in that order */

struct log_style {
    enum log_format format;
    /* systemd's journal reads the lines: each begins with its priority, as "<6>", and in logfmt has no
     * time, for the journal notes its own. */
    bool journal;
    struct siphash_key
        key; /* of log_room(): a room has the same name as long as this is the same */
};

struct log_field {
    const char *name;
    enum { LOG_FIELD_TEXT, LOG_FIELD_UINT, LOG_FIELD_ADDRESS, LOG_FIELD_ROOM } type;
    struct str text;
    uint64_t uint;
    struct ip ip;
};

/* Where lines go and what time it is; all functions get `ctx`. */
struct log_sink {
    void *ctx;
    uint64_t (*wall_ms)(void *ctx);                          /* milliseconds since 1970, UTC */
    bool (*write)(void *ctx, const char *line, size_t size); /* must not block; false: dropped */
};

/* Starts logging at `level`; copies the sink. Before that, and with a NULL sink, lines go nowhere.
 */
void log_init(const struct log_sink *sink, enum log_level level);
void log_set_style(const struct log_style *style); /* copies it; before that: logfmt, no journal */
void log_set_level(enum log_level level);
bool log_level_is_on(enum log_level level);
uint64_t log_dropped_count(void); /* lines that the rate or a full pipe has cost since the start */

/* The level of that name ("error", "warning", "info", "debug").
 *   returns   false when there is none; *out stays as it was. */
MUST_USE bool log_level_of(struct str name, enum log_level *out);
const char *log_level_name(enum log_level level);
enum log_level log_level_now(void); /* what log_init() or log_set_level() last said */

struct log_field log_text(const char *name, const char *text); /* borrows until the call returns */
struct log_field log_str(const char *name, struct str text);
struct log_field log_uint(const char *name, uint64_t value);
/* The network that an address is of: a.b.c.0/24, or the first 48 bits. */
struct log_field log_address(const char *name, struct ip ip);
/* Eight hexadecimal digits that stand for a room: its id, hashed with the style's key. */
struct log_field log_room(const char *name, struct str id);

void log_event(enum log_level level, const char *event, const struct log_field *fields,
               size_t count);

/* clang-format off */
#define LOG_FIELDS(...) \
    (const struct log_field[]){__VA_ARGS__}, \
    sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)
#define log_error(event, ...)   log_event(LOG_LEVEL_ERROR, event, LOG_FIELDS(__VA_ARGS__))
#define log_warning(event, ...) log_event(LOG_LEVEL_WARNING, event, LOG_FIELDS(__VA_ARGS__))
#define log_info(event, ...)    log_event(LOG_LEVEL_INFO, event, LOG_FIELDS(__VA_ARGS__))
#define log_debug(event, ...)   log_event(LOG_LEVEL_DEBUG, event, LOG_FIELDS(__VA_ARGS__))
/* clang-format on */

#endif
