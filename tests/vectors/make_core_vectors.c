/*
 * make_core_vectors DIR: writes the golden vectors of the signed formats into DIR, which holds the
 * test keys. This is how tests/vectors/v1 was made; check_core_vectors proves that it would be made
 * the same today.
 */
#include "vectors.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void write_vector(void *arg, const char *name, const void *data, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", (const char *)arg, name);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        fprintf(stderr, "make_core_vectors: cannot write %s\n", path);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    static const char *const folders[] = {"refused", "twin", "other-curve"};
    if (argc != 2) {
        fprintf(stderr, "make_core_vectors: give the folder that holds the test keys\n");
        return 2;
    }
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        char path[1024];
        snprintf(path, sizeof path, "%s/%s", argv[1], folders[i]);
        mkdir(path, 0755);
    }
    if (!vectors_make(serin_wolfcrypt(), serin_protobufc(), argv[1], write_vector, argv[1])) {
        fprintf(stderr, "make_core_vectors: a key in %s is missing or no P-256 key\n", argv[1]);
        return 1;
    }
    return 0;
}
