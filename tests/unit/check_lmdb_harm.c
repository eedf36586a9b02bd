/*
 * The fleet store on LMDB when processes die and disks fail: what is committed is there after
 * anything that can happen to either, and what is damaged is named.
 *
 * Each test names the mutation that it was seen to catch.
 */
#define _GNU_SOURCE
#include "check_killed.h"
#include "store_bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the disk: every write of this program goes through here, so that it can fail ---- */

static int writes_left = -1; /* before one fails; -1: none does */
static int write_error;

static bool write_fails(void)
{
    if (writes_left < 0) {
        return false;
    }
    if (writes_left > 0) {
        writes_left--;
        return false;
    }
    errno = write_error;
    return true; /* and every one after it, as on a full disk */
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    return write_fails() ? -1 : syscall(SYS_pwrite64, fd, data, size, offset);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return pwrite(fd, data, size, offset);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset)
{
    return write_fails() ? -1 : syscall(SYS_pwritev, fd, parts, count, offset, 0);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset)
{
    return pwritev(fd, parts, count, offset);
}

int fdatasync(int fd)
{
    return write_fails() ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* ---- processes that die ---- */

/* Whether a process that opens the store and does `work` is killed; the store is open anew then. */
static bool dies(void (*work)(void), const char *fault)
{
    serin_lmdb_store_close(lmdb);
    lmdb = NULL;
    bool killed = check_killed(work, fault);
    open_store(64 * MIB);
    return killed;
}

static void write_fleet(uint64_t seed)
{
    begin(true);
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "dev-%d", i);
        ck_assert_int_eq(put_device(id, seed + (uint64_t)i), SERIN_OK);
    }
}

static void die_in_the_middle(void)
{
    open_store(64 * MIB);
    write_fleet(1000);
    raise(SIGKILL);
}

static void die_at_the_fault_point(void)
{
    open_store(64 * MIB);
    write_fleet(1000);
    (void)store.ops->commit(store.ctx);
}

/* The seed that all of the fleet is of; they must agree. */
static uint64_t fleet_seed(void)
{
    begin(false);
    uint64_t seed = device_is("dev-0", 1000) ? 1000 : 1;
    for (int i = 0; i < 200; i++) {
        char id[16];
        snprintf(id, sizeof id, "dev-%d", i);
        ck_assert_msg(device_is(id, seed + (uint64_t)i), "%s is not of %d", id, (int)seed);
    }
    commit();
    return seed;
}

/* Caught: the fault point before the commit put behind it. */
START_TEST(a_killed_writer_leaves_the_last_commit)
{
    write_fleet(1);
    commit();
    ck_assert(dies(die_in_the_middle, ""));
    ck_assert_uint_eq(fleet_seed(), 1);
#ifdef SERIN_FAULT_POINTS
    ck_assert(dies(die_at_the_fault_point, "store.commit.before:1"));
    ck_assert_uint_eq(fleet_seed(), 1);
    ck_assert(dies(die_at_the_fault_point, "store.commit.after:1"));
    ck_assert_uint_eq(fleet_seed(), 1000);
#else
    (void)die_at_the_fault_point;
#endif
}
END_TEST

/* Caught: a failed commit that says SERIN_OK; a store that cannot go on after it; MDB_NOSYNC. */
START_TEST(a_disk_that_fails_at_any_write_loses_nothing)
{
    static const int errors[] = {ENOSPC, EIO, EDQUOT};
    for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++) {
        int failures = 0;
        write_fleet(1);
        commit();
        for (int n = 0;; n++) {
            ck_assert_int_lt(n, 1000);
            write_fleet(1000);
            write_error = errors[e];
            writes_left = n;
            enum serin_error error = store.ops->commit(store.ctx);
            writes_left = -1;
            if (error == SERIN_OK) {
                ck_assert_uint_eq(fleet_seed(), 1000);
                break;
            }
            failures++;
            ck_assert_int_eq(error, errors[e] == EIO ? SERIN_ERR_IO : SERIN_ERR_NO_SPACE);
            ck_assert_str_ne(serin_lmdb_store_trouble(lmdb), "");
            ck_assert_uint_eq(fleet_seed(), 1); /* what was there is there */
            reopen();
            ck_assert_uint_eq(fleet_seed(), 1);
        }
        ck_assert_int_ge(failures, 2);
    }
}
END_TEST

/* Caught: the failure of a put forgotten by the commit. */
START_TEST(a_full_map_refuses_and_goes_on)
{
    serin_lmdb_store_close(lmdb);
    open_store(MIB);
    write_fleet(1);
    commit();
    enum serin_error error = SERIN_OK;
    begin(true);
    for (int i = 0; error == SERIN_OK && i < 100000; i++) {
        char id[24];
        snprintf(id, sizeof id, "more-%d", i);
        error = put_device(id, 7);
    }
    ck_assert_int_eq(error, SERIN_ERR_NO_SPACE);
    ck_assert_str_ne(serin_lmdb_store_trouble(lmdb), "");
    ck_assert_int_eq(store.ops->commit(store.ctx), SERIN_ERR_NO_SPACE);
    ck_assert_uint_eq(fleet_seed(), 1);
    begin(true);
    ck_assert(device_is("more-0", 0));
    ck_assert_int_eq(put_device("more-0", 7), SERIN_OK); /* a little still fits */
    commit();
    reopen(); /* with a larger map */
    write_fleet(1000);
    for (int i = 0; i < 5000; i++) {
        char id[24];
        snprintf(id, sizeof id, "more-%d", i);
        ck_assert_int_eq(put_device(id, 7), SERIN_OK);
    }
    commit();
    ck_assert_uint_eq(fleet_seed(), 1000);
}
END_TEST

/* ---- rot ---- */

#define RECORD_OF_DEVICE 2 /* docs/spec/store.md, section 4 */

/* Changes data.mdb while the store is closed: flips one byte in each device's record under the key
 * `words`, or with `page` set wipes each page that holds them. Gives back how many places that was.
 */
static int rot(const char *words, bool page)
{
    char path[128];
    serin_lmdb_store_close(lmdb);
    lmdb = NULL;
    snprintf(path, sizeof path, "%s/data.mdb", folder);
    int fd = open(path, O_RDWR);
    ck_assert_int_ge(fd, 0);
    off_t size = lseek(fd, 0, SEEK_END);
    char *data = malloc((size_t)size);
    ck_assert_ptr_nonnull(data);
    ck_assert_int_eq(pread(fd, data, (size_t)size, 0), size);
    int places = 0;
    size_t length = strlen(words);
    for (size_t at = 8192; at + length + 64 < (size_t)size; at++) {
        if (memcmp(data + at, words, length) != 0) {
            continue;
        }
        if (!page && data[at + length] != RECORD_OF_DEVICE) {
            continue; /* the index, or the id within the record: the byte could be anything's */
        }
        places++;
        if (page) {
            memset(data + at / 4096 * 4096, 0, 4096);
        } else {
            data[at + length + 40] ^= 1;
        }
    }
    ck_assert_int_eq(pwrite(fd, data, (size_t)size, 0), size);
    free(data);
    close(fd);
    return places;
}

/* Caught: the CRC not compared; a walk that stops at the damage, or that hides it. */
START_TEST(a_damaged_record_is_named_and_the_rest_lives)
{
    begin(true);
    put_placed("lamp-1", "lamp", "beta");
    put_placed("lamp-2-rots", "lamp", "beta");
    put_placed("lamp-3", "lamp", "beta");
    commit();
    ck_assert_int_ge(rot("lamp-2-rots", false), 1);
    open_store(64 * MIB);
    begin(true);
    static struct serin_device_record record;
    ck_assert_int_eq(store.ops->get_device(store.ctx, "lamp-2-rots", &record), SERIN_ERR_FORMAT);
    ck_assert_str_eq(serin_lmdb_store_trouble(lmdb),
                     "record devices/lamp-2-rots: a CRC does not match");
    ck_assert_int_eq(store.ops->get_device(store.ctx, "lamp-1", &record), SERIN_OK);
    struct list list = {.left = 0};
    ck_assert_int_eq(store.ops->each_device(store.ctx, NULL, note_device, &list), SERIN_ERR_FORMAT);
    ck_assert_str_eq(list.text, "lamp-1 lamp-3 ");
    list = (struct list){.left = 0};
    ck_assert_int_eq(
        store.ops->each_fleet_device(store.ctx, "lamp", "beta", NULL, note_device, &list),
        SERIN_ERR_FORMAT);
    ck_assert_str_eq(list.text, "lamp-1 lamp-3 ");
    /* A sound record may take its place. */
    put_placed("lamp-2-rots", "lamp", "beta");
    ck_assert_str_eq(devices(NULL, 0), "lamp-1 lamp-2-rots lamp-3 ");
    commit();
}
END_TEST

/* A whole page wiped: an error with words, not a crash. */
START_TEST(a_wiped_page_is_an_error)
{
    write_fleet(1);
    put_placed("page-here", "lamp", "beta");
    commit();
    ck_assert_int_ge(rot("page-here", true), 1);
    enum serin_error error = serin_lmdb_store_open(&lmdb, folder, 64 * MIB);
    if (error == SERIN_OK) {
        store = serin_lmdb_store_port(lmdb);
        static struct serin_device_record record;
        begin(false);
        error = store.ops->get_device(store.ctx, "page-here", &record);
        ck_assert_str_ne(serin_lmdb_store_trouble(lmdb), "");
        commit();
    }
    ck_assert_int_eq(error, SERIN_ERR_FORMAT);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_killed_writer_leaves_the_last_commit,
        a_disk_that_fails_at_any_write_loses_nothing,
        a_full_map_refuses_and_goes_on,
        a_damaged_record_is_named_and_the_rest_lives,
        a_wiped_page_is_an_error,
    };
    Suite *suite = suite_create("lmdb_harm");
    TCase *each = tcase_create("each");
    tcase_set_timeout(each, 60);
    tcase_add_checked_fixture(each, setup, teardown);
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tcase_add_test(each, tests[i]);
    }
    suite_add_tcase(suite, each);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
