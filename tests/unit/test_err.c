/* err: the two tables. */
#include "harness.h"

TEST(a_wire_name_is_a_word_in_kebab_case_and_stands_for_one_error)
{
    for (int i = OK + 1; i < ERR_COUNT; i++) {
        const char *name = err_wire_name((enum err)i);
        EXPECT(name && name[0] != '\0');
        EXPECT_THAT(strspn(name, "abcdefghijklmnopqrstuvwxyz-") == strlen(name), "%s", name);
        for (int other = OK; other < i; other++)
            EXPECT_THAT(strcmp(name, err_wire_name((enum err)other)) != 0 || i == ERR_NO_MEMORY,
                        "%s twice", name); /* ERR_NO_MEMORY is hub-full to the world */
    }
    EXPECT_STR("ok", str_of(err_wire_name(OK)));
    EXPECT_STR("hub-full", str_of(err_wire_name(ERR_NO_MEMORY)));
}

TEST(the_released_wire_names_are_all_there)
{
    static const char *const released[] = {
        "bad-message",  "unknown-type",     "not-in-room",  "already-in-room", "bad-room-id",
        "bad-name",     "bad-resume-token", "room-full",    "room-locked",     "hub-full",
        "unknown-peer", "rate-limited",     "unauthorized",
    };

    for (size_t i = 0; i < ARRAY_SIZE(released); i++) {
        int found = OK;
        while (++found < ERR_COUNT && strcmp(err_wire_name((enum err)found), released[i]) != 0)
            continue;
        EXPECT_THAT(found < ERR_COUNT, "%s", released[i]);
    }
}

/* Both end up in JSON unescaped. */
TEST(texts_need_no_escapes_in_json)
{
    for (int i = OK + 1; i < ERR_COUNT; i++) {
        const char *text = err_text((enum err)i);
        EXPECT(text[0] != '\0');
        for (; *text; text++)
            EXPECT(*text >= 0x20 && *text <= 0x7e && *text != '"' && *text != '\\');
    }
}

TEST(of_these_errors_only_a_lack_of_memory_and_of_a_token_close_the_socket)
{
    static const enum close_why wanted[ERR_COUNT] = {
        [ERR_NO_MEMORY] = CLOSE_OVERLOADED,
        [ERR_UNAUTHORIZED] = CLOSE_UNAUTHORIZED,
    };

    for (int i = OK; i < ERR_COUNT; i++)
        EXPECT_UINT(wanted[i], err_close((enum err)i));
}

/* RFC 6455 section 5.5: a control frame carries 125 bytes, two of them are the code. */
TEST(close_reasons_fit_into_a_control_frame_and_codes_may_be_sent)
{
    for (int i = CLOSE_NONE + 1; i < CLOSE_COUNT; i++) {
        unsigned code = close_code((enum close_why)i);
        EXPECT(strlen(close_text((enum close_why)i)) <= 123);
        EXPECT(strlen(close_text((enum close_why)i)) > 0);
        /* section 7.4.1: 1004, 1005, 1006 and 1015 must not be sent */
        EXPECT_THAT((code >= 1000 && code <= 1014 && code != 1004 && code != 1005 &&
                     code != 1006) ||
                        (code >= 4000 && code <= 4999),
                    "%u", code);
        for (int other = CLOSE_NONE; other < i; other++)
            EXPECT(strcmp(close_name((enum close_why)i), close_name((enum close_why)other)) != 0);
    }
    EXPECT_UINT(1000, close_code(CLOSE_NONE));
}

TEST(a_close_that_is_our_own_fault_keeps_the_seat_and_no_other_does)
{
    static const bool wanted[CLOSE_COUNT] = {[CLOSE_OUR_FAULT] = true,
                                             [CLOSE_RESTART] = true,
                                             [CLOSE_OVERLOADED] = true,
                                             [CLOSE_SILENT] = true};

    for (int i = CLOSE_NONE; i < CLOSE_COUNT; i++)
        EXPECT_THAT(close_keeps_seat((enum close_why)i) == wanted[i], "%s",
                    close_name((enum close_why)i));
}

TEST(the_released_close_codes_are_as_documented)
{
    EXPECT_UINT(1003, close_code(CLOSE_UNSUPPORTED));
    EXPECT_UINT(1007, close_code(CLOSE_BAD_UTF8));
    EXPECT_UINT(1008, close_code(CLOSE_POLICY));
    EXPECT_UINT(1009, close_code(CLOSE_TOO_BIG));
    EXPECT_UINT(1012, close_code(CLOSE_RESTART));
    EXPECT_UINT(1013, close_code(CLOSE_OVERLOADED));
    EXPECT_UINT(4000, close_code(CLOSE_NO_JOIN));
    EXPECT_UINT(4001, close_code(CLOSE_REPLACED));
    EXPECT_UINT(4001, close_code(CLOSE_REPLACED));
    EXPECT_UINT(4002, close_code(CLOSE_SLOW));
    EXPECT_UINT(1012, close_code(CLOSE_SILENT));
    EXPECT_UINT(4003, close_code(CLOSE_UNAUTHORIZED));
    EXPECT_UINT(4004, close_code(CLOSE_REMOVED));
}
