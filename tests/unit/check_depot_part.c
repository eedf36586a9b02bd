/* Part files and the budget of the depot: what survives a restart, what damage looks like, and what
 * a reader sees while a file moves. */
#include "check_main.h"

#include <serin/adapters/depot.h>
#include <serin/adapters/openssl.h>
#include <serin/manifest.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define OBJECT_SIZE 41060u /* ten pieces and a short one */
#define PIECE       ((size_t)4096)

static char all[] = "/tmp/serin-depot-part.XXXXXX"; /* removed by the program */
static char root[96];
static uint8_t content[OBJECT_SIZE], back[OBJECT_SIZE];
static uint8_t object[32];

static void make(uint32_t seed, uint8_t *data, size_t size, uint8_t name[32])
{
    for (size_t i = 0; i < size; i++) {
        seed = seed * 1664525u + 1013904223u;
        data[i] = (uint8_t)(seed >> 24);
    }
    serin_sha256_of(serin_openssl_hashing(), data, size, name);
}

/* The so manieth fsync from now fails; 0: none. */
static unsigned fsync_fails_in;

int fsync(int fd)
{
    if (fsync_fails_in > 0 && --fsync_fails_in == 0) {
        errno = EIO;
        return -1;
    }
    return fdatasync(fd);
}

static void setup(void)
{
    snprintf(root, sizeof root, "%s/%d", all, (int)getpid());
    make(7, content, sizeof content, object);
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

static void part_path(const uint8_t name[32], char path[256])
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(name, 32, hex);
    snprintf(path, 256, "%s/partial/%s", root, hex);
}

static void object_path(const uint8_t name[32], char path[256])
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(name, 32, hex);
    snprintf(path, 256, "%s/objects/%.2s/%s", root, hex, hex);
}

static void fill(struct serin_depot *out, uint32_t from, uint32_t to)
{
    for (uint32_t at = from; at < to; at += PIECE) {
        uint32_t size = OBJECT_SIZE - at < PIECE ? OBJECT_SIZE - at : PIECE;
        ck_assert_int_eq(serin_depot_part_write(out, object, at, content + at, size), SERIN_OK);
    }
}

/* Filled in any order and over a restart, seen by a reader from the first piece on, and by the same
 * handle under its name in the end. */
START_TEST(test_filled_in_parts)
{
    setup();
    struct serin_depot *out = writer();
    struct serin_depot *in = reader();
    uint32_t size = 0;
    ck_assert_int_eq(serin_depot_part_read(in, object, 0, back, 1), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_part_write(out, object, 0, content, 1), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_part_sync(out, object), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    fill(out, 8 * PIECE, OBJECT_SIZE);
    ck_assert_int_eq(serin_depot_part_read(in, object, 0, back, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(memcmp(back + 8 * PIECE, content + 8 * PIECE, OBJECT_SIZE - 8 * PIECE), 0);
    ck_assert(serin_bytes_all(back, 8 * PIECE, 0));
    ck_assert_int_eq(serin_depot_part_read(in, object, 1, back, OBJECT_SIZE), SERIN_ERR_TRUNCATED);
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_ERR_DIGEST);
    ck_assert_int_eq(serin_depot_size(in, object, &size), SERIN_ERR_NOT_FOUND);

    serin_depot_close(out);
    out = writer();
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(serin_depot_part_read(out, object, 8 * PIECE, back, PIECE), SERIN_OK);
    ck_assert_int_eq(memcmp(back, content + 8 * PIECE, PIECE), 0);
    fill(out, 0, 8 * PIECE);
    ck_assert_int_eq(serin_depot_part_sync(out, object), SERIN_OK);
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_OK);

    ck_assert_int_eq(serin_depot_part_read(in, object, 0, back, 1), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_size(in, object, &size), SERIN_OK);
    ck_assert_uint_eq(size, OBJECT_SIZE);
    ck_assert_int_eq(serin_depot_read(in, object, 0, back, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(memcmp(back, content, OBJECT_SIZE), 0);
    ck_assert_int_eq(serin_depot_check(out, object), SERIN_OK);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

START_TEST(test_writes_stay_inside)
{
    setup();
    struct serin_depot *out = writer();
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(serin_depot_part_write(out, object, OBJECT_SIZE - 1, content, 2),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_depot_part_write(out, object, UINT32_MAX, content, 1),
                     SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_depot_part_write(out, object, 0, content, SIZE_MAX), SERIN_ERR_INVALID);
    ck_assert_int_eq(serin_depot_part_write(out, object, OBJECT_SIZE - 1, content, 1), SERIN_OK);
    struct stat status;
    char path[256];
    part_path(object, path);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_int_eq((int)status.st_size, (int)OBJECT_SIZE);
    serin_depot_close(out);
}
END_TEST

/* A part file that was cut, altered or is no file at all costs what is wrong, and nothing lies. */
START_TEST(test_harmed_part)
{
    setup();
    struct serin_depot *out = writer();
    struct serin_depot *in = reader();
    char path[256];
    part_path(object, path);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    fill(out, 0, OBJECT_SIZE);
    ck_assert_int_eq(serin_depot_part_read(in, object, 0, back, OBJECT_SIZE), SERIN_OK);
    /* Altered: it does not finish, and stays to be mended. */
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq((int)pwrite(fd, "x", 1, 3 * PIECE), 1);
    close(fd);
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_ERR_DIGEST);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(serin_depot_part_read(in, object, 2 * PIECE, back, PIECE), SERIN_OK);
    ck_assert_int_eq(memcmp(back, content + 2 * PIECE, PIECE), 0);
    /* Cut while it is open: reads and writes past the end are told. */
    ck_assert_int_eq(truncate(path, 2 * PIECE), 0);
    ck_assert_int_eq(serin_depot_part_read(in, object, 2 * PIECE, back, PIECE),
                     SERIN_ERR_TRUNCATED);
    ck_assert_int_eq(serin_depot_part_write(out, object, 3 * PIECE, content, PIECE),
                     SERIN_ERR_INVALID);
    /* Another length: it is made anew, and a reader that had it open sees the new one. */
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(serin_depot_part_read(in, object, 0, back, PIECE), SERIN_OK);
    ck_assert(serin_bytes_all(back, PIECE, 0));
    /* A link where the file should be is not followed, and is replaced. */
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(symlink("/etc/passwd", path), 0);
    ck_assert_int_eq(serin_depot_part_read(in, object, 0, back, 1), SERIN_ERR_IO);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    fill(out, 0, OBJECT_SIZE);
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_OK);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

/* A rotten object goes back, is mended, and stands under its name again; a reader that holds either
 * file open follows. */
START_TEST(test_again)
{
    setup();
    struct serin_depot *out = writer();
    struct serin_depot *in = reader();
    char path[256];
    object_path(object, path);
    ck_assert_int_eq(serin_depot_part_again(out, object), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_put(out, object, content, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(serin_depot_read(in, object, 0, back, 1), SERIN_OK);
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq((int)pwrite(fd, "x", 1, 5 * PIECE), 1);
    close(fd);
    ck_assert_int_eq(serin_depot_part_again(out, object), SERIN_OK);
    ck_assert_int_eq(serin_depot_read(in, object, 0, back, 1), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_part_read(in, object, 5 * PIECE, back, PIECE), SERIN_OK);
    ck_assert_int_ne(memcmp(back, content + 5 * PIECE, PIECE), 0);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    fill(out, 5 * PIECE, 6 * PIECE);
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_OK);
    ck_assert_int_eq(serin_depot_part_read(in, object, 0, back, 1), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_read(in, object, 0, back, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(memcmp(back, content, OBJECT_SIZE), 0);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

/* The disk reports an error once, after the file has moved: finishing again ends it, and an object
 * that is not what its name says does not count. Caught: NOT_FOUND the second time, after which the
 * whole object would be fetched again; no fsync in the second go. */
START_TEST(test_finished_twice)
{
    setup();
    struct serin_depot *out = writer();
    char path[256];
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    fill(out, 0, OBJECT_SIZE);
    for (unsigned left = 2; left < 6; left++) { /* whichever fsync it is, after the file's own */
        fsync_fails_in = left;
        enum serin_error error = serin_depot_part_finish(out, object);
        bool late = fsync_fails_in > 0; /* all of them have been made */
        fsync_fails_in = 0;
        ck_assert_int_eq(error, late ? SERIN_OK : SERIN_ERR_IO);
    }
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_OK);
    ck_assert_int_eq(serin_depot_check(out, object), SERIN_OK);
    object_path(object, path);
    int fd = open(path, O_WRONLY);
    ck_assert_int_eq((int)pwrite(fd, "x", 1, 3), 1);
    close(fd);
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_ERR_NOT_FOUND);
    serin_depot_close(out);
}
END_TEST

/* A disk that fills up refuses the piece that does not fit; with room again the same file goes on.
 */
START_TEST(test_full_disk)
{
    setup();
    signal(SIGXFSZ, SIG_IGN);
    struct serin_depot *out = writer();
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    struct rlimit small = {.rlim_cur = 4 * PIECE, .rlim_max = limit.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_ERR_NO_SPACE);
    char path[256];
    part_path(object, path);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    fill(out, 0, 4 * PIECE);
    ck_assert_int_eq(serin_depot_part_write(out, object, 4 * PIECE, content + 4 * PIECE, PIECE),
                     SERIN_ERR_NO_SPACE);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    fill(out, 4 * PIECE, OBJECT_SIZE);
    ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_OK);
    serin_depot_close(out);
}
END_TEST

struct seen {
    unsigned objects, manifests, parts, limit;
    uint64_t part_bytes;
    uint64_t used_s;
    struct serin_depot_entry last;
};

static bool see(void *ctx, const struct serin_depot_entry *entry)
{
    struct seen *seen = ctx;
    unsigned *const counts[] = {&seen->objects, &seen->manifests, &seen->parts};
    (*counts[entry->kind])++;
    seen->part_bytes += entry->kind == SERIN_DEPOT_PART ? entry->disk_bytes : 0;
    seen->last = *entry;
    return seen->objects + seen->manifests + seen->parts != seen->limit;
}

START_TEST(test_listing_and_removal)
{
    setup();
    struct serin_depot *out = writer();
    struct serin_depot *in = reader();
    struct seen seen = {0};
    ck_assert_int_eq(serin_depot_each(out, see, &seen), SERIN_OK);
    ck_assert_uint_eq(seen.objects + seen.manifests + seen.parts, 0);
    uint8_t small[4096], name[32], manifest[SERIN_MANIFEST_SIZE_P256], id[32];
    for (uint32_t i = 0; i < 20; i++) {
        make(100 + i, small, sizeof small, name);
        ck_assert_int_eq(serin_depot_put(out, name, small, sizeof small), SERIN_OK);
    }
    make(3, manifest, sizeof manifest, id);
    serin_manifest_id(serin_openssl_hashing(), manifest, id);
    ck_assert_int_eq(serin_depot_put_manifest(out, id, manifest, sizeof manifest), SERIN_OK);
    ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
    fill(out, 0, PIECE);
    /* Files that are not the depot's are nobody's business. */
    char path[256];
    snprintf(path, sizeof path, "%s/partial/README", root);
    close(open(path, O_WRONLY | O_CREAT, 0600));
    snprintf(path, sizeof path, "%s/objects/%02X", root, 0xAB);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(serin_depot_each(out, see, &seen), SERIN_OK);
    ck_assert_uint_eq(seen.objects, 20);
    ck_assert_uint_eq(seen.manifests, 1);
    ck_assert_uint_eq(seen.parts, 1);
    /* Holes take no room. */
    ck_assert_uint_ge(seen.part_bytes, PIECE);
    ck_assert_uint_lt(seen.part_bytes, OBJECT_SIZE);
    seen = (struct seen){.limit = 5};
    ck_assert_int_eq(serin_depot_each(out, see, &seen), SERIN_OK);
    ck_assert_uint_eq(seen.objects, 5);

    ck_assert_int_eq(serin_depot_read(in, name, 0, back, 1), SERIN_OK);
    ck_assert_int_eq(serin_depot_remove(out, name), SERIN_OK);
    ck_assert_int_eq(serin_depot_remove(out, name), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_read(in, name, 0, back, 1), SERIN_ERR_NOT_FOUND);
    ck_assert_int_eq(serin_depot_remove(out, id), SERIN_OK);
    ck_assert_int_eq(serin_depot_remove(out, object), SERIN_OK);
    ck_assert_int_eq(serin_depot_part_write(out, object, 0, content, 1), SERIN_ERR_NOT_FOUND);
    seen = (struct seen){0};
    ck_assert_int_eq(serin_depot_each(out, see, &seen), SERIN_OK);
    ck_assert_uint_eq(seen.objects, 19);
    ck_assert_uint_eq(seen.manifests + seen.parts, 0);
    serin_depot_close(in);
    serin_depot_close(out);
}
END_TEST

START_TEST(test_more_parts_than_are_kept_open)
{
    setup();
    struct serin_depot *out = writer();
    enum { COUNT = 2 * SERIN_DEPOT_OPEN_FILES };
    uint8_t data[64], name[32];
    for (uint32_t i = 0; i < COUNT; i++) {
        make(i, data, sizeof data, name);
        ck_assert_int_eq(serin_depot_part_open(out, name, sizeof data), SERIN_OK);
    }
    for (uint32_t i = 0; i < COUNT; i++) {
        make(i, data, sizeof data, name);
        ck_assert_int_eq(serin_depot_part_write(out, name, 0, data, sizeof data), SERIN_OK);
        ck_assert_int_eq(serin_depot_part_finish(out, name), SERIN_OK);
    }
    serin_depot_close(out);
}
END_TEST

#ifdef SERIN_FAULT_POINTS
static void killed_at(const char *point, bool finished)
{
    setenv("SERIN_FAULT", point, 1);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct serin_depot *out = writer();
        ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
        fill(out, 0, OBJECT_SIZE);
        _exit(serin_depot_part_finish(out, object) == SERIN_OK ? 0 : 1);
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%s did not fire", point);
    unsetenv("SERIN_FAULT");
    struct serin_depot *out = writer();
    if (!finished) {
        ck_assert_int_eq(serin_depot_part_open(out, object, OBJECT_SIZE), SERIN_OK);
        ck_assert_int_eq(serin_depot_part_read(out, object, 0, back, 3 * PIECE), SERIN_OK);
        ck_assert_int_eq(memcmp(back, content, 3 * PIECE), 0);
        fill(out, 3 * PIECE, OBJECT_SIZE);
        ck_assert_int_eq(serin_depot_part_finish(out, object), SERIN_OK);
    }
    ck_assert_int_eq(serin_depot_check(out, object), SERIN_OK);
    ck_assert_int_eq(serin_depot_remove(out, object), SERIN_OK);
    serin_depot_close(out);
}

/* Killed at each named place, the part file goes on where it was, or the object is whole. */
START_TEST(test_killed)
{
    setup();
    killed_at("depot.part.written:3", false);
    killed_at("depot.part.before_rename:1", false);
    killed_at("depot.part.finished:1", true);
}
END_TEST
#endif

int main(void)
{
    const TTest *const tests[] = {test_filled_in_parts,
                                  test_writes_stay_inside,
                                  test_harmed_part,
                                  test_again,
                                  test_full_disk,
                                  test_finished_twice,
                                  test_listing_and_removal,
                                  test_more_parts_than_are_kept_open,
#ifdef SERIN_FAULT_POINTS
                                  test_killed,
#endif
                                  NULL};
    if (mkdtemp(all) == NULL) {
        return EXIT_FAILURE;
    }
    int status = check_run("depot_part", tests);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", all);
    return system(command) == 0 ? status : EXIT_FAILURE;
}
