/*
 * Writes the golden vectors of the delta format into a folder: a pair of images for each
 * architecture, and the patch of each back end.
 */
#include "delta_images.h"

#include <serin/adapters/divsufsort.h>

#include <stdio.h>
#include <stdlib.h>

static int failed;

static void write_file(const char *folder, const char *arch, const char *what, const void *bytes,
                       size_t size)
{
    char path[512];
    (void)snprintf(path, sizeof path, "%s/%s-%s", folder, arch, what);
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(bytes, 1, size, file) != size || fclose(file) != 0) {
        perror(path);
        failed = 1;
    }
}

int main(int argc, char **argv)
{
    static struct delta_pair pair;
    if (argc != 2) {
        (void)fprintf(stderr, "usage: make_delta_vectors FOLDER\n");
        return 2;
    }
    for (unsigned arch = 0; arch < SERIN_DELTA_ARCH_COUNT; arch++) {
        const char *name = serin_delta_arch_name((enum serin_delta_arch)arch);
        delta_images((enum serin_delta_arch)arch, 2026 + arch, &pair);
        write_file(argv[1], name, "old.bin", pair.old, pair.old_size);
        write_file(argv[1], name, "new.bin", pair.new, pair.new_size);
        for (unsigned ram = SERIN_DELTA_RAM_TEST; ram <= SERIN_DELTA_RAM_16K; ram++) {
            static const char *const what[] = {"store.delta", "small.delta", "best.delta"};
            struct serin_delta_job job = {.old = pair.old,
                                          .new = pair.new,
                                          .old_size = pair.old_size,
                                          .new_size = pair.new_size,
                                          .ram = (enum serin_delta_ram)ram,
                                          .suffixes = &serin_divsufsort};
            struct serin_delta_patch patch;
            if (serin_delta_make(&job, &patch) != SERIN_OK) {
                return 1;
            }
            write_file(argv[1], name, what[ram], patch.bytes, patch.size);
            free(patch.bytes);
        }
    }
    return failed;
}
