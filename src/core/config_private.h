/* What the files of the configuration share: its table, and how an option is set. */
#ifndef ALOHA_CONFIG_PRIVATE_H
#define ALOHA_CONFIG_PRIVATE_H

#include "aloha/config.h"

enum option_type {
    OPTION_UINT,   /* decimal digits, from min to max */
    OPTION_PORT,   /* the same, or "off": CONFIG_PORT_OFF */
    OPTION_TEXT,   /* anything */
    OPTION_MODE,   /* of a file: octal digits */
    OPTION_BASE,   /* of the paths of this server's addresses */
    OPTION_PATH,   /* of a file or directory */
    OPTION_CHOICE, /* one of the words in `choices`; the field gets its index */
    OPTION_HOSTS,  /* lists, with commas between their items; an empty text is an empty list */
    OPTION_ORIGINS,
    OPTION_NETWORKS,
    /* A struct secret_source. --NAME-file and ALOHA_NAME_FILE give a path, ALOHA_NAME the secret itself;
     * --NAME is refused. */
    OPTION_SECRET,
    OPTION_SWITCH, /* a bool: a flag without a value, and nothing but a flag */
    OPTION_TOPIC,  /* a flag that takes a word if one follows; the field is config.help_topic */
};

struct option {
    const char *name; /* as in --name; ALOHA_NAME in the environment */
    enum option_type type;
    size_t offset; /* of the field in struct config */
    const char *def;
    uint32_t min, max;
    enum unit unit;      /* what the number counts, and how much of it one is in the field */
    const char *choices; /* words with "|" between them, in the order of the field's values */
    const char
        *help; /* up to its first stop, colon or semicolon it says enough for the first page */
    const char *exceeding; /* of a limit: what happens then */
    const char *alias;     /* another name of it, or NULL */
    bool is_not_in_file;   /* it makes no sense there */
};

/* Options that stand together in --help, in the documentation and in the file. */
struct option_group {
    const char *title;
    const char *section; /* of the file, and the topic of --help */
    const struct option *options;
    size_t count;
};

extern const struct option_group config_groups[];
extern const size_t config_group_count;

/* The options of all groups, one after another; NULL behind the last.
 *   group    out, may be NULL: the one it is in. */
const struct option *config_option(size_t index, const struct option_group **group);

enum { OPTION_NAME_SIZE_MAX = 64, OPTION_VALUES_SIZE_MAX = 96 };

/* What stands behind "--": the name; of a secret, that of its file. */
void option_flag_name(const struct option *option, char out[OPTION_NAME_SIZE_MAX]);

/* What a value of this option looks like, for complaints and for the documentation. */
void option_describe_values(const struct option *option, char out[OPTION_VALUES_SIZE_MAX]);

bool option_is_list(const struct option *option);
bool option_is_in_environment(const struct option *option);
bool option_is_in_file(const struct option *option);
bool group_is_in_file(const struct option_group *group); /* as a section */

/* What a name stands for: an option's value, or the path of a secret's file. */
struct meaning {
    const struct option *option; /* NULL: nothing */
    const struct option_group *group;
    size_t index;
    bool is_file;
};
struct meaning meaning_of(struct str name);

/* The option that was probably meant.
 *   returns   false when none is near. */
bool meaning_guess(struct str name, char out[OPTION_NAME_SIZE_MAX]);

/* What is being read, and where its complaint goes. */
struct config_reader {
    struct config *config;
    char *problem;
    size_t problem_size;
};

/* Writes the complaint; false, so that it can be returned. */
bool config_complain(const struct config_reader *reader, const char *format, ...) PRINTF_LIKE(2, 3);

/* Gives an option its value.
 *   setting   where it is from; its text lives as long as the config.
 *   where     begins the complaint about a value that is none. */
MUST_USE bool config_set(const struct config_reader *reader, struct meaning meaning,
                         struct config_setting setting, const char *where);

/* What each option for itself may be, but not together (config_together.c). */
MUST_USE bool config_check_together(const struct config_reader *reader);

/* Reads the text of the configuration file config->file_name (config_file.c). */
MUST_USE bool config_read_file(const struct config_reader *reader, struct str text);

#endif
