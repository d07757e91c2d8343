/* Prints a document, or a part of one, that is generated from a table in the code; with --all, writes those
 * that are wholly generated into the repository. */
#include "docs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int usage(void)
{
    fprintf(stderr, "usage: write_docs --all");
    for (size_t i = 0; i < ARRAY_SIZE(documents); i++)
        fprintf(stderr, "|%s", documents[i].name);
    fprintf(stderr, "\n");
    return 2;
}

/* Writes document i to `file`, which it closes. */
static bool write_to(FILE *file, size_t i)
{
    struct buf text;

    if (!file)
        return false;
    buf_init(&text, 1024 * 1024);
    documents[i].write(&text);
    bool done = !text.failed && fwrite(text.data, 1, text.size, file) == text.size;
    buf_deinit(&text);
    return fclose(file) == 0 && done;
}

static int write_all(void)
{
    char path[4096];

    for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
        snprintf(path, sizeof path, "%s/%s", SOURCE_DIR, documents[i].file);
        if (documents[i].is_whole && !write_to(fopen(path, "w"), i)) {
            perror(path);
            return 1;
        }
    }
    return 0;
}

int main(int argc, char *argv[])
{
    if (argc == 2 && strcmp(argv[1], "--all") == 0)
        return write_all();
    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(documents); i++)
        if (strcmp(argv[1], documents[i].name) == 0)
            return write_to(stdout, i) ? 0 : 1;
    return usage();
}
