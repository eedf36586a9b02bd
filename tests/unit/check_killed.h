/* Processes that die at a moment of the test's choice. Needs _GNU_SOURCE or the like. */
#ifndef SERIN_CHECK_KILLED_H
#define SERIN_CHECK_KILLED_H

#include "check_main.h"

/* Whether `act` is killed (SIGKILL), at the fault point `fault` if it names one, tried in a process
 * of its own. */
static inline bool check_killed(void (*act)(void), const char *fault)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        setenv("SERIN_FAULT", fault, 1);
        act();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
}

#endif
