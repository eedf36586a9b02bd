/*
 * The delta codec: what the encoder makes of a pair of images the decoder turns into the new one,
 * fed by any number of bytes, over a checkpoint at any point; whatever else it is fed is an error,
 * and no byte outside is read or written. Patches of before still decode (tests/vectors/v1/delta).
 */
#include "check_main.h"
#include "delta_images.h"

#include <serin/adapters/divsufsort.h>
#include <serin/bytes.h>
#include <serin/crc32.h>

#include <stdio.h>
#include <string.h>

static struct delta_pair pair;
static struct serin_delta_patch patch;

/* How a decoder is driven. */
struct drive {
    size_t feed;      /* bytes at a time; 0: all */
    unsigned restore; /* after so many answers the power is cut; 0: never */
    unsigned answers; /* in all, for whoever wants to know */
    uint32_t made;
};

static void make_pair(enum serin_delta_arch arch, uint32_t seed, enum serin_delta_ram ram)
{
    delta_images(arch, seed, &pair);
    struct serin_delta_job job = {.old = pair.old,
                                  .new = pair.new,
                                  .old_size = pair.old_size,
                                  .new_size = pair.new_size,
                                  .ram = ram,
                                  .suffixes = &serin_divsufsort};
    ck_assert_int_eq(serin_delta_make(&job, &patch), SERIN_OK);
}

/* What is left after a power cut: a checkpoint, saved in pieces, loaded in others. */
static struct serin_delta *cut(struct serin_delta *delta, void *memory, size_t size)
{
    struct serin_delta_header header = delta->header;
    struct serin_delta_cursor cursor = {0};
    size_t whole = serin_delta_checkpoint_size(delta);
    uint8_t *saved = malloc(whole);
    ck_assert_uint_lt(whole, size);
    for (size_t at = 0; at < whole;) {
        size_t count =
            serin_delta_save(delta, &cursor, saved + at, whole - at < 100 ? whole - at : 100);
        ck_assert_uint_gt(count, 0);
        at += count;
    }
    uint8_t more;
    ck_assert_uint_eq(serin_delta_save(delta, &cursor, &more, 1), 0);
    memset(memory, 0xa5, size);
    ck_assert_int_eq(serin_delta_init(memory, size, &header, UINT32_MAX, &delta), SERIN_OK);
    cursor = (struct serin_delta_cursor){0};
    for (size_t at = 0; at < whole;) {
        ck_assert_int_eq(serin_delta_loaded(delta, &cursor), SERIN_ERR_TRUNCATED);
        at += serin_delta_load(delta, &cursor, saved + at, whole - at < 7 ? whole - at : 7);
    }
    ck_assert_int_eq(serin_delta_loaded(delta, &cursor), SERIN_OK);
    free(saved);
    return delta;
}

/* Once they are read, the breakpoints of each map ascend: they are searched by halves. */
static void expect_ascending(const struct serin_delta *delta)
{
    for (uint32_t i = 1; i < delta->read_count && delta->state > SERIN_DELTA_STATE_MAPS; i++) {
        ck_assert(i == delta->relative_count ||
                  delta->breaks[i].start > delta->breaks[i - 1].start);
    }
}

/* Decodes from memory of the exact size into memory of the exact size, so that AddressSanitizer
 * sees a byte too many on either side. `whole` is a patch with its header. */
static enum serin_error decode(const uint8_t *whole, size_t whole_size, struct drive *drive,
                               uint8_t *out, size_t out_size)
{
    struct serin_delta_header header;
    struct serin_delta *delta;
    enum serin_error error = serin_delta_header_read(whole, &header);
    if (error != SERIN_OK) {
        return error;
    }
    size_t size = serin_delta_memory(header.backend);
    void *memory = malloc(size);
    uint8_t *old = malloc(pair.old_size + 1);
    memcpy(old, pair.old, pair.old_size);
    size_t fed = SERIN_DELTA_HEADER_SIZE;
    error = header.base_size == pair.old_size
                ? serin_delta_init(memory, size, &header, (uint32_t)out_size, &delta)
                : SERIN_ERR_DIGEST;
    enum serin_delta_want want = SERIN_DELTA_WANT_PATCH;
    drive->made = 0;
    for (drive->answers = 1; error == SERIN_OK; drive->answers++) {
        uint32_t from;
        uint32_t count;
        size_t made;
        /* The window of the old image is not in it: cut right behind OLD, it would be wanted for
         * ever. */
        if (drive->restore != 0 && drive->answers % drive->restore == 0 &&
            want != SERIN_DELTA_WANT_OLD) {
            delta = cut(delta, memory, size);
        }
        error = serin_delta_run(delta, &want);
        expect_ascending(delta);
        if (error != SERIN_OK || want == SERIN_DELTA_WANT_END) {
            break;
        }
        if (want == SERIN_DELTA_WANT_PATCH) {
            size_t left = whole_size - fed;
            size_t most = drive->feed != 0 && drive->feed < left ? drive->feed : left;
            if (most == 0) {
                error = SERIN_ERR_TRUNCATED;
            }
            fed += serin_delta_feed(delta, whole + fed, most);
        } else if (want == SERIN_DELTA_WANT_OLD) {
            serin_delta_old_want(delta, &from, &count);
            ck_assert(count > 0 && count <= SERIN_DELTA_WINDOW_SIZE);
            ck_assert(from < pair.old_size && count <= pair.old_size - from);
            serin_delta_old(delta, old + from);
        } else {
            const uint8_t *bytes = serin_delta_output(delta, &made);
            ck_assert(made > 0 && made <= SERIN_DELTA_OUTPUT_SIZE &&
                      made <= out_size - drive->made);
            memcpy(out + drive->made, bytes, made);
            drive->made += (uint32_t)made;
            serin_delta_written(delta);
        }
    }
    free(memory);
    free(old);
    return error;
}

static void expect_new(const uint8_t *whole, size_t size, struct drive drive)
{
    uint8_t *out = malloc(pair.new_size + 1);
    ck_assert_int_eq(decode(whole, size, &drive, out, pair.new_size), SERIN_OK);
    ck_assert_uint_eq(drive.made, pair.new_size);
    ck_assert_mem_eq(out, pair.new, pair.new_size);
    free(out);
}

START_TEST(every_architecture_and_back_end_comes_back)
{
    for (unsigned arch = 0; arch < SERIN_DELTA_ARCH_COUNT; arch++) {
        for (unsigned ram = SERIN_DELTA_RAM_TEST; ram <= SERIN_DELTA_RAM_16K; ram++) {
            make_pair((enum serin_delta_arch)arch, 1 + arch, (enum serin_delta_ram)ram);
            expect_new(patch.bytes, patch.size, (struct drive){.feed = 0});
            expect_new(patch.bytes, patch.size, (struct drive){.feed = 1});
            expect_new(patch.bytes, patch.size, (struct drive){.feed = 13});
            if (ram != SERIN_DELTA_RAM_TEST) {
                /* What the images are made like is found, and moved references are predicted. */
                ck_assert(arch == SERIN_DELTA_ARCH_NONE || patch.header.arch == arch);
                ck_assert_uint_lt(patch.size, pair.new_size / 4);
            }
            free(patch.bytes);
        }
    }
}
END_TEST

START_TEST(an_image_alone_is_compressed)
{
    static uint8_t twice[2 * DELTA_IMAGE_MAX];
    for (unsigned arch = 0; arch < SERIN_DELTA_ARCH_COUNT; arch++) {
        for (unsigned ram = SERIN_DELTA_RAM_TEST; ram <= SERIN_DELTA_RAM_16K; ram++) {
            delta_images((enum serin_delta_arch)arch, 4, &pair);
            /* What repeats itself within the history costs next to nothing. */
            uint32_t half = pair.new_size < 1000 ? pair.new_size : 1000;
            memcpy(twice, pair.new, half);
            memcpy(twice + half, pair.new, half);
            memcpy(pair.new, twice, (size_t)2 * half);
            pair.new_size = 2 * half;
            pair.old_size = 0;
            struct serin_delta_job job = {.new = pair.new,
                                          .new_size = pair.new_size,
                                          .ram = (enum serin_delta_ram)ram,
                                          .suffixes = &serin_divsufsort};
            ck_assert_int_eq(serin_delta_make(&job, &patch), SERIN_OK);
            expect_new(patch.bytes, patch.size, (struct drive){.feed = 1});
            expect_new(patch.bytes, patch.size, (struct drive){.feed = 9, .restore = 4});
            ck_assert_uint_lt(patch.size, half + half / 2);
            free(patch.bytes);
        }
    }
}
END_TEST

START_TEST(a_checkpoint_goes_on_from_any_point)
{
    for (unsigned arch = 0; arch < SERIN_DELTA_ARCH_COUNT; arch++) {
        make_pair((enum serin_delta_arch)arch, 5, SERIN_DELTA_RAM_8K);
        for (unsigned restore = 1; restore < 40; restore += 6) {
            expect_new(patch.bytes, patch.size, (struct drive){.feed = 3, .restore = restore});
        }
        free(patch.bytes);
    }
}
END_TEST

/* Loads a checkpoint with one byte other than it was, under a CRC that is right. */
static enum serin_error load_altered(uint8_t *saved, size_t size, size_t at, uint8_t byte, bool crc)
{
    size_t memory_size = serin_delta_memory(patch.header.backend);
    void *memory = malloc(memory_size);
    uint8_t *copy = malloc(size);
    struct serin_delta *delta;
    struct serin_delta_cursor cursor = {0};
    memcpy(copy, saved, size);
    copy[at] = byte;
    if (crc) {
        serin_put_le32(copy + size - 4, serin_crc32(0, copy, size - 4));
    }
    ck_assert_int_eq(serin_delta_init(memory, memory_size, &patch.header, UINT32_MAX, &delta),
                     SERIN_OK);
    ck_assert_uint_eq(serin_delta_load(delta, &cursor, copy, size), size);
    ck_assert_uint_eq(serin_delta_load(delta, &cursor, copy, size), 0);
    enum serin_error error = serin_delta_loaded(delta, &cursor);
    free(memory);
    free(copy);
    return error;
}

START_TEST(an_altered_checkpoint_is_refused)
{
    struct serin_delta *delta;
    struct serin_delta_cursor cursor = {0};
    make_pair(SERIN_DELTA_ARCH_THUMB, 5, SERIN_DELTA_RAM_8K);
    size_t memory_size = serin_delta_memory(patch.header.backend);
    void *memory = malloc(memory_size);
    ck_assert_int_eq(serin_delta_init(memory, memory_size, &patch.header, UINT32_MAX, &delta),
                     SERIN_OK);
    size_t size = serin_delta_checkpoint_size(delta);
    uint8_t *saved = malloc(size);
    ck_assert_uint_eq(serin_delta_save(delta, &cursor, saved, size), size);
    ck_assert_int_eq(load_altered(saved, size, 0, saved[0], false), SERIN_OK);
    for (size_t at = 0; at < size; at += at < 200 ? 1 : 211) {
        uint8_t byte = (uint8_t)(saved[at] ^ 0x40);
        ck_assert_msg(load_altered(saved, size, at, byte, false) == SERIN_ERR_CRC, "%zu", at);
    }
    /* The first number behind magic and header is the state; the fourth the first count. Their
     * highest bytes make them too large under any CRC. */
    for (size_t number = 0; number < 7; number++) {
        size_t at = 8 + SERIN_DELTA_HEADER_SIZE + number * 4 + 3;
        ck_assert_msg(load_altered(saved, size, at, 0x7f, true) == SERIN_ERR_FORMAT, "%zu", number);
    }
    /* Behind the fields, of which the last 23 numbers begin with `from`, `to` and `fresh`, come
     * breakpoints, slots and CRC. */
    struct serin_delta_room room = serin_delta_room_of(patch.header.backend, false);
    size_t from = size - 4 - (size_t)2 * room.slots - (size_t)8 * room.breaks - (size_t)4 * 23;
    for (size_t number = 0; number < 3; number++) {
        size_t at = from + number * 4 + 3;
        ck_assert_msg(load_altered(saved, size, at, 0x7f, true) == SERIN_ERR_FORMAT, "%zu", number);
    }
    /* As far as it was written, but beyond the new image. */
    saved[8 + SERIN_DELTA_HEADER_SIZE + 2 * 4 + 3] = 0x7f;
    ck_assert_int_eq(load_altered(saved, size, from + 4 + 3, 0x7f, true), SERIN_ERR_FORMAT);
    free(memory);
    free(saved);
    free(patch.bytes);
}
END_TEST

START_TEST(a_cut_patch_ends_early)
{
    uint8_t out[DELTA_IMAGE_MAX];
    make_pair(SERIN_DELTA_ARCH_RISCV, 3, SERIN_DELTA_RAM_16K);
    for (size_t size = SERIN_DELTA_HEADER_SIZE; size < patch.size; size++) {
        struct drive drive = {.feed = 50};
        ck_assert_int_eq(decode(patch.bytes, size, &drive, out, pair.new_size),
                         SERIN_ERR_TRUNCATED);
    }
    free(patch.bytes);
}
END_TEST

START_TEST(a_damaged_patch_is_an_error_or_another_image)
{
    uint8_t out[DELTA_IMAGE_MAX];
    unsigned errors = 0;
    unsigned same = 0;
    for (unsigned ram = SERIN_DELTA_RAM_TEST; ram <= SERIN_DELTA_RAM_16K; ram++) {
        make_pair(SERIN_DELTA_ARCH_THUMB, 3, (enum serin_delta_ram)ram);
        for (size_t at = SERIN_DELTA_HEADER_SIZE; at < patch.size; at++) {
            uint8_t *copy = malloc(patch.size);
            struct drive drive = {.feed = 0};
            memcpy(copy, patch.bytes, patch.size);
            copy[at] ^= (uint8_t)(1u << (at & 7u));
            enum serin_error error = decode(copy, patch.size, &drive, out, pair.new_size);
            ck_assert(error == SERIN_OK || error == SERIN_ERR_FORMAT);
            errors += error != SERIN_OK;
            same += error == SERIN_OK && memcmp(out, pair.new, pair.new_size) == 0;
            free(copy);
        }
        free(patch.bytes);
    }
    ck_assert_uint_gt(errors, 10);
    /* Only bits behind the last symbol mean nothing. */
    ck_assert_uint_le(same, 6);
}
END_TEST

START_TEST(noise_is_an_error_or_an_image_within_its_limit)
{
    uint8_t out[DELTA_IMAGE_MAX];
    uint32_t state = 42;
    unsigned errors = 0;
    delta_images(SERIN_DELTA_ARCH_NONE, 1, &pair);
    for (unsigned i = 0; i < 600; i++) {
        uint8_t whole[SERIN_DELTA_HEADER_SIZE + 300];
        struct serin_delta_header header = {.backend = i % SERIN_DELTA_BACKEND_COUNT,
                                            .arch = i / 3 % SERIN_DELTA_ARCH_COUNT,
                                            .base_size = pair.old_size,
                                            .target_size = DELTA_IMAGE_MAX,
                                            .patch_size = 300};
        serin_delta_header_write(&header, whole);
        for (size_t at = SERIN_DELTA_HEADER_SIZE; at < sizeof whole; at++) {
            whole[at] = (uint8_t)(delta_random(&state) >> 9);
        }
        /* Half of them have no breakpoints, or little noise would come past the maps. */
        if (i % 2 == 0) {
            memset(whole + SERIN_DELTA_HEADER_SIZE, 0xff, 2);
        }
        struct drive drive = {.feed = 1 + i % 7};
        enum serin_error error = decode(whole, sizeof whole, &drive, out, sizeof out);
        ck_assert(error == SERIN_OK || error == SERIN_ERR_FORMAT);
        errors += error != SERIN_OK;
    }
    ck_assert_uint_gt(errors, 100);
}
END_TEST

START_TEST(the_header_says_what_is_wrong)
{
    static const struct {
        size_t at;
        uint8_t byte;
        bool crc;
        enum serin_error error;
    } rows[] = {
        {0, 'X', true, SERIN_ERR_FORMAT},   {4, 2, true, SERIN_ERR_VERSION},
        {5, 3, true, SERIN_ERR_FEATURE},    {6, 4, true, SERIN_ERR_FEATURE},
        {7, 1, true, SERIN_ERR_FEATURE},    {43, 0x10, true, SERIN_ERR_FORMAT},
        {47, 0x10, true, SERIN_ERR_FORMAT}, {9, 1, false, SERIN_ERR_CRC},
        {55, 1, false, SERIN_ERR_CRC},
    };
    struct serin_delta_header header = {.backend = SERIN_DELTA_BEST,
                                        .arch = SERIN_DELTA_ARCH_RISCV,
                                        .base = {1, 2, 3},
                                        .target = {4, 5},
                                        .base_size = 0x0fffffff,
                                        .target_size = 17,
                                        .patch_size = 0x12345678};
    struct serin_delta_header back;
    uint8_t bytes[SERIN_DELTA_HEADER_SIZE];
    serin_delta_header_write(&header, bytes);
    ck_assert_int_eq(serin_delta_header_read(bytes, &back), SERIN_OK);
    ck_assert_mem_eq(&back, &header, sizeof header);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        serin_delta_header_write(&header, bytes);
        bytes[rows[i].at] = rows[i].byte;
        if (rows[i].crc) {
            serin_put_le32(bytes + 52, serin_crc32(0, bytes, 52));
        }
        ck_assert_msg(serin_delta_header_read(bytes, &back) == rows[i].error, "%zu", i);
    }
}
END_TEST

START_TEST(no_more_is_made_or_taken_than_allowed)
{
    static const size_t most[] = {[SERIN_DELTA_SMALL] = 7680, [SERIN_DELTA_BEST] = 15872};
    struct serin_delta *delta;
    make_pair(SERIN_DELTA_ARCH_THUMB, 1, SERIN_DELTA_RAM_16K);
    size_t size = serin_delta_memory(patch.header.backend);
    void *memory = malloc(size);
    ck_assert_int_eq(serin_delta_init(memory, size, &patch.header, pair.new_size - 1, &delta),
                     SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(serin_delta_init(memory, size - 1, &patch.header, pair.new_size, &delta),
                     SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(serin_delta_init(memory, size, &patch.header, pair.new_size, &delta),
                     SERIN_OK);
    /* What a stack and a pointer of 8 bytes add stays below 8 and 16 KiB. */
    for (unsigned i = SERIN_DELTA_SMALL; i <= SERIN_DELTA_BEST; i++) {
        ck_assert_uint_le(serin_delta_memory((enum serin_delta_backend)i), most[i]);
    }
    free(memory);
    free(patch.bytes);
}
END_TEST

static void pair_of(const char *old, size_t old_size, const char *new, size_t new_size)
{
    struct serin_delta_job job = {.old = pair.old,
                                  .new = pair.new,
                                  .old_size = (uint32_t)old_size,
                                  .new_size = (uint32_t)new_size,
                                  .ram = SERIN_DELTA_RAM_16K,
                                  .suffixes = &serin_divsufsort};
    memcpy(pair.old, old, old_size);
    memcpy(pair.new, new, new_size);
    pair.old_size = job.old_size;
    pair.new_size = job.new_size;
    ck_assert_int_eq(serin_delta_make(&job, &patch), SERIN_OK);
    expect_new(patch.bytes, patch.size, (struct drive){.feed = 1, .restore = 3});
    free(patch.bytes);
}

START_TEST(images_of_few_bytes_come_back)
{
    static const char text[] = "Serin: staged, self-halting firmware updates over MQTT. 0123456789";
    static const size_t sizes[] = {0, 1, 2, 3, 5, 8, 33, 64};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
            pair_of(text, sizes[i], text, sizes[k]);
            pair_of(text, sizes[i], text + 1, sizes[k]);
        }
    }
}
END_TEST

/* ---- golden vectors ---- */

static uint32_t read_vector(const char *name, uint8_t *bytes, size_t room)
{
    char path[512];
    snprintf(path, sizeof path, "%s/delta/%s", SERIN_VECTORS, name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s", path);
    size_t size = fread(bytes, 1, room, file);
    ck_assert(feof(file));
    fclose(file);
    return (uint32_t)size;
}

START_TEST(patches_of_before_still_decode)
{
    static const char *const archs[] = {"none", "thumb", "xtensa", "riscv"};
    static const char *const backends[] = {"store", "small", "best"};
    for (unsigned i = 0; i < 4; i++) {
        char name[64];
        uint8_t whole[DELTA_IMAGE_MAX];
        snprintf(name, sizeof name, "%s-old.bin", archs[i]);
        pair.old_size = read_vector(name, pair.old, sizeof pair.old);
        snprintf(name, sizeof name, "%s-new.bin", archs[i]);
        pair.new_size = read_vector(name, pair.new, sizeof pair.new);
        for (unsigned k = 0; k < 3; k++) {
            snprintf(name, sizeof name, "%s-%s.delta", archs[i], backends[k]);
            uint32_t size = read_vector(name, whole, sizeof whole);
            ck_assert_uint_eq(whole[5], k);
            ck_assert(i == 0 || k == 0 || whole[6] == i);
            expect_new(whole, size, (struct drive){.feed = 11});
        }
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {every_architecture_and_back_end_comes_back,
                                  an_image_alone_is_compressed,
                                  a_checkpoint_goes_on_from_any_point,
                                  an_altered_checkpoint_is_refused,
                                  a_cut_patch_ends_early,
                                  a_damaged_patch_is_an_error_or_another_image,
                                  noise_is_an_error_or_an_image_within_its_limit,
                                  the_header_says_what_is_wrong,
                                  no_more_is_made_or_taken_than_allowed,
                                  images_of_few_bytes_come_back,
                                  patches_of_before_still_decode,
                                  NULL};
    return check_run("delta", tests);
}
