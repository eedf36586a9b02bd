/* The loop: one thread that waits for both brokers, operators, signals and time (gateway.h). */
#define _GNU_SOURCE /* CLOCK_BOOTTIME */
#include "gateway.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MAX_MS 1000u

void gateway_clock(struct gateway *gateway)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_REALTIME, &now);
    gateway->wall_s = now.tv_sec > 0 ? (uint64_t)now.tv_sec : 0;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    gateway->mono_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void signals(sigset_t *set)
{
    (void)sigemptyset(set);
    (void)sigaddset(set, SIGTERM);
    (void)sigaddset(set, SIGINT);
    (void)sigaddset(set, SIGHUP);
}

void gateway_signals_block(void)
{
    sigset_t set;
    signals(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Reads the signals that came. False: it is time to end. */
static bool heed(int file)
{
    struct signalfd_siginfo info;
    bool go_on = true;
    while (read(file, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            serin_log(SERIN_LOG_INFO, "nothing is read again at SIGHUP: certificates are read at "
                                      "each connection, the configuration at the start");
        } else {
            serin_log(SERIN_LOG_INFO, "ending signal=%s", strsignal((int)info.ssi_signo));
            go_on = false;
        }
    }
    return go_on;
}

/* ---- waiting ---- */

/* What is polled: the signals, both connections, the control socket. */
struct watch {
    struct pollfd files[3 + SERIN_CONTROL_FDS_MAX];
    size_t control_count;
};

static int wait_ms(const struct gateway *gateway)
{
    const uint64_t deadlines[] = {
        gateway_orders_deadline_ms(gateway),
        gateway_words_deadline_ms(gateway),
        gateway_bytes_deadline_ms(gateway),
        gateway_status_deadline_ms(gateway),
    };
    uint64_t left_ms = WAIT_MAX_MS;
    for (size_t i = 0; i < sizeof deadlines / sizeof deadlines[0]; i++) {
        uint64_t until_ms = deadlines[i] > gateway->mono_ms ? deadlines[i] - gateway->mono_ms : 0;
        left_ms = until_ms < left_ms ? until_ms : left_ms;
    }
    return (int)left_ms;
}

static void watch_wait(struct gateway *gateway, struct watch *watch, bool more)
{
    watch->control_count = gateway_status_fds(gateway, watch->files + 3);
    if (poll(watch->files, (nfds_t)(3 + watch->control_count), more ? 0 : wait_ms(gateway)) < 0) {
        if (errno != EINTR) {
            serin_log(SERIN_LOG_ERROR, "poll failed: %s", strerror(errno));
        }
        for (size_t i = 0; i < 3 + watch->control_count; i++) {
            watch->files[i].revents = 0;
        }
    }
    gateway_clock(gateway);
}

/* ---- turns ---- */

/* What was heard is passed down before what follows from it is worked on: an order never waits for
 * bulk. True: more has come. */
static bool turn(struct gateway *gateway)
{
    bool more = gateway_links_drain(gateway);
    gateway_orders_tick(gateway);
    gateway_words_tick(gateway);
    gateway_bytes_tick(gateway);
    gateway_status_tick(gateway);
    gateway_meta_tick(gateway, false);
    return more;
}

enum serin_error gateway_run(struct gateway *gateway)
{
    sigset_t set;
    signals(&set);
    int signal_file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_file < 0) {
        return gateway_fail(gateway, SERIN_ERR_IO, "signals cannot be received: %s",
                            strerror(errno));
    }
    struct watch watch = {
        .files = {{.fd = signal_file, .events = POLLIN},
                  {.fd = serin_mqtt_fd(gateway->up), .events = POLLIN},
                  {.fd = serin_mqtt_fd(gateway->site), .events = POLLIN}},
    };
    SERIN_FAULT_POINT("gateway.started");
    serin_log(SERIN_LOG_INFO, "started gateway=%s incarnation=%016llx", gateway->config->id,
              (unsigned long long)gateway->meta.incarnation);
    bool go_on = true;
    bool more = true;
    while (go_on) {
        watch_wait(gateway, &watch, more);
        more = turn(gateway);
        gateway_status_serve(gateway, watch.files + 3, watch.control_count);
        go_on = watch.files[0].revents == 0 || heed(signal_file);
    }
    (void)close(signal_file);
    return SERIN_OK;
}
