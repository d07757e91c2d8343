#include "check_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    DAY_S = 24 * 3600,
    EXPIRES_SOON_DAYS = 14, /* whoever renews by himself does so thirty days before */
};

void check_say(struct check_row *row, enum check_verdict verdict, const char *format, ...)
{
    va_list args;

    row->verdict = verdict;
    va_start(args, format);
    vsnprintf(row->text, sizeof row->text, format, args);
    va_end(args);
}

void check_advise(struct check_row *row, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(row->remedy, sizeof row->remedy, format, args);
    va_end(args);
}

/* What a start would say, whose remedy stands behind the last semicolon. */
static void repeat_start(struct check_row *row, enum check_verdict verdict, const char *problem)
{
    const char *end = NULL;

    for (const char *at = problem; (at = strstr(at, "; ")) != NULL; at += 2)
        end = at;
    check_say(row, verdict, "%.*s", (int)(end ? (size_t)(end - problem) : strlen(problem)),
              problem);
    if (end)
        check_advise(row, "%s", end + 2);
}

/* True when each address of the list is one of these, or with none of them a socket file. */
static bool are_all(const char *addresses, const char *one, const char *other)
{
    struct str rest = str_of(addresses);

    while (rest.text) {
        struct str address = str_trim(str_cut(&rest, ','));
        if (!str_starts_with(address, STR("unix:")) && !str_equal(address, str_of(one)) &&
            !str_equal(address, str_of(other)))
            return false;
    }
    return true;
}

/* There is somebody in front of us: on a socket file nobody else can be. */
static bool is_proxied(facts_t *facts)
{
    return facts->config->trusted_proxies.count || are_all(facts->config->bind, "", "");
}

/* Nobody else can connect. */
static bool is_local(facts_t *facts)
{
    return !is_proxied(facts) && are_all(facts->config->bind, "127.0.0.1", "::1");
}

/* ---- the rows: each says what it is about, or returns false when that is not there ---- */

static bool judge_file(facts_t *facts, struct check_row *row)
{
    const char *name = facts->config->file_name;

    if (!name[0]) {
        check_say(row, CHECK_OK, "there is no file");
    } else if (!facts->config->file_is_strangers) {
        check_say(row, CHECK_OK, "%s", name);
    } else {
        check_say(row, CHECK_WARNING, "%s belongs to another user, who can change it", name);
        check_advise(row, "chown root it");
    }
    return true;
}

static bool judge_limits(facts_t *facts, struct check_row *row)
{
    char names[CHECK_TEXT_SIZE_MAX / 2] = "";
    size_t size = 0, count = 0;

    for (size_t i = 0; i < LIMITS_COUNT; i++) {
        if (!limits_is_off(&facts->config->limits, &limit_rows[i]))
            continue;
        int more = snprintf(names + size, sizeof names - size, "%s--%s", count ? ", " : "",
                            limit_rows[i].option);
        size += more > 0 && size + (size_t)more < sizeof names ? (size_t)more : 0;
        count++;
    }
    if (!count) {
        check_say(row, CHECK_OK, "all are in force");
        return true;
    }
    check_say(row, CHECK_WARNING, "switched off: %s", names);
    check_advise(row, "leave these options out, and they have their defaults");
    return true;
}

static bool judge_port(const struct check_port *port, struct check_row *row)
{
    if (!port->where[0])
        return false;
    if (port->is_ours)
        check_say(row, CHECK_OK, "%s: aloha runs there", port->where);
    else if (port->is_untried)
        check_say(row, CHECK_OK, "%s, which is not tried", port->where);
    else if (port->problem[0])
        repeat_start(row, CHECK_ERROR, port->problem);
    else
        check_say(row, CHECK_OK, "%s is free", port->where);
    return true;
}

static bool judge_public_port(facts_t *facts, struct check_row *row)
{
    return judge_port(&facts->public_port, row);
}

static bool judge_ops_port(facts_t *facts, struct check_row *row)
{
    return judge_port(&facts->ops_port, row);
}

static bool judge_operator(facts_t *facts, struct check_row *row)
{
    if (facts->ops_problem[0])
        repeat_start(row, CHECK_ERROR, facts->ops_problem);
    else if (facts->ops_has_token)
        check_say(row, CHECK_OK, "the admin API wants its token");
    else
        check_say(row, CHECK_OK, "there is no token: the admin API is switched off");
    return true;
}

static bool judge_redirect_port(facts_t *facts, struct check_row *row)
{
    return judge_port(&facts->redirect_port, row);
}

static bool judge_certificate(facts_t *facts, struct check_row *row)
{
    int64_t days = (facts->certificate_expires_s - facts->now_s) / DAY_S;

    if (facts->tls == CHECK_TLS_NONE)
        return false;
    if (facts->certificate_problem[0]) {
        repeat_start(row, CHECK_ERROR, facts->certificate_problem);
    } else if (facts->tls == CHECK_TLS_SELF_SIGNED) {
        check_say(row, CHECK_OK, "made here; browsers warn of it once");
    } else if (days < EXPIRES_SOON_DAYS) {
        check_say(row, CHECK_WARNING, "expires in %d days", (int)days);
        check_advise(row, "renew it; the new one is taken without a restart");
    } else if (!facts->certificate_is_trusted) {
        check_say(row, CHECK_WARNING,
                  "this machine does not trust it: browsers will warn, or the chain "
                  "is not whole");
        check_advise(
            row,
            "--tls-cert wants the certificate and behind it those that sign it (fullchain.pem)");
    } else {
        check_say(row, CHECK_OK, "good for %d days", (int)days);
    }
    return true;
}

static bool judge_certified_names(facts_t *facts, struct check_row *row)
{
    const struct hosts *hosts = &facts->config->hosts;

    if (facts->tls != CHECK_TLS_FILES || facts->certificate_problem[0] || !hosts->count)
        return false;
    for (size_t i = 0; i < hosts->count; i++) {
        if (facts->host_is_certified[i])
            continue;
        check_say(row, CHECK_WARNING, "it is not for %.*s, which --host names",
                  (int)hosts->items[i].size, hosts->items[i].text);
        check_advise(row, "get one for all names of --host, or leave that name out");
        return true;
    }
    check_say(row, CHECK_OK, "it is for all names of --host");
    return true;
}

static bool judge_tls_key(facts_t *facts, struct check_row *row)
{
    if (facts->tls != CHECK_TLS_FILES || facts->certificate_problem[0])
        return false;
    if (facts->tls_key_is_open) {
        check_say(row, CHECK_WARNING, "everybody on this machine can read it");
        check_advise(row, "chmod o= the file of --tls-key");
    } else if (facts->tls_is_read_once) {
        check_say(row, CHECK_WARNING,
                  "the user \"%s\" cannot read it or the certificate: renewed ones are not taken",
                  facts->user);
        check_advise(row, "copies of both that this user owns");
    } else {
        check_say(row, CHECK_OK, "it is the certificate's, and closed to others");
    }
    return true;
}

static bool judge_camera(facts_t *facts, struct check_row *row)
{
    if (facts->tls != CHECK_TLS_NONE)
        check_say(row, CHECK_OK, "https is spoken");
    else if (is_proxied(facts))
        check_say(row, CHECK_OK, "https is the matter of the proxy");
    else if (is_local(facts))
        check_say(row, CHECK_OK, "only this machine can connect, and localhost needs no https");
    else {
        check_say(row, CHECK_WARNING, "without https browsers on other machines do not give it");
        check_advise(
            row, "--tls self-signed, --tls-cert with --tls-key, or a proxy with --trusted-proxies");
    }
    return true;
}

static bool has_port(struct str host, uint64_t *port)
{
    const char *end = memrchr(host.text, ':', host.size),
               *bracket = memrchr(host.text, ']', host.size);

    return end && end > bracket &&
           str_to_uint((struct str){end + 1, (size_t)(host.text + host.size - end - 1)}, 65535,
                       port);
}

static bool judge_names(facts_t *facts, struct check_row *row)
{
    const struct config *config = facts->config;
    uint64_t port;

    if (!config->hosts.count && is_local(facts)) {
        check_say(row, CHECK_OK, "any; only this machine can connect");
    } else if (!config->hosts.count) {
        check_say(row, CHECK_WARNING, "any is served, also one that a stranger points here");
        check_advise(row, "--host call.example.org");
    } else {
        check_say(row, CHECK_OK, "%zu, and no others", config->hosts.count);
    }
    for (size_t i = 0; i < config->hosts.count; i++) {
        struct str host = config->hosts.items[i];
        if (is_proxied(facts) || !config->port || !has_port(host, &port) || port == config->port)
            continue;
        check_say(row, CHECK_WARNING, "--host %.*s is never asked for: the port is %u",
                  (int)host.size, host.text, config->port);
        check_advise(row, "name it without its port");
    }
    return true;
}

/* 0.0.0.0/0 and ::/0, or what is nearly that. */
static bool trusts_everybody(const struct ip_networks *networks)
{
    for (size_t i = 0; i < networks->count; i++)
        if (networks->items[i].prefix < 8 ||
            (ip_is_ipv4(networks->items[i].first) && networks->items[i].prefix < 96 + 8))
            return true;
    return false;
}

static bool judge_proxies(facts_t *facts, struct check_row *row)
{
    if (!facts->config->trusted_proxies.count)
        return false;
    if (!trusts_everybody(&facts->config->trusted_proxies)) {
        check_say(row, CHECK_OK, "%zu networks are trusted", facts->config->trusted_proxies.count);
        return true;
    }
    check_say(row, CHECK_WARNING, "everybody is trusted: who says X-Forwarded-For has no limits");
    check_advise(row, "--trusted-proxies with the proxy's own address");
    return true;
}

static bool judge_key(facts_t *facts, struct check_row *row)
{
    if (facts->key_problem[0] && facts->key_is_wanted) {
        repeat_start(row, CHECK_ERROR, facts->key_problem);
    } else if (facts->key_problem[0]) {
        repeat_start(row, CHECK_WARNING, facts->key_problem);
        check_advise(
            row, "--state-dir with a directory to write to: else a restart is noticed in calls");
    } else if (facts->key_directory_is_open) {
        check_say(row, CHECK_WARNING, "%s: others can write to its directory", facts->key_file);
        check_advise(row, "chmod go-w it");
    } else {
        check_say(row, CHECK_OK, "%s%s", facts->key_file,
                  facts->key_is_there ? "" : ", made at the start");
    }
    return true;
}

static bool judge_connectivity(facts_t *facts, struct check_row *row)
{
    (void)facts;
    check_say(row, CHECK_WARNING,
              "no STUN or TURN: calls connect on one network, or where both ends reach "
              "each other directly");
    return true;
}

static const struct {
    const char *name;
    bool (*judge)(facts_t *facts, struct check_row *row);
} judges[] = {
    {"configuration", judge_file},
    {"public port", judge_public_port},
    {"redirect port", judge_redirect_port},
    {"operator port", judge_ops_port},
    {"operator", judge_operator},
    {"certificate", judge_certificate},
    {"its names", judge_certified_names},
    {"its key", judge_tls_key},
    {"camera", judge_camera},
    {"names", judge_names},
    {"proxies", judge_proxies},
    {"resume key", judge_key},
    {"user", check_user},
    {"sandbox", check_sandbox},
    {"limits", judge_limits},
    {"connections", check_descriptors},
    {"memory", check_memory},
    {"backlog", check_backlog},
    {"clock", check_clock},
    {"libraries", check_libraries},
    {"STUN and TURN", judge_connectivity},
};

void check_judge(struct check_report *out, const struct check_facts *facts)
{
    *out = (struct check_report){.count = 0};
    for (size_t i = 0; i < ARRAY_SIZE(judges) && out->count < CHECK_ROWS_MAX; i++) {
        struct check_row *row = &out->rows[out->count];
        *row = (struct check_row){.name = judges[i].name};
        if (!judges[i].judge(facts, row))
            continue;
        str_make_printable(row->text);
        str_make_printable(row->remedy);
        out->counts[row->verdict]++;
        out->count++;
    }
}
