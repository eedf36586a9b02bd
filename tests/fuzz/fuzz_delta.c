/*
 * Deltas, both ways. An input is a patch behind its header, whose fields its first bytes choose:
 * the decoder makes an error of it or an image of the promised size, and the same over checkpoints.
 * Or it is a pair of images: the encoder's patch of them must come back as the new one; and with a
 * byte of it altered it is a patch that comes far into the decoder.
 *
 *   byte 0       bit 0: 0 a patch, 1 images; bits 1, 2: back end; bits 3, 4: architecture;
 *                bit 5: no old image
 *   byte 1       bytes at a time; after how many answers the power is cut, twice
 *   a patch      two bytes: size of the new image; the patch, over the old image of the
 * architecture images       two bytes: where to alter the patch, by how much; then edits of that
 * image, each skips up to 63 bytes, and drops, inserts, sets or doubles what follows
 */
#include "delta_images.h"
#include "fuzz.h"

#include <serin/adapters/divsufsort.h>

#include <stdlib.h>
#include <string.h>

static struct delta_pair pair;

struct result {
    enum serin_error error;
    uint32_t size;
    uint8_t bytes[DELTA_IMAGE_MAX];
};

static struct serin_delta *cut(struct serin_delta *delta, void *memory, size_t memory_size)
{
    struct serin_delta_header header = delta->header;
    struct serin_delta_cursor saving = {0};
    struct serin_delta_cursor loading = {0};
    size_t size = serin_delta_checkpoint_size(delta);
    uint8_t *saved = malloc(size);
    SERIN_ASSERT(saved != NULL && size < memory_size);
    SERIN_ASSERT(serin_delta_save(delta, &saving, saved, size) == size);
    memset(memory, 0xa5, memory_size);
    SERIN_ASSERT(serin_delta_init(memory, memory_size, &header, UINT32_MAX, &delta) == SERIN_OK);
    SERIN_ASSERT(serin_delta_load(delta, &loading, saved, size) == size);
    SERIN_ASSERT(serin_delta_loaded(delta, &loading) == SERIN_OK);
    free(saved);
    return delta;
}

/* `every`: so many answers before each of two cuts of the power; 0: none. */
static void decode(const struct serin_delta_header *header, const uint8_t *bytes, size_t step,
                   unsigned every, struct result *result)
{
    size_t size = serin_delta_memory(header->backend);
    void *memory = malloc(size);
    struct serin_delta *delta;
    enum serin_delta_want want = SERIN_DELTA_WANT_PATCH;
    size_t fed = 0;
    SERIN_ASSERT(memory != NULL);
    result->size = 0;
    result->error = serin_delta_init(memory, size, header, DELTA_IMAGE_MAX, &delta);
    for (unsigned answers = 1; result->error == SERIN_OK; answers++) {
        if (every != 0 && answers % every == 0 && answers < 3 * every &&
            want != SERIN_DELTA_WANT_OLD) {
            delta = cut(delta, memory, size);
        }
        result->error = serin_delta_run(delta, &want);
        if (result->error != SERIN_OK || want == SERIN_DELTA_WANT_END) {
            break;
        }
        if (want == SERIN_DELTA_WANT_PATCH) {
            size_t left = header->patch_size - fed;
            size_t taken = serin_delta_feed(delta, bytes + fed, step < left ? step : left);
            SERIN_ASSERT(taken > 0);
            fed += taken;
        } else if (want == SERIN_DELTA_WANT_OLD) {
            uint32_t from;
            uint32_t count;
            serin_delta_old_want(delta, &from, &count);
            SERIN_ASSERT(from < pair.old_size && count <= pair.old_size - from);
            serin_delta_old(delta, pair.old + from);
        } else {
            size_t made;
            const uint8_t *output = serin_delta_output(delta, &made);
            SERIN_ASSERT(made > 0 && made <= header->target_size - result->size);
            memcpy(result->bytes + result->size, output, made);
            result->size += (uint32_t)made;
            serin_delta_written(delta);
        }
    }
    SERIN_ASSERT(result->error == SERIN_ERR_FORMAT || result->error == SERIN_OK);
    SERIN_ASSERT(result->error != SERIN_OK || result->size == header->target_size);
    free(memory);
}

/* The same over cuts and in other steps as without. */
static void decode_twice(const struct serin_delta_header *header, const uint8_t *bytes, uint8_t how,
                         struct result *result)
{
    static struct result again;
    decode(header, bytes, SERIN_DELTA_INPUT_SIZE, 0, result);
    decode(header, bytes, 1u + (how & 15u) * 3u, 1u + (how >> 4) * 3u, &again);
    SERIN_ASSERT(again.error == result->error);
    /* What is lent before an error is not; how much of it was depends on the steps. */
    uint32_t both = again.size < result->size ? again.size : result->size;
    SERIN_ASSERT(memcmp(again.bytes, result->bytes, both) == 0);
    SERIN_ASSERT(result->error != SERIN_OK || again.size == result->size);
}

static void put(uint8_t byte)
{
    if (pair.new_size < DELTA_IMAGE_MAX) {
        pair.new[pair.new_size++] = byte;
    }
}

/* The new image, by edits of the old one. */
static void edit(const uint8_t *data, size_t size)
{
    uint32_t from = 0;
    pair.new_size = 0;
    for (size_t i = 0; i + 1 < size; i += 2) {
        uint32_t count = data[i] & 63u;
        for (; count > 0 && from < pair.old_size; count--) {
            put(pair.old[from++]);
        }
        uint32_t length = 1u + (data[i + 1] & 15u);
        for (uint32_t k = 0; k < length && from < pair.old_size; k++) {
            switch (data[i] >> 6) {
            case 0:
                from++;
                break;
            case 1:
                put((uint8_t)(data[i + 1] + k));
                break;
            case 2:
                put((uint8_t)(pair.old[from++] + data[i + 1]));
                break;
            default:
                put(pair.old[(from + k * 4) % pair.old_size]);
                break;
            }
        }
    }
    while (from < pair.old_size) {
        put(pair.old[from++]);
    }
}

static void try_images(enum serin_delta_backend backend, const uint8_t *data, size_t size)
{
    static struct result result;
    struct serin_delta_patch patch;
    edit(data + 4, size - 4);
    pair.old_size = (data[0] & 0x20u) != 0 ? 0 : pair.old_size;
    struct serin_delta_job job = {.old = pair.old,
                                  .new = pair.new,
                                  .old_size = pair.old_size,
                                  .new_size = pair.new_size,
                                  .ram = (enum serin_delta_ram)backend,
                                  .suffixes = &serin_divsufsort};
    SERIN_ASSERT(serin_delta_make(&job, &patch) == SERIN_OK);
    uint8_t *bytes = patch.bytes + SERIN_DELTA_HEADER_SIZE;
    decode_twice(&patch.header, bytes, data[1], &result);
    SERIN_ASSERT(result.error == SERIN_OK && memcmp(result.bytes, pair.new, pair.new_size) == 0);
    if (patch.header.patch_size > 0) {
        bytes[data[2] * 7u % patch.header.patch_size] ^= data[3];
        decode_twice(&patch.header, bytes, data[1], &result);
    }
    free(patch.bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct result result;
    if (size < 4) {
        return 0;
    }
    struct serin_delta_header header = {
        .backend = (enum serin_delta_backend)((data[0] >> 1 & 3u) % SERIN_DELTA_BACKEND_COUNT),
        .arch = (enum serin_delta_arch)(data[0] >> 3 & 3u),
    };
    delta_images(header.arch, 1, &pair);
    if ((data[0] & 1u) != 0) {
        try_images(header.backend, data, size);
        return 0;
    }
    pair.old_size = (data[0] & 0x20u) != 0 ? 0 : pair.old_size;
    header.base_size = pair.old_size;
    header.target_size = (uint32_t)(data[2] << 8 | data[3]) % (DELTA_IMAGE_MAX + 1);
    header.patch_size = (uint32_t)(size - 4);
    decode_twice(&header, data + 4, data[1], &result);
    return 0;
}
