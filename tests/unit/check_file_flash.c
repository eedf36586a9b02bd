/*
 * The flash in a file: the rules of NOR, durability across reopening, the lock, and clear errors
 * for what a disk can do.
 */
#define _POSIX_C_SOURCE 200809L
#include <serin/adapters/log.h>
#include <serin/ports/linux/file_flash.h>

#include <check.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE   65536u
#define SECTOR 4096u
#define UNIT   16u

static const struct serin_file_flash_geometry geometry = {SIZE, SECTOR, UNIT};
static char folder[64], path[96], why[SERIN_FILE_FLASH_WHY_SIZE];
static struct serin_file_flash *file;
static const struct serin_flash *port;

static void setup(void)
{
    serin_log_level(SERIN_LOG_ERROR);
    (void)snprintf(folder, sizeof folder, "/tmp/serin-flash-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/flash.bin", folder);
    ck_assert_int_eq(serin_file_flash_create(&file, path, &geometry, why), SERIN_OK);
    ck_assert_int_eq(serin_file_flash_settle(file), SERIN_OK);
    port = serin_file_flash_port(file);
}

static void teardown(void)
{
    serin_file_flash_close(file);
    (void)unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
}

static void reopen(enum serin_file_flash_mode mode)
{
    serin_file_flash_close(file);
    ck_assert_int_eq(serin_file_flash_open(&file, path, mode, &geometry, why), SERIN_OK);
    port = serin_file_flash_port(file);
}

static enum serin_error program(uint32_t address, uint8_t value, size_t size)
{
    uint8_t data[2 * SECTOR];
    memset(data, value, sizeof data);
    return port->ops->program(port->ctx, address, data, size);
}

/* Whether `size` bytes at `address` have the value `value`. */
static bool holds(uint32_t address, uint8_t value, size_t size)
{
    uint8_t data[2 * SECTOR];
    ck_assert_int_eq(port->ops->read(port->ctx, address, data, size), SERIN_OK);
    return serin_bytes_all(data, size, value);
}

START_TEST(fresh_flash_is_erased)
{
    ck_assert_uint_eq(port->size_bytes, SIZE);
    ck_assert_uint_eq(port->sector_size, SECTOR);
    ck_assert_uint_eq(port->write_unit, UNIT);
    ck_assert_uint_eq(port->erased_value, 0xFF);
    for (uint32_t at = 0; at < SIZE; at += SECTOR) {
        ck_assert(holds(at, 0xFF, SECTOR));
    }
}
END_TEST

START_TEST(unit_is_programmed_once)
{
    ck_assert_int_eq(program(2 * UNIT, 0x5A, UNIT), SERIN_OK);
    ck_assert(holds(2 * UNIT, 0x5A, UNIT));
    ck_assert(holds(UNIT, 0xFF, UNIT));
    ck_assert(holds(3 * UNIT, 0xFF, UNIT));
    /* Not even bits that would only be cleared further. */
    ck_assert_int_eq(program(2 * UNIT, 0x00, UNIT), SERIN_ERR_FLASH);
    ck_assert_int_eq(program(2 * UNIT, 0x5A, UNIT), SERIN_ERR_FLASH);
    /* A run that touches one programmed unit is refused whole. */
    ck_assert_int_eq(program(UNIT, 0x11, 3 * UNIT), SERIN_ERR_FLASH);
    ck_assert(holds(UNIT, 0xFF, UNIT));
    ck_assert(holds(2 * UNIT, 0x5A, UNIT));
}
END_TEST

START_TEST(erasing_makes_programmable_again)
{
    ck_assert_int_eq(program(SECTOR - UNIT, 1, 2 * UNIT), SERIN_OK);
    ck_assert_int_eq(port->ops->erase(port->ctx, 0, SECTOR), SERIN_OK);
    ck_assert(holds(0, 0xFF, SECTOR));
    ck_assert(holds(SECTOR, 1, UNIT));
    ck_assert_int_eq(program(SECTOR - UNIT, 2, UNIT), SERIN_OK);
    ck_assert_int_eq(port->ops->erase(port->ctx, 0, 2 * SECTOR), SERIN_OK);
    ck_assert(holds(0, 0xFF, 2 * SECTOR));
}
END_TEST

static const struct {
    bool erase;
    uint32_t address;
    size_t size;
} misplaced[] = {
    {false, 1, UNIT},
    {false, UNIT, UNIT - 1},
    {false, SIZE, UNIT},
    {false, SIZE - UNIT, 2 * UNIT},
    {false, UINT32_MAX - UNIT + 1, 2 * UNIT},
    {true, UNIT, SECTOR},
    {true, 0, SECTOR / 2},
    {true, SIZE, SECTOR},
    {true, SIZE - SECTOR, 2 * SECTOR},
    {true, UINT32_MAX - SECTOR + 1, 2 * SECTOR},
};

START_TEST(misplaced_operation_is_refused)
{
    uint32_t address = misplaced[_i].address;
    size_t size = misplaced[_i].size;
    ck_assert_int_eq(misplaced[_i].erase ? port->ops->erase(port->ctx, address, size)
                                         : program(address, 0, size),
                     SERIN_ERR_FLASH);
    for (uint32_t at = 0; at < SIZE; at += SECTOR) {
        ck_assert(holds(at, 0xFF, SECTOR));
    }
}
END_TEST

START_TEST(reading_ends_at_the_end)
{
    uint8_t data[32];
    ck_assert_int_eq(port->ops->read(port->ctx, SIZE - 3, data, 3), SERIN_OK);
    ck_assert_int_eq(port->ops->read(port->ctx, SIZE - 3, data, 4), SERIN_ERR_FLASH);
    ck_assert_int_eq(port->ops->read(port->ctx, UINT32_MAX, data, 4), SERIN_ERR_FLASH);
}
END_TEST

START_TEST(content_survives_reopening)
{
    ck_assert_int_eq(program(SECTOR, 0xA5, SECTOR), SERIN_OK);
    reopen(SERIN_FILE_FLASH_WRITE);
    ck_assert(holds(SECTOR, 0xA5, SECTOR));
    ck_assert_int_eq(program(SECTOR, 0xA5, UNIT), SERIN_ERR_FLASH);
    ck_assert_int_eq(program(0, 0xA5, UNIT), SERIN_OK);
    reopen(SERIN_FILE_FLASH_READ);
    ck_assert(holds(0, 0xA5, UNIT));
    ck_assert_int_eq(program(UNIT, 0, UNIT), SERIN_ERR_FLASH);
    ck_assert_int_eq(port->ops->erase(port->ctx, 0, SECTOR), SERIN_ERR_FLASH);
}
END_TEST

START_TEST(one_process_writes)
{
    struct serin_file_flash *second = NULL;
    ck_assert_int_eq(serin_file_flash_open(&second, path, SERIN_FILE_FLASH_WRITE, &geometry, why),
                     SERIN_ERR_BUSY);
    ck_assert_ptr_null(second);
    ck_assert_ptr_nonnull(strstr(why, "another agent uses this flash"));
    ck_assert_int_eq(serin_file_flash_open(&second, path, SERIN_FILE_FLASH_READ, &geometry, why),
                     SERIN_OK);
    serin_file_flash_close(second);

    /* The lock goes with the process, however it ends. */
    serin_file_flash_close(file);
    file = NULL;
    int ready[2];
    char byte;
    ck_assert_int_eq(pipe(ready), 0);
    pid_t pid = fork();
    if (pid == 0) {
        struct serin_file_flash *own = NULL;
        enum serin_error result =
            serin_file_flash_open(&own, path, SERIN_FILE_FLASH_WRITE, &geometry, why);
        if (result != SERIN_OK || write(ready[1], "+", 1) != 1) {
            _exit(1);
        }
        for (;;) {
            (void)pause();
        }
    }
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    ck_assert_int_eq(serin_file_flash_open(&second, path, SERIN_FILE_FLASH_WRITE, &geometry, why),
                     SERIN_ERR_BUSY);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(serin_file_flash_open(&file, path, SERIN_FILE_FLASH_WRITE, &geometry, why),
                     SERIN_OK);
    (void)close(ready[0]);
    (void)close(ready[1]);
}
END_TEST

START_TEST(wrong_files_are_explained)
{
    struct serin_file_flash *second = NULL;
    struct serin_file_flash_geometry larger = {2 * SIZE, SECTOR, UNIT};
    ck_assert_int_eq(serin_file_flash_create(&second, path, &geometry, why), SERIN_ERR_EXISTS);
    ck_assert_int_eq(serin_file_flash_open(&second, path, SERIN_FILE_FLASH_READ, &larger, why),
                     SERIN_ERR_LAYOUT);
    ck_assert_ptr_nonnull(strstr(why, "has 65536 bytes, but flash.size is 131072"));
    serin_file_flash_close(file);
    file = NULL;
    ck_assert_int_eq(truncate(path, SIZE - 1), 0);
    ck_assert_int_eq(serin_file_flash_open(&second, path, SERIN_FILE_FLASH_WRITE, &geometry, why),
                     SERIN_ERR_LAYOUT);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(serin_file_flash_open(&second, path, SERIN_FILE_FLASH_WRITE, &geometry, why),
                     SERIN_ERR_NOT_FOUND);
    ck_assert_ptr_null(second);
}
END_TEST

START_TEST(file_that_shrinks_under_way_is_an_error)
{
    uint8_t data[UNIT];
    ck_assert_int_eq(truncate(path, SIZE / 2), 0);
    ck_assert_int_eq(port->ops->read(port->ctx, SIZE - UNIT, data, UNIT), SERIN_ERR_FLASH);
    ck_assert_int_eq(program(SIZE - UNIT, 0, UNIT), SERIN_ERR_FLASH);
    ck_assert_int_eq(port->ops->read(port->ctx, 0, data, UNIT), SERIN_OK);
}
END_TEST

/* A limit on the size of files stands for a full disk: both refuse to let a file grow. */
START_TEST(full_disk_leaves_no_file)
{
    char other[128];
    struct serin_file_flash *second = NULL;
    struct rlimit limit = {.rlim_cur = SIZE / 2, .rlim_max = RLIM_INFINITY};
    (void)snprintf(other, sizeof other, "%s.second", path);
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    ck_assert_int_eq(serin_file_flash_create(&second, other, &geometry, why), SERIN_ERR_NO_SPACE);
    ck_assert_ptr_nonnull(strstr(why, "there is no room for the flash"));
    ck_assert_int_ne(access(other, F_OK), 0);
    limit.rlim_cur = RLIM_INFINITY;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("file_flash");
    TCase *tests = tcase_create("file_flash");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, fresh_flash_is_erased);
    tcase_add_test(tests, unit_is_programmed_once);
    tcase_add_test(tests, erasing_makes_programmable_again);
    tcase_add_loop_test(tests, misplaced_operation_is_refused, 0,
                        (int)(sizeof misplaced / sizeof *misplaced));
    tcase_add_test(tests, reading_ends_at_the_end);
    tcase_add_test(tests, content_survives_reopening);
    tcase_add_test(tests, one_process_writes);
    tcase_add_test(tests, wrong_files_are_explained);
    tcase_add_test(tests, file_that_shrinks_under_way_is_an_error);
    tcase_add_test(tests, full_disk_leaves_no_file);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
