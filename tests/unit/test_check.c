/* check: each misconfiguration that it knows, with the very words. */
#include "aloha/check.h"
#include "harness.h"

#include <stdio.h>

static struct config config;
static struct check_facts facts;
static struct check_report report;

/* A public server without a fault, but for what no version has yet. */
static void start(int argc, char *argv[])
{
    char problem[512];

    struct config_input input = {.argc = argc, .argv = argv};
    if (!config_read(&config, &input, problem, sizeof problem))
        abort();
    facts = (struct check_facts){
        .config = &config,
        .now_s = INT64_C(1793000000), /* 2026-10-26 */
        .public_port = {.where = "port 3000 of ::"},
        .ops_port = {.where = "port 3001 of 127.0.0.1"},
        .tls = CHECK_TLS_FILES,
        .certificate_expires_s = INT64_C(1793000000) + 60 * 86400,
        .certificate_is_trusted = true,
        .key_file = "/var/lib/aloha/secret",
        .key_is_there = true,
        .user = "aloha",
        .landlock_abi = 4,
        .has_seccomp = true,
        .descriptors_max = 1048576,
        .descriptors_each = 1,
        .memory_size = UINT64_C(4) << 30,
        .backlog_max = 4096,
        .clock_is_known = true,
        .clock_is_synchronised = true,
        .openssl_version = "3.0.22",
        .lws_version = "4.1.6",
        .mhd_version = "0.9.75",
    };
    for (size_t i = 0; i < HOSTS_MAX; i++)
        facts.host_is_certified[i] = true;
}

#define START(...)                                                                                 \
    start((int)ARRAY_SIZE(((char *[]){"check", __VA_ARGS__})),                                     \
          (char *[]){"check", __VA_ARGS__, NULL})

/* A row of the report as "verdict text -> remedy"; "none" when it is not there. */
static const char *row(const char *name)
{
    static const char *const words[] = {"ok", "warning", "error"};

    check_judge(&report, &facts);
    for (size_t i = 0; i < report.count; i++)
        if (strcmp(report.rows[i].name, name) == 0)
            return fmt("%s: %s%s%s", words[report.rows[i].verdict], report.rows[i].text,
                       report.rows[i].remedy[0] ? " -> " : "", report.rows[i].remedy);
    return "none";
}

#define EXPECT_ROW(wanted, name) EXPECT_STR(wanted, str_of(row(name)))

TEST(a_good_server_has_one_warning_for_what_is_not_there_yet)
{
    START("--host", "call.example.org");
    check_judge(&report, &facts);
    for (size_t i = 0; i < report.count; i++)
        EXPECT_THAT(report.rows[i].verdict == CHECK_OK ||
                        strcmp(report.rows[i].name, "STUN and TURN") == 0,
                    "%s: %s", report.rows[i].name, report.rows[i].text);
    EXPECT_UINT(0, report.counts[CHECK_ERROR]);
    EXPECT_UINT(1, report.counts[CHECK_WARNING]);
    EXPECT_UINT(report.count - 1, report.counts[CHECK_OK]);
    EXPECT_ROW("warning: no STUN or TURN: calls connect on one network, or where both ends reach "
               "each other "
               "directly",
               "STUN and TURN");
}

TEST(the_file)
{
    START("--bind", "::");
    EXPECT_ROW("ok: there is no file", "configuration");
    config.file_name = "/etc/aloha/aloha.conf";
    EXPECT_ROW("ok: /etc/aloha/aloha.conf", "configuration");
    config.file_is_strangers = true;
    EXPECT_ROW("warning: /etc/aloha/aloha.conf belongs to another user, who can change it -> chown "
               "root it",
               "configuration");
}

TEST(ports)
{
    static const char taken[] =
        "cannot listen on port 3000 of ::: Address already in use; --port takes another";

    START("--host", "call.example.org");
    EXPECT_ROW("ok: port 3000 of :: is free", "public port");
    EXPECT_ROW("none", "redirect port");
    strcpy(facts.public_port.problem, taken);
    EXPECT_ROW(
        "error: cannot listen on port 3000 of ::: Address already in use -> --port takes another",
        "public port");
    facts.public_port.is_ours = true;
    EXPECT_ROW("ok: port 3000 of ::: aloha runs there", "public port");
    strcpy(facts.ops_port.problem, "cannot listen on port 80: Permission denied");
    EXPECT_ROW("error: cannot listen on port 80: Permission denied", "operator port");
    facts.public_port = (struct check_port){.where = "unix:/run/aloha.sock", .is_untried = true};
    EXPECT_ROW("ok: unix:/run/aloha.sock, which is not tried", "public port");
    strcpy(facts.redirect_port.where, "port 80 of ::");
    EXPECT_ROW("ok: port 80 of :: is free", "redirect port");
    EXPECT_UINT(1, report.counts[CHECK_ERROR]);
}

TEST(the_operators_plane)
{
    START("--bind", "::");
    EXPECT_ROW("ok: there is no token: the admin API is switched off", "operator");
    facts.ops_has_token = true;
    EXPECT_ROW("ok: the admin API wants its token", "operator");
    strcpy(facts.ops_problem, "/x: can be read by others; chmod 600 it");
    EXPECT_ROW("error: /x: can be read by others -> chmod 600 it", "operator");
}

TEST(certificates)
{
    START("--host", "call.example.org,www.example.org");
    EXPECT_ROW("ok: good for 60 days", "certificate");
    EXPECT_ROW("ok: it is for all names of --host", "its names");
    EXPECT_ROW("ok: it is the certificate's, and closed to others", "its key");
    facts.tls_is_read_once = true;
    strcpy(facts.user, "nobody");
    EXPECT_ROW(
        "warning: the user \"nobody\" cannot read it or the certificate: renewed ones are not "
        "taken -> "
        "copies of both that this user owns",
        "its key");
    facts.tls_is_read_once = false;
    facts.host_is_certified[1] = false;
    EXPECT_ROW(
        "warning: it is not for www.example.org, which --host names -> get one for all names of "
        "--host, or leave that name out",
        "its names");
    facts.tls_key_is_open = true;
    EXPECT_ROW("warning: everybody on this machine can read it -> chmod o= the file of --tls-key",
               "its key");
    facts.certificate_is_trusted = false;
    EXPECT_ROW(
        "warning: this machine does not trust it: browsers will warn, or the chain is not whole -> "
        "--tls-cert wants the certificate and behind it those that sign it (fullchain.pem)",
        "certificate");
    facts.certificate_expires_s = facts.now_s + 14 * 86400 - 1;
    EXPECT_ROW("warning: expires in 13 days -> renew it; the new one is taken without a restart",
               "certificate");
    strcpy(facts.certificate_problem,
           "/etc/x.pem: the certificate has expired on 2026-01-01T00:00:00Z");
    EXPECT_ROW("error: /etc/x.pem: the certificate has expired on 2026-01-01T00:00:00Z",
               "certificate");
    EXPECT_ROW("none", "its names");
    EXPECT_ROW("none", "its key");
    facts.certificate_problem[0] = '\0';
    facts.tls = CHECK_TLS_SELF_SIGNED;
    EXPECT_ROW("ok: made here; browsers warn of it once", "certificate");
    EXPECT_ROW("none", "its names");
}

TEST(who_gets_a_camera)
{
    START("--host", "call.example.org");
    EXPECT_ROW("ok: https is spoken", "camera");
    facts.tls = CHECK_TLS_NONE;
    EXPECT_ROW(
        "warning: without https browsers on other machines do not give it -> --tls self-signed, "
        "--tls-cert with --tls-key, or a proxy with --trusted-proxies",
        "camera");
    EXPECT_ROW("none", "certificate");
    START("--bind", "127.0.0.1");
    facts.tls = CHECK_TLS_NONE;
    EXPECT_ROW("ok: only this machine can connect, and localhost needs no https", "camera");
    START("--bind", "127.0.0.1, ::1,unix:/run/aloha.sock");
    facts.tls = CHECK_TLS_NONE;
    EXPECT_ROW("ok: only this machine can connect, and localhost needs no https", "camera");
    START("--bind", "127.0.0.1,10.0.0.1");
    facts.tls = CHECK_TLS_NONE;
    EXPECT_UINT(0, strncmp(row("camera"), "warning", 7));
    START("--bind", "unix:/run/aloha.sock");
    facts.tls = CHECK_TLS_NONE;
    EXPECT_ROW("ok: https is the matter of the proxy", "camera");
    EXPECT_UINT(0, strncmp(row("names"), "warning", 7));
    START("--trusted-proxies", "10.0.0.1");
    facts.tls = CHECK_TLS_NONE;
    EXPECT_ROW("ok: https is the matter of the proxy", "camera");
}

TEST(names)
{
    START("--bind", "::");
    EXPECT_ROW(
        "warning: any is served, also one that a stranger points here -> --host call.example.org",
        "names");
    START("--bind", "127.0.0.1", "--trusted-proxies", "127.0.0.1");
    EXPECT_ROW(
        "warning: any is served, also one that a stranger points here -> --host call.example.org",
        "names");
    START("--bind", "127.0.0.1");
    EXPECT_ROW("ok: any; only this machine can connect", "names");
    START("--host", "call.example.org,[::1]:3000");
    EXPECT_ROW("ok: 2, and no others", "names");
    START("--host", "call.example.org,[::1],call.example.org:8443");
    EXPECT_ROW("warning: --host call.example.org:8443 is never asked for: the port is 3000 -> name "
               "it without "
               "its port",
               "names");
    START("--host", "call.example.org:8443", "--trusted-proxies", "10.0.0.1");
    EXPECT_ROW("ok: 1, and no others", "names");
}

TEST(proxies)
{
    static char *const all[] = {"0.0.0.0/0", "::/0", "10.0.0.1,128.0.0.0/1", "0.0.0.0/7",
                                "2000::/3"};

    START("--trusted-proxies", "127.0.0.1,10.0.0.0/8,fd00::/8");
    EXPECT_ROW("ok: 3 networks are trusted", "proxies");
    for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
        START("--trusted-proxies", all[i]);
        EXPECT_ROW("warning: everybody is trusted: who says X-Forwarded-For has no limits -> "
                   "--trusted-proxies with the proxy's own address",
                   "proxies");
    }
    START("--bind", "::");
    EXPECT_ROW("none", "proxies");
}

TEST(the_key_of_the_resume_tokens)
{
    START("--bind", "::");
    EXPECT_ROW("ok: /var/lib/aloha/secret", "resume key");
    facts.key_is_there = false;
    EXPECT_ROW("ok: /var/lib/aloha/secret, made at the start", "resume key");
    facts.key_directory_is_open = true;
    EXPECT_ROW("warning: /var/lib/aloha/secret: others can write to its directory -> chmod go-w it",
               "resume key");
    strcpy(facts.key_problem, "/root: Permission denied");
    EXPECT_ROW(
        "warning: /root: Permission denied -> --state-dir with a directory to write to: else a "
        "restart is noticed in calls",
        "resume key");
    facts.key_is_wanted = true;
    strcpy(facts.key_problem, "/x/secret: can be read by others; chmod 600 it");
    EXPECT_ROW("error: /x/secret: can be read by others -> chmod 600 it", "resume key");
}

TEST(who_it_runs_as_and_in_what)
{
    START("--bind", "::");
    EXPECT_ROW("ok: aloha", "user");
    EXPECT_ROW("ok: landlock 4 and seccomp", "sandbox");
    facts.stays_root = true;
    strcpy(facts.user, "root");
    EXPECT_ROW("warning: root -> --user with one that has nothing else to do", "user");
    facts.has_seccomp = false;
    EXPECT_ROW(
        "warning: this machine has no seccomp -> Linux 5.13 or later, with landlock among its "
        "security modules (lsm=)",
        "sandbox");
    facts.landlock_abi = 0;
    EXPECT_ROW("warning: this machine has no landlock and no seccomp -> Linux 5.13 or later, with "
               "landlock "
               "among its security modules (lsm=)",
               "sandbox");
    facts.has_seccomp = true;
    EXPECT_ROW(
        "warning: this machine has no landlock -> Linux 5.13 or later, with landlock among its "
        "security modules (lsm=)",
        "sandbox");
    START("--sandbox", "off");
    EXPECT_ROW("warning: switched off -> --sandbox on", "sandbox");
}

TEST(limits_that_are_off)
{
    START("--bind", "::");
    EXPECT_ROW("ok: all are in force", "limits");
    START("--rate-messages", "0", "--connections-per-address", "0");
    EXPECT_ROW(
        "warning: switched off: --rate-messages, --connections-per-address -> leave these options "
        "out, and they have their defaults",
        "limits");
}

TEST(descriptors_memory_and_backlog)
{
    START("--connections-max", "1000");
    facts.descriptors_max = 1064;
    EXPECT_ROW("ok: 1000, as --connections-max says", "connections");
    facts.descriptors_max = 1063;
    EXPECT_ROW(
        "warning: 999, for the descriptor limit is 1063 and not 1064 -> LimitNOFILE=1064 in the "
        "unit, or ulimit -n 1064",
        "connections");
    facts.descriptors_max = 100;
    EXPECT_ROW(
        "warning: 64, for the descriptor limit is 100 and not 1064 -> LimitNOFILE=1064 in the "
        "unit, or ulimit -n 1064",
        "connections");
    facts.descriptors_each = 2;
    facts.descriptors_max = 1065;
    EXPECT_ROW(
        "warning: 500, for the descriptor limit is 1065 and not 2064 -> LimitNOFILE=2064 in the "
        "unit, or ulimit -n 2064",
        "connections");
    facts.memory_size = UINT64_C(512) << 20;
    EXPECT_ROW("ok: 512 MiB; all that the limits allow would take 206 MiB", "memory");
    facts.memory_size = UINT64_C(128) << 20;
    EXPECT_ROW(
        "warning: 128 MiB; all that the limits allow would take 206 MiB -> --connections-max, "
        "--queues-max or --backlogs-max lower, or more memory",
        "memory");
    facts.memory_size = 0;
    EXPECT_ROW("none", "memory");
    facts.backlog_max = 128;
    EXPECT_ROW("warning: 128 connections can wait to be taken -> sysctl -w net.core.somaxconn=1024",
               "backlog");
    facts.backlog_max = 0;
    EXPECT_ROW("none", "backlog");
}

TEST(the_clock)
{
    START("--bind", "::");
    EXPECT_ROW("ok: it is kept right", "clock");
    facts.clock_is_synchronised = false;
    EXPECT_ROW("warning: nobody keeps it right -> timedatectl set-ntp true, or chrony", "clock");
    facts.clock_is_known = false;
    EXPECT_ROW("ok: it says 2026-10-26; who sets it is not known", "clock");
    facts.now_s = 86400;
    EXPECT_ROW("warning: it says 1970-01-02, which is past: certificates need the right time -> "
               "timedatectl set-ntp true, or chrony",
               "clock");
}

TEST(libraries)
{
    START("--bind", "::");
    EXPECT_ROW("ok: OpenSSL 3.0.22, libwebsockets 4.1.6, libmicrohttpd 0.9.75", "libraries");
    strcpy(facts.openssl_version, "3.0.19");
    EXPECT_ROW(
        "warning: OpenSSL 3.0.19 has holes that 3.0.22 has not -> apt-get install --only-upgrade "
        "libssl3",
        "libraries");
    strcpy(facts.openssl_version, "3.5.1");
    EXPECT_ROW("ok: OpenSSL 3.5.1, libwebsockets 4.1.6, libmicrohttpd 0.9.75", "libraries");
}

/* ---- the table ---- */

static const char *printed(bool colour)
{
    static struct buf out;

    buf_deinit(&out);
    buf_init(&out, 65536);
    check_judge(&report, &facts);
    check_write(&report, colour, &out);
    return fmt("%.*s", (int)out.size, out.data);
}

TEST(the_table_is_aligned_wrapped_and_summed_up)
{
    START("--bind", "127.0.0.1");
    facts.tls = CHECK_TLS_NONE;
    facts.memory_size = 0;
    strcpy(facts.ops_port.problem, "cannot listen on port 3001; --ops-port takes another");
    EXPECT_STR("ok       configuration  there is no file\n"
               "ok       public port    port 3000 of :: is free\n"
               "error    operator port  cannot listen on port 3001\n"
               "                        -> --ops-port takes another\n"
               "ok       operator       there is no token: the admin API is switched off\n"
               "ok       camera         only this machine can connect, and localhost needs no\n"
               "                        https\n"
               "ok       names          any; only this machine can connect\n"
               "ok       resume key     /var/lib/aloha/secret\n"
               "ok       user           aloha\n"
               "ok       sandbox        landlock 4 and seccomp\n"
               "ok       limits         all are in force\n"
               "ok       connections    10000, as --connections-max says\n"
               "ok       backlog        4096 connections can wait to be taken\n"
               "ok       clock          it is kept right\n"
               "ok       libraries      OpenSSL 3.0.22, libwebsockets 4.1.6, libmicrohttpd\n"
               "                        0.9.75\n"
               "warning  STUN and TURN  no STUN or TURN: calls connect on one network, or where\n"
               "                        both ends reach each other directly\n"
               "\n"
               "1 error, 1 warning: aloha does not start like this\n",
               str_of(printed(false)));
    const char *coloured = printed(true);
    EXPECT(strstr(coloured, "\x1b[32mok      \x1b[0m public port    port 3000 of :: is free\n"));
    EXPECT(strstr(coloured, "\x1b[31merror   \x1b[0m operator port  cannot"));
    EXPECT(strstr(coloured, "\x1b[33mwarning \x1b[0m STUN"));
    facts.ops_port.problem[0] = '\0';
    EXPECT(strstr(printed(false), "\n0 errors, 1 warning: aloha starts like this\n"));
}

TEST(what_came_from_outside_cannot_steer_the_terminal)
{
    START("--bind", "::");
    strcpy(facts.key_file, "/tmp/\x1b[31mred\n\x9b");
    EXPECT_ROW("ok: /tmp/?[31mred??", "resume key");
}
