#include "aloha/config_load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The file as it was read. */
struct file {
    const char *path;
    char *text; /* owned */
    size_t size;
    bool is_strangers;
};

static bool fail(const char *path, const char *what, char *problem, size_t problem_size)
{
    snprintf(problem, problem_size, "%.150s: %s", path, what);
    str_make_printable(problem);
    return false;
}

/* NULL, or what is wrong with it. */
static const char *judge(const struct stat *info, struct file *file)
{
    if (!S_ISREG(info->st_mode))
        return "is not a file";
    if (info->st_mode & S_IWOTH)
        return "everybody can write to it; chmod o-w it";
    file->is_strangers = info->st_uid != 0 && info->st_uid != geteuid();
    if (file->is_strangers && geteuid() == 0)
        return "belongs to another user than root; chown it";
    return NULL;
}

/* Reads up to one byte more than is allowed; NULL, or what went wrong. */
static const char *read_whole(int fd, struct file *file)
{
    file->text = malloc(CONFIG_FILE_SIZE_MAX + 1);
    if (!file->text)
        return "no memory";
    while (file->size <= CONFIG_FILE_SIZE_MAX) {
        ssize_t got = read(fd, file->text + file->size, CONFIG_FILE_SIZE_MAX + 1 - file->size);
        if (got < 0 && errno != EINTR)
            return strerror(errno);
        if (got == 0)
            return NULL;
        file->size += got > 0 ? (size_t)got : 0;
    }
    return "is larger than 64 KiB";
}

static const char *read_open(int fd, struct file *file)
{
    struct stat info;

    if (fstat(fd, &info) != 0)
        return strerror(errno);
    const char *wrong = judge(&info, file);
    return wrong ? wrong : read_whole(fd, file);
}

static bool read_file(struct file *file, const struct config_place *place, char *problem,
                      size_t problem_size)
{
    file->path = place->path;
    int fd = place->path[0] ? open(place->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0) {
        bool may_be_missing = !place->path[0] || (!place->was_asked && errno == ENOENT);
        file->path = "";
        return may_be_missing || fail(place->path, strerror(errno), problem, problem_size);
    }
    const char *wrong = read_open(fd, file);
    close(fd);
    return !wrong || fail(place->path, wrong, problem, problem_size);
}

bool config_load(struct config *out, int argc, char *const argv[], char *problem,
                 size_t problem_size)
{
    struct config_input input = {.argc = argc, .argv = argv, .environment = environ};
    struct config_place place;
    struct file file = {.path = ""};

    if (!config_find_file(&place, &input, problem, problem_size))
        return false;
    bool done = read_file(&file, &place, problem, problem_size);
    input.file_name = file.path;
    input.file = (struct str){file.text, file.size};
    done = done && config_read(out, &input, problem, problem_size);
    free(file.text);
    if (done)
        out->file_is_strangers = file.is_strangers;
    return done;
}
