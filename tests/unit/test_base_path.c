/* base_path: all that is answered, below --base-path /calls. */
#include "aloha/http.h"
#include "harness.h"

static const struct asset assets[] = {
    {ROW_STR("favicon.ico"), ROW_STR("bbbbbbbbbbbbbbbb"), {ROW_STR("icon"), {NULL, 0}, {NULL, 0}}},
    {ROW_STR("js/main.js"), ROW_STR("cccccccccccccccc"), {ROW_STR("main"), {NULL, 0}, {NULL, 0}}},
};

static const struct site site = {
    .assets = assets,
    .asset_count = ARRAY_SIZE(assets),
    .tree_tag = ROW_STR("0123456789ab"),
    .immutable = true,
    .room_view = ROW_STR("{{base}} {{assets}} {{roomId}}"),
    .error_view = ROW_STR("{{status}} {{base}}/ {{assets}}"),
};

static const struct http_policy below = {.site = &site,
                                         .base_path = ROW_STR("/calls"),
                                         .allow_no_origin = true};

static struct http_decision decide(const char *path, bool upgrade)
{
    struct http_decision decision;
    struct http_request request = {
        .method = HTTP_GET,
        .path = str_of(path),
        .version = STR("HTTP/1.1"),
        .target_size = strlen(path),
        .headers_size = 20,
        .host = STR("localhost:3000"),
        .host_count = 1,
        .upgrade = upgrade ? STR("websocket") : (struct str){NULL, 0},
        .connection = STR("Upgrade"),
        .websocket_key = STR("dGhlIHNhbXBsZSBub25jZQ=="),
        .websocket_version = STR("13"),
    };
    http_decide(&decision, &below, &request);
    return decision;
}

TEST(all_routes_are_below_the_base_path)
{
    EXPECT_UINT(HTTP_NEW_ROOM, decide("/calls/", false).action);
    EXPECT_UINT(HTTP_NEW_ROOM, decide("/calls", false).action);
    EXPECT_UINT(HTTP_WEBSOCKET, decide("/calls/ws", true).action);
    EXPECT_UINT(426, decide("/calls/ws", false).status);
    EXPECT_UINT(HTTP_SHOW_ASSET, decide("/calls/assets/0123456789ab/js/main.js", false).action);
    EXPECT_UINT(HTTP_SHOW_ASSET, decide("/calls/favicon.ico", false).action);
    struct http_decision room = decide("/calls/room/tea", false);
    EXPECT_UINT(HTTP_SHOW_ROOM, room.action);
    EXPECT_STR("tea", room.room_id);
}

TEST(nothing_is_outside)
{
    static const char *const paths[] = {"/",
                                        "/room/tea",
                                        "/ws",
                                        "/favicon.ico",
                                        "/robots.txt",
                                        "/assets/0123456789ab/js/main.js",
                                        "/call",
                                        "/callsx",
                                        "/callsroom/tea",
                                        "/Calls/",
                                        "/calls/calls/",
                                        "/calls/room",
                                        "/calls//room/tea"};

    for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
        struct http_decision decision = decide(paths[i], false);
        EXPECT_UINT(404, decision.status);
        EXPECT_UINT(HTTP_SHOW_ERROR, decision.action);
        EXPECT_UINT(400, decide(paths[i], true).status);
    }
}

TEST(answers_name_the_base_path)
{
    struct http_answer answer;
    struct http_decision decision = decide("/calls/", false);

    EXPECT(http_answer_init(&answer, &decision, &below, "a-room"));
    EXPECT_STR("/calls/room/a-room", str_of(answer.headers[1].value));
    http_answer_deinit(&answer);

    decision = decide("/calls/room/tea", false);
    EXPECT(http_answer_init(&answer, &decision, &below, NULL));
    EXPECT_STR("/calls /calls/assets/0123456789ab tea", answer.body);
    http_answer_deinit(&answer);

    decision = decide("/", false);
    EXPECT(http_answer_init(&answer, &decision, &below, NULL));
    EXPECT_STR("404 /calls/ /calls/assets/0123456789ab", answer.body);
    http_answer_deinit(&answer);
}

TEST(the_longest_base_path_fits_into_a_redirect)
{
    struct http_answer answer;
    struct http_decision decision = {.action = HTTP_NEW_ROOM, .status = 302};
    const char *path = fmt("/%0*d", BASE_PATH_SIZE_MAX - 1, 7);
    const char *room = "0b3c2f4e-9d1a-4c57-8a55-9c1f0c9a7c11";
    struct http_policy policy = below;

    EXPECT(base_path_read(str_of(path), &policy.base_path));
    EXPECT(http_answer_init(&answer, &decision, &policy, room));
    EXPECT_STR(fmt("%s/room/%s", path, room), str_of(answer.headers[1].value));
    http_answer_deinit(&answer);
}
