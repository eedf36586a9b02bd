/*
 * Replays a corpus through a fuzz target where libFuzzer is not at hand: fuzz_<kind>
 * FILE-OR-FOLDER...
 *
 * Each input lies in a block of exactly its size, so that AddressSanitizer sees a read past its
 * end. Besides the input itself its prefixes and its single-bit errors are tried (of short inputs
 * all, of long ones a share), which costs little and finds most of what breaks a length check.
 */
#include "fuzz.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define INPUT_MAX (1u << 20)
#ifndef SERIN_FUZZ_VARIANTS /* fewer where an input takes long */
#define SERIN_FUZZ_VARIANTS 2048u
#endif
#define VARIANTS_MAX SERIN_FUZZ_VARIANTS /* of each sort, per input */

static unsigned long inputs;

static void run_exact(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        fprintf(stderr, "fuzz replay: memory is exhausted\n");
        exit(1);
    }
    if (size > 0) {
        memcpy(copy, data, size);
    }
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void run_variants(uint8_t *data, size_t size)
{
    size_t step = size / VARIANTS_MAX + 1;
    run_exact(data, size);
    for (size_t cut = 0; cut < size; cut += step) {
        run_exact(data, cut);
    }
    for (size_t bit = 0; bit < 8 * size; bit += 8 * size / VARIANTS_MAX + 1) {
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        run_exact(data, size);
        data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    inputs++;
}

static int replay_file(const char *path)
{
    static uint8_t data[INPUT_MAX];
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        fprintf(stderr, "fuzz replay: cannot read %s\n", path);
        return 1;
    }
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    run_variants(data, size);
    return 0;
}

static int replay_path(const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0 || !S_ISDIR(status.st_mode)) {
        return replay_file(path);
    }
    DIR *folder = opendir(path);
    if (folder == NULL) {
        fprintf(stderr, "fuzz replay: cannot open %s\n", path);
        return 1;
    }
    int failed = 0;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char name[4096];
        int length = snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.' && length > 0 && (size_t)length < sizeof name) {
            failed |= replay_file(name);
        }
    }
    closedir(folder);
    return failed;
}

int main(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++) {
        failed |= replay_path(argv[i]);
    }
    printf("%lu inputs\n", inputs);
    if (inputs == 0) {
        fprintf(stderr, "fuzz replay: no input at all; an empty corpus proves nothing\n");
        return 1;
    }
    return failed;
}
