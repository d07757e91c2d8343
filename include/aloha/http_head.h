/* http_head: judges the bytes of a request's head before the server library sees them.
 *
 * The library's parser (libwebsockets 4.1.6) lets pass what RFC 9112 forbids: bare line feeds,
 * folded lines, a space before the colon, lower-case methods, any version, NUL. Where a proxy in
 * front reads such bytes in another way than the server behind it, one request becomes two. So
 * nothing but well-formed heads get in. */
#ifndef ALOHA_HTTP_HEAD_H
#define ALOHA_HTTP_HEAD_H

#include "aloha/str.h"

enum {
    HTTP_TARGET_SIZE_MAX = 2048,
    HTTP_HEADERS_SIZE_MAX = 8192, /* all header lines together */
    HTTP_HEADER_LINES_MAX = 100,
    HTTP_METHOD_SIZE_MAX = 16,
    /* A head that is longer is refused, so this many bytes are always enough to judge one. */
    HTTP_HEAD_SIZE_MAX = HTTP_METHOD_SIZE_MAX + HTTP_TARGET_SIZE_MAX + 16 + HTTP_HEADERS_SIZE_MAX,
};

struct http_head {
    enum {
        HTTP_HEAD_INCOMPLETE, /* well so far: more bytes are needed */
        HTTP_HEAD_COMPLETE,
        HTTP_HEAD_REFUSED,
    } verdict;
    size_t size;     /* HTTP_HEAD_COMPLETE: bytes, with the empty line at its end */
    unsigned status; /* HTTP_HEAD_REFUSED: 400, 403, 405, 414, 431 or 505 */
};

/* Judges the head at the start of `bytes`: RFC 9112 sections 2 to 5, strictly.
 *   - GET or HEAD, one space, an origin-form target, one space, HTTP/1.0 or HTTP/1.1, CRLF;
 *   - a target of visible ASCII whose escapes are whole and stand for no control character and no
 *     slash, without backslash, fragment, empty or dot segments, escaped or not;
 *   - lines of `name:` (token characters, no space before the colon) and a value without control
 *     characters but tabs, each ended by CRLF; no folded lines; headers
 *     that decide something (Host, Origin, Upgrade, ...) once at most, a second Origin being 403; no
 *     Content-Length but 0, no Transfer-Encoding, no empty Origin, no Upgrade to anything but websocket.
 * Refuses as soon as it can tell, also in the middle. */
struct http_head http_head_judge(struct str bytes);

/* True when a complete head has a header whose name is only the beginning of one of `names`. libwebsockets
 * 4.1.6 takes the colon of such a header ("a:", for it knows "accept:") for part of the name and loses
 * the next line: a Host, an Origin, a Content-Length that was judged here and that it never sees.
 *   head   http_head_judge() has found it complete.
 *   names  what the library knows, in any case, without colons. */
MUST_USE bool http_head_names_part_of(struct str head, const struct str *names, size_t count);

/* Finds the values of a header in a complete head, in the order in which they came, without the blanks
 * around them. They point into head.
 *   name      in any case, without the colon.
 *   max       how many fit into out; HTTP_HEADER_LINES_MAX are always enough.
 *   returns   how many there are. */
size_t http_head_values(struct str head, struct str name, struct str *out, size_t max);

#endif
