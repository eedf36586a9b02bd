/*
 * The golden vectors of what lies in flash: a device of today writes the same bytes, so that a new
 * bootloader reads what an old one left, and an old one what a new one did.
 */
#include "flash_vectors.h"

#include <serin/adapters/wolfcrypt.h>

#include <check.h>
#include <stdio.h>
#include <stdlib.h>

static unsigned compared;

static void compare(void *arg, const char *name, const void *data, size_t size)
{
    char path[1024];
    uint8_t golden[8192];
    (void)arg;
    (void)snprintf(path, sizeof path, SERIN_VECTORS "/%s", name);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "%s is missing", path);
    size_t golden_size = fread(golden, 1, sizeof golden, file);
    (void)fclose(file);
    ck_assert_msg(golden_size == size, "%s has %zu bytes, today %zu", name, golden_size, size);
    for (size_t i = 0; i < size; i++) {
        ck_assert_msg(golden[i] == ((const uint8_t *)data)[i], "%s differs at byte %zu", name, i);
    }
    compared++;
}

START_TEST(flash_is_written_as_it_was)
{
    compared = 0;
    ck_assert(flash_vectors_make(serin_wolfcrypt(), SERIN_VECTORS, compare, NULL));
    ck_assert_uint_eq(compared, 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("flash_vectors");
    TCase *tests = tcase_create("flash_vectors");
    tcase_set_timeout(tests, 60); /* a machine may be busy */
    tcase_add_test(tests, flash_is_written_as_it_was);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
