/* What the files of the configuration share: its table. */
#ifndef ALOHA_CONFIG_PRIVATE_H
#define ALOHA_CONFIG_PRIVATE_H

#include "aloha/config.h"

enum option_type {
    OPTION_UINT,   /* decimal digits, from min to max */
    OPTION_PORT,   /* the same, or "off": CONFIG_PORT_OFF */
    OPTION_TEXT,   /* anything */
    OPTION_PATH,   /* of a file or directory */
    OPTION_CHOICE, /* one of the words in `choices`; the field gets its index */
    OPTION_HOSTS,  /* lists, with commas between their items; an empty text is an empty list */
    OPTION_ORIGINS,
    OPTION_NETWORKS,
    /* A struct secret_source. --NAME-file and ALOHA_NAME_FILE give a path, ALOHA_NAME the secret itself;
     * --NAME is refused. */
    OPTION_SECRET,
};

struct option {
    const char *name; /* as in --name; ALOHA_NAME in the environment */
    enum option_type type;
    size_t offset; /* of the field in struct config */
    const char *def;
    uint32_t min, max;
    enum unit unit;      /* what the number counts, and how much of it one is in the field */
    const char *choices; /* words with "|" between them, in the order of the field's values */
    const char *help;
    const char *exceeding; /* of a limit: what happens then */
};

/* Options that stand together in --help and in the documentation. */
struct option_group {
    const char *title;
    const struct option *options;
    size_t count;
};

extern const struct option_group config_groups[];
extern const size_t config_group_count;

enum { OPTION_NAME_SIZE_MAX = 64, OPTION_VALUES_SIZE_MAX = 96 };

/* What stands behind "--": the name; of a secret, that of its file. */
void option_flag_name(const struct option *option, char out[OPTION_NAME_SIZE_MAX]);

/* What a value of this option looks like, for complaints and for the documentation. */
void option_describe_values(const struct option *option, char out[OPTION_VALUES_SIZE_MAX]);

#endif
