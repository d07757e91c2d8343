/* config_read() with any configuration file. What is refused gets one printable line that begins with the file's
 * name. What is taken is taken whole: each line that sets something is found again in the settings, with
 * its value to the last byte; and the effective configuration, printed and read again, is the same. */
#include "check.h"
#include "lines.h"

#include "aloha/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool read_file(struct config *out, struct str text)
{
    static char name[] = "aloha";
    char *argv[] = {name, NULL}, problem[CONFIG_PROBLEM_SIZE] = "";
    struct config_input input = {1, argv, NULL, "f", text};

    bool accepted = config_read(out, &input, problem, sizeof problem);
    if (accepted)
        return true;
    size_t size = strnlen(problem, sizeof problem);
    CHECK(size > 3 && size < sizeof problem && strncmp(problem, "f:", 2) == 0);
    for (size_t i = 0; i < size; i++)
        CHECK((unsigned char)problem[i] >= 0x20 && problem[i] != 0x7f);
    return false;
}

/* A second reader, for files that were taken: line by line, without a library. */
struct line {
    struct str value;
    bool is_key, is_continued;
};

enum { LINES_MAX = 16384 };
static struct line all_lines[LINES_MAX + 2];

static void read_lines(struct str text)
{
    static const char mark[] = "\xef\xbb\xbf";
    bool goes_on = false;

    memset(all_lines, 0, (text.size + 2) * sizeof all_lines[0]); /* each line has a byte */
    if (str_starts_with(text, STR("\xef\xbb\xbf")))
        text = (struct str){text.text + sizeof mark - 1, text.size - (sizeof mark - 1)};
    for (size_t i = 1, key = 0; text.size && i <= LINES_MAX; i++) {
        struct str line = str_cut(&text, '\n');
        if (line.size && line.text[line.size - 1] == '\r')
            line.size--;
        struct str trimmed = str_trim(line);
        if (trimmed.size == 0 || strchr("#;", trimmed.text[0]))
            continue;
        goes_on = trimmed.text != line.text;
        all_lines[key].is_continued |= goes_on;
        if (goes_on || trimmed.text[0] == '[')
            continue;
        key = i;
        for (size_t at = 0; at < trimmed.size && !all_lines[i].is_key; at++) {
            all_lines[i].is_key = trimmed.text[at] == '=' || trimmed.text[at] == ':';
            all_lines[i].value =
                str_trim((struct str){trimmed.text + at + 1, trimmed.size - at - 1});
        }
        CHECK(all_lines[i].is_key);
    }
}

static void check_whole(const struct config *config, struct str text)
{
    size_t keys = 0, set = 0;

    read_lines(text);
    for (size_t i = 0; i <= text.size; i++)
        keys += all_lines[i].is_key;
    for (size_t i = 0; i < CONFIG_OPTIONS_MAX; i++) {
        const struct config_setting *setting = &config->settings[i];
        if (setting->from != CONFIG_BY_FILE)
            continue;
        set++;
        CHECK(setting->line > 0 && setting->line <= text.size && all_lines[setting->line].is_key);
        struct str value = all_lines[setting->line].value;
        if (all_lines[setting->line].is_continued)
            CHECK(str_starts_with(str_of(setting->text), value));
        else
            CHECK(str_equal(str_of(setting->text), value));
    }
    CHECK(keys == set);
}

static void check_printed(const struct config *config)
{
    static struct config second, third;
    struct buf first_text, second_text, third_text;

    buf_init(&first_text, 1024 * 1024);
    buf_init(&second_text, 1024 * 1024);
    buf_init(&third_text, 1024 * 1024);
    config_write_effective(config, &first_text);
    CHECK(!first_text.failed && read_file(&second, buf_str(&first_text)));
    config_write_effective(&second, &second_text);
    CHECK(!second_text.failed && read_file(&third, buf_str(&second_text)));
    config_write_effective(&third, &third_text);
    CHECK(str_equal(buf_str(&second_text), buf_str(&third_text)));
    CHECK(memcmp(&config->limits, &second.limits, sizeof second.limits) == 0);
    CHECK(config->hosts.count == second.hosts.count && config->port == second.port);
    CHECK(strcmp(config->assets, second.assets) == 0);
    CHECK(strcmp(config->secret.file, second.secret.file) == 0);
    config_deinit(&third);
    config_deinit(&second);
    buf_deinit(&third_text);
    buf_deinit(&second_text);
    buf_deinit(&first_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct config config;
    struct str text = check_copy(check_input(data, size));

    if (size < LINES_MAX && read_file(&config, text)) {
        check_whole(&config, text);
        check_printed(&config);
        config_deinit(&config);
    }
    free((char *)(uintptr_t)text.text);
    return 0;
}
