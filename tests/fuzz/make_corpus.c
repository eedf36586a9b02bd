/*
 * make_corpus VECTORS CORPUS: writes the seeds of the fuzz targets. Signed formats begin with the
 * golden vectors, good and refused; payloads with the smallest and the largest value of their kind;
 * topics with one of each.
 */
#include "wire_values.h"

#include <serin/adapters/protobufc.h>
#include <serin/topic.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILE_MAX 65536u

static const char *vectors;
static const char *corpus;

static FILE *open_or_exit(const char *path, const char *mode)
{
    FILE *file = fopen(path, mode);
    if (file == NULL) {
        fprintf(stderr, "make_corpus: cannot open %s\n", path);
        exit(1);
    }
    return file;
}

static void write_seed(const char *target, const char *name, const void *data, size_t size)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", corpus, target);
    mkdir(path, 0755);
    snprintf(path, sizeof path, "%s/%s/%s", corpus, target, name);
    FILE *file = open_or_exit(path, "wb");
    if (fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        fprintf(stderr, "make_corpus: cannot write %s\n", path);
        exit(1);
    }
}

static void copy_vector(const char *target, const char *name, const char *vector)
{
    static uint8_t data[FILE_MAX];
    char path[1024];
    snprintf(path, sizeof path, "%s/%s", vectors, vector);
    FILE *file = open_or_exit(path, "rb");
    size_t size = fread(data, 1, sizeof data, file);
    fclose(file);
    write_seed(target, name, data, size);
}

static void signed_seeds(void)
{
    char line[128];
    char file[64];
    char target[16];
    copy_vector("manifest", "good", "manifest.bin");
    copy_vector("trust", "good", "trust.bin");
    copy_vector("bundle", "good", "bundle.bin");
    snprintf(line, sizeof line, "%s/refused.txt", vectors);
    FILE *list = open_or_exit(line, "r");
    while (fgets(line, sizeof line, list) != NULL) {
        char vector[80];
        if (sscanf(line, "%63s %15s", file, target) == 2) {
            snprintf(vector, sizeof vector, "refused/%s", file);
            copy_vector(target, file, vector);
        }
    }
    fclose(list);
}

static void payload_seeds(void)
{
    static union wire_value value;
    static uint8_t payload[WIRE_PAYLOAD_MAX];
    for (size_t i = 0; i < 2 * WIRE_KIND_COUNT; i++) {
        const struct wire_kind *kind = &wire_kinds[i / 2];
        size_t size = 0;
        memset(&value, 0, sizeof value);
        (i % 2 == 0 ? kind->small : kind->large)(&value);
        if (kind->encode(serin_protobufc(), &value, payload, sizeof payload, &size) != SERIN_OK) {
            fprintf(stderr, "make_corpus: %s does not encode\n", kind->name);
            exit(1);
        }
        const char *target = strcmp(kind->name, "envelope") == 0 ? "directive" : kind->name;
        char name[64];
        snprintf(name, sizeof name, "%s-%s", kind->name, i % 2 == 0 ? "small" : "large");
        write_seed(target, name, payload, size);
    }
}

static void topic_seeds(void)
{
    for (int kind = SERIN_TOPIC_INVALID + 1; kind < SERIN_TOPIC_COUNT; kind++) {
        const struct serin_topic topic = {.kind = (enum serin_topic_kind)kind,
                                          .id = "d-7",
                                          .product = "lamp",
                                          .channel = "stable"};
        char text[SERIN_TOPIC_MAX];
        char name[16];
        serin_topic_format(&topic, text);
        snprintf(name, sizeof name, "kind-%02d", kind);
        write_seed("topic", name, text, strlen(text));
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "make_corpus: give the folder of the vectors and that of the corpus\n");
        return 2;
    }
    vectors = argv[1];
    corpus = argv[2];
    mkdir(corpus, 0755);
    signed_seeds();
    payload_seeds();
    topic_seeds();
    return 0;
}
