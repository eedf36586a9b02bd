/*
 * What every Check program of the core begins with: one suite, forked tests, exit status 1 on a
 * failure.
 */
#ifndef SERIN_CHECK_MAIN_H
#define SERIN_CHECK_MAIN_H

#include <check.h>

#include <stdlib.h>

/* Runs the tests of `list`, which ends with NULL, as the suite `name`. */
static inline int check_run(const char *name, const TTest *const list[])
{
    Suite *suite = suite_create(name);
    TCase *tests = tcase_create(name);
    tcase_set_timeout(tests, 60);
    for (size_t i = 0; list[i] != NULL; i++) {
        tcase_add_test(tests, list[i]);
    }
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
