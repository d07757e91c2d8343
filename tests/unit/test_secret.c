/* secret: the key file. Each test has a directory of its own, which is gone afterwards. */
#include "aloha/secret.h"

#include "aloha/log.h"
#include "harness.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char place[64], problem[512];

static int remove_one(const char *path, const struct stat *info, int flag, struct FTW *ftw)
{
    (void)info, (void)flag, (void)ftw;
    return remove(path);
}

static void arrive(void)
{
    strcpy(place, "/tmp/aloha-secret-XXXXXX");
    strcpy(problem, "(none)");
    if (!mkdtemp(place))
        abort();
    unsetenv("STATE_DIRECTORY");
    unsetenv("XDG_STATE_HOME");
    unsetenv("CREDENTIALS_DIRECTORY");
    setenv("HOME", place, 1);
}

static void depart(void)
{
    nftw(place, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static const char *in_place(const char *name)
{
    return fmt("%s/%s", place, name);
}

static void put_file(const char *path, const char *text, mode_t mode)
{
    FILE *file = fopen(path, "w");
    if (!file || fputs(text, file) < 0 || fclose(file) != 0 || chmod(path, mode) != 0)
        abort();
}

static unsigned mode_of(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? (unsigned)info.st_mode & 07777u : 0;
}

static bool load(struct token_key *out, const char *file, const char *dir)
{
    struct secret_source source = {.name = "secret", .file = file};
    return secret_load(out, &source, dir, problem, sizeof problem);
}

static bool are_equal(const struct token_key *a, const struct token_key *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

static const char long_enough[] = "0123456789abcdef0123456789abcdef";

/* ---- the state directory ---- */

TEST(the_first_start_makes_the_key_and_the_second_finds_it)
{
    struct token_key first, second;

    arrive();
    EXPECT_THAT(load(&first, "", in_place("a/b/c")), "%s", problem);
    EXPECT_UINT(0600, mode_of(in_place("a/b/c/secret")));
    EXPECT_UINT(0700, mode_of(in_place("a")));
    EXPECT_UINT(0700, mode_of(in_place("a/b/c")));
    EXPECT(load(&second, "", in_place("a/b/c/")));
    EXPECT(are_equal(&first, &second));
    EXPECT_STR("(none)", str_of(problem));
    EXPECT(load(&second, in_place("a/b/c/secret"), ""));
    EXPECT(are_equal(&first, &second));
    EXPECT(load(&second, "", in_place("other")));
    EXPECT(!are_equal(&first, &second));
    depart();
}

TEST(a_umask_does_not_open_the_key_to_others)
{
    struct token_key key;
    mode_t before = umask(0);

    arrive();
    EXPECT(load(&key, "", in_place("state")));
    umask(before);
    EXPECT_UINT(0600, mode_of(in_place("state/secret")));
    EXPECT_UINT(0700, mode_of(in_place("state")));
    depart();
}

TEST(nothing_but_the_key_stays_in_the_directory)
{
    struct token_key key;

    arrive();
    EXPECT(load(&key, "", place));
    EXPECT(unlink(in_place("secret")) == 0);
    EXPECT(rmdir(place) == 0);
}

TEST(makers_that_start_together_agree)
{
    enum { MAKERS = 8 };
    int pipes[2], starts[2];
    struct token_key first, key;

    arrive();
    EXPECT(pipe(pipes) == 0 && pipe(starts) == 0);
    for (int i = 0; i < MAKERS; i++) {
        pid_t pid = fork();
        EXPECT(pid >= 0);
        if (pid == 0) {
            char go;
            close(starts[1]);
            (void)!read(starts[0], &go, 1); /* until all are there: the parent closes it */
            bool loaded = load(&key, "", in_place("state"));
            _exit(loaded && write(pipes[1], &key, sizeof key) == sizeof key ? 0 : 1);
        }
    }
    close(starts[0]);
    close(starts[1]);
    for (int i = 0; i < MAKERS; i++) {
        EXPECT(read(pipes[0], i ? &key : &first, sizeof key) == sizeof key);
        EXPECT(i == 0 || are_equal(&first, &key));
    }
    for (int i = 0, status; i < MAKERS; i++)
        EXPECT(wait(&status) > 0 && status == 0);
    close(pipes[0]);
    close(pipes[1]);
    EXPECT(unlink(in_place("state/secret")) == 0);
    EXPECT(rmdir(in_place("state")) == 0); /* no drafts are left */
    depart();
}

TEST(a_directory_that_was_asked_for_and_cannot_be_is_an_error)
{
    struct token_key key;

    arrive();
    put_file(in_place("file"), "x", 0600);
    EXPECT(!load(&key, "", in_place("file")));
    EXPECT_STR(fmt("%s/secret: Not a directory", in_place("file")), str_of(problem));
    EXPECT(!load(&key, "", in_place("file/below")));
    EXPECT_STR(fmt("%s: Not a directory", in_place("file/below")), str_of(problem));
    EXPECT(!load(&key, "", in_place("file/below/it")));
    depart();
}

TEST(a_path_that_is_too_long_is_an_error_that_says_so)
{
    struct token_key key;
    char path[5000];
    bool refused = false;

    arrive();
    memset(path, 'x', sizeof path);
    for (size_t i = 100; i < sizeof path; i += 100)
        path[i] = '/';
    memcpy(path, place, strlen(place));
    path[strlen(place)] = '/';
    for (size_t size = 4070; size < 4110; size++) {
        path[size] = '\0';
        bool loaded = load(&key, "", path);
        EXPECT(!(loaded && refused));
        EXPECT_THAT(loaded || strstr(problem, "too long"), "%zu bytes: %s", size, problem);
        refused = !loaded;
        path[size] = 'x';
    }
    EXPECT(refused);
    depart();
}

/* ---- a file of one's own ---- */

TEST(any_32_bytes_make_a_key_and_the_last_line_feeds_do_not_count)
{
    struct token_key a, b;

    arrive();
    put_file(in_place("a"), long_enough, 0600);
    put_file(in_place("b"), fmt("%s\r\n\n", long_enough), 0400);
    EXPECT_THAT(load(&a, in_place("a"), in_place("unused")), "%s", problem);
    EXPECT_THAT(load(&b, in_place("b"), ""), "%s", problem);
    EXPECT(are_equal(&a, &b));
    EXPECT_UINT(0, mode_of(in_place("unused")));
    put_file(in_place("c"), fmt("%s x", long_enough), 0600);
    EXPECT(load(&b, in_place("c"), ""));
    EXPECT(!are_equal(&a, &b));
    depart();
}

TEST(a_key_that_is_too_short_is_refused)
{
    static const char *const texts[] = {
        "", "\n", "0123456789abcdef0123456789abcde", "0123456789abcdef0123456789abcde\n",
        "\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"};
    struct token_key key;

    arrive();
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        put_file(in_place("short"), texts[i], 0600);
        EXPECT(!load(&key, in_place("short"), ""));
        EXPECT_STR(fmt("%s: holds less than 32 bytes", in_place("short")), str_of(problem));
    }
    depart();
}

TEST(a_key_that_is_open_to_others_is_refused)
{
    static const mode_t modes[] = {0640, 0620, 0610, 0604, 0602, 0601, 0666, 0777};
    struct token_key key;

    arrive();
    for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
        put_file(in_place("secret"), long_enough, modes[i]);
        EXPECT(!load(&key, in_place("secret"), ""));
        EXPECT_STR(fmt("%s: can be read by others; chmod 600 it", in_place("secret")),
                   str_of(problem));
        EXPECT(!load(&key, "", place));
    }
    put_file(in_place("secret"), long_enough, 0600);
    EXPECT(load(&key, "", place));
    depart();
}

TEST(a_file_that_was_asked_for_is_never_made)
{
    struct token_key key;

    arrive();
    EXPECT(!load(&key, in_place("nothing"), ""));
    EXPECT_STR(fmt("%s: No such file or directory", in_place("nothing")), str_of(problem));
    EXPECT_UINT(0, mode_of(in_place("nothing")));
    depart();
}

TEST(what_is_no_file_is_refused_and_nobody_waits_for_it)
{
    struct token_key key;

    arrive();
    EXPECT(mkdir(in_place("directory"), 0700) == 0);
    EXPECT(!load(&key, in_place("directory"), ""));
    EXPECT_STR(fmt("%s: is not a file", in_place("directory")), str_of(problem));
    EXPECT(mkfifo(in_place("fifo"), 0600) == 0);
    EXPECT(!load(&key, in_place("fifo"), ""));
    EXPECT_STR(fmt("%s: is not a file", in_place("fifo")), str_of(problem));
    EXPECT(!load(&key, "/dev/zero", ""));
    depart();
}

TEST(a_long_path_is_cut_in_the_complaint)
{
    struct token_key key;
    char path[3000];

    arrive();
    memset(path, 'y', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    EXPECT(!load(&key, path, ""));
    EXPECT(strlen(problem) < 260);
    depart();
}

TEST(a_file_that_is_too_long_for_a_secret_is_refused_and_not_cut)
{
    struct token_key key;
    char text[5000];

    arrive();
    memset(text, 'z', sizeof text);
    text[SECRET_SIZE_MAX - 1] = '\0';
    put_file(in_place("just"), text, 0600);
    EXPECT_THAT(load(&key, in_place("just"), ""), "%s", problem);
    text[SECRET_SIZE_MAX - 1] = 'z';
    text[SECRET_SIZE_MAX] = '\0';
    put_file(in_place("long"), text, 0600);
    EXPECT(!load(&key, in_place("long"), ""));
    EXPECT_STR(fmt("%s: is too long for a secret", in_place("long")), str_of(problem));
    depart();
}

TEST(a_file_of_another_user_is_refused)
{
    struct token_key key;

    if (geteuid() != 0)
        return; /* only root can make one */
    arrive();
    put_file(in_place("secret"), long_enough, 0600);
    EXPECT(chown(in_place("secret"), 12345, 0) == 0);
    EXPECT(!load(&key, in_place("secret"), ""));
    EXPECT_STR(fmt("%s: belongs to another user; chown it", in_place("secret")), str_of(problem));
    EXPECT(!load(&key, "", place));
    EXPECT(chown(in_place("secret"), 0, 12345) == 0);
    EXPECT(load(&key, "", place));
    depart();
}

/* ---- other places ---- */

/* Reads the secret "pass" with that value and file. */
static enum secret_verdict read_pass(struct secret *out, const char *value, const char *file)
{
    struct secret_source source = {.name = "pass-word", .value = value, .file = file};

    strcpy(problem, "(none)");
    return secret_read(out, &source, problem, sizeof problem);
}

TEST(the_environment_goes_before_the_file_and_the_file_before_the_credential)
{
    static struct secret got;
    const char *in_file = "file56789abcdef0123456789abcdefgh", *in_credential = fmt("%s!", in_file);
    const char *in_environment = fmt("%s?", in_file);

    arrive();
    EXPECT_UINT(SECRET_NOT_GIVEN, read_pass(&got, NULL, ""));
    setenv("CREDENTIALS_DIRECTORY", place, 1);
    EXPECT_UINT(SECRET_NOT_GIVEN, read_pass(&got, NULL, ""));
    put_file(in_place("pass-word"), fmt("%s\n", in_credential), 0400);
    EXPECT_UINT(SECRET_FOUND, read_pass(&got, NULL, ""));
    EXPECT_STR(in_credential, ((struct str){got.text, got.size}));
    put_file(in_place("file"), fmt("%s\n", in_file), 0600);
    EXPECT_UINT(SECRET_FOUND, read_pass(&got, NULL, in_place("file")));
    EXPECT_STR(in_file, ((struct str){got.text, got.size}));
    EXPECT_UINT(SECRET_FOUND, read_pass(&got, in_environment, in_place("file")));
    EXPECT_STR(in_environment, ((struct str){got.text, got.size}));
    setenv("CREDENTIALS_DIRECTORY", "relative", 1);
    EXPECT_UINT(SECRET_NOT_GIVEN, read_pass(&got, NULL, ""));
    depart();
}

TEST(a_place_that_was_named_and_cannot_be_used_is_not_passed_over)
{
    static struct secret got;
    static char endless[SECRET_SIZE_MAX + 1];

    arrive();
    setenv("CREDENTIALS_DIRECTORY", place, 1);
    put_file(in_place("pass-word"), long_enough, 0400);
    EXPECT_UINT(SECRET_UNUSABLE, read_pass(&got, "short", ""));
    EXPECT_STR("ALOHA_PASS_WORD: holds less than 32 bytes", str_of(problem));
    EXPECT_UINT(0, got.size);
    memset(endless, 'x', sizeof endless - 1);
    EXPECT_UINT(SECRET_UNUSABLE, read_pass(&got, endless, ""));
    EXPECT_STR("ALOHA_PASS_WORD: is too long for a secret", str_of(problem));
    EXPECT_UINT(SECRET_UNUSABLE, read_pass(&got, NULL, in_place("nothing")));
    EXPECT_STR(fmt("%s: No such file or directory", in_place("nothing")), str_of(problem));
    put_file(in_place("pass-word"), "short", 0400);
    EXPECT_UINT(SECRET_UNUSABLE, read_pass(&got, NULL, ""));
    EXPECT_STR(fmt("%s: holds less than 32 bytes", in_place("pass-word")), str_of(problem));
    depart();
}

/* systemd.exec(5): root's, with 0440, where the owner cannot be changed. */
TEST(a_credential_may_be_open_to_its_group_if_it_is_roots)
{
    static const mode_t refused[] = {0444, 0460, 0450, 0404};
    static struct secret got;

    arrive();
    setenv("CREDENTIALS_DIRECTORY", place, 1);
    for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
        put_file(in_place("pass-word"), long_enough, refused[i]);
        EXPECT_UINT(SECRET_UNUSABLE, read_pass(&got, NULL, ""));
        EXPECT(unlink(in_place("pass-word")) == 0);
    }
    put_file(in_place("pass-word"), long_enough, 0440);
    EXPECT_UINT(geteuid() == 0 ? SECRET_FOUND : SECRET_UNUSABLE, read_pass(&got, NULL, ""));
    EXPECT_UINT(SECRET_UNUSABLE, read_pass(&got, NULL, in_place("pass-word")));
    depart();
}

TEST(a_secret_read_again_is_the_file_as_it_is_now)
{
    static struct secret got;
    uint8_t first[SECRET_DIGEST_SIZE], second[SECRET_DIGEST_SIZE];

    arrive();
    put_file(in_place("file"), long_enough, 0600);
    EXPECT_UINT(SECRET_FOUND, read_pass(&got, NULL, in_place("file")));
    EXPECT(secret_digest(&got, first));
    put_file(in_place("file"), fmt("%s and more", long_enough), 0600);
    EXPECT_UINT(SECRET_FOUND, read_pass(&got, NULL, in_place("file")));
    EXPECT(secret_digest(&got, second));
    EXPECT(memcmp(first, second, sizeof first) != 0);
    secret_forget(&got);
    EXPECT(got.size == 0 && got.text[0] == '\0');
    depart();
}

/* ---- where it lies when nobody says ---- */

TEST(systemd_goes_before_xdg_and_xdg_before_home)
{
    struct token_key home, xdg, systemd, key;

    arrive();
    EXPECT(load(&home, "", ""));
    EXPECT_UINT(0600, mode_of(in_place(".local/state/aloha/secret")));
    setenv("XDG_STATE_HOME", in_place("xdg"), 1);
    EXPECT(load(&xdg, "", ""));
    EXPECT_UINT(0600, mode_of(in_place("xdg/aloha/secret")));
    setenv("STATE_DIRECTORY", fmt("%s:%s", in_place("one"), in_place("two")), 1);
    EXPECT(load(&systemd, "", ""));
    EXPECT_UINT(0600, mode_of(in_place("one/secret")));
    EXPECT_UINT(0, mode_of(in_place("two")));
    EXPECT(!are_equal(&home, &xdg) && !are_equal(&home, &systemd) && !are_equal(&xdg, &systemd));

    setenv("STATE_DIRECTORY", "", 1);
    EXPECT(load(&key, "", ""));
    EXPECT(are_equal(&key, &xdg));
    setenv("XDG_STATE_HOME", "relative", 1); /* the specification: to be ignored */
    EXPECT(load(&key, "", ""));
    EXPECT(are_equal(&key, &home));
    depart();
}

static unsigned warnings;

static bool count_warnings(void *ctx, const char *line, size_t size)
{
    (void)ctx;
    warnings += memmem(line, size, "level=warning event=state_not_kept reason=\"", 43) != NULL;
    return true;
}

static uint64_t any_time(void *ctx)
{
    (void)ctx;
    return 0;
}

/* Loads with nothing asked for and counts what is said of it. */
static bool load_default(struct token_key *out)
{
    struct log_sink sink = {.wall_ms = any_time, .write = count_warnings};

    warnings = 0;
    log_init(&sink, LOG_LEVEL_INFO);
    bool loaded = load(out, "", "");
    log_init(NULL, LOG_LEVEL_INFO);
    return loaded;
}

TEST(a_usual_place_that_cannot_be_used_is_a_warning_and_a_key_for_this_life)
{
    static const char *const homes[] = {"/dev/null", "", "relative", NULL};
    struct token_key first, second;

    arrive();
    for (size_t i = 0; i < ARRAY_SIZE(homes); i++) {
        if (homes[i])
            setenv("HOME", homes[i], 1);
        else
            unsetenv("HOME");
        EXPECT(load_default(&first));
        EXPECT_UINT(1, warnings);
        EXPECT(load_default(&second));
        EXPECT_UINT(1, warnings);
        EXPECT(!are_equal(&first, &second));
    }
    depart();
}
