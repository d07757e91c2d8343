/* Prints a document, or a part of one, that is generated from a table in the code. */
#include "aloha/config.h"
#include "docs.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char *argv[])
{
    struct buf text;

    buf_init(&text, 1024 * 1024);
    for (size_t i = 0; argc == 2 && i < ARRAY_SIZE(documents); i++)
        if (strcmp(argv[1], documents[i].name) == 0)
            documents[i].write(&text);
    if (text.size == 0) {
        fprintf(stderr, "usage: write_docs configuration|errors|closes|limits|metrics\n");
        return 2;
    }
    fwrite(text.data, 1, text.size, stdout);
    buf_deinit(&text);
    return 0;
}
