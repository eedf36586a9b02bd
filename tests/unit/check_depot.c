/* The depot on a real file system: what is stored, what is refused, and what damage looks like. */
#include "check_main.h"

#include <serin/adapters/depot.h>
#include <serin/adapters/openssl.h>
#include <serin/manifest.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char all[] = "/tmp/serin-depot.XXXXXX"; /* removed by the program, whatever its tests did */
static char base[64];
static char root[96];

/* Each test runs in a process of its own, with a folder of its own below that of the program. */
static void setup(void)
{
    snprintf(base, sizeof base, "%s/%d", all, (int)getpid());
    ck_assert_int_eq(mkdir(base, 0700), 0);
    snprintf(root, sizeof root, "%s/depot", base);
}

static struct serin_depot *writer(void)
{
    struct serin_depot *depot;
    ck_assert_int_eq(serin_depot_create(&depot, root, serin_openssl_hashing()), SERIN_OK);
    return depot;
}

static struct serin_depot *reader(void)
{
    struct serin_depot *depot;
    ck_assert_int_eq(serin_depot_open(&depot, root), SERIN_OK);
    return depot;
}

/* An object that is told from others by its seed, with its name. */
static void make(uint32_t seed, uint8_t *data, size_t size, uint8_t name[32])
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (uint8_t)(seed >> 24);
    }
    serin_sha256_of(serin_openssl_hashing(), data, size, name);
}

static void path_of(const uint8_t name[32], char path[256])
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(name, 32, hex);
    snprintf(path, 256, "%s/objects/%.2s/%s", root, hex, hex);
}

static unsigned count_files(const char *folder)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", root, folder);
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    unsigned count = 0;
    while (readdir(dir) != NULL) {
        count++;
    }
    closedir(dir);
    return count - 2;
}

START_TEST(test_round_trip)
{
    setup();
    static const size_t sizes[] = {0, 1, 4096, 16384, 16385, 100000};
    struct serin_depot *out = writer();
    struct serin_depot *in = reader();
    for (uint32_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        uint8_t data[100000], back[100000], name[32];
        uint32_t size = 1;
        make(i, data, sizes[i], name);
        ck_assert_int_eq(serin_depot_size(in, name, &size), SERIN_ERR_NOT_FOUND);
        ck_assert_int_eq(serin_depot_read(in, name, 0, back, 0), SERIN_ERR_NOT_FOUND);
        ck_assert_int_eq(serin_depot_check(out, name), SERIN_ERR_NOT_FOUND);
        ck_assert_int_eq(serin_depot_put(out, name, data, sizes[i]), SERIN_OK);
        ck_assert_int_eq(serin_depot_put(out, name, data, sizes[i]), SERIN_OK);
        ck_assert_int_eq(serin_depot_size(in, name, &size), SERIN_OK);
        ck_assert_uint_eq(size, sizes[i]);
        ck_assert_int_eq(serin_depot_read(in, name, 0, back, size), SERIN_OK);
        ck_assert_int_eq(memcmp(data, back, size), 0);
        ck_assert_int_eq(serin_depot_read(in, name, size, back, 0), SERIN_OK);
        ck_assert_int_eq(serin_depot_read(in, name, size, back, 1), SERIN_ERR_TRUNCATED);
        ck_assert_int_eq(serin_depot_read(in, name, 0, back, size + 1), SERIN_ERR_TRUNCATED);
        ck_assert_int_eq(serin_depot_read(in, name, UINT32_MAX, back, 1), SERIN_ERR_TRUNCATED);
        ck_assert_int_eq(serin_depot_check(out, name), SERIN_OK);
    }
    ck_assert_uint_eq(count_files("tmp"), 0);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

START_TEST(test_wrong_name_is_refused)
{
    setup();
    struct serin_depot *out = writer();
    uint8_t data[500], name[32];
    uint32_t size;
    make(1, data, sizeof data, name);
    data[499] ^= 1;
    ck_assert_int_eq(serin_depot_put(out, name, data, sizeof data), SERIN_ERR_DIGEST);
    ck_assert_int_eq(serin_depot_size(out, name, &size), SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(count_files("objects"), 0);
    serin_depot_close(out);
}
END_TEST

START_TEST(test_manifests)
{
    setup();
    struct serin_depot *out = writer();
    struct serin_depot *in = reader();
    uint8_t manifest[SERIN_MANIFEST_SIZE_P256], back[SERIN_MANIFEST_SIZE_P256], id[32];
    uint32_t size;
    make(3, manifest, sizeof manifest, id);
    ck_assert_int_eq(serin_depot_put_manifest(out, id, manifest, sizeof manifest),
                     SERIN_ERR_DIGEST);
    serin_manifest_id(serin_openssl_hashing(), manifest, id);
    ck_assert_int_eq(serin_depot_put_manifest(out, id, manifest, 100), SERIN_ERR_TRUNCATED);
    ck_assert_int_eq(serin_depot_put_manifest(out, id, manifest, 4000), SERIN_ERR_TOO_LARGE);
    ck_assert_int_eq(serin_depot_put_manifest(out, id, manifest, sizeof manifest), SERIN_OK);
    ck_assert_int_eq(serin_depot_size(in, id, &size), SERIN_OK);
    ck_assert_uint_eq(size, sizeof manifest);
    ck_assert_int_eq(serin_depot_check(out, id), SERIN_OK);
    /* The same body under another signature takes its place, and readers see it. */
    manifest[sizeof manifest - 1] ^= 1;
    ck_assert_int_eq(serin_depot_put_manifest(out, id, manifest, sizeof manifest), SERIN_OK);
    ck_assert_int_eq(serin_depot_read(in, id, 0, back, sizeof back), SERIN_OK);
    ck_assert_int_eq(memcmp(manifest, back, sizeof back), 0);
    ck_assert_uint_eq(count_files("manifests"), 1);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

/* Rot and truncation are found, also in a file that a reader has open, and mended by storing the
 * object again. */
START_TEST(test_damage)
{
    setup();
    struct serin_depot *out = writer();
    struct serin_depot *in = reader();
    uint8_t data[10000], back[10000], name[32];
    char path[256];
    uint32_t size;
    make(5, data, sizeof data, name);
    path_of(name, path);
    ck_assert_int_eq(serin_depot_put(out, name, data, sizeof data), SERIN_OK);
    ck_assert_int_eq(serin_depot_read(in, name, 0, back, sizeof back), SERIN_OK);

    int fd = open(path, O_WRONLY);
    ck_assert_int_eq((int)pwrite(fd, "x", 1, 5000), 1);
    close(fd);
    ck_assert_int_eq(serin_depot_check(out, name), SERIN_ERR_DIGEST);
    ck_assert_int_eq(serin_depot_put(out, name, data, sizeof data), SERIN_OK);
    ck_assert_int_eq(serin_depot_check(out, name), SERIN_OK);
    ck_assert_int_eq(serin_depot_read(in, name, 0, back, sizeof back), SERIN_OK);
    ck_assert_int_eq(memcmp(data, back, sizeof back), 0);

    ck_assert_int_eq(truncate(path, 4096), 0);
    ck_assert_int_eq(serin_depot_size(in, name, &size), SERIN_OK);
    ck_assert_uint_eq(size, 4096);
    ck_assert_int_eq(serin_depot_read(in, name, 4000, back, 200), SERIN_ERR_TRUNCATED);
    ck_assert_int_eq(serin_depot_check(out, name), SERIN_ERR_DIGEST);
    ck_assert_int_eq(serin_depot_put(out, name, data, sizeof data), SERIN_OK);
    ck_assert_int_eq(serin_depot_read(in, name, 4000, back, 200), SERIN_OK);

    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(serin_depot_read(in, name, 0, back, 1), SERIN_ERR_NOT_FOUND);
    /* A link where the file should be leads nowhere. */
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(serin_depot_read(in, name, 0, back, 1), SERIN_ERR_IO);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

START_TEST(test_one_writer)
{
    setup();
    struct serin_depot *out = writer();
    struct serin_depot *other;
    ck_assert_int_eq(serin_depot_create(&other, root, serin_openssl_hashing()), SERIN_ERR_BUSY);
    ck_assert_ptr_null(other);
    serin_depot_close(out);
    /* What a dead writer left is swept. */
    char path[256];
    snprintf(path, sizeof path, "%s/tmp/left-over", root);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    ck_assert_uint_eq(count_files("tmp"), 1);
    out = writer();
    ck_assert_uint_eq(count_files("tmp"), 0);
    serin_depot_close(out);
}
END_TEST

START_TEST(test_missing_folders)
{
    setup();
    struct serin_depot *depot;
    ck_assert_int_eq(serin_depot_open(&depot, root), SERIN_ERR_NOT_FOUND);
    ck_assert_ptr_null(depot);
    char deep[128];
    snprintf(deep, sizeof deep, "%s/no/depot", base);
    ck_assert_int_eq(serin_depot_create(&depot, deep, serin_openssl_hashing()),
                     SERIN_ERR_NOT_FOUND);
    /* A reader that came first finds what the writer stores later. */
    ck_assert_int_eq(mkdir(root, 0755), 0);
    struct serin_depot *in = reader();
    struct serin_depot *out = writer();
    uint8_t data[10], name[32];
    uint32_t size;
    make(1, data, sizeof data, name);
    ck_assert_int_eq(serin_depot_size(in, name, &size), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_put(out, name, data, sizeof data), SERIN_OK);
    ck_assert_int_eq(serin_depot_size(in, name, &size), SERIN_OK);
    serin_depot_close(NULL);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

START_TEST(test_more_files_than_are_kept_open)
{
    setup();
    struct serin_depot *out = writer();
    struct serin_depot *in = reader();
    enum { COUNT = 3 * SERIN_DEPOT_OPEN_FILES };
    static uint8_t names[COUNT][32];
    uint8_t data[64], back[64];
    for (uint32_t i = 0; i < COUNT; i++) {
        make(i, data, sizeof data, names[i]);
        ck_assert_int_eq(serin_depot_put(out, names[i], data, sizeof data), SERIN_OK);
    }
    for (uint32_t round = 0; round < 2 * COUNT; round++) {
        uint32_t i = (round * 7) % COUNT;
        uint8_t name[32];
        make(i, data, sizeof data, name);
        ck_assert_int_eq(serin_depot_read(in, names[i], 0, back, sizeof back), SERIN_OK);
        ck_assert_int_eq(memcmp(data, back, sizeof back), 0);
    }
    DIR *fds = opendir("/proc/self/fd");
    unsigned open_files = 0;
    while (readdir(fds) != NULL) {
        open_files++;
    }
    closedir(fds);
    ck_assert_uint_le(open_files, 2 * SERIN_DEPOT_OPEN_FILES + 32);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

/* A disk that is full in the middle of an object: nothing of it is there, and the next one that
 * fits is stored. */
START_TEST(test_full_disk)
{
    setup();
    signal(SIGXFSZ, SIG_IGN);
    struct serin_depot *out = writer();
    static uint8_t data[200000];
    uint8_t name[32];
    uint32_t size;
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = 65536, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    make(9, data, sizeof data, name);
    ck_assert_int_eq(serin_depot_put(out, name, data, sizeof data), SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(serin_depot_size(out, name, &size), SERIN_ERR_NOT_FOUND);
    ck_assert_uint_eq(count_files("tmp"), 0);
    uint8_t other[32];
    make(10, data, 1000, other);
    ck_assert_int_eq(serin_depot_put(out, other, data, 1000), SERIN_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    make(9, data, sizeof data, name);
    ck_assert_int_eq(serin_depot_put(out, name, data, sizeof data), SERIN_OK);
    ck_assert_int_eq(serin_depot_check(out, name), SERIN_OK);
    serin_depot_close(out);
}
END_TEST

/* A reader in another process never sees a part of an object, however it hurries. */
START_TEST(test_concurrent_reader)
{
    setup();
    enum { COUNT = 40, SIZE = 60000 };
    static uint8_t data[SIZE], back[SIZE];
    struct serin_depot *out = writer();
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct serin_depot *in = reader();
        unsigned seen = 0;
        for (unsigned round = 0; round < 200000 && seen < COUNT; round++) {
            uint8_t name[32];
            make(1000 + seen, data, SIZE, name);
            enum serin_error error = serin_depot_read(in, name, 0, back, SIZE);
            if (error == SERIN_OK && memcmp(data, back, SIZE) == 0) {
                seen++;
            } else if (error != SERIN_ERR_NOT_FOUND) {
                _exit(1);
            }
        }
        serin_depot_close(in);
        _exit(seen == COUNT ? 0 : 2);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        uint8_t name[32];
        make(1000 + i, data, SIZE, name);
        ck_assert_int_eq(serin_depot_put(out, name, data, SIZE), SERIN_OK);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
    serin_depot_close(out);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {test_round_trip,
                                  test_wrong_name_is_refused,
                                  test_manifests,
                                  test_damage,
                                  test_one_writer,
                                  test_missing_folders,
                                  test_more_files_than_are_kept_open,
                                  test_full_disk,
                                  test_concurrent_reader,
                                  NULL};
    if (mkdtemp(all) == NULL) {
        return EXIT_FAILURE;
    }
    int status = check_run("depot", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", all);
    return system(command) == 0 ? status : EXIT_FAILURE;
}
