/* welcome: what a person reads when the server is ready. */
#include "aloha/welcome.h"
#include "harness.h"

#include "aloha/qr.h"

#include <stdio.h>

static struct buf out;

/* Everything but what a test says: https on every address, by no name. */
static struct welcome defaults(void)
{
    static const struct hosts no_hosts;
    return (struct welcome){
        .bind = "::", .port = 3000, .hosts = &no_hosts, .base_path = "/", .https = true};
}

static struct welcome_address address(const char *interface, const char *text)
{
    struct welcome_address made = {.ip = {{0}}};

    snprintf(made.interface, sizeof made.interface, "%s", interface);
    snprintf(made.text, sizeof made.text, "%s", text);
    if (!ip_read(str_of(text), &made.ip))
        abort();
    return made;
}

static struct hosts hosts_of(const char *list)
{
    struct hosts hosts;
    if (!hosts_read(str_of(list), &hosts))
        abort();
    return hosts;
}

/* The text between its first line and its last. */
static const char *written(const struct welcome *welcome)
{
    static const char head[] = "aloha " ALOHA_VERSION "\n\n";
    static const char end[] =
        "\n  Open it, allow the camera, and share the link of the room. Ctrl-C ends it.\n\n";

    buf_deinit(&out);
    buf_init(&out, 65536);
    welcome_write(welcome, &out);
    if (out.failed || out.size < sizeof head + sizeof end - 2 ||
        strncmp(out.data, head, sizeof head - 1) != 0 ||
        memcmp(out.data + out.size - (sizeof end - 1), end, sizeof end - 1) != 0)
        return "no head or no end";
    return fmt("%.*s", (int)(out.size - (sizeof head - 1) - (sizeof end - 1)),
               out.data + sizeof head - 1);
}

TEST(at_home_there_is_one_address_and_nothing_is_missing)
{
    static const char *const loopbacks[] = {"127.0.0.1", "::1"};
    struct welcome welcome = defaults();
    char url[WELCOME_URL_SIZE_MAX];

    welcome.https = false;
    for (size_t i = 0; i < ARRAY_SIZE(loopbacks); i++) {
        welcome.bind = loopbacks[i];
        EXPECT_STR("  On this machine     http://localhost:3000/\n", str_of(written(&welcome)));
        EXPECT(!welcome_url(&welcome, url));
    }
}

TEST(addresses_that_work_come_first_and_those_that_do_not_are_left_out)
{
    const struct welcome_address addresses[] = {
        address("lo", "127.0.0.1"),        address("docker0", "172.17.0.1"),
        address("eth0", "169.254.7.7"),    address("wlan0", "192.168.178.20"),
        address("eth0", "fe80::1"),        address("eth0", "2001:db8::20"),
        address("eth0", "2001:db8::dead"), address("br-0123", "fd00::1"),
        address("eth0", "10.1.2.3"),
    };
    struct welcome welcome = defaults();
    char url[WELCOME_URL_SIZE_MAX];

    welcome.addresses = addresses;
    welcome.address_count = ARRAY_SIZE(addresses);
    EXPECT_STR("  On this machine     https://localhost:3000/\n"
               "  From your network   https://192.168.178.20:3000/\n"
               "                      https://10.1.2.3:3000/\n"
               "                      https://[2001:db8::20]:3000/\n"
               "                      https://172.17.0.1:3000/\n"
               "                      https://[fd00::1]:3000/\n"
               "  Missing for others  its name, or any is served: --host call.example.org\n"
               "                      STUN and TURN, not there yet: calls need a direct way\n",
               str_of(written(&welcome)));
    EXPECT(welcome_url(&welcome, url));
    EXPECT_STR("https://192.168.178.20:3000/", str_of(url));
    welcome.bind = "0.0.0.0";
    EXPECT_NULL(strstr(written(&welcome), "["));
    welcome.address_count = 1;
    EXPECT(!welcome_url(&welcome, url));
}

TEST(of_many_addresses_six_are_shown_and_the_others_counted)
{
    struct welcome_address addresses[20];
    struct welcome welcome = defaults();

    for (unsigned i = 0; i < ARRAY_SIZE(addresses); i++)
        addresses[i] = address("eth0", fmt("10.0.0.%u", i + 1));
    welcome.addresses = addresses;
    welcome.address_count = ARRAY_SIZE(addresses);
    const char *text = written(&welcome);
    EXPECT(strstr(
        text, "                      https://10.0.0.6:3000/\n                      and 14 more\n"));
    EXPECT_NULL(strstr(text, "10.0.0.7"));
}

TEST(the_usual_port_is_left_out_and_a_base_path_is_not)
{
    struct welcome welcome = defaults();
    char url[WELCOME_URL_SIZE_MAX];

    welcome.bind = "2001:db8::1";
    welcome.port = 443;
    welcome.base_path = "/call/";
    EXPECT(welcome_url(&welcome, url));
    EXPECT_STR("https://[2001:db8::1]/call/", str_of(url));
    welcome.https = false;
    EXPECT(welcome_url(&welcome, url));
    EXPECT_STR("http://[2001:db8::1]:443/call/", str_of(url));
    welcome.port = 80;
    EXPECT(welcome_url(&welcome, url));
    EXPECT_STR("http://[2001:db8::1]/call/", str_of(url));
}

TEST(names_come_first_and_addresses_that_are_refused_are_not_shown)
{
    const struct hosts hosts = hosts_of("call.example.org, [2001:db8::1]:8443,other.example:443");
    const struct welcome_address eth0 = address("eth0", "10.1.2.3");
    struct welcome welcome = defaults();
    char url[WELCOME_URL_SIZE_MAX];

    welcome.hosts = &hosts;
    welcome.addresses = &eth0;
    welcome.address_count = 1;
    EXPECT_STR("  By its name         https://call.example.org:3000/\n"
               "                      https://[2001:db8::1]:8443/\n"
               "                      https://other.example:443/\n"
               "  Listening on        port 3000 of ::\n"
               "  Missing for others  STUN and TURN, not there yet: calls need a direct way\n",
               str_of(written(&welcome)));
    EXPECT(welcome_url(&welcome, url));
    EXPECT_STR("https://call.example.org:3000/", str_of(url));
}

TEST(of_several_sockets_the_first_one_is_opened_and_the_others_are_named)
{
    struct welcome welcome = defaults();

    welcome.bind = "127.0.0.1";
    welcome.also[welcome.also_count++] = (struct welcome_socket){"::1", 3000};
    welcome.also[welcome.also_count++] = (struct welcome_socket){"unix:/run/al\x1boha.sock", 0};
    EXPECT_STR("  On this machine     https://localhost:3000/\n"
               "  And on              port 3000 of ::1\n"
               "                      unix:/run/al?oha.sock\n",
               str_of(written(&welcome)));
}

TEST(behind_a_proxy_the_address_is_the_proxys_matter)
{
    const struct hosts hosts = hosts_of("call.example.org");
    struct welcome welcome = defaults();

    welcome.https = false;
    welcome.proxied = true;
    welcome.hosts = &hosts;
    welcome.bind = "127.0.0.1";
    EXPECT_STR("  By its name         call.example.org\n"
               "  Listening on        port 3000 of 127.0.0.1\n"
               "  Missing for others  STUN and TURN, not there yet: calls need a direct way\n",
               str_of(written(&welcome)));
    welcome.bind = "unix:/run/al\x1boha";
    welcome.port = 0;
    EXPECT_STR("  By its name         call.example.org\n"
               "  Listening on        unix:/run/al?oha\n"
               "  Missing for others  STUN and TURN, not there yet: calls need a direct way\n",
               str_of(written(&welcome)));
}

TEST(without_https_the_remedy_is_told)
{
    struct welcome welcome = defaults();

    welcome.https = false;
    EXPECT(strstr(written(&welcome),
                  "  Missing for others  https, for cameras: --tls self-signed, or --tls-cert\n"));
}

TEST(a_certificate_that_browsers_warn_of_shows_its_fingerprint_in_two_lines)
{
    struct welcome welcome = defaults();

    welcome.bind = "127.0.0.1";
    welcome.fingerprint = "00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F:"
                          "10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F";
    EXPECT_STR("  On this machine     https://localhost:3000/\n"
               "  Certificate         browsers warn of it once; it is ours when its SHA-256 is\n"
               "                      00:01:02:03:04:05:06:07:08:09:0A:0B:0C:0D:0E:0F\n"
               "                      10:11:12:13:14:15:16:17:18:19:1A:1B:1C:1D:1E:1F\n",
               str_of(written(&welcome)));
}

TEST(no_line_is_wider_than_a_terminal_and_colours_do_not_count)
{
    const struct welcome_address eth0 = address("eth0", "2001:db8:1234:5678:9abc:def0:1234:5678");
    struct welcome welcome = defaults();

    welcome.addresses = &eth0;
    welcome.address_count = 1;
    welcome.port = 65535;
    struct str plain = str_of(written(&welcome));
    while (plain.size)
        EXPECT(str_cut(&plain, '\n').size <= 80);
    EXPECT_NULL(strchr(written(&welcome), '\x1b'));
    welcome.colour = true;
    EXPECT(strstr(written(&welcome),
                  "  On this machine     \x1b[1mhttps://localhost:65535/\x1b[0m\n"));
}

TEST(a_code_is_drawn_with_its_quiet_zone_in_black_and_white_of_its_own)
{
    static const uint8_t modules[3 * 3] = {0xff, 0x10, 0x01, 0x01, 0x02, 0xfe, 0x00, 0x01, 0x01};
    struct welcome welcome = defaults();

    EXPECT_UINT(11, qr_columns(3));
    EXPECT_UINT(6, qr_rows(3));
    welcome.bind = "10.0.0.1";
    welcome.colour = true;
    welcome.qr_modules = modules;
    welcome.qr_width = 3;
    static const char *const lines[] = {
        "           ",           "           ", "    \u2588 \u2580    ", /* x.x above x.. */
        "     \u2580\u2580    ", /* .xx above what is light */
        "           ",           "           ",
    };
    const char *at = strstr(written(&welcome), "\n\n");
    EXPECT(at);
    struct str rest = str_of(at + 2);
    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        /* Beside the middle stands what it says. */
        const char *beside = i == 3 ? "  \x1b[1mhttps://10.0.0.1:3000/\x1b[0m" : "";
        EXPECT_STR(fmt("  \x1b[38;5;16;48;5;231m%s\x1b[0m%s", lines[i], beside),
                   str_cut(&rest, '\n'));
    }
    EXPECT_UINT(0, rest.size);
}
