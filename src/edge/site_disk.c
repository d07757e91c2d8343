#include "aloha/site_disk.h"

#include "aloha/log.h"
#include "aloha/siphash.h"

#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
    FILES_MAX = 256,
    FILE_SIZE_MAX = 8 * 1024 * 1024,
    PATH_TEXT_MAX = 4096,
    NAME_SIZE_MAX = 256,
    TAG_SIZE = 17
};

/* A site and what it owns. site comes first: a pointer to one is a pointer to the other. */
struct disk_site {
    struct site site;
    struct asset assets[FILES_MAX];
    struct {
        char path[NAME_SIZE_MAX], tag[TAG_SIZE];
    } names[FILES_MAX]; /* what the assets' paths and tags point into */
};

static bool read_file(const char *path, struct str *out)
{
    FILE *file = fopen(path, "rbe");
    struct stat info;
    char *data = NULL;

    if (!file || fstat(fileno(file), &info) != 0 || info.st_size > FILE_SIZE_MAX)
        goto failed;
    data = malloc((size_t)info.st_size + 1);
    if (!data || fread(data, 1, (size_t)info.st_size, file) != (size_t)info.st_size)
        goto failed;
    fclose(file);
    *out = (struct str){data, (size_t)info.st_size};
    return true;

failed:
    log_warning("assets_unreadable", log_text("path", path));
    if (file)
        fclose(file);
    free(data);
    return false;
}

static void free_text(struct str text)
{
    free((void *)(uintptr_t)text.text);
}

void site_disk_free(struct site *site)
{
    if (!site)
        return;
    for (size_t i = 0; i < site->asset_count; i++)
        free_text(site->assets[i].content[ENCODING_IDENTITY]);
    free_text(site->room_view);
    free_text(site->error_view);
    free(site);
}

static bool add_asset(struct disk_site *disk, const char *path, const char *name)
{
    size_t index = disk->site.asset_count;
    struct str content;

    if (index == FILES_MAX || strlen(name) >= NAME_SIZE_MAX || !read_file(path, &content))
        return false;
    snprintf(disk->names[index].path, NAME_SIZE_MAX, "%s", name);
    snprintf(disk->names[index].tag, TAG_SIZE, "%016llx",
             (unsigned long long)siphash((struct siphash_key){0, 0}, content.text, content.size));
    disk->assets[index] = (struct asset){
        .path = str_of(disk->names[index].path),
        .tag = str_of(disk->names[index].tag),
        .content[ENCODING_IDENTITY] = content,
    };
    disk->site.asset_count++;
    return true;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct asset *)a)->path.text, ((const struct asset *)b)->path.text);
}

static bool add_tree(struct disk_site *disk, char *dir)
{
    char *const roots[] = {dir, NULL};
    size_t prefix = strlen(dir) + 1;
    bool ok = true;
    FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);

    if (!tree)
        return false;
    for (FTSENT *entry; ok && (entry = fts_read(tree));)
        if (entry->fts_info == FTS_F)
            ok = add_asset(disk, entry->fts_path, entry->fts_path + prefix);
    fts_close(tree);
    qsort(disk->assets, disk->site.asset_count, sizeof disk->assets[0], by_path);
    return ok;
}

struct site *site_disk_load(const char *dir)
{
    char path[PATH_TEXT_MAX];
    struct disk_site *disk = calloc(1, sizeof *disk);

    if (!disk)
        return NULL;
    disk->site.assets = disk->assets;
    disk->site.tree_tag = STR("disk");
    snprintf(path, sizeof path, "%s/public", dir);
    bool ok = add_tree(disk, path);
    snprintf(path, sizeof path, "%s/views/room.html", dir);
    ok = ok && read_file(path, &disk->site.room_view);
    snprintf(path, sizeof path, "%s/views/error.html", dir);
    ok = ok && read_file(path, &disk->site.error_view);
    if (ok)
        return &disk->site;
    site_disk_free(&disk->site);
    return NULL;
}
