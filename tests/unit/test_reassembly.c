/* reassembly: parts become messages, within bounds. */
#include "aloha/reassembly.h"
#include "harness.h"

static struct reassembly reassembly;

/* The parts that frames come in: text; with `to_come` bytes still under way; not the last frame. */
static struct reassembled part(struct str bytes, uint64_t to_come, bool is_final, uint64_t now_s)
{
    struct reassembly_part it = {.bytes = bytes, .to_come = to_come, .is_final = is_final};
    return reassembly_add(&reassembly, &it, now_s);
}

static struct reassembled fragment(const char *text)
{
    return part(str_of(text), 0, false, 0);
}

static struct reassembled last(const char *text)
{
    return part(str_of(text), 0, true, 0);
}

#define EXPECT_MORE(result) EXPECT_UINT(REASSEMBLY_MORE, (result).verdict)
#define EXPECT_WHOLE(text, result)                                                                 \
    do {                                                                                           \
        struct reassembled whole_ = (result);                                                      \
        EXPECT_UINT(REASSEMBLY_WHOLE, whole_.verdict);                                             \
        EXPECT_STR(text, whole_.message);                                                          \
        reassembly_done(&reassembly);                                                              \
    } while (0)
/* And nothing is kept. */
#define EXPECT_CLOSE(reason, result)                                                               \
    do {                                                                                           \
        struct reassembled closed_ = (result);                                                     \
        EXPECT_UINT(REASSEMBLY_CLOSE, closed_.verdict);                                            \
        EXPECT_THAT(closed_.why == (reason), "wanted %s, got %s", close_name(reason),              \
                    close_name(closed_.why));                                                      \
        EXPECT_NULL(reassembly.bytes.data);                                                        \
    } while (0)

TEST(a_message_in_one_part_is_passed_on_where_it_lies)
{
    char text[] = "{}";

    reassembly_init(&reassembly, 100);
    struct reassembled got = part((struct str){text, 2}, 0, true, 0);
    EXPECT_UINT(REASSEMBLY_WHOLE, got.verdict);
    EXPECT(got.message.text == text);
    EXPECT_UINT(2, got.message.size);
    EXPECT_NULL(reassembly.bytes.data);
    EXPECT_WHOLE("", last(""));
    reassembly_deinit(&reassembly);
}

TEST(frames_become_one_message_and_the_next_begins_at_nothing)
{
    reassembly_init(&reassembly, 100);
    for (int i = 0; i < 3; i++) {
        EXPECT_MORE(fragment("one "));
        EXPECT_MORE(fragment(""));
        EXPECT_MORE(fragment("two "));
        EXPECT_WHOLE("one two three", last("three"));
        EXPECT_NULL(reassembly.bytes.data);
        EXPECT_WHOLE("whole", last("whole"));
    }
    reassembly_deinit(&reassembly);
}

TEST(a_frame_that_comes_in_pieces_ends_with_its_last_one)
{
    reassembly_init(&reassembly, 100);
    EXPECT_MORE(part(STR("on"), 4, true, 0));
    EXPECT_MORE(part(STR("e "), 2, true, 0));
    EXPECT_WHOLE("one to", part(STR("to"), 0, true, 0));
    EXPECT_MORE(part(STR(""), 3, false, 0));
    EXPECT_MORE(part(STR("abc"), 0, false, 0));
    EXPECT_WHOLE("abcd", last("d"));
    reassembly_deinit(&reassembly);
}

TEST(an_empty_message_may_have_frames)
{
    reassembly_init(&reassembly, 100);
    EXPECT_MORE(fragment(""));
    EXPECT_MORE(fragment(""));
    EXPECT_WHOLE("", last(""));
    reassembly_deinit(&reassembly);
}

TEST(binary_is_unsupported_in_every_form)
{
    struct reassembly_part binary = {.bytes = STR("x"), .is_final = true, .is_binary = true};

    reassembly_init(&reassembly, 100);
    EXPECT_CLOSE(CLOSE_UNSUPPORTED, reassembly_add(&reassembly, &binary, 0));
    binary.is_final = false;
    EXPECT_CLOSE(CLOSE_UNSUPPORTED, reassembly_add(&reassembly, &binary, 0));
    binary = (struct reassembly_part){.is_binary = true, .to_come = UINT64_MAX};
    EXPECT_CLOSE(CLOSE_UNSUPPORTED, reassembly_add(&reassembly, &binary, 0));
    reassembly_deinit(&reassembly);
}

TEST(exactly_the_limit_is_a_message_and_one_byte_more_is_not)
{
    reassembly_init(&reassembly, 8);
    EXPECT_WHOLE("12345678", last("12345678"));
    EXPECT_CLOSE(CLOSE_TOO_BIG, last("123456789"));
    EXPECT_MORE(fragment("1234"));
    EXPECT_WHOLE("12345678", last("5678"));
    EXPECT_MORE(fragment("1234"));
    EXPECT_MORE(fragment("5678"));
    EXPECT_WHOLE("12345678", last(""));
    EXPECT_MORE(fragment("1234"));
    EXPECT_CLOSE(CLOSE_TOO_BIG, last("56789"));
    reassembly_deinit(&reassembly);
}

TEST(the_declared_length_is_judged_before_the_bytes_are_there)
{
    static const uint64_t lengths[] = {9, 1u << 16, UINT64_C(1) << 32, INT64_MAX, UINT64_MAX};

    reassembly_init(&reassembly, 8);
    for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
        EXPECT_CLOSE(CLOSE_TOO_BIG, part(STR(""), lengths[i], true, 0));
        EXPECT_CLOSE(CLOSE_TOO_BIG, part(STR("x"), lengths[i] - 1, true, 0));
        EXPECT_MORE(fragment("123"));
        EXPECT_CLOSE(CLOSE_TOO_BIG, part(STR("4567"), lengths[i] - 7, false, 0));
    }
    EXPECT_MORE(part(STR("x"), 7, true, 0));
    EXPECT_CLOSE(CLOSE_TOO_BIG, part(STR("y"), UINT64_MAX - 1, true, 0));
    reassembly_deinit(&reassembly);
}

TEST(empty_parts_without_end_are_not_a_conversation)
{
    reassembly_init(&reassembly, 1 << 16);
    for (unsigned i = 0; i < REASSEMBLY_EMPTY_PARTS_MAX; i++)
        EXPECT_MORE(fragment(""));
    EXPECT_CLOSE(CLOSE_POLICY, fragment(""));

    for (unsigned i = 0; i < REASSEMBLY_EMPTY_PARTS_MAX; i++)
        EXPECT_MORE(fragment(""));
    EXPECT_WHOLE("x", last("x")); /* who says something may go on */
    for (unsigned i = 0; i < 2 * REASSEMBLY_EMPTY_PARTS_MAX; i++)
        EXPECT_WHOLE("", last(""));
    reassembly_deinit(&reassembly);
}

TEST(as_many_parts_as_bytes_are_always_a_message)
{
    enum { SIZE = 5000 };
    char wanted[SIZE + 2];

    memset(wanted, 'x', sizeof wanted);
    wanted[SIZE + 1] = '\0';
    reassembly_init(&reassembly, SIZE + 1);
    for (int i = 0; i < SIZE; i++)
        EXPECT_MORE(fragment("x"));
    EXPECT_WHOLE(wanted, last("x"));
    reassembly_deinit(&reassembly);
}

TEST(a_message_has_ten_seconds_from_its_first_part)
{
    reassembly_init(&reassembly, 100);
    EXPECT(!reassembly_is_late(&reassembly, UINT64_MAX));
    EXPECT_MORE(part(STR(""), 1, true, 1000));
    EXPECT(!reassembly_is_late(&reassembly, 1000));
    EXPECT(!reassembly_is_late(&reassembly, 1000 + REASSEMBLY_SECONDS_MAX));
    EXPECT(reassembly_is_late(&reassembly, 1001 + REASSEMBLY_SECONDS_MAX));
    EXPECT_WHOLE("x", part(STR("x"), 0, true, 1000 + REASSEMBLY_SECONDS_MAX));
    EXPECT(!reassembly_is_late(&reassembly, UINT64_MAX));

    EXPECT_MORE(part(STR("a"), 0, false, 2000));
    EXPECT_MORE(part(STR("b"), 0, false, 2000 + REASSEMBLY_SECONDS_MAX)); /* saves nobody */
    EXPECT_CLOSE(CLOSE_POLICY, part(STR("c"), 0, true, 2001 + REASSEMBLY_SECONDS_MAX));
    EXPECT(!reassembly_is_late(&reassembly, UINT64_MAX));
    reassembly_deinit(&reassembly);
}

TEST(a_sequence_may_be_cut_by_the_end_of_a_frame)
{
    static const char text[] = "\xce\xba\xe2\x82\xac\xf0\x9f\x8c\xba\xed\x9f\xbf\xf4\x8f\xbf\xbf";

    reassembly_init(&reassembly, 100);
    for (size_t a = 0; a < sizeof text; a++) {
        for (size_t b = a; b < sizeof text; b++) {
            EXPECT_MORE(part((struct str){text, a}, 0, false, 0));
            EXPECT_MORE(part((struct str){text + a, b - a}, 0, false, 0));
            EXPECT_WHOLE(text, last(text + b));
        }
    }
    reassembly_deinit(&reassembly);
}

TEST(what_cannot_become_utf8_is_told_at_the_end_of_its_frame)
{
    static const char *const bad[] = {
        "\x80",                 /* follows nothing */
        "\xc3(",                /* cut short */
        "\xc0",                 /* an overlong form */
        "\xe0\x80",             /* and this */
        "\xf0\x8f",             /* and this */
        "\xed\xa0",             /* a surrogate */
        "\xf4\x90",             /* above U+10FFFF: Autobahn 6.4.2 */
        "\xff",     "\xe2\x82(" /* nothing at all */
    };

    reassembly_init(&reassembly, 100);
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        EXPECT_CLOSE(CLOSE_BAD_UTF8, fragment(bad[i]));
        EXPECT_MORE(fragment("good \xce\xba, then "));
        EXPECT_CLOSE(CLOSE_BAD_UTF8, fragment(bad[i]));
        /* A byte at a time, the last one is what cannot be. */
        size_t size = strlen(bad[i]);
        for (size_t at = 0; at + 1 < size; at++)
            EXPECT_MORE(part((struct str){bad[i] + at, 1}, 0, false, 0));
        EXPECT_CLOSE(CLOSE_BAD_UTF8, fragment(bad[i] + size - 1));
        /* In the middle of a frame nobody looks. */
        EXPECT_MORE(part(str_of(bad[i]), 1, false, 0));
        EXPECT_CLOSE(CLOSE_BAD_UTF8, fragment("x"));
    }
    EXPECT_WHOLE("\xff", last("\xff")); /* the hub's affair */
    reassembly_deinit(&reassembly);
}

TEST(without_memory_the_connection_ends_and_nothing_is_kept)
{
    for (unsigned n = 1;; n++) {
        bool failed = false;
        reassembly_init(&reassembly, 1 << 16);
        fail_allocation(n);
        for (int i = 0; i < 100 && !failed; i++) {
            struct reassembled got = fragment("a hundred times the same");
            failed = allocation_has_failed();
            EXPECT_UINT(failed ? REASSEMBLY_CLOSE : REASSEMBLY_MORE, got.verdict);
            EXPECT(!failed || got.why == CLOSE_OUR_FAULT);
            EXPECT(!failed || !reassembly.bytes.data);
        }
        fail_allocation(0);
        reassembly_deinit(&reassembly);
        if (!failed) {
            EXPECT(n > 3); /* it grew some times */
            break;
        }
    }
}
