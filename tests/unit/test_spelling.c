/* spelling: which words are near to each other. */
#include "aloha/spelling.h"
#include "harness.h"

TEST(a_letter_put_in_left_out_changed_or_swapped_is_one_step)
{
    static const struct {
        const char *a, *b;
        unsigned distance;
    } rows[] =
        {
            {"", "", 0},          {"port", "port", 0},
            {"", "a", 1},         {"", "ab", 2},
            {"prot", "port", 1},  {"pot", "port", 1},
            {"ports", "port", 1}, {"part", "port", 1},
            {"prto", "port", 2},  {"pr", "port", 2},
            {"ca", "abc", 3}, /* no letter is touched twice */
            {"Port", "port", 1},  {"ops_port", "ops-port", 1},
            {"ab", "ba", 1},      {"abcd", "badc", 2},
            {"host", "port", 2},  {"abc", "xyz", 3},
            {"a", "abcdefgh", 3},
        };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        EXPECT_UINT(rows[i].distance, spelling_distance(str_of(rows[i].a), str_of(rows[i].b)));
        EXPECT_UINT(rows[i].distance, spelling_distance(str_of(rows[i].b), str_of(rows[i].a)));
    }
}

TEST(long_words_are_near_to_nothing)
{
    char word[SPELLING_WORD_SIZE_MAX + 2];

    memset(word, 'x', sizeof word);
    struct str longest = {word, SPELLING_WORD_SIZE_MAX}, longer = {word, sizeof word - 1};
    EXPECT_UINT(0, spelling_distance(longest, longest));
    EXPECT_UINT(3, spelling_distance(longer, longer));
    EXPECT_UINT(3, spelling_distance(longest, longer));
}

TEST(of_a_short_word_only_half_may_be_wrong)
{
    EXPECT(spelling_is_near(STR("prot"), STR("port")));
    EXPECT(spelling_is_near(STR("hots"), STR("port")) == false);
    EXPECT(spelling_is_near(STR("ost"), STR("host")));
    EXPECT(!spelling_is_near(STR("st"), STR("host")));
    EXPECT(!spelling_is_near(STR("x"), STR("y")));
    EXPECT(!spelling_is_near(STR(""), STR("ab")));
}
