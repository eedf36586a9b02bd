/* The loop of the fleet (fleet.h). */
#include "fleet.h"

#include "queue.h"

#include <serin/adapters/wolfcrypt.h>

#include <errno.h>
#include <mosquitto.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define DESCRIPTORS_PER_NODE 3u /* the socket, and the pair that libmosquitto makes */
#define DESCRIPTORS_BESIDE   64u
#define EVENTS_PER_PASS      256
#define LOOK_MS              250u /* how often the tally is made */
#define SIGNALS              UINT32_MAX

struct load_fleet {
    struct load_shared shared;
    struct load_node *nodes;
    struct load_queue *queue;
    int epoll, signals;
    uint64_t started_ms, ended_ms; /* on the clock */
    uint64_t settled_ms;           /* since the start: all are done; acks are waited for */
    bool stopping;
    bool on_terminal;
};

static uint64_t clock_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static uint64_t fleet_now_ms(const struct load_fleet *fleet)
{
    return clock_ms() - fleet->started_ms;
}

/* ---- opening ---- */

/* Raises the limit of descriptors as far as it goes, and refuses what does not fit. */
static enum load_exit limit_raise(uint32_t nodes)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)nodes * DESCRIPTORS_PER_NODE + DESCRIPTORS_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < needed) {
        limit.rlim_cur = needed < limit.rlim_max ? needed : limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < needed) {
        return load_complain(LOAD_EXIT_CONFIG,
                             "%u nodes need %llu open files; raise the limit (ulimit -n)", nodes,
                             (unsigned long long)needed);
    }
    return LOAD_EXIT_DONE;
}

static bool watch_signals(struct load_fleet *fleet)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return false;
    }
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = SIGNALS};
    fleet->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    fleet->epoll = epoll_create1(EPOLL_CLOEXEC);
    return fleet->signals >= 0 && fleet->epoll >= 0 &&
           epoll_ctl(fleet->epoll, EPOLL_CTL_ADD, fleet->signals, &event) == 0;
}

/* A wake-up time within the spread; the first node wakes at once. */
static uint64_t wake_time(const struct load_options *options, uint32_t index)
{
    uint8_t bytes[4] = {0};
    const struct serin_crypto *crypto = serin_wolfcrypt();
    if (index == 0 || crypto->ops->random(crypto->ctx, bytes, sizeof bytes) != SERIN_OK) {
        return 0;
    }
    return serin_get_le32(bytes) % ((uint64_t)options->start_spread_ms + 1u);
}

/* A certificate that is missing would show as a node that never comes. */
static enum load_exit certificate_check(const struct load_options *options, uint32_t index)
{
    struct serin_identity identity;
    load_factory_identity(options, options->first + index, &identity);
    for (int i = 0; i < 2; i++) {
        char path[LOAD_PATH_MAX];
        load_node_file(options, identity.device_id, i == 0 ? "pem" : "key", path);
        if (access(path, R_OK) != 0) {
            return load_complain(LOAD_EXIT_CONFIG, "%s: %s", path, strerror(errno));
        }
    }
    return access(options->ca, R_OK) == 0
               ? LOAD_EXIT_DONE
               : load_complain(LOAD_EXIT_CONFIG, "%s: %s", options->ca, strerror(errno));
}

enum load_exit load_fleet_open(struct load_fleet **place, const struct load_options *options,
                               const struct load_factory *factory)
{
    struct load_fleet *fleet = calloc(1, sizeof *fleet);
    *place = fleet;
    if (fleet == NULL) {
        return load_complain(LOAD_EXIT_CONFIG, "memory is exhausted");
    }
    fleet->signals = fleet->epoll = -1;
    fleet->shared.options = options;
    fleet->shared.factory = factory;
    enum load_exit code = limit_raise(options->nodes);
    if (code != LOAD_EXIT_DONE) {
        return code;
    }
    fleet->settled_ms = LOAD_NEVER_MS;
    fleet->on_terminal = isatty(STDERR_FILENO) == 1;
    fleet->nodes = calloc(options->nodes, sizeof *fleet->nodes);
    if (fleet->nodes == NULL || load_queue_open(&fleet->queue, options->nodes) != SERIN_OK ||
        mosquitto_lib_init() != MOSQ_ERR_SUCCESS || !watch_signals(fleet)) {
        return load_complain(LOAD_EXIT_CONFIG, "the fleet cannot be set up");
    }
    for (uint32_t i = 0; i < options->nodes; i++) {
        uint64_t wake_ms = wake_time(options, i);
        code = certificate_check(options, i);
        if (code != LOAD_EXIT_DONE) {
            return code;
        }
        if (load_node_open(&fleet->nodes[i], &fleet->shared, i, wake_ms) != SERIN_OK) {
            return load_complain(LOAD_EXIT_CONFIG, "memory is exhausted at node %u", i);
        }
        load_queue_put(fleet->queue, i, wake_ms);
    }
    return LOAD_EXIT_DONE;
}

void load_fleet_close(struct load_fleet *fleet)
{
    if (fleet == NULL) {
        return;
    }
    for (uint32_t i = 0; fleet->nodes != NULL && i < fleet->shared.options->nodes; i++) {
        load_node_close(&fleet->nodes[i]);
    }
    (void)mosquitto_lib_cleanup();
    load_queue_close(fleet->queue);
    free(fleet->nodes);
    if (fleet->epoll >= 0) {
        (void)close(fleet->epoll);
    }
    if (fleet->signals >= 0) {
        (void)close(fleet->signals);
    }
    free(fleet);
}

/* ---- looking ---- */

static const struct serin_version *awaited(const struct load_fleet *fleet)
{
    return fleet->shared.options->until_given ? &fleet->shared.options->until : NULL;
}

void load_fleet_tally(const struct load_fleet *fleet, struct load_tally *tally)
{
    *tally = (struct load_tally){0};
    for (uint32_t i = 0; i < fleet->shared.options->nodes; i++) {
        struct load_node *node = &fleet->nodes[i];
        const struct load_account *account = load_node_account(node);
        bool done = load_account_done(account, awaited(fleet));
        tally->awake += node->booted ? 1u : 0u;
        tally->connected += node->client.link == LOAD_LINK_UP ? 1u : 0u;
        tally->accepted += account->accepted_ms != LOAD_NEVER_MS ? 1u : 0u;
        tally->held += account->held_ms != LOAD_NEVER_MS ? 1u : 0u;
        tally->done += done ? 1u : 0u;
        tally->failed += !done && load_account_failed(account) ? 1u : 0u;
        tally->acked += account->acked ? 1u : 0u;
        tally->bytes_fetched += account->bytes_fetched;
    }
}

static void show(const struct load_fleet *fleet, const struct load_tally *tally, uint64_t now_ms)
{
    if (fleet->on_terminal) {
        (void)fprintf(stderr,
                      "\r%5llu s  %u connected  %u accepted  %u hold the image  %u confirmed  "
                      "%u failed  %.1f MB\033[K",
                      (unsigned long long)(now_ms / 1000u), tally->connected, tally->accepted,
                      tally->held, tally->done, tally->failed, (double)tally->bytes_fetched / 1e6);
    }
}

/* Whether the run is over. */
static bool over(struct load_fleet *fleet, uint64_t now_ms)
{
    const struct load_options *options = fleet->shared.options;
    struct load_tally tally;
    load_fleet_tally(fleet, &tally);
    show(fleet, &tally, now_ms);
    if (fleet->stopping || now_ms >= options->timeout_ms) {
        return true;
    }
    if (!options->until_given || tally.done + tally.failed < options->nodes) {
        fleet->settled_ms = LOAD_NEVER_MS;
        return false;
    }
    if (fleet->settled_ms == LOAD_NEVER_MS) {
        fleet->settled_ms = now_ms;
    }
    return tally.acked == options->nodes || now_ms - fleet->settled_ms >= options->settle_ms;
}

/* ---- running ---- */

/* Brings epoll and the queue in line with what the node waits for. A node that has more to do at
 * once comes after all others that have. */
static void await(struct load_fleet *fleet, uint32_t index, uint64_t now_ms)
{
    struct load_node *node = &fleet->nodes[index];
    struct epoll_event event = {.data.u32 = index};
    uint32_t wanted = 0;
    int fd = load_client_fd(&node->client, &wanted);
    if (fd >= 0 && wanted != node->client.watched) {
        int how = node->client.watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        event.events = wanted;
        if (epoll_ctl(fleet->epoll, how, fd, &event) == 0) {
            node->client.watched = wanted;
        } else {
            load_client_fail(&node->client, "epoll does not take it"); /* its next turn drops it */
        }
    }
    uint64_t due_ms = load_node_due_ms(node);
    load_queue_put(fleet->queue, index, due_ms > now_ms ? due_ms : now_ms + 1u);
}

static void serve_due(struct load_fleet *fleet)
{
    uint64_t now_ms = fleet_now_ms(fleet);
    uint32_t index = 0;
    /* Whoever is served is due after `now_ms`, so this ends. */
    while (load_queue_take(fleet->queue, now_ms, &index)) {
        load_node_serve(&fleet->nodes[index], fleet_now_ms(fleet));
        await(fleet, index, now_ms);
    }
}

static void serve_epoll(struct load_fleet *fleet, uint64_t look_ms)
{
    struct epoll_event events[EVENTS_PER_PASS];
    uint64_t now_ms = fleet_now_ms(fleet);
    uint64_t next_ms = load_queue_next_ms(fleet->queue);
    next_ms = next_ms < look_ms ? next_ms : look_ms;
    int count = epoll_wait(fleet->epoll, events, EVENTS_PER_PASS,
                           next_ms > now_ms ? (int)(next_ms - now_ms) : 0);
    for (int i = 0; i < count; i++) {
        uint32_t index = events[i].data.u32;
        if (index == SIGNALS) {
            fleet->stopping = true;
            continue;
        }
        now_ms = fleet_now_ms(fleet);
        load_node_pump(&fleet->nodes[index], now_ms, events[i].events);
        await(fleet, index, now_ms);
    }
}

enum load_exit load_fleet_run(struct load_fleet *fleet)
{
    uint64_t look_ms = 0;
    struct load_tally tally;
    fleet->started_ms = clock_ms();
    for (;;) {
        uint64_t now_ms = fleet_now_ms(fleet);
        if (now_ms >= look_ms || fleet->stopping) {
            look_ms = now_ms + LOOK_MS;
            if (over(fleet, now_ms)) {
                break;
            }
        }
        serve_due(fleet);
        serve_epoll(fleet, look_ms);
    }
    fleet->ended_ms = clock_ms();
    if (fleet->on_terminal) {
        (void)fputc('\n', stderr);
    }
    load_fleet_tally(fleet, &tally);
    bool done = !fleet->shared.options->until_given || tally.done == fleet->shared.options->nodes;
    return done ? LOAD_EXIT_DONE : LOAD_EXIT_FAILED;
}

const struct load_shared *load_fleet_shared(const struct load_fleet *fleet)
{
    return &fleet->shared;
}

const struct load_node *load_fleet_node(const struct load_fleet *fleet, uint32_t index)
{
    return &fleet->nodes[index];
}

uint64_t load_fleet_elapsed_ms(const struct load_fleet *fleet)
{
    return fleet->ended_ms - fleet->started_ms;
}
