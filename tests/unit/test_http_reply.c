/* http_reply: what is a whole answer, and what is none. */
#include "harness.h"

#include "aloha/http_reply.h"

TEST(an_answer_is_read_whole_or_not_at_all)
{
    static const struct {
        const char *text;
        unsigned status; /* 0: it is none */
        bool is_json;
        const char *body;
    } rows[] = {
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n", 200, false, "ok\n"},
        {"HTTP/1.1 503 Service Unavailable\r\n\r\nlate", 503, false, "late"},
        {"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\ncontent-length: 2\r\n\r\n{}", 200,
         true, "{}"},
        {"HTTP/1.0 204\r\n\r\n", 204, false, ""},
        {"HTTP/1.1 200 OK\r\nX\r\n: y\r\n\r\n", 200, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nok\n", 0, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok\n", 0, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nok\n", 0, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nok\n", 0, false, ""},
        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, false, ""},
        {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", 0, false, ""},
        {"HTTP/1.1 200 OK\n\nok", 0, false, ""},
        {"HTTP/2 200 OK\r\n\r\n", 0, false, ""},
        {"HTTP/1.1 20 OK\r\n\r\n", 0, false, ""},
        {"HTTP/1.1 099 OK\r\n\r\n", 0, false, ""},
        {"HTTP/1.1 600 OK\r\n\r\n", 0, false, ""},
        {"HTTP/1.1  200 OK\r\n\r\n", 0, false, ""},
        {"", 0, false, ""},
        {"\r\n\r\n", 0, false, ""},
        {"hello", 0, false, ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct http_reply reply;
        bool good = http_reply_read(str_of(rows[i].text), &reply);
        EXPECT_THAT(good == (rows[i].status != 0), "row %zu", i);
        if (!good)
            continue;
        EXPECT_UINT(rows[i].status, reply.status);
        EXPECT(reply.is_json == rows[i].is_json);
        EXPECT_STR(rows[i].body, reply.body);
    }
}
