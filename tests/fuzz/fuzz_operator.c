/* operator_decide() over requests written as on the wire, and what reads the bodies behind them. Lines "!bound
 * ADDRESS", "!hosts LIST", "!open" and "!no-token" before the request line set what a request cannot.
 *
 * What needs the token is done exactly for who shows it; whoever shows it is never taken for a stranger; nothing is
 * done for a web page, under a strange name, with two lengths, or, where it changes something, for what is no JSON; an id
 * is one that there could be. A body is taken exactly when jansson finds that one member in it. */
#include "check.h"
#include "lines.h"

#include "aloha/operator.h"
#include "aloha/operator_json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN "0123456789abcdef0123456789abcdef"

struct input {
    struct operator_request request;
    struct operator_policy policy;
    struct hosts hosts;
    struct operator_auth auth;
    struct str body;
};

static void read_setting(struct input *input, struct str line)
{
    struct str name = str_cut(&line, ' ');

    if (str_equal(name, STR("!bound")))
        input->policy.bound_to = line;
    else if (str_equal(name, STR("!hosts")) && hosts_read(line, &input->hosts))
        input->policy.hosts = &input->hosts;
    else if (str_equal(name, STR("!open")))
        input->policy.metrics_open = true;
    else if (str_equal(name, STR("!no-token")))
        input->auth.token.is_set = false;
}

static void read_header(struct operator_request *request, struct str line)
{
    struct str name = str_cut(&line, ':'), value = str_trim(line);

    if (str_equal_nocase(name, STR("host")))
        request->host = value, request->host_count++;
    else if (str_equal_nocase(name, STR("authorization")))
        request->authorization = value, request->authorization_count++;
    else if (str_equal_nocase(name, STR("content-length")))
        request->content_length = value, request->content_length_count++;
    else if (str_equal_nocase(name, STR("content-type")))
        request->content_type = value;
    else if (str_equal_nocase(name, STR("origin")))
        request->has_origin = true;
    else if (str_equal_nocase(name, STR("transfer-encoding")))
        request->has_transfer_encoding = true;
}

static void read_input(struct input *input, struct str text)
{
    struct str line;
    bool has_line = false;

    CHECK(operator_token_make(&input->auth.token, STR(TOKEN)));
    while (lines_take(&text, '\n', &line) && (line.size || !has_line)) {
        if (line.size && line.text[0] == '!') {
            read_setting(input, line);
        } else if (!has_line) {
            input->request.method = str_cut(&line, ' ');
            input->request.target = str_cut(&line, ' ');
            has_line = true;
        } else {
            read_header(&input->request, line);
        }
    }
    input->body = text;
}

/* ---- what must hold ---- */

static struct str stripped(struct str text)
{
    while (text.size && memchr(" \t\r\n", text.text[0], 4))
        text = (struct str){text.text + 1, text.size - 1};
    while (text.size && memchr(" \t\r\n", text.text[text.size - 1], 4))
        text.size--;
    return text;
}

static bool shows_token(const struct input *input)
{
    struct str rest = stripped(input->request.authorization);
    struct str scheme = str_cut(&rest, ' ');

    return input->auth.token.is_set && str_equal_nocase(scheme, STR("bearer")) &&
           str_equal(stripped(rest), STR(TOKEN));
}

static void check_done(const struct input *input, const struct operator_decision *decision)
{
    const struct operator_request *request = &input->request;
    const struct operator_route *route = &operator_routes[decision->action];
    bool reads = strcmp(route->method, "GET") == 0;

    CHECK(decision->action < OPERATOR_ACTION_COUNT);
    CHECK(request->host_count == 1 && host_is_well_formed(request->host));
    CHECK(!request->has_origin && !request->has_transfer_encoding);
    CHECK(request->content_length_count <= 1 && request->authorization_count <= 1);
    CHECK(request->target.size <= OPERATOR_TARGET_SIZE_MAX);
    CHECK(decision->body_size <= OPERATOR_BODY_SIZE_MAX && (!reads || !decision->body_size));
    CHECK(str_equal(request->method, str_of(route->method)) ||
          (decision->head_only && reads && str_equal(request->method, STR("HEAD"))));
    CHECK(reads || (request->content_type.size >= 16 &&
                    str_equal_nocase((struct str){request->content_type.text, 16},
                                     STR("application/json"))));
    if (route->access == OPERATOR_FOR_TOKEN ||
        (route->access == OPERATOR_FOR_METRICS && !input->policy.metrics_open))
        CHECK(shows_token(input));
    CHECK((strchr(route->path, '{') != NULL) == (decision->id.size > 0));
    CHECK(!decision->id.size ||
          (check_is_inside(decision->id, request->target) && room_id_is_valid(decision->id)));
    if (decision->action == OPERATOR_LIST_ROOMS)
        CHECK(decision->list.limit >= 1 && decision->list.limit <= OPERATOR_LIST_MAX);
}

static void check_refused(const struct input *input, const struct operator_decision *decision)
{
    unsigned status = operator_fault_status(decision->fault);

    CHECK(status >= 400 && status <= 599);
    CHECK((status == 405) == (decision->fault == OPERATOR_BAD_METHOD));
    CHECK(status != 405 || decision->allow[0]);
    CHECK(status != 429); /* it is the first of its address */
    if (status == 401)
        CHECK(!shows_token(input));
    if (decision->fault == OPERATOR_API_OFF || decision->fault == OPERATOR_METRICS_CLOSED)
        CHECK(!input->auth.token.is_set);
}

static void check_bodies(struct str body)
{
    struct str copy = check_copy(body);
    json_error_t error;
    json_t *root =
        json_loadb(copy.text ? copy.text : "", copy.size, JSON_REJECT_DUPLICATES, &error);
    const json_t *on = json_object_get(root, "on"), *level = json_object_get(root, "level");
    bool is_plain =
        !copy.size || (!memchr(copy.text, '\\', copy.size) && !memchr(copy.text, 0, copy.size));
    bool is_on = false, alone = json_object_size(root) == 1;
    enum log_level found, expected;

    bool took = operator_read_drain(copy, &is_on);
    CHECK(!took || (alone && json_is_boolean(on) && json_is_true(on) == is_on));
    CHECK(took || !is_plain || !(alone && json_is_boolean(on)));
    took = operator_read_log_level(copy, &found);
    CHECK(!took || (alone && json_is_string(level) &&
                    strcmp(json_string_value(level), log_level_name(found)) == 0));
    CHECK(took || !is_plain ||
          !(alone && json_is_string(level) &&
            log_level_of(str_of(json_string_value(level)), &expected)));
    took = operator_read_nothing(copy);
    CHECK(!took || !copy.size || (json_is_object(root) && json_object_size(root) == 0));
    CHECK(took || !is_plain || !(json_is_object(root) && json_object_size(root) == 0));
    json_decref(root);
    free((char *)(uintptr_t)copy.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input *input = calloc(1, sizeof *input);
    struct operator_decision decision;

    read_input(input, check_input(data, size));
    operator_decide(&decision, &input->policy, &input->auth, &input->request, 1, 0);
    if (decision.fault)
        check_refused(input, &decision);
    else
        check_done(input, &decision);
    check_bodies(input->body);
    free(input);
    return 0;
}
