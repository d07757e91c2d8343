/* view: HTML pages with {{placeholders}}. */
#include "aloha/view.h"
#include "harness.h"

static struct buf page;

static struct str render(const char *view, const char *value)
{
    struct view_value values[] = {{"roomId", str_of(value)}, {"other", STR("o")}};

    buf_deinit(&page);
    buf_init(&page, 65536);
    view_render(&page, str_of(view), values, ARRAY_SIZE(values));
    return buf_str(&page);
}

TEST(placeholders_become_values_and_the_rest_stays)
{
    EXPECT_STR("<p>tea</p>", render("<p>{{roomId}}</p>", "tea"));
    EXPECT_STR("tea", render("{{roomId}}", "tea"));
    EXPECT_STR("teateao", render("{{roomId}}{{roomId}}{{other}}", "tea"));
    EXPECT_STR("<p>tea</p>", render("<p>{{ roomId }}</p>", "tea"));
    EXPECT_STR("no placeholders", render("no placeholders", "tea"));
    EXPECT_STR("", render("", "tea"));
    buf_deinit(&page);
}

TEST(values_cannot_leave_text_or_a_quoted_attribute)
{
    EXPECT_STR("<a b=\"&lt;script&gt;&amp;&quot;&#39;`=/\">",
               render("<a b=\"{{roomId}}\">", "<script>&\"'`=/"));
    EXPECT_STR("&amp;lt;", render("{{roomId}}", "&lt;"));
    buf_deinit(&page);
}

TEST(a_value_is_not_a_view)
{
    EXPECT_STR("{{other}}", render("{{roomId}}", "{{other}}"));
    EXPECT_STR("{{other}}", render("{{roomId}}other}}", "{{"));
    buf_deinit(&page);
}

TEST(an_unknown_placeholder_becomes_nothing_and_a_broken_one_stays)
{
    EXPECT_STR("ab", render("a{{nobody}}b", "tea"));
    EXPECT_STR("ab", render("a{{}}b", "tea"));
    EXPECT_STR("a{{roomId", render("a{{roomId", "tea"));
    EXPECT_STR("a}}b{c}", render("a}}b{c}", "tea"));
    EXPECT_STR("a{{roomId}", render("a{{roomId}", "tea"));
    EXPECT_STR("{", render("{", "tea"));
    buf_deinit(&page);
}

TEST(nul_bytes_pass_and_names_match_as_a_whole)
{
    struct view_value values[] = {{"room", STR("x")}};

    buf_init(&page, 100);
    view_render(&page, STR("a\0{{room}}{{roo}}{{rooms}}\0b"), values, 1);
    EXPECT(str_equal(STR("a\0x\0b"), buf_str(&page)));
    buf_deinit(&page);
}

TEST(a_page_that_does_not_fit_has_failed)
{
    struct view_value values[] = {{"roomId", STR("&&&&&&&&&&")}};

    buf_init(&page, 40);
    view_render(&page, STR("{{roomId}}"), values, 1);
    EXPECT(page.failed);
    buf_deinit(&page);
}
