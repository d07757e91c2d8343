/* `aloha ctl`: a first line of words, and what came back. What is taken for an answer has its body whole inside it; what a
 * person then reads has no control characters, whatever the server said, but for --json and texts, which are shown as
 * they came; a refusal is one line; and a list of rooms ends. */
#include "check.h"
#include "lines.h"

#include "aloha/ctl.h"
#include "aloha/utf8.h"

#include <stdlib.h>

enum { WORDS_MAX = 8, WORDS_SIZE_MAX = 256 };

static void check_is_calm(struct str text)
{
    CHECK(utf8_is_valid(text));
    while (text.size) {
        uint32_t c = utf8_take(&text);
        CHECK(c == '\n' || (c >= 0x20 && (c < 0x7f || c >= 0xa0)));
    }
}

static void check_answer(struct ctl_call *call, struct str answer)
{
    struct http_reply reply;
    struct buf out;
    char problem[CTL_PROBLEM_SIZE];
    uint64_t after = call->after;

    if (!http_reply_read(answer, &reply))
        return;
    CHECK(reply.status >= 100 && reply.status <= 599);
    CHECK(!reply.body.size || (check_is_inside(reply.body, answer) &&
                               reply.body.text + reply.body.size == answer.text + answer.size));
    buf_init(&out, 1024 * 1024);
    bool shown_as_it_came = call->json || call->command->action <= OPERATOR_METRICS;
    if (ctl_write_answer(&out, call, &reply, 1000) && !shown_as_it_came)
        check_is_calm(buf_str(&out));
    CHECK(call->after == 0 || call->after > after);
    ctl_write_refusal(problem, call, &reply);
    CHECK(strlen(problem) < CTL_PROBLEM_SIZE);
    buf_deinit(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str text = check_input(data, size), line, word;
    char words[WORDS_SIZE_MAX], *argv[WORDS_MAX], *options[WORDS_MAX], problem[CTL_PROBLEM_SIZE];
    int argc = 0, option_count = 0;
    size_t used = 0;
    struct ctl_call call;

    if (!lines_take(&text, '\n', &line))
        return 0;
    while (argc < WORDS_MAX && lines_take(&line, ' ', &word) && used + word.size < sizeof words) {
        if (word.size && memchr(word.text, 0, word.size))
            return 0; /* no argument has one */
        argv[argc++] = words + used;
        if (word.size)
            memcpy(words + used, word.text, word.size);
        words[used + word.size] = '\0';
        used += word.size + 1;
    }
    if (!ctl_read(&call, argc, argv, options, &option_count, problem)) {
        CHECK(problem[0] && strlen(problem) < CTL_PROBLEM_SIZE);
        return 0;
    }
    CHECK(option_count <= argc);
    if (!call.command)
        return 0;
    struct buf request;
    buf_init(&request, CTL_REQUEST_SIZE_MAX);
    ctl_write_request(&request, &call, "localhost", (struct str){0});
    CHECK(!request.failed);
    for (size_t i = 0; i < request.size; i++)
        CHECK((unsigned char)request.data[i] < 0x7f);
    buf_deinit(&request);
    struct str answer = check_copy(text);
    check_answer(&call, answer);
    free((char *)(uintptr_t)answer.text);
    return 0;
}
