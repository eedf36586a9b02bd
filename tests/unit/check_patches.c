/* Patches made in threads, on a real depot: they rebuild the image, and are made once. */
#include "check_main.h"
#include "delta_images.h"

#include <serin/adapters/divsufsort.h>
#include <serin/adapters/openssl.h>
#include <serin/adapters/patches.h>
#include <serin/piece.h>

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

static char all[] =
    "/tmp/serin-patches.XXXXXX"; /* removed by the program, whatever its tests did */
static char root[96], index_file[96];
static struct serin_depot *depot;
static struct serin_patches *patches;
static struct delta_pair pair;
static struct serin_patches_key key = {.backend = SERIN_DELTA_BEST};

static void start(void)
{
    const struct serin_patches_config config = {.depot_root = root,
                                                .index_file = index_file,
                                                .crypto = serin_openssl_hashing(),
                                                .suffixes = &serin_divsufsort,
                                                .thread_count = 2};
    ck_assert_int_eq(serin_patches_open(&patches, &config), SERIN_OK);
}

static void again(void)
{
    serin_patches_close(patches);
    start();
}

static void put(const uint8_t *bytes, size_t size, uint8_t name[SERIN_SHA256_SIZE])
{
    serin_sha256_of(serin_openssl_hashing(), bytes, size, name);
    ck_assert_int_eq(serin_depot_put(depot, name, bytes, size), SERIN_OK);
}

/* Each test runs in a process of its own, with a folder of its own below that of the program. */
static void setup(void)
{
    char base[64];
    snprintf(base, sizeof base, "%s/%d", all, (int)getpid());
    ck_assert_int_eq(mkdir(base, 0700), 0);
    snprintf(root, sizeof root, "%s/depot", base);
    snprintf(index_file, sizeof index_file, "%s/patches", base);
    ck_assert_int_eq(serin_depot_create(&depot, root, serin_openssl_hashing()), SERIN_OK);
    delta_images(SERIN_DELTA_ARCH_THUMB, 7, &pair);
    put(pair.old, pair.old_size, key.base);
    put(pair.new, pair.new_size, key.target);
    start();
}

static void teardown(void)
{
    serin_patches_close(patches);
    serin_depot_close(depot);
}

/* Waits for the next result, half a minute at most. */
static enum serin_error take(struct serin_patches_entry *entry)
{
    for (unsigned i = 0; i < 3000; i++) {
        enum serin_error error = serin_patches_take(patches, depot, entry);
        if (error != SERIN_ERR_AGAIN) {
            return error;
        }
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    }
    ck_abort_msg("no patch came");
    return SERIN_ERR_TIMEOUT;
}

/* The image that a device makes of the stored patch. */
static void rebuilds(const struct serin_patches_entry *entry)
{
    static uint8_t patch[DELTA_IMAGE_MAX], made[DELTA_IMAGE_MAX];
    static _Alignas(16) uint8_t memory[65536];
    ck_assert_int_eq(serin_depot_read(depot, entry->object, 0, patch, entry->size_bytes), SERIN_OK);
    struct serin_delta_header header;
    ck_assert_int_eq(serin_delta_header_read(patch, &header), SERIN_OK);
    ck_assert_int_eq(header.backend, entry->backend);
    ck_assert_mem_eq(header.base, entry->key.base, SERIN_DELTA_PREFIX_SIZE);
    ck_assert_mem_eq(header.target, entry->key.target, SERIN_DELTA_PREFIX_SIZE);
    struct serin_delta *delta;
    ck_assert_int_eq(serin_delta_init(memory, sizeof memory, &header, pair.new_size, &delta),
                     SERIN_OK);
    uint32_t fed = SERIN_DELTA_HEADER_SIZE, written = 0;
    enum serin_delta_want want = SERIN_DELTA_WANT_PATCH;
    while (want != SERIN_DELTA_WANT_END) {
        ck_assert_int_eq(serin_delta_run(delta, &want), SERIN_OK);
        if (want == SERIN_DELTA_WANT_PATCH) {
            ck_assert_uint_lt(fed, entry->size_bytes);
            fed += (uint32_t)serin_delta_feed(delta, patch + fed, entry->size_bytes - fed);
        } else if (want == SERIN_DELTA_WANT_OLD) {
            uint32_t from, size;
            serin_delta_old_want(delta, &from, &size);
            serin_delta_old(delta, pair.old + from);
        } else if (want == SERIN_DELTA_WANT_OUTPUT) {
            size_t size;
            const uint8_t *bytes = serin_delta_output(delta, &size);
            memcpy(made + written, bytes, size);
            written += (uint32_t)size;
            serin_delta_written(delta);
        }
    }
    ck_assert_uint_eq(written, pair.new_size);
    ck_assert_mem_eq(made, pair.new, pair.new_size);
}

START_TEST(test_made_and_found)
{
    struct serin_patches_entry entry, found;
    for (unsigned i = 0; i < 2; i++) {
        key.backend = i == 0 ? SERIN_DELTA_BEST : SERIN_DELTA_SMALL;
        ck_assert_int_eq(serin_patches_find(patches, depot, &key, &found), SERIN_ERR_NOT_FOUND);
        ck_assert_int_eq(serin_patches_ask(patches, &key, pair.new_size), SERIN_OK);
        ck_assert_int_eq(serin_patches_ask(patches, &key, pair.new_size), SERIN_ERR_EXISTS);
        ck_assert_int_eq(take(&entry), SERIN_OK);
        ck_assert_int_eq(serin_patches_take(patches, depot, &found), SERIN_ERR_AGAIN);
        ck_assert_int_eq(entry.key.backend, key.backend);
        rebuilds(&entry);
        ck_assert_int_eq(serin_patches_find(patches, depot, &key, &found), SERIN_OK);
        ck_assert_mem_eq(found.object, entry.object, SERIN_SHA256_SIZE);
    }
    again();
    for (unsigned i = 0; i < 2; i++) {
        key.backend = i == 0 ? SERIN_DELTA_BEST : SERIN_DELTA_SMALL;
        ck_assert_int_eq(serin_patches_find(patches, depot, &key, &found), SERIN_OK);
        rebuilds(&found);
    }
    /* What is known of an object that has gone is of no use; made again, it is there again. */
    ck_assert_int_eq(serin_depot_remove(depot, found.object), SERIN_OK);
    ck_assert_int_eq(serin_patches_find(patches, depot, &key, &entry), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_patches_ask(patches, &key, pair.new_size), SERIN_OK);
    ck_assert_int_eq(take(&entry), SERIN_OK);
    ck_assert_mem_eq(found.object, entry.object, SERIN_SHA256_SIZE);
    ck_assert_int_eq(serin_depot_remove(depot, found.pieces_sha256), SERIN_OK);
    ck_assert_int_eq(serin_patches_find(patches, depot, &key, &entry), SERIN_ERR_NOT_FOUND);
}
END_TEST

/* A patch of several pieces has a table with the hash of each. */
START_TEST(test_pieces)
{
    static uint8_t noise[3 * SERIN_PIECE_SIZE], bytes[4 * SERIN_PIECE_SIZE];
    uint32_t state = 5;
    for (size_t i = 0; i < sizeof noise; i++) {
        noise[i] = (uint8_t)(delta_random(&state) >> 11);
    }
    put(noise, sizeof noise, key.target);
    struct serin_patches_entry entry;
    ck_assert_int_eq(serin_patches_ask(patches, &key, UINT32_MAX), SERIN_OK);
    ck_assert_int_eq(take(&entry), SERIN_OK);
    ck_assert_uint_gt(entry.size_bytes, 2 * SERIN_PIECE_SIZE);
    ck_assert_uint_le(entry.size_bytes, sizeof bytes);
    ck_assert_int_eq(serin_depot_read(depot, entry.object, 0, bytes, entry.size_bytes), SERIN_OK);
    uint32_t size = 0;
    ck_assert_int_eq(serin_depot_size(depot, entry.pieces_sha256, &size), SERIN_OK);
    ck_assert_uint_eq(size, serin_piece_table_size(entry.size_bytes));
    for (uint32_t i = 0; i < serin_piece_count(entry.size_bytes); i++) {
        uint8_t named[SERIN_SHA256_SIZE], digest[SERIN_SHA256_SIZE];
        ck_assert_int_eq(serin_depot_read(depot, entry.pieces_sha256, i * SERIN_SHA256_SIZE, named,
                                          sizeof named),
                         SERIN_OK);
        serin_sha256_of(serin_openssl_hashing(), bytes + i * SERIN_PIECE_SIZE,
                        serin_piece_size(entry.size_bytes, i), digest);
        ck_assert_mem_eq(named, digest, sizeof named);
    }
}
END_TEST

/* What fails says so, is not known afterwards, and may be asked for again. */
START_TEST(test_failures)
{
    struct serin_patches_entry entry;
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(serin_patches_ask(patches, &key, 60), SERIN_OK);
        ck_assert_int_eq(take(&entry), SERIN_ERR_TOO_LARGE);
        ck_assert_int_eq(serin_patches_find(patches, depot, &key, &entry), SERIN_ERR_NOT_FOUND);
    }
    struct serin_patches_key missing = key;
    missing.base[0] ^= 1u;
    ck_assert_int_eq(serin_patches_ask(patches, &missing, pair.new_size), SERIN_OK);
    ck_assert_int_eq(take(&entry), SERIN_ERR_NOT_FOUND);
    ck_assert_mem_eq(&entry.key.base, missing.base, SERIN_SHA256_SIZE);

    char hex[SERIN_SHA256_HEX_SIZE], path[256];
    serin_hex_encode(key.base, SERIN_SHA256_SIZE, hex);
    snprintf(path, sizeof path, "%s/objects/%.2s/%s", root, hex, hex);
    ck_assert_int_eq(chmod(path, 0600), 0);
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fputc(pair.old[0] ^ 1, file), pair.old[0] ^ 1);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(serin_patches_ask(patches, &key, pair.new_size), SERIN_OK);
    ck_assert_int_eq(take(&entry), SERIN_ERR_DIGEST);
}
END_TEST

/* The queue has an end, and every place of it comes free. */
START_TEST(test_queue)
{
    struct serin_patches_entry entry;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < SERIN_PATCHES_QUEUE_MAX; i++) {
            key.base[0]++;
            ck_assert_int_eq(serin_patches_ask(patches, &key, 1000), SERIN_OK);
        }
        key.base[0]++;
        ck_assert_int_eq(serin_patches_ask(patches, &key, 1000), SERIN_ERR_BUSY);
        for (unsigned i = 0; i < SERIN_PATCHES_QUEUE_MAX; i++) {
            enum serin_error error = take(&entry);
            ck_assert(error == SERIN_ERR_NOT_FOUND || error == SERIN_ERR_TOO_LARGE ||
                      error == SERIN_OK);
        }
        ck_assert_int_eq(serin_patches_take(patches, depot, &entry), SERIN_ERR_AGAIN);
    }
}
END_TEST

/* Every byte of the index altered, and every length of it: it begins anew. */
START_TEST(test_torn_index)
{
    struct serin_patches_entry entry;
    ck_assert_int_eq(serin_patches_ask(patches, &key, pair.new_size), SERIN_OK);
    ck_assert_int_eq(take(&entry), SERIN_OK);
    uint8_t bytes[512];
    FILE *file = fopen(index_file, "rb");
    ck_assert_ptr_nonnull(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_uint_eq(size, 16 + 136);
    for (size_t i = 0; i <= 2 * size; i++) {
        bool cut = i < size;
        bytes[i % size] ^= cut || i == 2 * size ? 0u : 1u;
        file = fopen(index_file, "wb");
        ck_assert_ptr_nonnull(file);
        ck_assert_uint_eq(fwrite(bytes, 1, cut ? i : size, file), cut ? i : size);
        ck_assert_int_eq(fclose(file), 0);
        bytes[i % size] ^= cut || i == 2 * size ? 0u : 1u;
        again();
        ck_assert_int_eq(serin_patches_find(patches, depot, &key, &entry),
                         i == 2 * size ? SERIN_OK : SERIN_ERR_NOT_FOUND);
    }
}
END_TEST

/* A handle is closed while patches wait, are made, and are ready: nothing leaks or hangs. */
START_TEST(test_close_early)
{
    for (unsigned i = 0; i < 20; i++) {
        ck_assert_int_eq(serin_patches_ask(patches, &key, pair.new_size), SERIN_OK);
        struct serin_patches_key other = key;
        other.backend = SERIN_DELTA_SMALL;
        ck_assert_int_eq(serin_patches_ask(patches, &other, pair.new_size), SERIN_OK);
        nanosleep(&(struct timespec){.tv_nsec = 1000000L * i}, NULL);
        again();
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_made_and_found, test_pieces,      test_failures, test_queue,
                                  test_torn_index,     test_close_early, NULL};
    if (mkdtemp(all) == NULL) {
        return EXIT_FAILURE;
    }
    Suite *suite = suite_create("patches");
    TCase *cases = tcase_create("patches");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, setup, teardown);
    for (size_t i = 0; tests[i] != NULL; i++) {
        tcase_add_test(cases, tests[i]);
    }
    suite_add_tcase(suite, cases);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", all);
    return system(command) == 0 && failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
