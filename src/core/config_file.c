/* Reading the configuration file. inih takes the lines apart; what it would pass over or cut without
 * a word is looked for in each line before it gets it:
 *   - a line that does not fit its buffer,
 *   - "[section] whatever", "[]", and a section without keys that does not exist,
 *   - blanks and then "#" or ";" behind a value, of which it cuts off the second,
 *   - an indented line, which goes on with the value above. That is welcome in lists, and only there. */
#include "config_private.h"

#include "aloha/spelling.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file_reader {
    const struct config_reader *reader;
    struct str rest; /* what inih has not got yet */
    uint32_t line;   /* which one it has got last, from 1 */
    const struct option_group *section;
    bool is_continued; /* the line goes on with the value above */
    bool failed;       /* the complaint is written */

    /* The value that has been read last, which may go on. */
    struct meaning last; /* option NULL: none */
    uint32_t last_line;
    char *last_text;
    char *free_text; /* the rest of config->file_texts, from where last_text ends */
};

/* Begins with the file's name and a line. */
static bool complain(struct file_reader *file, uint32_t line, const char *what, const char *more)
{
    file->failed = true;
    return config_complain(file->reader, "%.150s:%u: %s%s", file->reader->config->file_name, line,
                           what, more);
}

/* Sets the value that has been read last, now that all of it is there. */
static bool finish_value(struct file_reader *file)
{
    struct meaning meaning = file->last;
    char where[CONFIG_WHERE_SIZE];

    file->last.option = NULL;
    if (!meaning.option)
        return true;
    struct config_setting setting = {file->last_text, CONFIG_BY_FILE, file->last_line};
    snprintf(where, sizeof where, "%.150s:%u: %s%s", file->reader->config->file_name,
             file->last_line, meaning.option->name, meaning.is_file ? "-file" : "");
    file->failed |= !config_set(file->reader, meaning, setting, where);
    return !file->failed;
}

/* ---- a line, before inih gets it ---- */

static bool check_bytes(struct file_reader *file, struct str line)
{
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.text[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return complain(file, file->line, "a control character does not belong here", "");
        if (i && (c == ';' || c == '#') && (line.text[i - 1] == ' ' || line.text[i - 1] == '\t'))
            return complain(file, file->line, "a comment needs a line of its own", "");
    }
    return true;
}

static bool complain_of_section(struct file_reader *file, struct str section)
{
    char text[256];
    const char *guess = NULL;
    int size = (int)(section.size < 60 ? section.size : 60);

    for (size_t g = 0; g < config_group_count && !guess; g++)
        if (group_is_in_file(&config_groups[g]) &&
            spelling_is_near(section, str_of(config_groups[g].section)))
            guess = config_groups[g].section;
    snprintf(text, sizeof text, "[%.*s]: no such section%s%s%s", size, section.text,
             guess ? "; did you mean [" : "", guess ? guess : "", guess ? "]?" : "");
    return complain(file, file->line, text, "");
}

static bool enter_section(struct file_reader *file, struct str line)
{
    if (line.text[line.size - 1] != ']')
        return complain(file, file->line, "a section is [name], and nothing else in its line", "");
    struct str name = {line.text + 1, line.size - 2};
    for (size_t g = 0; g < config_group_count; g++) {
        file->section = &config_groups[g];
        if (str_equal(name, str_of(file->section->section)) && group_is_in_file(file->section))
            return true;
    }
    return complain_of_section(file, name);
}

static bool check_line(struct file_reader *file, struct str line)
{
    struct str text = str_trim(line);

    file->is_continued = false;
    if (text.size == 0 || text.text[0] == '#' || text.text[0] == ';')
        return true;
    if (line.size > CONFIG_LINE_SIZE_MAX)
        return complain(file, file->line, "longer than 197 characters; a list goes on in the next ",
                        "line, behind blanks");
    if (!check_bytes(file, line))
        return false;
    file->is_continued = text.text != line.text;
    if (file->is_continued)
        return (file->last.option && option_is_list(file->last.option)) ||
               complain(file, file->line, "begins with a blank, and only a list goes on like that",
                        "");
    if (!finish_value(file))
        return false;
    return text.text[0] != '[' || enter_section(file, text);
}

/* inih's reader: the next line, as fgets() would. Comments are kept back, for they may be long. */
static char *give_line(char *out, int capacity, void *stream)
{
    struct file_reader *file = stream;

    if (file->failed || file->rest.size == 0)
        return NULL;
    struct str line = str_cut(&file->rest, '\n');
    file->line++;
    if (line.size && line.text[line.size - 1] == '\r')
        line.size--;
    if (!check_line(file, line))
        return NULL;
    struct str text = str_trim(line);
    if (text.size && (text.text[0] == '#' || text.text[0] == ';'))
        line.size = 0;
    if ((size_t)capacity < line.size + 2) {
        complain(file, file->line, "longer than the parser takes", "");
        return NULL;
    }
    if (line.size)
        memcpy(out, line.text, line.size);
    memcpy(out + line.size, "\n", 2);
    return out;
}

/* ---- a key and its value, as inih has found them ---- */

static bool check_key(struct file_reader *file, const char *key, struct meaning meaning)
{
    char guess[OPTION_NAME_SIZE_MAX], text[256];

    if (!meaning.option || !option_is_in_file(meaning.option)) {
        bool guessed = meaning_guess(str_of(key), guess) &&
                       option_is_in_file(meaning_of(str_of(guess)).option);
        snprintf(text, sizeof text,
                 guessed ? "%.60s: no such setting; did you mean %s?"
                         : "%.60s: no such setting; --help lists them",
                 key, guessed ? guess : "");
    } else if (meaning.option->type == OPTION_SECRET && !meaning.is_file) {
        snprintf(text, sizeof text, "%s: has a file of its own: %s-file = PATH", key, key);
    } else if (file->section && meaning.group != file->section) {
        snprintf(text, sizeof text, "%s: belongs to [%s], not to [%s]", key, meaning.group->section,
                 file->section->section);
    } else if (file->reader->config->settings[meaning.index].from == CONFIG_BY_FILE) {
        snprintf(text, sizeof text, "%s: is set in line %u already", key,
                 file->reader->config->settings[meaning.index].line);
    } else {
        return true;
    }
    return complain(file, file->line, text, "");
}

static bool check_value(struct file_reader *file, const char *key, const char *value)
{
    if (!value[0] || !strchr("\"'#;", value[0]))
        return true;
    char text[256];
    snprintf(text, sizeof text, "%.60s: a value begins with no quote, and no # or ;", key);
    return complain(file, file->line, text, "");
}

/* Puts the value behind the others. There is room for all: none is longer than its line. */
static void keep_text(struct file_reader *file, const char *value)
{
    size_t size = strlen(value);

    memcpy(file->free_text, value, size + 1);
    file->free_text += size + 1;
}

/* Goes on with the list above. Its commas may stand at the ends of the lines, or not at all. */
static bool continue_value(struct file_reader *file, const char *value)
{
    size_t size = strlen(file->last_text);

    file->free_text--;
    if (size && file->last_text[size - 1] != ',')
        *file->free_text++ = ',';
    keep_text(file, value);
    return true;
}

static int take_value(void *user, const char *section, const char *key, const char *value)
{
    struct file_reader *file = user;

    (void)section; /* check_line() knows better: a long name has been cut here */
    if (file->failed)
        return 0;
    if (file->is_continued)
        return continue_value(file, value);
    struct meaning meaning = meaning_of(str_of(key));
    if (!check_key(file, key, meaning) || !check_value(file, key, value))
        return 0;
    file->last = meaning;
    file->last_line = file->line;
    file->last_text = file->free_text;
    keep_text(file, value);
    return 1;
}

bool config_read_file(const struct config_reader *reader, struct str text)
{
    const struct str mark = STR("\xef\xbb\xbf");
    struct file_reader file = {.reader = reader, .rest = text};

    if (text.size == 0)
        return true;
    if (str_starts_with(text, mark)) /* some editors write one */
        file.rest = (struct str){text.text + mark.size, text.size - mark.size};
    if (str_starts_with(file.rest, mark)) /* inih would pass over it */
        return complain(&file, 1, "two byte order marks are one too many", "");
    reader->config->file_texts = malloc(text.size + 1);
    if (!reader->config->file_texts)
        return config_complain(reader, "%.150s: no memory", reader->config->file_name);
    file.free_text = reader->config->file_texts;
    int line = ini_parse_stream(give_line, &file, take_value, &file);
    if (line > 0 && !(file.failed && file.line <= (uint32_t)line))
        return complain(&file, (uint32_t)line, "is neither \"key = value\" nor \"[section]\"", "");
    return !file.failed && finish_value(&file);
}
