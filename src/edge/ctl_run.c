#include "aloha/ctl_run.h"

#include "aloha/config_load.h"
#include "aloha/ctl.h"
#include "aloha/sandbox.h"
#include "aloha/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { EXIT_NOT_DONE = 1, EXIT_BAD_USAGE = 2, PROBLEM_SIZE = CONFIG_PROBLEM_SIZE };

static int complain(char *problem, int status)
{
    str_make_printable(problem);
    fprintf(stderr, "aloha: %s\n", problem);
    return status;
}

static int print(struct buf *text, int status)
{
    bool done = !text->failed &&
                (!text->size || fwrite(text->data, 1, text->size, stdout) == text->size) &&
                fflush(stdout) == 0;
    return done ? status : EXIT_NOT_DONE;
}

/* As root reads the server's files as the server does (secret.h), whoever it becomes. */
static void trust_user(const struct config *config)
{
    struct sandbox_user user;
    char problem[PROBLEM_SIZE];

    if (sandbox_find_user(config->user, &user, problem, sizeof problem))
        secret_trust_user(user.uid);
}

/* Whoever asks after the health need not be able to read the token. */
static bool write_request(struct buf *out, const struct config *config, struct ctl_call *call,
                          char problem[PROBLEM_SIZE])
{
    struct secret secret = {.size = 0};
    char host[CTL_HOST_SIZE];

    if (operator_routes[call->command->action].access != OPERATOR_FOR_ALL &&
        secret_read(&secret, &config->ops_token, problem, PROBLEM_SIZE) == SECRET_UNUSABLE)
        return false;
    call->has_token = secret.size > 0;
    ctl_host(host, config);
    ctl_write_request(out, call, host, (struct str){secret.text, secret.size});
    secret_forget(&secret);
    return true;
}

/* Asks once, and writes the bytes of the answer. */
static bool ask(struct buf *answer, const struct config *config, struct ctl_call *call,
                char problem[PROBLEM_SIZE])
{
    struct buf request;

    buf_init(&request, CTL_REQUEST_SIZE_MAX);
    bool done = write_request(&request, config, call, problem);
    if (done && request.failed) {
        snprintf(problem, PROBLEM_SIZE, "out of memory");
        done = false;
    }
    done = done && ctl_exchange(config, buf_str(&request), answer, problem, PROBLEM_SIZE);
    if (request.data)
        explicit_bzero(request.data, request.capacity);
    buf_deinit(&request);
    return done;
}

/* What came of one answer: the exit status. */
static int take_answer(struct buf *out, struct ctl_call *call, struct str answer)
{
    struct http_reply reply;
    char problem[CTL_PROBLEM_SIZE];

    if (!http_reply_read(answer, &reply)) {
        snprintf(problem, sizeof problem, "%s: what answers there is no operator's plane of aloha",
                 call->command->name);
        return complain(problem, EXIT_NOT_DONE);
    }
    if (reply.status == 503 && !reply.is_json) { /* not healthy, not ready: the text says why */
        buf_add(out, reply.body);
        return EXIT_NOT_DONE;
    }
    if (reply.status != 200) {
        ctl_write_refusal(problem, call, &reply);
        return complain(problem, EXIT_NOT_DONE);
    }
    if (ctl_write_answer(out, call, &reply, (uint64_t)time(NULL)))
        return EXIT_SUCCESS;
    snprintf(problem, sizeof problem, "%s: the answer cannot be understood; --json shows it",
             call->command->name);
    return complain(problem, EXIT_NOT_DONE);
}

/* A long list comes in parts. */
static int ask_all(struct buf *out, const struct config *config, struct ctl_call *call)
{
    char problem[PROBLEM_SIZE];
    int status;

    do {
        struct buf answer;
        buf_init(&answer, CTL_ANSWER_SIZE_MAX);
        status = ask(&answer, config, call, problem) ? take_answer(out, call, buf_str(&answer))
                                                     : complain(problem, EXIT_NOT_DONE);
        buf_deinit(&answer);
    } while (status == EXIT_SUCCESS && call->after);
    return status;
}

static int run(struct buf *out, int argc, char *argv[], char *options[])
{
    struct ctl_call call;
    struct config config;
    char problem[PROBLEM_SIZE];
    int option_count;

    if (!ctl_read(&call, argc - 1, argv + 1, options + 1, &option_count, problem))
        return complain(problem, EXIT_BAD_USAGE);
    if (!call.command) {
        ctl_write_help(out);
        return EXIT_SUCCESS;
    }
    if (!config_load(&config, option_count + 1, options, problem, sizeof problem))
        return complain(problem, EXIT_BAD_USAGE);
    trust_user(&config);
    int status = ask_all(out, &config, &call);
    config_deinit(&config);
    return status;
}

int ctl_run(int argc, char *argv[])
{
    struct buf out;
    char **options = calloc((size_t)argc + 1, sizeof *options);

    if (!options)
        return EXIT_NOT_DONE;
    options[0] = argv[0];
    buf_init(&out, (size_t)CTL_ANSWER_SIZE_MAX * 4);
    int status = print(&out, run(&out, argc, argv, options));
    buf_deinit(&out);
    free(options);
    return status;
}
