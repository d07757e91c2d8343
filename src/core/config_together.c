/* What options may be together, and where a value is from that may not. */
#include "config_private.h"

#include <stdio.h>

/* ---- where a value is from ---- */

void config_where(const struct config *config, const char *option, char out[CONFIG_WHERE_SIZE])
{
    struct meaning meaning = meaning_of(str_of(option));
    const struct config_setting *setting = &config->settings[meaning.index];

    if (setting->from == CONFIG_BY_ENVIRONMENT)
        config_environment_name(option, out, CONFIG_WHERE_SIZE);
    else if (setting->from == CONFIG_BY_FILE)
        snprintf(out, CONFIG_WHERE_SIZE, "%.150s:%u: %s", config->file_name, setting->line, option);
    else
        snprintf(out, CONFIG_WHERE_SIZE, "--%s", option);
}

/* ---- what each for itself may be, but not together ---- */

static bool is_default(const struct config *config, const char *option)
{
    return config->settings[meaning_of(str_of(option)).index].from == CONFIG_BY_DEFAULT;
}

static bool check_silence(const struct config_reader *reader)
{
    const struct limits *limits = &reader->config->limits;
    char where[CONFIG_WHERE_SIZE];

    if (limits->gone_after_ms > limits->ping_after_ms)
        return true;
    if (is_default(reader->config, "gone-after")) {
        config_where(reader->config, "ping-after", where);
        return config_complain(reader, "%s: must be shorter than gone-after (%u s)", where,
                               limits->gone_after_ms / 1000);
    }
    config_where(reader->config, "gone-after", where);
    return config_complain(reader, "%s: must be longer than ping-after (%u s)", where,
                           limits->ping_after_ms / 1000);
}

static bool check_tls(const struct config_reader *reader)
{
    const struct config *config = reader->config;
    char where[CONFIG_WHERE_SIZE];

    if (!config->tls_cert[0] != !config->tls_key[0]) {
        const char *given = config->tls_cert[0] ? "tls-cert" : "tls-key";
        config_where(config, given, where);
        return config_complain(reader, "%s: needs %s as well", where,
                               config->tls_cert[0] ? "tls-key" : "tls-cert");
    }
    if (config->tls && config->tls_cert[0]) {
        config_where(config, "tls", where);
        return config_complain(reader, "%s: self-signed and --tls-cert exclude each other", where);
    }
    if (config->redirect_port == CONFIG_PORT_OFF || config_has_tls(config))
        return true;
    config_where(config, "redirect-port", where);
    return config_complain(reader,
                           "%s: needs https: --tls-cert and --tls-key, or --tls self-signed",
                           where);
}

bool config_has_tls(const struct config *config)
{
    return config->tls || config->tls_cert[0];
}

bool config_check_together(const struct config_reader *reader)
{
    static bool (*const checks[])(const struct config_reader *) = {check_silence, check_tls};

    for (size_t i = 0; i < ARRAY_SIZE(checks); i++)
        if (!checks[i](reader))
            return false;
    return true;
}
