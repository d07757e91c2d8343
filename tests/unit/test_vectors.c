/* The wire vectors in tests/vectors, which the JavaScript tests read as well: each client's message
 * goes through a hub, and the hub's answer is what the vector says. Those from the hub are not for
 * us to read: to a hub they are unknown types. */
#include "world.h"

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>

struct vector {
    char *name;
    json_t *json; /* owns the texts below */
    struct str text;
    const char *from, *type, *error; /* type may be NULL; error is NULL for a valid one */
};

enum { VECTORS_MAX = 1024 };

struct vectors {
    struct vector rows[VECTORS_MAX];
    size_t count;
};

static void read_vector(struct vector *out, const char *folder, const char *file)
{
    struct str content = source_file_read(fmt("tests/vectors/%s/%s", folder, file));
    json_t *json = json_loadb(content.text ? content.text : "", content.size,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
    json_t *text = json_object_get(json, "text");

    free((char *)(uintptr_t)content.text);
    *out = (struct vector){
        .name = strdup(fmt("%s/%s", folder, file)),
        .json = json,
        .text = {json_string_value(text), json_string_length(text)},
        .from = json_string_value(json_object_get(json, "from")),
        .type = json_string_value(json_object_get(json, "type")),
        .error = json_string_value(json_object_get(json, "error")),
    };
}

static struct vectors *vectors_read(const char *folder)
{
    struct vectors *vectors = calloc(1, sizeof *vectors);
    DIR *dir = opendir(fmt("%s/tests/vectors/%s", SOURCE_DIR, folder));
    struct dirent *entry;

    if (!vectors || !dir)
        abort();
    while ((entry = readdir(dir)) && vectors->count < VECTORS_MAX) {
        const char *ending = strrchr(entry->d_name, '.');
        if (ending && strcmp(ending, ".json") == 0)
            read_vector(&vectors->rows[vectors->count++], folder, entry->d_name);
    }
    closedir(dir);
    return vectors;
}

static void vectors_free(struct vectors *vectors)
{
    for (size_t i = 0; i < vectors->count; i++) {
        free(vectors->rows[i].name);
        json_decref(vectors->rows[i].json);
    }
    free(vectors);
}

/* The peer that all Signal vectors are for. */
static const char target_id[] = "7d3c1f0a-52b6-4c9e-9a41-0e6f2b8d1c34";

/* A room with the target and the one who says the vector, who is peer 2. A JoinRoom, and what is
 * wrong in any state, is said from outside of a room. */
static conn_id make_scene(struct world *world, bool joined, conn_id *target)
{
    world->next_peer = target_id;
    *target = world_join(world, "tea");
    return joined ? world_join(world, "tea") : world_open(world);
}

static void check_signal(const struct vector *vector, struct str relayed_text)
{
    struct message message;

    EXPECT_ERR(OK, message_decode(&message, vector->text));
    struct str value = message.members[MEMBER_MESSAGE];
    const char *wanted = fmt("{\"type\":\"Signal\",\"peerId\":\"%s\",\"message\":%.*s}", peer_id(2),
                             (int)value.size, value.text);
    EXPECT_THAT(str_equal(str_of(wanted), relayed_text), "%s: %.*s", vector->name,
                (int)relayed_text.size, relayed_text.text);
}

/* How the answer to a valid message begins, and what the target hears; "" is nothing. Nobody knocks
 * in this scene. */
static const struct {
    const char *answer, *told;
} outcomes[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_JOIN_ROOM] = {"{\"type\":\"RoomJoined\",", ""},
    [MESSAGE_SIGNAL] = {"", "{\"type\":\"Signal\","},
    [MESSAGE_LEAVE_ROOM] = {"", "{\"type\":\"UserLeft\","},
    [MESSAGE_LOCK_ROOM] = {"{\"type\":\"RoomLocked\",", "{\"type\":\"RoomLocked\","},
    [MESSAGE_ADMIT] = {"{\"type\":\"Error\",\"code\":\"unknown-peer\",", ""},
    [MESSAGE_DENY] = {"{\"type\":\"Error\",\"code\":\"unknown-peer\",", ""},
    [MESSAGE_REFRESH_ICE_SERVERS] = {"{\"type\":\"IceServers\",", ""},
};

/* MESSAGE_TYPE_COUNT for a name that clients do not say. */
static enum message_type type_of(const struct vector *vector)
{
    int type = 0;
    while (type < MESSAGE_TYPE_COUNT &&
           strcmp(message_type_name((enum message_type)type), vector->type) != 0)
        type++;
    return (enum message_type)type;
}

static void check_begins(const struct vector *vector, const char *wanted, struct str text)
{
    bool right = wanted[0] ? str_starts_with(text, str_of(wanted)) : text.size == 0;
    EXPECT_THAT(right, "%s: wanted \"%s\", got \"%.*s\"", vector->name, wanted, (int)text.size,
                text.text);
}

static void check_valid(const struct vector *vector)
{
    enum message_type type = type_of(vector);

    EXPECT_THAT(type != MESSAGE_TYPE_COUNT && outcomes[type].answer, "%s: type", vector->name);
    if (type == MESSAGE_TYPE_COUNT || !outcomes[type].answer)
        return;
    struct world *world = world_new();
    conn_id target;
    conn_id conn = make_scene(world, type != MESSAGE_JOIN_ROOM, &target);

    hub_receive(world->hub, conn, vector->text, world->now_ms);
    check_begins(vector, outcomes[type].answer, world_take(world, conn));
    struct str told = world_take(world, target);
    if (type != MESSAGE_JOIN_ROOM) /* which may be into another room */
        check_begins(vector, outcomes[type].told, told);
    if (type == MESSAGE_SIGNAL)
        check_signal(vector, told);
    if (type == MESSAGE_LEAVE_ROOM)
        EXPECT_STR(user_left(2, "left"), told);
    EXPECT_THAT(world_is_quiet(world), "%s: more was said", vector->name);
    world_free(world);
}

static void check_invalid(const struct vector *vector, bool joined)
{
    struct world *world = world_new();
    conn_id target;
    conn_id conn = make_scene(world, joined, &target);
    const char *wanted = fmt("{\"type\":\"Error\",\"code\":\"%s\",", vector->error);

    hub_receive(world->hub, conn, vector->text, world->now_ms);
    struct str answer = world_take(world, conn);
    EXPECT_THAT(str_starts_with(answer, str_of(wanted)), "%s: wanted %s, got \"%.*s\"",
                vector->name, vector->error, (int)answer.size, answer.text);
    EXPECT_THAT(world_is_quiet(world), "%s was told to somebody", vector->name);
    world_free(world);
}

static void check_form(const struct vector *vector, bool valid)
{
    EXPECT_THAT(vector->json && vector->text.text, "%s is not a vector", vector->name);
    EXPECT_THAT(vector->from &&
                    (strcmp(vector->from, "client") == 0 || strcmp(vector->from, "hub") == 0),
                "%s: from", vector->name);
    EXPECT_THAT(valid == !vector->error, "%s: error", vector->name);
    EXPECT_THAT(!valid || vector->type, "%s: type", vector->name);
}

static bool is_from_client(const struct vector *vector)
{
    return vector->from && strcmp(vector->from, "client") == 0;
}

TEST(every_valid_vector_is_understood)
{
    struct vectors *valid = vectors_read("valid");

    for (size_t i = 0; i < valid->count; i++) {
        check_form(&valid->rows[i], true);
        if (is_from_client(&valid->rows[i]))
            check_valid(&valid->rows[i]);
    }
    vectors_free(valid);
}

TEST(every_invalid_vector_gets_its_error_and_nobody_else_hears_of_it)
{
    struct vectors *invalid = vectors_read("invalid");

    for (size_t i = 0; i < invalid->count; i++) {
        const struct vector *vector = &invalid->rows[i];
        check_form(vector, false);
        if (!is_from_client(vector) || !vector->error)
            continue;
        check_invalid(vector, false);
        if (!vector->type || strcmp(vector->type, "JoinRoom") != 0)
            check_invalid(vector, true);
    }
    vectors_free(invalid);
}

TEST(to_a_hub_what_hubs_say_is_an_unknown_type)
{
    struct vectors *valid = vectors_read("valid");

    for (size_t i = 0; i < valid->count; i++) {
        const struct vector *vector = &valid->rows[i];
        struct message message;
        if (is_from_client(vector) || strcmp(vector->type, "Signal") == 0)
            continue;
        EXPECT_THAT(message_decode(&message, vector->text) == ERR_UNKNOWN_TYPE, "%s", vector->name);
    }
    vectors_free(valid);
}

static size_t count_of_type(const struct vectors *vectors, const char *type)
{
    size_t count = 0;
    for (size_t i = 0; i < vectors->count; i++)
        count += is_from_client(&vectors->rows[i]) && vectors->rows[i].type &&
                 strcmp(vectors->rows[i].type, type) == 0;
    return count;
}

enum { VECTORS_MIN = 3 }; /* of each type, in each folder; tests/js counts those of the hub */

TEST(every_type_has_vectors_of_both_kinds_and_every_error_of_a_message_has_one)
{
    struct vectors *valid = vectors_read("valid"), *invalid = vectors_read("invalid");
    static const enum err errors[] = {ERR_BAD_MESSAGE, ERR_UNKNOWN_TYPE, ERR_BAD_ROOM_ID,
                                      ERR_BAD_NAME, ERR_BAD_RESUME_TOKEN};

    for (int i = 0; i < MESSAGE_TYPE_COUNT; i++) {
        const char *type = message_type_name((enum message_type)i);
        EXPECT_THAT(count_of_type(valid, type) >= VECTORS_MIN, "valid %s", type);
        EXPECT_THAT(count_of_type(invalid, type) >= VECTORS_MIN, "invalid %s", type);
    }
    for (size_t e = 0; e < ARRAY_SIZE(errors); e++) {
        size_t count = 0;
        for (size_t i = 0; i < invalid->count; i++)
            count += invalid->rows[i].error &&
                     strcmp(invalid->rows[i].error, err_wire_name(errors[e])) == 0;
        EXPECT_THAT(count > 0, "no vector for %s", err_wire_name(errors[e]));
    }
    vectors_free(valid);
    vectors_free(invalid);
}
