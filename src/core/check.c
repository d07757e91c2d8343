#include "aloha/check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum {
    DAY_S = 24 * 3600,
    EXPIRES_SOON_DAYS = 14,       /* whoever renews by himself does so thirty days before */
    IDLE_CLIENT_SIZE = 48 * 1024, /* docs/security.md R68 */
    DESCRIPTORS_FOR_OURSELVES = 64,
    BACKLOG = 1024, /* what the listener asks for */
};

static const int64_t FIRST_SANE_SECOND = INT64_C(1767225600); /* 2026-01-01: no clock is earlier */

typedef const struct check_facts facts_t;

static void PRINTF_LIKE(3, 4)
    say(struct check_row *row, enum check_verdict verdict, const char *format, ...)
{
    va_list args;

    row->verdict = verdict;
    va_start(args, format);
    vsnprintf(row->text, sizeof row->text, format, args);
    va_end(args);
}

static void PRINTF_LIKE(2, 3) advise(struct check_row *row, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(row->remedy, sizeof row->remedy, format, args);
    va_end(args);
}

/* What a start would say, whose remedy stands behind the last semicolon. */
static void repeat(struct check_row *row, enum check_verdict verdict, const char *problem)
{
    const char *end = NULL;

    for (const char *at = problem; (at = strstr(at, "; ")) != NULL; at += 2)
        end = at;
    say(row, verdict, "%.*s", (int)(end ? (size_t)(end - problem) : strlen(problem)), problem);
    if (end)
        advise(row, "%s", end + 2);
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
        say(row, CHECK_OK, "there is no file");
    } else if (!facts->config->file_is_strangers) {
        say(row, CHECK_OK, "%s", name);
    } else {
        say(row, CHECK_WARNING, "%s belongs to another user, who can change it", name);
        advise(row, "chown root it");
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
        say(row, CHECK_OK, "all are in force");
        return true;
    }
    say(row, CHECK_WARNING, "switched off: %s", names);
    advise(row, "leave these options out, and they have their defaults");
    return true;
}

static bool judge_port(const struct check_port *port, struct check_row *row)
{
    if (!port->where[0])
        return false;
    if (port->is_ours)
        say(row, CHECK_OK, "%s: aloha runs there", port->where);
    else if (port->is_untried)
        say(row, CHECK_OK, "%s, which is not tried", port->where);
    else if (port->problem[0])
        repeat(row, CHECK_ERROR, port->problem);
    else
        say(row, CHECK_OK, "%s is free", port->where);
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
        repeat(row, CHECK_ERROR, facts->ops_problem);
    else if (facts->ops_has_token)
        say(row, CHECK_OK, "the admin API wants its token");
    else
        say(row, CHECK_OK, "there is no token: the admin API is switched off");
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
        repeat(row, CHECK_ERROR, facts->certificate_problem);
    } else if (facts->tls == CHECK_TLS_SELF_SIGNED) {
        say(row, CHECK_OK, "made here; browsers warn of it once");
    } else if (days < EXPIRES_SOON_DAYS) {
        say(row, CHECK_WARNING, "expires in %d days", (int)days);
        advise(row, "renew it; the new one is taken without a restart");
    } else if (!facts->certificate_is_trusted) {
        say(row, CHECK_WARNING,
            "this machine does not trust it: browsers will warn, or the chain "
            "is not whole");
        advise(row,
               "--tls-cert wants the certificate and behind it those that sign it (fullchain.pem)");
    } else {
        say(row, CHECK_OK, "good for %d days", (int)days);
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
        say(row, CHECK_WARNING, "it is not for %.*s, which --host names", (int)hosts->items[i].size,
            hosts->items[i].text);
        advise(row, "get one for all names of --host, or leave that name out");
        return true;
    }
    say(row, CHECK_OK, "it is for all names of --host");
    return true;
}

static bool judge_tls_key(facts_t *facts, struct check_row *row)
{
    if (facts->tls != CHECK_TLS_FILES || facts->certificate_problem[0])
        return false;
    if (!facts->tls_key_is_open) {
        say(row, CHECK_OK, "it is the certificate's, and closed to others");
        return true;
    }
    say(row, CHECK_WARNING, "everybody on this machine can read it");
    advise(row, "chmod o= the file of --tls-key");
    return true;
}

static bool judge_camera(facts_t *facts, struct check_row *row)
{
    if (facts->tls != CHECK_TLS_NONE)
        say(row, CHECK_OK, "https is spoken");
    else if (is_proxied(facts))
        say(row, CHECK_OK, "https is the matter of the proxy");
    else if (is_local(facts))
        say(row, CHECK_OK, "only this machine can connect, and localhost needs no https");
    else {
        say(row, CHECK_WARNING, "without https browsers on other machines do not give it");
        advise(row,
               "--tls self-signed, --tls-cert with --tls-key, or a proxy with --trusted-proxies");
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
        say(row, CHECK_OK, "any; only this machine can connect");
    } else if (!config->hosts.count) {
        say(row, CHECK_WARNING, "any is served, also one that a stranger points here");
        advise(row, "--host call.example.org");
    } else {
        say(row, CHECK_OK, "%zu, and no others", config->hosts.count);
    }
    for (size_t i = 0; i < config->hosts.count; i++) {
        struct str host = config->hosts.items[i];
        if (is_proxied(facts) || !config->port || !has_port(host, &port) || port == config->port)
            continue;
        say(row, CHECK_WARNING, "--host %.*s is never asked for: the port is %u", (int)host.size,
            host.text, config->port);
        advise(row, "name it without its port");
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
        say(row, CHECK_OK, "%zu networks are trusted", facts->config->trusted_proxies.count);
        return true;
    }
    say(row, CHECK_WARNING, "everybody is trusted: who says X-Forwarded-For has no limits");
    advise(row, "--trusted-proxies with the proxy's own address");
    return true;
}

static bool judge_key(facts_t *facts, struct check_row *row)
{
    if (facts->key_problem[0] && facts->key_is_wanted) {
        repeat(row, CHECK_ERROR, facts->key_problem);
    } else if (facts->key_problem[0]) {
        repeat(row, CHECK_WARNING, facts->key_problem);
        advise(row, "--state-dir with a directory to write to: else a restart is noticed in calls");
    } else if (facts->key_directory_is_open) {
        say(row, CHECK_WARNING, "%s: others can write to its directory", facts->key_file);
        advise(row, "chmod go-w it");
    } else {
        say(row, CHECK_OK, "%s%s", facts->key_file,
            facts->key_is_there ? "" : ", made at the start");
    }
    return true;
}

static bool judge_user(facts_t *facts, struct check_row *row)
{
    say(row, facts->stays_root ? CHECK_WARNING : CHECK_OK, "%s", facts->user);
    if (facts->stays_root)
        advise(row, "--user with one that has nothing else to do");
    return true;
}

static bool judge_sandbox(facts_t *facts, struct check_row *row)
{
    if (facts->config->sandbox == SANDBOX_OFF) {
        say(row, CHECK_WARNING, "switched off");
        advise(row, "--sandbox on");
    } else if (!facts->landlock_abi || !facts->has_seccomp) {
        say(row, CHECK_WARNING, "this machine has no %s",
            facts->landlock_abi  ? "seccomp"
            : facts->has_seccomp ? "landlock"
                                 : "landlock and no seccomp");
        advise(row, "Linux 5.13 or later, with landlock among its security modules (lsm=)");
    } else {
        say(row, CHECK_OK, "landlock %u and seccomp", facts->landlock_abi);
    }
    return true;
}

static bool judge_descriptors(facts_t *facts, struct check_row *row)
{
    uint64_t each = facts->descriptors_each;
    uint64_t wanted = facts->config->limits.connections_max * each + DESCRIPTORS_FOR_OURSELVES;
    uint64_t least = 2 * (uint64_t)DESCRIPTORS_FOR_OURSELVES, max = facts->descriptors_max;

    if (max >= wanted) {
        say(row, CHECK_OK, "%u, as --connections-max says", facts->config->limits.connections_max);
        return true;
    }
    say(row, CHECK_WARNING, "%llu, for the descriptor limit is %llu and not %llu",
        (unsigned long long)((max > least ? max - DESCRIPTORS_FOR_OURSELVES
                                          : DESCRIPTORS_FOR_OURSELVES) /
                             each),
        (unsigned long long)max, (unsigned long long)wanted);
    advise(row, "LimitNOFILE=%llu in the unit, or ulimit -n %llu", (unsigned long long)wanted,
           (unsigned long long)wanted);
    return true;
}

static bool judge_memory(facts_t *facts, struct check_row *row)
{
    const struct limits *limits = &facts->config->limits;
    const uint64_t mib = 1024 * 1024;
    uint64_t most = (uint64_t)limits->connections_max * IDLE_CLIENT_SIZE + limits->queues_size_max +
                    limits->backlogs_size_max;

    if (!facts->memory_size)
        return false;
    say(row, most > facts->memory_size ? CHECK_WARNING : CHECK_OK,
        "%llu MiB; all that the limits allow would take %llu MiB",
        (unsigned long long)(facts->memory_size / mib), (unsigned long long)(most / mib));
    if (row->verdict == CHECK_WARNING)
        advise(row, "--connections-max, --queues-max or --backlogs-max lower, or more memory");
    return true;
}

static bool judge_backlog(facts_t *facts, struct check_row *row)
{
    if (!facts->backlog_max)
        return false;
    say(row, facts->backlog_max < BACKLOG ? CHECK_WARNING : CHECK_OK,
        "%llu connections can wait to be taken", (unsigned long long)facts->backlog_max);
    if (row->verdict == CHECK_WARNING)
        advise(row, "sysctl -w net.core.somaxconn=%d", BACKLOG);
    return true;
}

static bool judge_clock(facts_t *facts, struct check_row *row)
{
    time_t now_s = (time_t)facts->now_s;
    struct tm utc = {0};
    char date[16];

    gmtime_r(&now_s, &utc);
    strftime(date, sizeof date, "%Y-%m-%d", &utc);
    if (facts->now_s < FIRST_SANE_SECOND)
        say(row, CHECK_WARNING, "it says %s, which is past: certificates need the right time",
            date);
    else if (!facts->clock_is_known)
        say(row, CHECK_OK, "it says %s; who sets it is not known", date);
    else if (!facts->clock_is_synchronised)
        say(row, CHECK_WARNING, "nobody keeps it right");
    else
        say(row, CHECK_OK, "it is kept right");
    if (row->verdict != CHECK_OK)
        advise(row, "timedatectl set-ntp true, or chrony");
    return true;
}

/* Libraries with faults that can be reached from outside and that aloha does not work around. */
static const struct {
    size_t version; /* where in the facts */
    const char *name, *series;
    unsigned good_from; /* the number behind the series */
    const char *remedy;
} libraries[] = {
    {offsetof(struct check_facts, openssl_version), "OpenSSL", "3.0.", 22,
     "apt-get install --only-upgrade libssl3"},
};

static bool judge_libraries(facts_t *facts, struct check_row *row)
{
    for (size_t i = 0; i < ARRAY_SIZE(libraries); i++) {
        struct str version = str_of((const char *)facts + libraries[i].version);
        struct str series = str_of(libraries[i].series);
        uint64_t number;
        if (!str_starts_with(version, series))
            continue;
        struct str rest = {version.text + series.size, version.size - series.size};
        if (!str_to_uint(rest, 1000, &number) || number >= libraries[i].good_from)
            continue;
        say(row, CHECK_WARNING, "%s %s has holes that %s%u has not", libraries[i].name,
            version.text, series.text, libraries[i].good_from);
        advise(row, "%s", libraries[i].remedy);
        return true;
    }
    say(row, CHECK_OK, "OpenSSL %s, libwebsockets %s, libmicrohttpd %s", facts->openssl_version,
        facts->lws_version, facts->mhd_version);
    return true;
}

static bool judge_connectivity(facts_t *facts, struct check_row *row)
{
    (void)facts;
    say(row, CHECK_WARNING,
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
    {"user", judge_user},
    {"sandbox", judge_sandbox},
    {"limits", judge_limits},
    {"connections", judge_descriptors},
    {"memory", judge_memory},
    {"backlog", judge_backlog},
    {"clock", judge_clock},
    {"libraries", judge_libraries},
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
