/* http_reply: reads an answer of HTTP/1.1 that came whole, on a connection that then ended. For `aloha ctl`, which asks
 * nobody but our own operator's plane: no chunks, no folded lines, no second answer.
 * spec: RFC 9112 sections 4 and 6. */
#ifndef ALOHA_HTTP_REPLY_H
#define ALOHA_HTTP_REPLY_H

#include "aloha/str.h"

struct http_reply {
    unsigned status; /* 100 to 599 */
    bool is_json;
    struct str body; /* points into the text */
};

/*   returns   false when text is not such an answer, or not all of it: the body is as long as its
 *             Content-Length says, or all that follows where there is none. */
MUST_USE bool http_reply_read(struct str text, struct http_reply *out);

#endif
