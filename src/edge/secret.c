#include "aloha/secret.h"

#include "aloha/ids.h"
#include "aloha/log.h"
#include "aloha/state_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE_MAX = STATE_PATH_SIZE_MAX, HEX_SIZE = 2 * TOKEN_KEY_SIZE };
_Static_assert(sizeof(struct token_key) == SECRET_DIGEST_SIZE, "a digest is a key");

/* Who but the owner may read a file. */
enum reach { OWNER_ONLY, GROUP_IF_ROOTS };

/* What is said of a file that cannot be used. */
struct complaint {
    char *text;
    size_t size;
};

static bool fail(struct complaint complaint, const char *path, const char *what)
{
    snprintf(complaint.text, complaint.size, "%.200s: %s", path, what);
    return false;
}

/* The file's bytes; -1 with errno. */
static ssize_t read_whole(int fd, char *out, size_t capacity)
{
    size_t used = 0;

    for (;;) {
        ssize_t got = read(fd, out + used, capacity - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        used += (size_t)got;
        if (got == 0 || used == capacity)
            return (ssize_t)used;
    }
}

/* Takes text for the secret. The line feed that editors and shells put behind it does not count. */
static bool take(struct secret *out, size_t size, const char *from, struct complaint complaint)
{
    while (size && (out->text[size - 1] == '\n' || out->text[size - 1] == '\r'))
        size--;
    out->size = size;
    if (size >= SECRET_SIZE_MIN)
        return true;
    secret_forget(out);
    return fail(complaint, from, "holds less than 32 bytes");
}

static uid_t trusted_user; /* root, unless somebody has been named */

void secret_trust_user(uid_t user)
{
    trusted_user = user;
}

static const char *fault_of(const struct stat *info, enum reach reach)
{
    mode_t open_to = S_IRWXG | S_IRWXO;

    if (!S_ISREG(info->st_mode))
        return "is not a file";
    if (info->st_uid != 0 && info->st_uid != geteuid() && info->st_uid != trusted_user)
        return "belongs to another user; chown it";
    if (reach == GROUP_IF_ROOTS && info->st_uid == 0)
        open_to &= ~(mode_t)S_IRGRP;
    return info->st_mode & open_to ? "can be read by others; chmod 600 it" : NULL;
}

const char *secret_file_fault(const struct stat *info)
{
    return fault_of(info, OWNER_ONLY);
}

static bool read_file(struct secret *out, int fd, const char *path, enum reach reach,
                      struct complaint complaint)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return fail(complaint, path, strerror(errno));
    const char *fault = fault_of(&info, reach);
    if (fault)
        return fail(complaint, path, fault);
    ssize_t size = read_whole(fd, out->text, sizeof out->text);
    if (size < 0)
        return fail(complaint, path, strerror(errno));
    if (size == sizeof out->text) {
        secret_forget(out);
        return fail(complaint, path, "is too long for a secret");
    }
    return take(out, (size_t)size, path, complaint);
}

static bool load_file(struct secret *out, const char *path, enum reach reach,
                      struct complaint complaint)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fail(complaint, path, strerror(errno));
    bool done = read_file(out, fd, path, reach, complaint);
    close(fd);
    return done;
}

static bool load_value(struct secret *out, const struct secret_source *source,
                       struct complaint complaint)
{
    char name[64];
    size_t size = strlen(source->value);

    config_environment_name(source->name, name, sizeof name);
    if (size >= sizeof out->text)
        return fail(complaint, name, "is too long for a secret");
    memcpy(out->text, source->value, size);
    return take(out, size, name, complaint);
}

/* The path of the credential of that name (systemd.exec(5), "Credentials"); false when there is none. */
static bool find_credential(char out[PATH_SIZE_MAX], const char *name)
{
    const char *dir = getenv("CREDENTIALS_DIRECTORY");

    if (!dir || dir[0] != '/')
        return false;
    int size = snprintf(out, PATH_SIZE_MAX, "%s/%s", dir, name);
    return size > 0 && size < PATH_SIZE_MAX && (access(out, F_OK) == 0 || errno != ENOENT);
}

enum secret_verdict secret_read(struct secret *out, const struct secret_source *source,
                                char *problem, size_t problem_size)
{
    char path[PATH_SIZE_MAX];
    struct complaint complaint = {problem, problem_size};
    bool done;

    if (source->value)
        done = load_value(out, source, complaint);
    else if (source->file[0])
        done = load_file(out, source->file, OWNER_ONLY, complaint);
    else if (find_credential(path, source->name))
        done = load_file(out, path, GROUP_IF_ROOTS, complaint);
    else
        return SECRET_NOT_GIVEN;
    return done ? SECRET_FOUND : SECRET_UNUSABLE;
}

bool secret_digest(const struct secret *secret, uint8_t out[SECRET_DIGEST_SIZE])
{
    return EVP_Digest(secret->text, secret->size, out, NULL, EVP_sha256(), NULL) == 1;
}

void secret_forget(struct secret *secret)
{
    OPENSSL_cleanse(secret, sizeof *secret);
}

/* ---- the key of the resume tokens ---- */

static bool make_key(struct token_key *out, struct secret *secret, struct complaint complaint)
{
    bool done = secret_digest(secret, out->bytes);
    secret_forget(secret);
    return done || fail(complaint, "secret", "no memory");
}

/* Makes the file at `path`, unless there is one. */
static bool make(const char *path)
{
    uint8_t bytes[TOKEN_KEY_SIZE];
    char text[HEX_SIZE + 2];

    ids_random(bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
    text[HEX_SIZE] = '\n';
    bool done = state_file_write(path, (struct str){text, HEX_SIZE + 1}, false);
    int error = errno;
    OPENSSL_cleanse(bytes, sizeof bytes);
    OPENSSL_cleanse(text, sizeof text);
    errno = error;
    return done;
}

static bool load_from(struct token_key *out, const char *dir, struct complaint complaint)
{
    char path[PATH_SIZE_MAX];

    if (!state_dir_make(dir))
        return fail(complaint, dir, strerror(errno));
    if ((size_t)snprintf(path, sizeof path, "%s/secret", dir) >= sizeof path)
        return fail(complaint, dir, "is too long a name");
    if (access(path, F_OK) != 0 && !make(path))
        return fail(complaint, path, strerror(errno));
    struct secret secret;
    return load_file(&secret, path, OWNER_ONLY, complaint) && make_key(out, &secret, complaint);
}

static bool has_key(const char *dir)
{
    char path[PATH_SIZE_MAX];
    int size = snprintf(path, sizeof path, "%s/secret", dir);
    return size > 0 && size < PATH_SIZE_MAX && access(path, F_OK) == 0;
}

bool secret_load(struct token_key *out, const struct secret_source *source, const char *state_dir,
                 char *problem, size_t problem_size)
{
    char dir[PATH_SIZE_MAX];
    struct secret secret;
    struct complaint complaint = {problem, problem_size};

    enum secret_verdict verdict = secret_read(&secret, source, problem, problem_size);
    if (verdict != SECRET_NOT_GIVEN)
        return verdict == SECRET_FOUND && make_key(out, &secret, complaint);
    if (state_dir[0])
        return load_from(out, state_dir, complaint);
    fail(complaint, "state", "no home directory");
    bool has_dir = state_dir_find(dir, "");
    if (has_dir && load_from(out, dir, complaint))
        return true;
    if (has_dir && has_key(dir))
        return false; /* not to be passed over: those who are in a call count on it */
    log_warning("state_not_kept", log_text("reason", problem));
    ids_random(out, sizeof *out);
    return true;
}
