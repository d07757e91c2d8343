/* json: RFC 8259. The forms follow Nicolas Seriot's "JSON Parsing Test Suite" (y_: must be taken,
 * n_: must be refused, i_: a parser's own choice, ours is in json.h). */
#include "aloha/json.h"
#include "harness.h"

#include <jansson.h>
#include <stdio.h>

/* clang-format off */
static const struct str valid[] = {
    ROW_STR("[[]   ]"), ROW_STR("[\"\"]"), ROW_STR("[]"), ROW_STR("[\"a\"]"), ROW_STR("[false]"), ROW_STR("[null, 1, \"1\", {}]"),
    ROW_STR("[null]"), ROW_STR("[1\n]"), ROW_STR(" [1]"), ROW_STR("[1,null,null,null,2]"), ROW_STR("[2] "),
    ROW_STR("[123e65]"), ROW_STR("[0e+1]"), ROW_STR("[0e1]"), ROW_STR("[ 4]"), ROW_STR("[-0.000000000000000000000000001]\n"),
    ROW_STR("[20e1]"), ROW_STR("[-0]"), ROW_STR("[-123]"), ROW_STR("[-1]"), ROW_STR("[-0]"), ROW_STR("[1E22]"), ROW_STR("[1E-2]"), ROW_STR("[1E+2]"),
    ROW_STR("[123e45]"), ROW_STR("[123.456e78]"), ROW_STR("[1e-2]"), ROW_STR("[1e+2]"), ROW_STR("[123]"), ROW_STR("[123.456789]"),
    ROW_STR("{\"asd\":\"sdf\", \"dfg\":\"fgh\"}"), ROW_STR("{\"asd\":\"sdf\"}"), ROW_STR("{\"a\":\"b\",\"a\":\"c\"}"),
    ROW_STR("{\"a\":\"b\",\"a\":\"b\"}"), ROW_STR("{}"), ROW_STR("{\"\":0}"), ROW_STR("{\"foo\\u0000bar\": 42}"),
    ROW_STR("{ \"min\": -1.0e+28, \"max\": 1.0e+28 }"), ROW_STR("{\"a\":[]}"), ROW_STR("{\"title\":\"\\u041f\\u043e\"}"),
    ROW_STR("{\n\"a\": \"b\"\n}"), ROW_STR("[\"\\u0060\\u012a\\u12AB\"]"), ROW_STR("[\"\\uD801\\udc37\"]"),
    ROW_STR("[\"\\ud83d\\ude39\\ud83d\\udc8d\"]"), ROW_STR("[\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"]"), ROW_STR("[\"\\\\u0000\"]"),
    ROW_STR("[\"\\\"\"]"), ROW_STR("[\"a/*b*/c/*d//e\"]"), ROW_STR("[\"\\\\a\"]"), ROW_STR("[\"\\\\n\"]"), ROW_STR("[\"\\u0012\"]"),
    ROW_STR("[\"\\uFFFF\"]"), ROW_STR("[ \"asd\"]"), ROW_STR("[\"\xf4\x8f\xbf\xbf\"]"), ROW_STR("[\"\xef\xbf\xbf\"]"),
    ROW_STR("[\"\\u0000\"]"), ROW_STR("[\"\\u002c\"]"), ROW_STR("[\"\xcf\x80\"]"), ROW_STR("[\"\xf0\x9b\xbf\xbf\"]"), ROW_STR("[\"asd \"]"),
    ROW_STR("\" \""), ROW_STR("[\"\\uD834\\uDd1e\"]"), ROW_STR("[\"\\u0821\"]"), ROW_STR("[\"\xe2\x80\xa8\"]"), ROW_STR("[\"\xe2\x80\xa9\"]"),
    ROW_STR("[\"\\u0061\\u30af\\u30EA\\u30b9\"]"), ROW_STR("[\"new\\u000Aline\"]"), ROW_STR("[\"\x7f\"]"), ROW_STR("[\"\\u005C\"]"),
    ROW_STR("[\"\\u0022\"]"), ROW_STR("[\"\\u200B\"]"), ROW_STR("[\"\\u2064\"]"), ROW_STR("[\"\\uFDD0\"]"), ROW_STR("[\"\\uFFFE\"]"),
    ROW_STR("[\"a\xc3\xa9z\"]"), ROW_STR("false"), ROW_STR("42"), ROW_STR("-0.1"), ROW_STR("null"), ROW_STR("\"asd\""), ROW_STR("true"), ROW_STR("\"\""),
    ROW_STR("[\"a\"]\n"), ROW_STR("[true]"), ROW_STR(" [] "), ROW_STR("\t[\r\n]"), ROW_STR("0"), ROW_STR("-0e0"), ROW_STR("1.0E-0"),
    /* i_: taken by the grammar, whatever a parser could hold */
    ROW_STR("[123.456e-789]"), ROW_STR("[0.4e00669999999999999999999999999999999999999999999999999999999969999999006]"),
    ROW_STR("[-1e+9999]"), ROW_STR("[1.5e+9999]"), ROW_STR("[-123123e100000]"), ROW_STR("[123123e100000]"), ROW_STR("[123e-10000000]"),
    ROW_STR("[-123123123123123123123123123123]"), ROW_STR("[100000000000000000000]"), ROW_STR("[-237462374673276894279832749832423479823246327846]"),
    ROW_STR("{\"\\uDFAA\":0}"), ROW_STR("[\"\\uDADA\"]"), ROW_STR("[\"\\uD888\\u1234\"]"), ROW_STR("[\"\\uD800\\n\"]"), ROW_STR("[\"\\uDd1ea\"]"),
    ROW_STR("[\"\\uD800\\uD800\\n\"]"), ROW_STR("[\"\\ud800\"]"), ROW_STR("[\"\\ud800abc\"]"), ROW_STR("[\"\\uDd1e\\uD834\"]"), ROW_STR("[\"\\uDFAA\"]"),
};

static const struct str invalid[] = {
    ROW_STR(""), ROW_STR(" "), ROW_STR("[1 true]"), ROW_STR("[\"\": 1]"), ROW_STR("[\"\"],"), ROW_STR("[,1]"), ROW_STR("[1,,2]"), ROW_STR("[\"x\",,]"),
    ROW_STR("[\"x\"]]"), ROW_STR("[\"\",]"), ROW_STR("[\"x\""), ROW_STR("[x"), ROW_STR("[3[4]]"), ROW_STR("[1:2]"), ROW_STR("[,]"), ROW_STR("[-]"),
    ROW_STR("[   , \"\"]"), ROW_STR("[\"a\",\n4\n,1,"), ROW_STR("[1,]"), ROW_STR("[1,,]"), ROW_STR("[\"\x0b\"a\"\\f\"]"), ROW_STR("[*]"), ROW_STR("[\"\""),
    ROW_STR("[1,"), ROW_STR("[1,\n1\n,1"), ROW_STR("[{}"), ROW_STR("[fals]"), ROW_STR("[nul]"), ROW_STR("[tru]"), ROW_STR("[True]"), ROW_STR("[NULL]"),
    ROW_STR("123\0"), ROW_STR("[++1234]"), ROW_STR("[+1]"), ROW_STR("[+Inf]"), ROW_STR("[-01]"), ROW_STR("[-1.0.]"), ROW_STR("[-2.]"), ROW_STR("[-NaN]"),
    ROW_STR("[.-1]"), ROW_STR("[.2e-3]"), ROW_STR("[0.1.2]"), ROW_STR("[0.3e+]"), ROW_STR("[0.3e]"), ROW_STR("[0.e1]"), ROW_STR("[0E+]"), ROW_STR("[0E]"),
    ROW_STR("[0e+]"), ROW_STR("[0e]"), ROW_STR("[1.0e+]"), ROW_STR("[1.0e-]"), ROW_STR("[1.0e]"), ROW_STR("[1 000.0]"), ROW_STR("[1eE2]"), ROW_STR("[2.e+3]"),
    ROW_STR("[2.e-3]"), ROW_STR("[2.e3]"), ROW_STR("[9.e+]"), ROW_STR("[Inf]"), ROW_STR("[NaN]"), ROW_STR("[\xef\xbc\x91]"), ROW_STR("[1+2]"), ROW_STR("[0x1]"),
    ROW_STR("[0x42]"), ROW_STR("[Infinity]"), ROW_STR("[0e+-1]"), ROW_STR("[-123.123foo]"), ROW_STR("[-Infinity]"), ROW_STR("[-foo]"), ROW_STR("[- 1]"),
    ROW_STR("[-012]"), ROW_STR("[-.123]"), ROW_STR("[-1x]"), ROW_STR("[1ea]"), ROW_STR("[1.]"), ROW_STR("[.123]"), ROW_STR("[1.2a-3]"), ROW_STR("[1.8011670033376514H-308]"),
    ROW_STR("[012]"), ROW_STR("[00]"), ROW_STR("[\"x\", truth]"), ROW_STR("{[: \"x\"}"), ROW_STR("{\"x\", null}"), ROW_STR("{\"x\"::\"b\"}"),
    ROW_STR("{\xf0\x9f\x87\xa8\xf0\x9f\x87\xad}"), ROW_STR("{\"a\":\"a\" 123}"), ROW_STR("{key: 'value'}"), ROW_STR("{\"a\" b}"), ROW_STR("{:\"b\"}"),
    ROW_STR("{\"a\":"), ROW_STR("{\"a\""), ROW_STR("{1:1}"), ROW_STR("{9999E9999:1}"), ROW_STR("{null:null,null:null}"), ROW_STR("{\"id\":0,,,,,}"),
    ROW_STR("{'a':0}"), ROW_STR("{\"id\":0,}"), ROW_STR("{\"a\":\"b\"}/**/"), ROW_STR("{\"a\":\"b\"}/**//"), ROW_STR("{\"a\":\"b\"}//"), ROW_STR("{\"a\":\"b\"}/"),
    ROW_STR("{\"a\":\"b\",,\"c\":\"d\"}"), ROW_STR("{a: \"b\"}"), ROW_STR("{\"a\":\"a"), ROW_STR("{ \"foo\" : \"bar\", \"a\" }"), ROW_STR("{\"a\":\"b\"}#"),
    ROW_STR("[\"\\uD800\\\"]"), ROW_STR("[\"\\uD800\\u\"]"), ROW_STR("[\"\\uD800\\u1\"]"), ROW_STR("[\"\\uD800\\u1x\"]"), ROW_STR("[\xc3\xa9]"),
    ROW_STR("[\"\\\0\"]"), ROW_STR("[\"\\x00\"]"), ROW_STR("[\"\\\\\\\"]"), ROW_STR("[\"\\\t\"]"), ROW_STR("[\"\\\xf0\x9f\x8c\x80\"]"), ROW_STR("[\"\\\"]"),
    ROW_STR("[\"\\u00A\"]"), ROW_STR("[\"\\uD834\\uDd\"]"), ROW_STR("[\"\\uD800\\uD800\\x\"]"), ROW_STR("[\"\\a\"]"), ROW_STR("[\"\\uqqqq\"]"), ROW_STR("[\\u0020\"asd\"]"),
    ROW_STR("[\\n]"), ROW_STR("\""), ROW_STR("['single quote']"), ROW_STR("abc"), ROW_STR("[\"\\"), ROW_STR("[\"a\0a\"]"), ROW_STR("[\"new\nline\"]"), ROW_STR("[\"\t\"]"),
    ROW_STR("\"\\UA66D\""), ROW_STR("\"\"x"), ROW_STR("\xef\xbb\xbf"), ROW_STR("\xef\xbb\xbf{}"), ROW_STR("<.>"), ROW_STR("[<null>]"), ROW_STR("[1]x"), ROW_STR("[1]]"),
    ROW_STR("aA"), ROW_STR("[True]"), ROW_STR("1]"), ROW_STR("{\"x\": true,"), ROW_STR("[][]"), ROW_STR("]"), ROW_STR("{}}"), ROW_STR("{\"\":"), ROW_STR("{\"a\":/*comment*/\"b\"}"),
    ROW_STR("{\"a\": true} \"x\""), ROW_STR("['"), ROW_STR("[,"), ROW_STR("[{"), ROW_STR("[\"a"), ROW_STR("{"), ROW_STR("{]"), ROW_STR("{,"), ROW_STR("{["), ROW_STR("{\"a"), ROW_STR("{'a'"),
    ROW_STR("[\"\\{[\"\\{[\"\\{"), ROW_STR("\xe9"), ROW_STR("*"), ROW_STR("{\"a\":\"b\"}#{}"), ROW_STR("[\\u000A\"\"]"), ROW_STR("[1"), ROW_STR("[ false, nul"),
    ROW_STR("[ true, fals"), ROW_STR("[ false, tru"), ROW_STR("{\"asd\":\"asd\""), ROW_STR("\xc3\xa5"), ROW_STR("[\xe2\x81\xa0]"), ROW_STR("[\f]"), ROW_STR("[\v1]"),
    ROW_STR("[\xc2\xa0]"), ROW_STR("{\"a\":1 \"b\":2}"), ROW_STR("{\"a\"1}"), ROW_STR("-"), ROW_STR("1e"), ROW_STR("truee"), ROW_STR("nulltrue"), ROW_STR("[1}"), ROW_STR("{\"a\":1]"),
    ROW_STR("\0"), ROW_STR("{}\0"), ROW_STR("\0{}"),
};
/* clang-format on */

/* The value as the member of an envelope. */
static struct str wrapped(struct str value)
{
    static char text[4096];
    char *at = text;

    at += sprintf(at, "{\"v\":");
    memcpy(at, value.text, value.size);
    at += value.size;
    *at++ = '}';
    return (struct str){text, (size_t)(at - text)};
}

TEST(what_the_suite_wants_taken_is_taken)
{
    for (size_t i = 0; i < ARRAY_SIZE(valid); i++) {
        EXPECT_THAT(json_scan_value(valid[i]), "%s", valid[i].text);
        EXPECT_THAT(json_scan_object(wrapped(valid[i]), NULL, NULL), "wrapped %s", valid[i].text);
    }
}

TEST(what_the_suite_wants_refused_is_refused)
{
    for (size_t i = 0; i < ARRAY_SIZE(invalid); i++) {
        EXPECT_THAT(!json_scan_value(invalid[i]), "%s", invalid[i].text);
        EXPECT_THAT(!json_scan_object(wrapped(invalid[i]), NULL, NULL) || invalid[i].size == 2,
                    "wrapped %s", invalid[i].text);
    }
}

TEST(no_beginning_of_a_valid_object_is_valid)
{
    static const char text[] = " {\"a\" : [1.5e-3, true, \"\\u00e4\\n\", {\"b\":null}], \"c\":-0} ";
    size_t end = sizeof text - 2; /* without the white space behind it */

    for (size_t size = 0; size < sizeof text; size++) {
        char *copy = malloc(size ? size : 1); /* AddressSanitizer stands at its end */
        EXPECT(copy != NULL);
        memcpy(copy, text, size);
        bool taken = json_scan_object((struct str){copy, size}, NULL, NULL);
        free(copy);
        EXPECT_THAT(taken == (size >= end), "%zu bytes", size);
    }
}

TEST(nothing_is_no_json)
{
    EXPECT(!json_scan_object((struct str){NULL, 0}, NULL, NULL));
    EXPECT(!json_scan_value((struct str){NULL, 0}));
}

TEST(only_an_object_is_an_object)
{
    EXPECT(!json_scan_object(STR("[]"), NULL, NULL));
    EXPECT(!json_scan_object(STR("\"{}\""), NULL, NULL));
    EXPECT(!json_scan_object(STR("1"), NULL, NULL));
    EXPECT(json_scan_object(STR(" \t\r\n{ \t\r\n} \t\r\n"), NULL, NULL));
}

static struct str nested(size_t depth, const char *open, const char *inside, const char *close)
{
    static char text[1 << 20];
    size_t size = 0;

    for (size_t i = 0; i < depth; i++)
        size += (size_t)sprintf(text + size, "%s", open);
    size += (size_t)sprintf(text + size, "%s", inside);
    for (size_t i = 0; i < depth; i++)
        size += (size_t)sprintf(text + size, "%s", close);
    return (struct str){text, size};
}

TEST(sixteen_levels_are_taken_and_seventeen_are_not)
{
    EXPECT(json_scan_value(nested(JSON_DEPTH_MAX, "[", "", "]")));
    EXPECT(!json_scan_value(nested(JSON_DEPTH_MAX + 1, "[", "", "]")));
    EXPECT(json_scan_object(nested(JSON_DEPTH_MAX, "{\"a\":", "1", "}"), NULL, NULL));
    EXPECT(!json_scan_object(nested(JSON_DEPTH_MAX, "{\"a\":", "{}", "}"), NULL, NULL));
    EXPECT(!json_scan_object(nested(JSON_DEPTH_MAX, "{\"a\":", "[]", "}"), NULL, NULL));
    EXPECT(!json_scan_value(nested(100000, "[", "", "]"))); /* and the stack does not grow */
    EXPECT(!json_scan_value(nested(100000, "[", "", "")));
    EXPECT(!json_scan_value(nested(100000, "{\"\":", "", "")));
}

TEST(depth_is_nesting_and_not_a_count_of_brackets)
{
    EXPECT(json_scan_value(
        nested(1, "[", "[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[]", "]")));
    EXPECT(json_scan_value(STR("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"")));
}

/* An object of one array of so many elements: 1 + elements members. */
static struct str crowded(size_t elements)
{
    static char text[16384];
    size_t size = (size_t)sprintf(text, "{\"a\":[");

    for (size_t i = 0; i < elements; i++)
        size += (size_t)sprintf(text + size, "%s1", i ? "," : "");
    size += (size_t)sprintf(text + size, "]}");
    return (struct str){text, size};
}

TEST(five_hundred_and_twelve_members_are_taken_and_one_more_is_not)
{
    EXPECT(json_scan_object(crowded(JSON_MEMBERS_MAX - 1), NULL, NULL));
    EXPECT(!json_scan_object(crowded(JSON_MEMBERS_MAX), NULL, NULL));
}

TEST(members_count_over_all_levels)
{
    char text[16384];
    size_t size = 1;

    text[0] = '{';
    for (int i = 0; i < 128; i++) /* four each: the member, its two elements and the inner one */
        size += (size_t)sprintf(text + size, "%s\"m%d\":[{\"x\":1},2]", i ? "," : "", i);
    text[size] = '}';
    EXPECT(json_scan_object((struct str){text, size + 1}, NULL, NULL));
    size += (size_t)sprintf(text + size, ",\"z\":0}");
    EXPECT(!json_scan_object((struct str){text, size}, NULL, NULL));
}

struct members {
    struct json_member rows[16];
    size_t count, stop_at;
};

static bool note_member(void *ctx, const struct json_member *member)
{
    struct members *members = ctx;
    if (members->count == ARRAY_SIZE(members->rows))
        return false;
    members->rows[members->count++] = *member;
    return members->count != members->stop_at;
}

TEST(members_come_in_order_as_the_bytes_that_stand_there)
{
    static const struct {
        const char *name, *value;
        enum json_kind kind;
    } wanted[] = {
        {"o", "{ \"x\" : [ ] }", JSON_KIND_OBJECT},
        {"a", "[1 , 2]", JSON_KIND_ARRAY},
        {"s", "\"t\\u0065a\"", JSON_KIND_STRING},
        {"n", "-0.50e+1", JSON_KIND_NUMBER},
        {"t", "true", JSON_KIND_TRUE},
        {"f", "false", JSON_KIND_FALSE},
        {"z", "null", JSON_KIND_NULL},
        {"", "\"\"", JSON_KIND_STRING},
        {"\\u0061", "1", JSON_KIND_NUMBER},
        {"a", "2", JSON_KIND_NUMBER},
    };
    struct str text =
        STR("\n{ \"o\" : { \"x\" : [ ] } , \"a\":\t[1 , 2]\r,\"s\":\"t\\u0065a\",\"n\":-0.50e+1,"
            "\"t\":true , \"f\":false,\"z\":null,\"\":\"\",\"\\u0061\":1,\"a\":2}");
    struct members members = {.count = 0};

    EXPECT(json_scan_object(text, note_member, &members));
    EXPECT_UINT(ARRAY_SIZE(wanted), members.count);
    for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
        EXPECT_STR(wanted[i].name, members.rows[i].name);
        EXPECT_STR(wanted[i].value, members.rows[i].value);
        EXPECT_UINT(wanted[i].kind, members.rows[i].kind);
        EXPECT(members.rows[i].value.text > text.text &&
               members.rows[i].value.text < text.text + text.size);
    }
}

TEST(a_callback_that_says_no_stops_the_scan)
{
    struct members members = {.stop_at = 2};

    EXPECT(!json_scan_object(STR("{\"a\":1,\"b\":2,\"c\":3}"), note_member, &members));
    EXPECT_UINT(2, members.count);
}

/* ---- strings ---- */

/* RFC 8259 section 7, byte by byte: at the start, in the middle and at the end of a string. */
TEST(each_byte_may_stand_in_a_string_or_may_not)
{
    for (int c = 0; c < 256; c++) {
        bool plain = c >= 0x20 && c != '"' && c != '\\';
        bool escape = c && strchr("\"\\/bfnrt", c);
        char alone[] = {'"', (char)c, '"'}, between[] = {'"', 'a', (char)c, 'x', '"'};
        char escaped[] = {'"', '\\', (char)c, '"'};
        EXPECT_THAT(json_scan_value((struct str){alone, sizeof alone}) == plain, "%02x",
                    (unsigned)c);
        EXPECT_THAT(json_scan_value((struct str){between, sizeof between}) == plain, "%02x",
                    (unsigned)c);
        EXPECT_THAT(json_scan_value((struct str){escaped, sizeof escaped}) == escape, "%02x",
                    (unsigned)c);
        for (int at = 0; at < 4; at++) {
            char hex[] = "\"\\u0aF9\"";
            hex[3 + at] = (char)c;
            bool digit = c && strchr("0123456789abcdefABCDEF", c);
            EXPECT_THAT(json_scan_value((struct str){hex, sizeof hex - 1}) == digit, "%02x",
                        (unsigned)c);
        }
    }
}

/* Long strings are passed several bytes at a time: each byte at each place of each length. */
TEST(a_byte_is_found_wherever_it_stands_in_a_string)
{
    static const struct {
        char byte;
        bool valid; /* with an n behind it */
    } rows[] = {{0x00, false},      {0x1f, false},      {'"', false},       {'\\', true},
                {0x20, true},       {0x21, true},       {0x23, true},       {0x7f, true},
                {(char)0x80, true}, {(char)0xa2, true}, {(char)0xdc, true}, {(char)0x9f, true},
                {(char)0xff, true}, {'[', true},        {']', true}};

    for (size_t size = 3; size <= 40; size++) {
        for (size_t at = 1; at + 2 < size; at++) {
            for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
                char *text = malloc(size); /* AddressSanitizer stands at its end */
                EXPECT(text != NULL);
                memset(text, 'n', size);
                text[0] = text[size - 1] = '"';
                text[at] = rows[i].byte;
                bool taken = json_scan_value((struct str){text, size});
                bool cut = json_scan_value((struct str){text, size - 1});
                free(text);
                EXPECT_THAT(taken == rows[i].valid, "%02x at %zu of %zu",
                            (unsigned)(unsigned char)rows[i].byte, at, size);
                EXPECT_THAT(!cut, "%02x at %zu of %zu, cut", (unsigned)(unsigned char)rows[i].byte,
                            at, size);
            }
        }
    }
}

/* The grammar of a string (RFC 8259 section 7), one byte after the other, for want of speed. */
static bool is_string(const char *at, size_t size)
{
    const char *end = at + size;

    if (size < 2 || *at++ != '"')
        return false;
    while (at < end && (unsigned char)*at >= 0x20 && *at != '"') {
        if (*at++ != '\\')
            continue;
        if (at == end || !*at || !strchr("\"\\/bfnrtu", *at))
            return false;
        if (*at++ != 'u')
            continue;
        for (int i = 0; i < 4; i++, at++)
            if (at == end || !*at || !strchr("0123456789abcdefABCDEF", *at))
                return false;
    }
    return at + 1 == end && *at == '"';
}

/* What may change what the bytes around it mean. */
static const struct str string_parts[] = {
    ROW_STR("\""),    ROW_STR("\\"),       ROW_STR("\x1f"),      ROW_STR("\0"),
    ROW_STR("\x80"),  ROW_STR("\\n"),      ROW_STR("\\\""),      ROW_STR("\\\\"),
    ROW_STR("\\/"),   ROW_STR("\\r\\n"),   ROW_STR("\\\\n"),     ROW_STR("\\\\\""),
    ROW_STR("\\n\""), ROW_STR("\\\\\\\""), ROW_STR("\\u00e4"),   ROW_STR("\\u00x4"),
    ROW_STR("\\x"),   ROW_STR("\\\x1f"),   ROW_STR("\"\\u0022"), ROW_STR("\\\\\\\\\\r"),
};

/* Puts each part at each place of a string of so many bytes, which begins so far into what
 * malloc() gave and ends with it: AddressSanitizer stands there. */
static bool judges_as_the_grammar(size_t offset, size_t size)
{
    char *memory = malloc(offset + size);
    char *text = memory + offset;
    bool same = true;

    for (size_t i = 0; memory && i < ARRAY_SIZE(string_parts); i++) {
        struct str part = string_parts[i];
        for (size_t at = 1; at + part.size < size; at++) {
            memset(text, 'n', size); /* as after a backslash */
            text[0] = text[size - 1] = '"';
            memcpy(text + at, part.text, part.size);
            same &= json_scan_value((struct str){text, size}) == is_string(text, size);
        }
    }
    free(memory);
    return same;
}

TEST(blocks_of_a_string_are_judged_as_its_bytes_are)
{
    for (size_t offset = 0; offset < 16; offset++)
        for (size_t size = 2; size <= 72; size++)
            EXPECT_THAT(judges_as_the_grammar(offset, size), "%zu bytes at %zu", size, offset);
}

TEST(random_strings_are_judged_as_the_grammar_has_them)
{
    struct dice dice = {12};
    unsigned taken_count = 0;

    for (int round = 0; round < 50000; round++) {
        char text[128] = "\"";
        size_t size = 1;
        for (unsigned count = dice_below(&dice, 12); count; count--) {
            struct str part = string_parts[dice_below(&dice, ARRAY_SIZE(string_parts))];
            if (dice_below(&dice, 8) || part.size < 2)
                part = (struct str){&"nr\\n\\r\\nnrnr"[dice_below(&dice, 6)], dice_below(&dice, 6)};
            memcpy(text + size, part.text, part.size);
            size += part.size;
        }
        text[size++] = '"';
        bool taken = json_scan_value((struct str){text, size});
        EXPECT_THAT(taken == is_string(text, size), "%.*s", (int)size, text);
        taken_count += taken;
    }
    EXPECT(taken_count > 5000 && taken_count < 45000);
}

TEST(random_bytes_in_a_string_are_judged_one_by_one)
{
    static const unsigned char likely[] = {0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x5b, 0x5d, 0x7f,
                                           0x80, 0x9f, 0xa0, 0xa1, 0xa2, 0xdc, 0xff, 'a',  'b'};
    struct dice dice = {11};
    unsigned taken_count = 0;

    for (int round = 0; round < 100000; round++) {
        char text[32];
        size_t size = 2 + dice_below(&dice, sizeof text - 2);
        unsigned specials = 0, choices = round % 2 ? ARRAY_SIZE(likely) : 2;
        text[0] = text[size - 1] = '"';
        for (size_t i = 1; i + 1 < size; i++) {
            unsigned char byte = likely[ARRAY_SIZE(likely) - 1 - dice_below(&dice, choices)];
            if (choices == 2 && dice_below(&dice, 20) == 0)
                byte = likely[dice_below(&dice, ARRAY_SIZE(likely))];
            text[i] = (char)byte;
            specials += byte < 0x20 || byte == '"';
        }
        bool taken = json_scan_value((struct str){text, size});
        EXPECT_THAT(taken == (specials == 0), "%.*s", (int)size, text);
        taken_count += taken;
    }
    EXPECT(taken_count > 10000 && taken_count < 90000);
}

TEST(a_string_is_read_as_what_it_spells)
{
    static const struct {
        const char *json;
        struct str spelled;
    } rows[] = {
        {"\"\"", ROW_STR("")},
        {"\"tea\"", ROW_STR("tea")},
        {"\"t\\u0065a\"", ROW_STR("tea")},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", ROW_STR("\"\\/\b\f\n\r\t")},
        {"\"\\ud83c\\udf3a\"", ROW_STR("\xf0\x9f\x8c\xba")},
        {"\"\xf0\x9f\x8c\xba\"", ROW_STR("\xf0\x9f\x8c\xba")},
        {"\"\\\\u0000\"", ROW_STR("\\u0000")},
    };
    char out[32];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        long size = json_string_read(str_of(rows[i].json), out, sizeof out);
        EXPECT_THAT(size >= 0, "%s", rows[i].json);
        EXPECT_STR(rows[i].spelled.text, ((struct str){out, (size_t)size}));
    }
}

TEST(what_no_string_can_hold_is_not_read)
{
    static const char *const rows[] = {
        "\"\\u0000\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\udc00\\ud800\"",
        "\"a\\ud800b\"",
        "\"",
        "",
    };
    char out[32];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_THAT(json_string_read(str_of(rows[i]), out, sizeof out) == -1, "%s", rows[i]);
}

TEST(a_string_fits_exactly_or_not_at_all)
{
    char out[4] = "....";

    EXPECT(json_string_read(STR("\"abc\""), out, 3) == 3);
    EXPECT(memcmp(out, "abc.", 4) == 0);
    EXPECT(json_string_read(STR("\"xyz\""), out, 2) == -1);
    EXPECT(json_string_read(STR("\"x\\u0079z\""), out, 2) == -1);
    EXPECT(memcmp(out + 2, "c.", 2) == 0); /* nothing past the capacity */
    EXPECT(json_string_read(STR("\"x\\u0079z\""), out, 3) == 3);
    EXPECT(memcmp(out, "xyz.", 4) == 0);
    EXPECT(json_string_read(STR("\"\""), out, 0) == 0);
}

TEST(what_an_escape_spells_fits_as_a_whole_or_not_at_all)
{
    static const struct {
        struct str json;
        long size;
    } rows[] = {
        {ROW_STR("\"\\n\""), 1},
        {ROW_STR("\"a\\u00e4\""), 3},
        {ROW_STR("\"\\u20ac\""), 3},
        {ROW_STR("\"\\ud83c\\udf3a\""), 4},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        for (size_t capacity = 0; capacity < 6; capacity++) {
            char out[8] = ".......";
            long wanted = (long)capacity < rows[i].size ? -1 : rows[i].size;
            EXPECT_THAT(json_string_read(rows[i].json, out, capacity) == wanted, "%s into %zu",
                        rows[i].json.text, capacity);
            EXPECT(out[capacity] == '.'); /* nothing past the capacity */
        }
    }
}

TEST(a_written_string_reads_back_as_it_was)
{
    static const struct str rows[] = {
        ROW_STR(""),
        ROW_STR("tea"),
        ROW_STR("\"\\\x01\x1f/"),
        ROW_STR("\xf0\x9f\x8c\xba"),
        ROW_STR("</script>"),
        ROW_STR("\xe2\x80\xa8"),
    };
    char json[256], back[64];

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        long size = json_string_write(rows[i], json, sizeof json);
        EXPECT(size >= 2);
        EXPECT(json_scan_value((struct str){json, (size_t)size}));
        long back_size = json_string_read((struct str){json, (size_t)size}, back, sizeof back);
        EXPECT_STR(rows[i].text, ((struct str){back, (size_t)back_size}));
    }
    EXPECT(json_string_write(STR("abc"), json, 5) == 5);
    EXPECT(json_string_write(STR("abc"), json, 4) == -1);
    EXPECT(json_string_write((struct str){NULL, 0}, json, 2) == 2);
}

/* ---- against another parser ---- */

/* A string of random pieces, most of them escapes. */
static struct str write_random_string(struct dice *dice, char out[256])
{
    static const char *const pieces[] = {
        "a",
        "\xc3\xa4",
        "\xf0\x9f\x8c\xba",
        "\\\"",
        "\\\\",
        "\\/",
        "\\b",
        "\\f",
        "\\n",
        "\\r",
        "\\t",
        "\\u0041",
        "\\u00E4",
        "\\u20aC",
        "\\ud83c\\uDF3A",
        "\\uD800\\uDC00",
        "\\udbff\\udfff",
        "\\uFFFF",
        "\\u0001",
        "\\u007f",
        "\\u0080",
        "\\u07ff",
        "\\u0800",
        "\\ud7ff",
        "\\ue000",
    };
    static const char *const refused[] = {"\\u0000", "\\ud83c", "\\uDF3A", "\\udc00\\ud800",
                                          "\\ud800\\n"};
    size_t size = (size_t)sprintf(out, "\"");

    for (unsigned count = dice_below(dice, 8); count; count--)
        size += (size_t)sprintf(out + size, "%s", pieces[dice_below(dice, ARRAY_SIZE(pieces))]);
    if (dice_below(dice, 4) == 0)
        size += (size_t)sprintf(out + size, "%sx", refused[dice_below(dice, ARRAY_SIZE(refused))]);
    size += (size_t)sprintf(out + size, "\"");
    return (struct str){out, size};
}

TEST(random_strings_spell_what_they_spell_to_jansson)
{
    struct dice dice = {13};
    unsigned read = 0, refused = 0;

    for (int round = 0; round < 20000; round++) {
        char bytes[256], out[256];
        struct str text = write_random_string(&dice, bytes);
        EXPECT(json_scan_value(text));
        json_t *theirs = json_loadb(text.text, text.size, JSON_DECODE_ANY, NULL);
        long size = json_string_read(text, out, sizeof out);
        bool same = !theirs == (size < 0) &&
                    (!theirs || (json_string_length(theirs) == (size_t)size &&
                                 memcmp(json_string_value(theirs), out, (size_t)size) == 0));
        json_decref(theirs);
        EXPECT_THAT(same, "%.*s", (int)text.size, text.text);
        read += size >= 0;
        refused += size < 0;
    }
    EXPECT(read > 5000 && refused > 2000);
}

TEST(a_name_has_one_hash_in_all_its_spellings)
{
    static const char *const spellings[][3] = {
        {"peerId", "p\\u0065erId", "\\u0070\\u0065\\u0065\\u0072\\u0049\\u0064"},
        {"\xf0\x9f\x8c\xba", "\\ud83c\\udf3a", "\\uD83C\\uDF3A"},
        {"/", "\\/", "\\u002f"},
        {"\\n", "\\u000a", "\\u000A"},
        {"\\\"", "\\u0022", "\\u0022"},
        {"\\\\", "\\u005c", "\\u005C"},
        {"\xc3\xa4", "\\u00e4", "\\u00E4"},
        {"\\u0000", "\\u0000", "\\u0000"},
        {"\\ud800", "\\uD800", "\\ud800"},
        {"", "", ""},
        {"\\\\u0065", "\\u005cu0065", "\\\\u006\\u0035"}, /* a backslash, then u0065 */
        {"peerid", "peer\\u0069d", "peeri\\u0064"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(spellings); i++) {
        uint64_t hash = json_name_hash(str_of(spellings[i][0]));
        EXPECT_THAT(hash == json_name_hash(str_of(spellings[i][1])), "%s", spellings[i][1]);
        EXPECT_THAT(hash == json_name_hash(str_of(spellings[i][2])), "%s", spellings[i][2]);
        for (size_t other = 0; other < i; other++)
            EXPECT_THAT(hash != json_name_hash(str_of(spellings[other][0])), "%s and %s",
                        spellings[i][0], spellings[other][0]);
    }
}

/* Writes a random value. `fuel` is how many more levels it may go down. */
static size_t write_random(struct dice *dice, char *out, unsigned fuel)
{
    static const char *const scalars[] = {
        "0",
        "-0",
        "17",
        "-1.5",
        "2e3",
        "1E-7",
        "0.125",
        "true",
        "false",
        "null",
        "\"\"",
        "\"tea\"",
        "\"\\u00e4\\n\\\\\\\"\\/\"",
        "\"\xc3\xa4\xe2\x82\xac\"",
        "\"\\ud83c\\udf3a\"",
        "[]",
        "{}",
    };
    static const char *const spaces[] = {"", "", "", " ", "\n", "\t", "\r", "  "};
    size_t size = 0;

    if (!fuel || dice_below(dice, 3) == 0)
        return (size_t)sprintf(out, "%s", scalars[dice_below(dice, ARRAY_SIZE(scalars))]);
    bool object = dice_below(dice, 2);
    out[size++] = object ? '{' : '[';
    unsigned count = dice_below(dice, 4);
    for (unsigned i = 0; i < count; i++) {
        size += (size_t)sprintf(out + size, "%s%s", i ? "," : "",
                                spaces[dice_below(dice, ARRAY_SIZE(spaces))]);
        if (object)
            size += (size_t)sprintf(out + size, "\"k%u\"%s:%s", i,
                                    spaces[dice_below(dice, ARRAY_SIZE(spaces))],
                                    spaces[dice_below(dice, ARRAY_SIZE(spaces))]);
        size += write_random(dice, out + size, fuel - 1);
        size += (size_t)sprintf(out + size, "%s", spaces[dice_below(dice, ARRAY_SIZE(spaces))]);
    }
    out[size++] = object ? '}' : ']';
    return size;
}

/* jansson's verdict. It differs from ours in what it can hold: it refuses \u0000, surrogates that
 * do not pair, bytes that are no UTF-8 and numbers out of range. (It also takes a NUL behind the
 * value for its end; we do not, and no mutation here writes one.) */
static bool jansson_takes(struct str text, bool *about_content)
{
    json_error_t error;
    json_t *value = json_loadb(text.text, text.size, JSON_DECODE_ANY, &error);

    *about_content = false;
    if (value) {
        json_decref(value);
        return true;
    }
    enum json_error_code code = json_error_code(&error);
    *about_content = code == json_error_numeric_overflow || code == json_error_null_character ||
                     code == json_error_null_byte_in_key || code == json_error_invalid_utf8 ||
                     strstr(error.text, "surrogate") || strstr(error.text, "invalid Unicode");
    return false;
}

TEST(random_values_are_taken_and_their_mutations_judged_as_jansson_does)
{
    static char text[65536];
    struct dice dice = {20260301};
    unsigned agreed_valid = 0, agreed_invalid = 0, differed = 0;

    for (int round = 0; round < 3000; round++) {
        size_t size = write_random(&dice, text, 4);
        EXPECT_THAT(json_scan_value((struct str){text, size}), "%.*s", (int)size, text);

        for (int i = 0; i < 8; i++) {
            static const char likely[] = "{}[]:,\"\\ \n0123456789eE+-.truefalsnx\x1f\xc3\xff";
            char mutant[65536];
            size_t mutant_size = size;
            memcpy(mutant, text, size);
            size_t at = dice_below(&dice, (unsigned)size);
            switch (dice_below(&dice, 3)) {
            case 0:
                mutant[at] = likely[dice_below(&dice, sizeof likely - 1)];
                break;
            case 1:
                memmove(mutant + at, mutant + at + 1, size - at - 1);
                mutant_size--;
                break;
            default:
                mutant_size = at;
            }
            struct str mutated = {mutant, mutant_size};
            bool about_content;
            bool theirs = jansson_takes(mutated, &about_content), ours = json_scan_value(mutated);
            if (about_content)
                differed++;
            else
                EXPECT_THAT(theirs == ours, "jansson %s, we %s: %.*s", theirs ? "takes" : "refuses",
                            ours ? "take" : "refuse", (int)mutant_size, mutant);
            agreed_valid += ours && theirs;
            agreed_invalid += !ours && !theirs;
        }
    }
    EXPECT(agreed_valid > 1000);
    EXPECT(agreed_invalid > 1000);
    EXPECT(differed < 3000);
}
