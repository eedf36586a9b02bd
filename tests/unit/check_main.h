/*
 * What every Check program of the core begins with: one suite of forked tests, exit status 1 on a
 * failure; and a way to see that a broken promise stops the program.
 */
#ifndef SERIN_CHECK_MAIN_H
#define SERIN_CHECK_MAIN_H

#include <check.h>

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* Whether `act` ends in a failed assertion, tried in a process of its own. */
static inline bool check_dies(void (*act)(void))
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        const struct rlimit no_core = {0, 0};
        setrlimit(RLIMIT_CORE, &no_core);
        signal(SIGILL, SIG_DFL); /* a sanitizer would turn the trap into an ordinary exit */
        signal(SIGTRAP, SIG_DFL);
        act();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP);
}

#endif
