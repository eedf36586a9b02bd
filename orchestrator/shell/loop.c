/* The loop: one thread that waits for brokers, operators, signals and time (serind.h). */
#define _GNU_SOURCE
#include "beats.h"
#include "fleet.h"
#include "pass.h"
#include "revert.h"
#include "serind.h"
#include "start.h"

#include <serin/adapters/log.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MAX_MS   1000
#define WAIT_HEARD_MS 100 /* while a broker has not been heard */

void serind_clock(struct serind *serind)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    serind->now_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    serind->mono_ms = (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void serind_signals_block(void)
{
    sigset_t set;
    signals(&set);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
}

/* Reads the signals that came. False: it is time to end. */
static bool heed(struct serind *serind, int file)
{
    struct signalfd_siginfo info;
    bool go_on = true;
    while (read(file, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP) {
            serind_audit_reopen(serind);
        } else {
            serin_log(SERIN_LOG_INFO, "ending signal=%s", strsignal((int)info.ssi_signo));
            go_on = false;
        }
    }
    return go_on;
}

/* ---- passes ---- */

static bool pass_due(struct serind *serind)
{
    return serind_intake_due(serind) || serind_beats_due(serind) || serind_publisher_due(serind) ||
           serind_sites_due(serind) || serind_rollouts_deadline_ms(serind) <= serind->now_ms;
}

/* What devices sent, what time brought, what must be renewed: one transaction. A pass that fails is
 * not tried again with the same reports: nobody acknowledged them, so their devices send them again
 * when there may be room. */
static void work(struct serind *serind)
{
    if (serind_brokers_unheard(serind)) {
        return;
    }
    if (serind->mono_ms < serind->pass_retry_at_ms) {
        serind_intake_empty(serind);
        return;
    }
    if (!pass_due(serind)) {
        return;
    }
    enum serin_error error = serind_pass_begin(serind);
    if (error == SERIN_OK) {
        serind_beats_tend(serind);
        serind_fleet_take(serind);
        serind_rollouts_tick(serind);
        serind_publisher_renew(serind);
        error = serind_pass_end(serind);
    }
    if (error == SERIN_OK) {
        serind_beats_keep(serind);
    }
    serind->pass_retry_at_ms = error == SERIN_OK ? 0 : serind->mono_ms + SERIND_PASS_RETRY_MS;
}

/* ---- waiting ---- */

static void shorten(int *timeout_ms, uint64_t at_ms, uint64_t now_ms)
{
    uint64_t left_ms = at_ms > now_ms ? at_ms - now_ms : 0;
    if (left_ms < (uint64_t)*timeout_ms) {
        *timeout_ms = (int)left_ms;
    }
}

static int wait_ms(struct serind *serind)
{
    int timeout_ms = WAIT_MAX_MS;
    int http_ms = serin_http_timeout_ms(serind->http);
    if (http_ms >= 0 && http_ms < timeout_ms) {
        timeout_ms = http_ms;
    }
    if (serind_brokers_unheard(serind)) {
        return timeout_ms < WAIT_HEARD_MS ? timeout_ms : WAIT_HEARD_MS;
    }
    if (serind->publisher.count > 0) {
        shorten(&timeout_ms, serind->publisher.tend_at_ms, serind->mono_ms);
    }
    if (serind->intake.count > 0) {
        shorten(&timeout_ms, serind->intake.oldest_at_ms + SERIND_BEAT_WAIT_MS, serind->mono_ms);
    }
    uint64_t deadline_ms = serind_rollouts_deadline_ms(serind);
    if (serind->pass_retry_at_ms != 0) {
        shorten(&timeout_ms, serind->pass_retry_at_ms, serind->mono_ms);
    } else if (deadline_ms != UINT64_MAX) {
        shorten(&timeout_ms, deadline_ms, serind->now_ms);
    }
    return timeout_ms;
}

/* One turn. False: it is time to end. */
static bool turn(struct serind *serind, struct pollfd *files, nfds_t count, bool more)
{
    serind_clock(serind);
    if (poll(files, count, more ? 0 : wait_ms(serind)) < 0 && errno != EINTR) {
        serin_log(SERIN_LOG_ERROR, "poll failed: %s", strerror(errno));
    }
    serind_clock(serind);
    return (files[0].revents & POLLIN) == 0 || heed(serind, files[0].fd);
}

void serind_run(struct serind *serind)
{
    sigset_t set;
    signals(&set);
    int signal_file = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (signal_file < 0) {
        serin_log(SERIN_LOG_ERROR, "signals cannot be received: %s", strerror(errno));
        return;
    }
    struct pollfd files[2 + SERIN_SERIND_BROKERS_MAX] = {
        {.fd = signal_file, .events = POLLIN},
        {.fd = serin_http_fd(serind->http), .events = POLLIN},
    };
    for (size_t i = 0; i < serind->broker_count; i++) {
        files[2 + i] =
            (struct pollfd){.fd = serin_mqtt_fd(serind->brokers[i].mqtt), .events = POLLIN};
    }
    bool more = false;
    while (turn(serind, files, 2 + (nfds_t)serind->broker_count, more)) {
        more = serind_intake_drain(serind);
        serind_intake_tend(serind);
        serind_publisher_tend(serind);
        serind_sites_tend(serind);
        work(serind);
        serin_http_run(serind->http);
        serind_revert_tend(serind);
        serind_outbox_send(serind);
        serind_audit_tend(serind);
    }
    serind_audit(serind, &(struct serind_audit_line){.what = "stop", .order = serind->meta.order},
                 "serind ended on a signal");
    (void)close(signal_file);
}
