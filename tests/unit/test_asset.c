/* asset: the files of the page, and in which encoding they leave. */
#include "aloha/asset.h"
#include "harness.h"

static const struct asset assets[] = {
    {ROW_STR("a"), ROW_STR("1"), {ROW_STR("x"), {NULL, 0}, {NULL, 0}}},
    {ROW_STR("a.js"), ROW_STR("2"), {ROW_STR("x"), ROW_STR("b"), ROW_STR("g")}},
    {ROW_STR("css/z.css"), ROW_STR("3"), {ROW_STR("x"), {NULL, 0}, ROW_STR("g")}},
    {ROW_STR("js/a.js"), ROW_STR("4"), {ROW_STR("x"), ROW_STR("b"), {NULL, 0}}},
    {ROW_STR("js/b.js"), ROW_STR("5"), {ROW_STR(""), {NULL, 0}, {NULL, 0}}},
};

TEST(each_asset_is_found_by_its_whole_path)
{
    static const char *const none[] = {"",         "b",        "a.jsx",   "a.j", "js/",
                                       "js/a.js/", "/js/a.js", "JS/a.js", "zzz", "../a"};

    for (size_t count = 0; count <= ARRAY_SIZE(assets); count++) {
        struct site site = {.assets = assets, .asset_count = count};
        for (size_t i = 0; i < ARRAY_SIZE(assets); i++)
            EXPECT(site_find(&site, assets[i].path) == (i < count ? &assets[i] : NULL));
        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
            EXPECT_THAT(site_find(&site, str_of(none[i])) == NULL, "%s", none[i]);
        EXPECT_NULL(site_find(&site, STR("a\0")));
        EXPECT_NULL(site_find(&site, STR("js/a.js\0")));
        EXPECT_NULL(site_find(&site, (struct str){NULL, 0}));
    }
}

TEST(the_ending_tells_the_type)
{
    static const struct {
        const char *path, *type;
    } rows[] = {
        {"js/main.js", "text/javascript; charset=utf-8"},
        {"a.b/aloha.css", "text/css; charset=utf-8"},
        {"icon.svg", "image/svg+xml"},
        {"favicon.ico", "image/x-icon"},
        {"robots.txt", "text/plain; charset=utf-8"},
        {"font.woff2", "font/woff2"},
        {"site.webmanifest", "application/manifest+json"},
        {"x.json", "application/json"},
        {"x.png", "image/png"},
        {"x.html", "text/html; charset=utf-8"},
        {"js", "application/octet-stream"},
        {".js", "application/octet-stream"},
        {"x.js.map", "application/octet-stream"},
        {"", "application/octet-stream"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_STR(rows[i].type, str_of(asset_content_type(str_of(rows[i].path))));
}

/* RFC 9110 section 12.5.3. */
TEST(the_smallest_encoding_that_is_accepted_is_taken)
{
    static const struct {
        const char *accepts;
        enum encoding encoding;
    } rows[] = {
        {"", ENCODING_IDENTITY},
        {"br", ENCODING_BR},
        {"gzip", ENCODING_GZIP},
        {"gzip, deflate, br", ENCODING_BR},
        {"gzip, deflate, br, zstd", ENCODING_BR},
        {"gzip,deflate", ENCODING_GZIP},
        {"GZIP", ENCODING_GZIP},
        {"\tBr ", ENCODING_BR},
        {"identity", ENCODING_IDENTITY},
        {"*", ENCODING_BR},
        {"*;q=0", ENCODING_IDENTITY},
        {"br;q=0", ENCODING_IDENTITY},
        {"br;q=0, *", ENCODING_GZIP},
        {"*, br;q=0", ENCODING_GZIP},
        {"br;q=0,gzip;q=0.001", ENCODING_GZIP},
        {"br;q=0.0, gzip;q=1.0", ENCODING_GZIP},
        {"br ; q=0.000 , gzip ; Q=1", ENCODING_GZIP},
        {"br;Q=0", ENCODING_IDENTITY},
        {"br;q=0.5", ENCODING_BR},
        {"br;x=1;q=0", ENCODING_IDENTITY},
        {"*;q=0, gzip", ENCODING_GZIP},
        {"brotli", ENCODING_IDENTITY},
        {"b", ENCODING_IDENTITY},
        {"x-br", ENCODING_IDENTITY},
        {",,,", ENCODING_IDENTITY},
        {";q=1", ENCODING_IDENTITY},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_THAT(asset_negotiate(&assets[1], str_of(rows[i].accepts)) == rows[i].encoding, "%s",
                    rows[i].accepts);
}

TEST(an_encoding_that_is_not_there_is_not_taken)
{
    EXPECT_UINT(ENCODING_IDENTITY, asset_negotiate(&assets[0], STR("br, gzip")));
    EXPECT_UINT(ENCODING_GZIP, asset_negotiate(&assets[2], STR("br, gzip")));
    EXPECT_UINT(ENCODING_BR, asset_negotiate(&assets[3], STR("br, gzip")));
    EXPECT_UINT(ENCODING_IDENTITY, asset_negotiate(&assets[3], STR("gzip")));
}

TEST(encodings_have_their_registered_names)
{
    EXPECT_STR("br", str_of(encoding_name(ENCODING_BR)));
    EXPECT_STR("gzip", str_of(encoding_name(ENCODING_GZIP)));
    EXPECT_NULL(encoding_name(ENCODING_IDENTITY));
}
