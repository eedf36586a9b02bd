/*
 * make_flash_vectors DIR: writes the golden vectors of what lies in flash into DIR/flash; DIR is
 * tests/vectors/v1. check_flash_vectors proves that they would be made the same today.
 */
#include "flash_vectors.h"

#include <serin/adapters/wolfcrypt.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void write_vector(void *arg, const char *name, const void *data, size_t size)
{
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/%s", (const char *)arg, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        fprintf(stderr, "make_flash_vectors: cannot write %s\n", path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    char folder[1024];
    if (argc != 2) {
        fprintf(stderr, "make_flash_vectors: give the folder tests/vectors/v1\n");
        return 2;
    }
    (void)snprintf(folder, sizeof folder, "%s/flash", argv[1]);
    (void)mkdir(folder, 0755);
    if (!flash_vectors_make(serin_wolfcrypt(), argv[1], write_vector, argv[1])) {
        fprintf(stderr, "make_flash_vectors: a file in %s is missing or a step failed\n", argv[1]);
        return 1;
    }
    return 0;
}
