/*
 * The application of the demo and of the end-to-end tests: a small real program that plays a
 * device's firmware. One source, seven programs, of which five are bad in a way of their own
 * (tests/apps/CMakeLists.txt).
 *
 * It talks to serin-agent over the control socket of docs/serin-agent.md: "alive" at regular times,
 * "confirm" when its self-test is over, "errors" where something went wrong: with each "alive" in
 * one that is bad in that way, and in all of them while there is a file of the name APP_STORM, as
 * on a day on which the network is bad for everyone. It uses nothing but the C library, and knows
 * nothing of Serin's code: it is payload.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define BEHAVIOUR_GOOD            1
#define BEHAVIOUR_CRASH_AT_START  2
#define BEHAVIOUR_HANG            3
#define BEHAVIOUR_NEVER_CONFIRM   4
#define BEHAVIOUR_CRASH_CONFIRMED 5
#define BEHAVIOUR_COUNT_ERRORS    6

#ifndef APP_NAME
#error "APP_NAME and APP_BEHAVIOUR come from CMakeLists.txt"
#endif

#define ALIVE_EVERY_MS   250
#define SELF_TEST_MS     500
#define CONFIRM_AGAIN_MS 300
#define CRASH_AFTER_MS   3000

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    char line[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, "app " APP_NAME " %s\n", line);
}

static const char *setting(const char *name)
{
    const char *value = getenv(name);
    return value != NULL ? value : "?";
}

static void sleep_ms(long ms)
{
    struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    while (nanosleep(&left, &left) != 0) {
    }
}

/* Connects to the agent, which may need a moment. Ends the program where it cannot. */
static int agent_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", setting("SERIN_SOCKET"));
    for (int tries = 0; tries < 20; tries++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0);
        if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0) {
            return fd;
        }
        if (fd >= 0) {
            (void)close(fd);
        }
        sleep_ms(100);
    }
    say("cannot reach the agent at %s", address.sun_path);
    exit(EXIT_FAILURE);
}

/* Sends one request and reads its answer. Ends the program when the agent is gone. */
static bool ask(int fd, const char *request, char *answer, size_t capacity)
{
    char line[64];
    int size = snprintf(line, sizeof line, "%s\n", request);
    if (send(fd, line, (size_t)size, MSG_NOSIGNAL) != size) {
        say("the agent is gone");
        exit(EXIT_FAILURE);
    }
    size_t used = 0;
    while (used + 1 < capacity && read(fd, answer + used, 1) == 1 && answer[used] != '\n') {
        used++;
    }
    answer[used] = '\0';
    return strcmp(answer, "ok") == 0;
}

/* What went wrong since the last time, as a request; NULL: nothing. */
static const char *errors(void)
{
    const char *storm = getenv("APP_STORM");
    if (storm != NULL && access(storm, F_OK) == 0) {
        return "errors 50";
    }
    return APP_BEHAVIOUR == BEHAVIOUR_COUNT_ERRORS ? "errors 2" : NULL;
}

/* Lives: says so at regular times, and confirms once the self-test is over, again and again until
 * the agent agrees (it waits for a directive). */
static void live(int fd, bool confirms, bool crashes)
{
    bool confirmed = !confirms;
    long now = 0, alive_at = 0, confirm_at = SELF_TEST_MS, crash_at = -1;
    char answer[256];
    for (;; now += 50, sleep_ms(50)) {
        if (now >= alive_at) {
            (void)ask(fd, "alive", answer, sizeof answer);
            if (errors() != NULL) {
                (void)ask(fd, errors(), answer, sizeof answer);
            }
            alive_at = now + ALIVE_EVERY_MS;
        }
        if (!confirmed && now >= confirm_at) {
            confirmed = ask(fd, "confirm", answer, sizeof answer);
            confirm_at = now + CONFIRM_AGAIN_MS;
            if (confirmed) {
                say("confirmed");
            }
        }
        if (crashes && confirmed && crash_at < 0) {
            crash_at = now + CRASH_AFTER_MS;
        }
        if (crash_at >= 0 && now >= crash_at) {
            say("crashes now");
            abort();
        }
    }
}

int main(void)
{
    const char *trial = setting("SERIN_TRIAL");
    say("started slot=%s trial=%s version=%s", setting("SERIN_SLOT"), trial,
        setting("SERIN_VERSION"));
    if (APP_BEHAVIOUR == BEHAVIOUR_CRASH_AT_START) {
        say("crashes now");
        abort();
    }
    int fd = agent_connect();
    if (APP_BEHAVIOUR == BEHAVIOUR_HANG) {
        say("hangs now");
        for (;;) {
            sleep_ms(3600000);
        }
    }
    bool on_trial = strcmp(trial, "1") == 0;
    live(fd, on_trial && APP_BEHAVIOUR != BEHAVIOUR_NEVER_CONFIRM,
         APP_BEHAVIOUR == BEHAVIOUR_CRASH_CONFIRMED);
}
