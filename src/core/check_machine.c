/* The rows about the machine and about what this process may have of it. */
#include "check_private.h"

#include <stdio.h>
#include <time.h>

enum {
    IDLE_CLIENT_SIZE = 48 * 1024, /* docs/security.md R68 */
    DESCRIPTORS_FOR_OURSELVES = 64,
    BACKLOG = 1024, /* what the listener asks for */
};

static const int64_t FIRST_SANE_SECOND = INT64_C(1767225600); /* 2026-01-01: no clock is earlier */

bool check_user(facts_t *facts, struct check_row *row)
{
    check_say(row, facts->stays_root ? CHECK_WARNING : CHECK_OK, "%s", facts->user);
    if (facts->stays_root)
        check_advise(row, "--user with one that has nothing else to do");
    return true;
}

bool check_sandbox(facts_t *facts, struct check_row *row)
{
    if (facts->config->sandbox == SANDBOX_OFF) {
        check_say(row, CHECK_WARNING, "switched off");
        check_advise(row, "--sandbox on");
    } else if (!facts->landlock_abi || !facts->has_seccomp) {
        check_say(row, CHECK_WARNING, "this machine has no %s",
                  facts->landlock_abi  ? "seccomp"
                  : facts->has_seccomp ? "landlock"
                                       : "landlock and no seccomp");
        check_advise(row, "Linux 5.13 or later, with landlock among its security modules (lsm=)");
    } else {
        check_say(row, CHECK_OK, "landlock %u and seccomp", facts->landlock_abi);
    }
    return true;
}

bool check_descriptors(facts_t *facts, struct check_row *row)
{
    uint64_t each = facts->descriptors_each;
    uint64_t wanted = facts->config->limits.connections_max * each + DESCRIPTORS_FOR_OURSELVES;
    uint64_t least = 2 * (uint64_t)DESCRIPTORS_FOR_OURSELVES, max = facts->descriptors_max;

    if (max >= wanted) {
        check_say(row, CHECK_OK, "%u, as --connections-max says",
                  facts->config->limits.connections_max);
        return true;
    }
    check_say(row, CHECK_WARNING, "%llu, for the descriptor limit is %llu and not %llu",
              (unsigned long long)((max > least ? max - DESCRIPTORS_FOR_OURSELVES
                                                : DESCRIPTORS_FOR_OURSELVES) /
                                   each),
              (unsigned long long)max, (unsigned long long)wanted);
    check_advise(row, "LimitNOFILE=%llu in the unit, or ulimit -n %llu", (unsigned long long)wanted,
                 (unsigned long long)wanted);
    return true;
}

bool check_memory(facts_t *facts, struct check_row *row)
{
    const struct limits *limits = &facts->config->limits;
    const uint64_t mib = 1024 * 1024;
    uint64_t most = (uint64_t)limits->connections_max * IDLE_CLIENT_SIZE + limits->queues_size_max +
                    limits->backlogs_size_max;

    if (!facts->memory_size)
        return false;
    check_say(row, most > facts->memory_size ? CHECK_WARNING : CHECK_OK,
              "%llu MiB; all that the limits allow would take %llu MiB",
              (unsigned long long)(facts->memory_size / mib), (unsigned long long)(most / mib));
    if (row->verdict == CHECK_WARNING)
        check_advise(row,
                     "--connections-max, --queues-max or --backlogs-max lower, or more memory");
    return true;
}

bool check_backlog(facts_t *facts, struct check_row *row)
{
    if (!facts->backlog_max)
        return false;
    check_say(row, facts->backlog_max < BACKLOG ? CHECK_WARNING : CHECK_OK,
              "%llu connections can wait to be taken", (unsigned long long)facts->backlog_max);
    if (row->verdict == CHECK_WARNING)
        check_advise(row, "sysctl -w net.core.somaxconn=%d", BACKLOG);
    return true;
}

bool check_clock(facts_t *facts, struct check_row *row)
{
    time_t now_s = (time_t)facts->now_s;
    struct tm utc = {0};
    char date[16];

    gmtime_r(&now_s, &utc);
    strftime(date, sizeof date, "%Y-%m-%d", &utc);
    if (facts->now_s < FIRST_SANE_SECOND)
        check_say(row, CHECK_WARNING, "it says %s, which is past: certificates need the right time",
                  date);
    else if (!facts->clock_is_known)
        check_say(row, CHECK_OK, "it says %s; who sets it is not known", date);
    else if (!facts->clock_is_synchronised)
        check_say(row, CHECK_WARNING, "nobody keeps it right");
    else
        check_say(row, CHECK_OK, "it is kept right");
    if (row->verdict != CHECK_OK)
        check_advise(row, "timedatectl set-ntp true, or chrony");
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

bool check_libraries(facts_t *facts, struct check_row *row)
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
        check_say(row, CHECK_WARNING, "%s %s has holes that %s%u has not", libraries[i].name,
                  version.text, series.text, libraries[i].good_from);
        check_advise(row, "%s", libraries[i].remedy);
        return true;
    }
    check_say(row, CHECK_OK, "OpenSSL %s, libwebsockets %s, libmicrohttpd %s",
              facts->openssl_version, facts->lws_version, facts->mhd_version);
    return true;
}
