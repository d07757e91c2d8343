/* json and message: with the n-th allocation failing, text is read right or not at all. (jansson
 * 2.14 loses a byte of a string when its buffer cannot grow, and runs past the end when that byte
 * is the closing quote: github.com/akheron/jansson/issues/362.) */
#include "aloha/json.h"
#include "aloha/message.h"
#include "harness.h"

#include <stdio.h>

TEST(without_memory_a_string_is_read_right_or_not_at_all)
{
    char json[80], spelled[80], out[80];

    for (int size = 1; size < 64; size++) {
        bool failed;
        unsigned n = 0;
        sprintf(json, "\"%0*d\\u0065\"", size, 7);
        sprintf(spelled, "%0*de", size, 7);
        do {
            fail_allocation(++n);
            long got = json_string_read(str_of(json), out, sizeof out);
            failed = allocation_has_failed();
            fail_allocation(0);
            EXPECT(got >= 0 || failed);
            if (got >= 0)
                EXPECT_STR(spelled, ((struct str){out, (size_t)got}));
        } while (failed);
    }
}

TEST(without_memory_a_string_is_written_right_or_not_at_all)
{
    char text[80], out[256];

    for (int size = 1; size < 64; size++) {
        bool failed;
        unsigned n = 0;
        sprintf(text, "%0*d\n", size, 7);
        const char *wanted = fmt("\"%0*d\\n\"", size, 7);
        do {
            fail_allocation(++n);
            long got = json_string_write(str_of(text), out, sizeof out);
            failed = allocation_has_failed();
            fail_allocation(0);
            EXPECT(got >= 0 || failed);
            if (got >= 0)
                EXPECT_STR(wanted, ((struct str){out, (size_t)got}));
        } while (failed);
    }
}

TEST(without_memory_a_message_is_decoded_right_or_not_at_all)
{
    static const struct {
        const char *text;
        enum err err;
    } rows[] = {
        {"{\"typ\\u0065\":\"LeaveRoo\\u006d\",\"x\":1,\"a name that is a bit longer\":2}", OK},
        {"{\"type\":\"LeaveRoom\",\"x\":1,\"y\":2,\"\\u0078\":3}", ERR_BAD_MESSAGE},
        {"{\"type\":\"LeaveRoom\",\"\\u0074ype\":\"LeaveRoom\"}", ERR_BAD_MESSAGE},
        {"{\"type\":\"LeaveRoom\",\"a name that is a bit longer\":2,"
         "\"a name that is a bit lo\\u006eger\":2}",
         ERR_BAD_MESSAGE},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        bool failed;
        unsigned n = 0;
        do {
            struct message message;
            fail_allocation(++n);
            enum err err = message_decode(&message, str_of(rows[i].text));
            failed = allocation_has_failed();
            fail_allocation(0);
            EXPECT_THAT(err == rows[i].err || (failed && err != OK), "%s with allocation %u: %s",
                        rows[i].text, n, err_wire_name(err));
        } while (failed);
    }
}
