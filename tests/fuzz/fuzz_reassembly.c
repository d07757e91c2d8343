/* Parts of messages under a script of their arrival. A script is lines; the first letter says what comes:
 *
 *   m64          as the first line: a message has at most 64 bytes, else 48
 *   -TEXT        a whole frame, not the last one of its message
 *   .TEXT        a whole frame, the last one
 *   +9 TEXT      a part of a frame that has 9 bytes to come, not the last one
 *   *9 TEXT      the same of the last one
 *   bTEXT        a binary message
 *   e9           9 empty frames, not the last ones
 *   t9           9 seconds pass
 *
 * A model that keeps all bytes says what has to come out of each part, by rules written anew here. What
 * was kept is never more than what came and never more than a message. And a message that was delivered
 * is delivered the same when it is cut in two, at every place: by a frame's end, or only on its way. */
#include "check.h"
#include "lines.h"

#include "aloha/reassembly.h"

#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 4096, REPEAT_MAX = 3000 };

struct model {
    char bytes[MESSAGE_MAX];
    size_t size, size_max;
    unsigned long parts;
    bool has_begun;
    uint64_t since_s, now_s;
};

/* True when some bytes behind these make UTF-8 of them: each sequence, as far as it is there, leaves a
 * range of scalar values, and one of them is allowed (RFC 3629 section 3). */
static bool may_begin_utf8(const char *bytes, size_t size)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};

    for (size_t at = 0; at < size;) {
        unsigned first = (unsigned char)bytes[at], ones = 0;
        while (ones < 8 && (first & (0x80u >> ones)))
            ones++;
        if (ones == 1 || ones > 4)
            return false;
        size_t length = ones ? ones : 1;
        uint32_t low = first & (0x7fu >> ones), high = low;
        for (size_t i = 1; i < length; i++) {
            unsigned more = at + i < size ? (unsigned char)bytes[at + i] : 0;
            if (at + i < size && more >> 6 != 2)
                return false;
            low = low * 64 + (at + i < size ? more & 63 : 0);
            high = high * 64 + (at + i < size ? more & 63 : 63);
        }
        if (high < smallest[length] || low > 0x10ffff || (low >= 0xd800 && high <= 0xdfff))
            return false;
        at += length;
    }
    return true;
}

/* What the model says to a part: CLOSE_NONE when it is well. It keeps the part's bytes. */
static enum close_why model_take(struct model *model, const struct reassembly_part *part)
{
    bool whole = !model->has_begun && part->is_final && part->to_come == 0;

    if (part->is_binary)
        return CLOSE_UNSUPPORTED;
    if ((__int128)model->size + part->bytes.size + part->to_come > model->size_max)
        return CLOSE_TOO_BIG;
    if (!model->has_begun) {
        model->has_begun = true;
        model->since_s = model->now_s;
    }
    if (part->bytes.size)
        memcpy(model->bytes + model->size, part->bytes.text, part->bytes.size);
    model->size += part->bytes.size;
    if (model->now_s > model->since_s + 10)
        return CLOSE_POLICY;
    if (!whole && ++model->parts > 1024 + model->size)
        return CLOSE_POLICY;
    if (part->to_come == 0 && !part->is_final && !may_begin_utf8(model->bytes, model->size))
        return CLOSE_BAD_UTF8;
    return CLOSE_NONE;
}

static void model_forget(struct model *model)
{
    model->size = 0;
    model->parts = 0;
    model->has_begun = false;
}

/* The message comes again in two parts. */
static void check_cut(struct str message, size_t at, bool ends_frame)
{
    struct reassembly reassembly;
    struct str front = check_copy((struct str){message.text, at});
    struct str back = check_copy((struct str){message.text + at, message.size - at});
    struct reassembly_part first = {.bytes = front, .to_come = ends_frame ? 0 : back.size};
    struct reassembly_part last = {.bytes = back, .is_final = true};

    first.is_final = !ends_frame;
    reassembly_init(&reassembly, message.size);
    struct reassembled got = reassembly_add(&reassembly, &first, 1);
    free((char *)front.text); /* it was copied, if it was kept */
    if (ends_frame && !may_begin_utf8(message.text, at)) {
        CHECK(got.verdict == REASSEMBLY_CLOSE && got.why == CLOSE_BAD_UTF8);
    } else {
        CHECK(got.verdict == REASSEMBLY_MORE && reassembly.bytes.size == at);
        got = reassembly_add(&reassembly, &last, 1);
        CHECK(got.verdict == REASSEMBLY_WHOLE && str_equal(got.message, message));
    }
    free((char *)back.text);
    reassembly_deinit(&reassembly);
}

static void check_cuts(struct str message)
{
    size_t step = message.size / 64 + 1; /* of a long one some of the cuts */

    for (size_t at = 0; at <= message.size; at += step) {
        check_cut(message, at, true);
        if (at < message.size)
            check_cut(message, at, false);
    }
}

static void feed(struct reassembly *reassembly, struct model *model, struct reassembly_part part)
{
    struct str text = part.bytes;
    bool whole = !model->has_begun && part.is_final && part.to_come == 0;

    part.bytes = check_copy(text);
    enum close_why wanted = model_take(model, &part);
    struct reassembled got = reassembly_add(reassembly, &part, model->now_s);
    if (wanted) {
        CHECK(got.verdict == REASSEMBLY_CLOSE && got.why == wanted && !reassembly->bytes.data);
        model_forget(model);
    } else if (part.to_come == 0 && part.is_final) {
        CHECK(got.verdict == REASSEMBLY_WHOLE);
        CHECK(str_equal(got.message, (struct str){model->bytes, model->size}));
        CHECK(!whole || got.message.text == part.bytes.text);
        reassembly_done(reassembly);
        check_cuts((struct str){model->bytes, model->size});
        model_forget(model);
        CHECK(!reassembly->bytes.data);
    } else {
        CHECK(got.verdict == REASSEMBLY_MORE);
        CHECK(reassembly->bytes.size == model->size && model->size <= model->size_max);
        CHECK(reassembly->bytes.capacity <=
              2 * model->size + 256); /* for what came, not declared */
    }
    free((char *)part.bytes.text);
    CHECK(reassembly_is_late(reassembly, model->now_s + 11) == model->has_begun);
}

static uint64_t read_number(struct str text)
{
    uint64_t number;
    return str_to_uint(text, UINT64_MAX, &number) ? number : UINT64_MAX;
}

static void run_line(struct reassembly *reassembly, struct model *model, struct str line)
{
    struct reassembly_part part = {0};
    char letter = line.size ? line.text[0] : '.';

    if (line.size)
        line = (struct str){line.text + 1, line.size - 1};
    if (letter == 't') {
        model->now_s += read_number(line) % 20;
        return;
    }
    if (letter == 'e') {
        for (uint64_t left = read_number(line) % REPEAT_MAX; left; left--)
            feed(reassembly, model, part);
        return;
    }
    if (letter == '+' || letter == '*')
        part.to_come = read_number(str_cut(&line, ' '));
    part.bytes = line;
    part.is_final = letter != '-' && letter != '+';
    part.is_binary = letter == 'b';
    feed(reassembly, model, part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model model;
    struct reassembly reassembly;
    struct str rest = check_input(data, size), line;

    model_forget(&model);
    model.now_s = 100;
    model.size_max = 48;
    if (str_starts_with(rest, STR("m"))) {
        line = str_cut(&rest, '\n');
        model.size_max = read_number((struct str){line.text + 1, line.size - 1}) % MESSAGE_MAX;
    }
    reassembly_init(&reassembly, model.size_max);
    while (lines_take(&rest, '\n', &line))
        run_line(&reassembly, &model, line);
    reassembly_deinit(&reassembly);
    return 0;
}
