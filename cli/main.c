/*
 * serin, the operator's command: gives the outside world to serin_cli_main.
 */
#include <serin/cli/cli.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const char *environment(const char *name)
{
    return getenv(name);
}

static uint64_t unix_time_s(void)
{
    time_t now = time(NULL);

    return now > 0 ? (uint64_t)now : 0;
}

static void pause_ms(uint32_t ms)
{
    struct timespec left = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000L};

    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
    }
}

int main(int argc, char **argv)
{
    const struct serin_cli_world world = {
        .out = stdout,
        .err = stderr,
        .out_terminal = isatty(STDOUT_FILENO) == 1,
        .err_terminal = isatty(STDERR_FILENO) == 1,
        .environment = environment,
        .unix_time_s = unix_time_s,
        .pause_ms = pause_ms,
    };

    return (int)serin_cli_main(&world, argc, argv);
}
