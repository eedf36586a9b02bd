/*
 * serin-soak-fleet: random rollouts over small simulated fleets, seed after seed, until the time or
 * the number of runs is up (scripts/soak-fleet). An invariant that breaks is shown with its seed
 * and the command that replays it; a sort of trouble that never came fails the whole run.
 */
#include "draw.h"
#include "options.h"
#include "totals.h"

#include <serin/adapters/keys.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/stored_rollout.h>
#include <serin/adapters/wolfcrypt.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TWICE_EVERY        50u  /* of so many seeds one runs twice, to the same digest */
#define EVERY_TROUBLE_RUNS 300u /* so many runs bring every sort of trouble; fewer need not */

struct soak {
    const struct soak_options *options;
    struct serin_key_signer *keys[3];
    struct serin_signer signers[3];
    struct serin_sim_config config;
    struct serin_sim_result result;
    struct soak_totals totals;
    bool telling;
};

/* ---- a broken promise of the code under test ends the process, and must tell its seed ---- */

static uint64_t current_seed;
static uint32_t current_devices_max;

extern void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

/* Nothing but write(2) may be called here. */
static void last_words(void)
{
    char text[96] = "DIED\n  replay: serin-soak-fleet --only ";
    const uint64_t numbers[] = {current_seed, current_devices_max};
    size_t size = strlen(text);
    for (size_t i = 0; i < 2; i++) {
        char digits[24];
        size_t count = 0;
        uint64_t left = numbers[i];
        do {
            digits[count++] = (char)('0' + left % 10);
            left /= 10;
        } while (left > 0);
        while (count > 0) {
            text[size++] = digits[--count];
        }
        const char *end = i == 0 ? " --devices-max " : "\n";
        memcpy(text + size, end, strlen(end));
        size += strlen(end);
    }
    ssize_t ignored = write(STDOUT_FILENO, text, size);
    (void)ignored;
}

static void died(int number)
{
    last_words();
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static void watch_death(void)
{
    (void)signal(SIGILL, died);
    (void)signal(SIGTRAP, died);
    (void)signal(SIGABRT, died);
    if (__sanitizer_set_death_callback != NULL) {
        __sanitizer_set_death_callback(last_words);
    } else {
        (void)signal(SIGSEGV, died);
    }
}

static double now_s(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void keys_open(struct soak *soak)
{
    for (size_t i = 0; i < 3; i++) {
        const uint8_t number[32] = {[31] = (uint8_t)(i + 1)};
        if (serin_key_signer_of(&soak->keys[i], number) != SERIN_OK) {
            (void)fprintf(stderr, "serin-soak-fleet: a key could not be made\n");
            exit(1);
        }
        soak->signers[i] = serin_key_signer_port(soak->keys[i]);
    }
}

/* With --only, what happened is told, once. */
static void moment(void *ctx, const struct serin_sim_moment *moment)
{
    const struct soak *soak = ctx;
    if (soak->telling && moment->text != NULL) {
        (void)printf("%12.3f  %s\n", (double)moment->at_ms / 1000, moment->text);
    }
}

/* What the seed has drawn, as far as it makes one run unlike another. */
static void describe(const struct serin_sim_config *config)
{
    const struct serin_sim_scenario *scenario = &config->scenario;
    (void)printf("%u devices, %u gateways, image of %u bytes, %zu stages, %s on a halt\n",
                 (unsigned)config->devices, (unsigned)config->gateways,
                 (unsigned)config->image_size, config->policy.stage_count,
                 config->policy.on_halt == SERIN_ON_HALT_REVERT ? "back" : "hold");
    for (size_t i = 0; i < scenario->behaviour_count; i++) {
        const struct serin_sim_behaviour *behaviour = &scenario->behaviours[i];
        (void)printf("  %s of %.4f %%, hardware %u, %zu sites, after %llu s\n",
                     serin_sim_fault_text(behaviour->fault), behaviour->share / 10000.0,
                     (unsigned)behaviour->hardware, behaviour->site_count,
                     (unsigned long long)(behaviour->after_ms / 1000));
    }
    for (size_t i = 0; i < scenario->event_count; i++) {
        const struct serin_sim_event *event = &scenario->events[i];
        (void)printf("  %s at %llu s for %llu s\n", serin_sim_event_rule(event->kind)->word,
                     (unsigned long long)(event->at_ms / 1000),
                     (unsigned long long)(event->for_ms / 1000));
    }
}

static bool run(struct soak *soak, uint64_t seed)
{
    const char *field = NULL;
    soak_draw(&soak->config, seed, soak->options->devices_max);
    soak->config.crypto = serin_wolfcrypt();
    soak->config.codec = serin_protobufc();
    soak->config.site_codec = serin_protobufc_site();
    soak->config.stored = serin_stored_rollout;
    soak->config.root = &soak->signers[0];
    soak->config.release = &soak->signers[1];
    soak->config.director = &soak->signers[2];
    soak->config.moment = moment;
    soak->config.ctx = soak;
    enum serin_error error = serin_sim_run(&soak->config, &soak->result, &field);
    if (error != SERIN_OK) {
        (void)printf("seed %llu: does not run: %s\n", (unsigned long long)seed,
                     field != NULL ? field : serin_error_text(error));
    }
    return error == SERIN_OK;
}

static void replay_say(const struct soak *soak, uint64_t seed)
{
    (void)printf("  replay: serin-soak-fleet --only %llu --devices-max %u\n",
                 (unsigned long long)seed, (unsigned)soak->options->devices_max);
    (void)fflush(stdout);
}

/* One seed. False: something is wrong with it, and has been told. */
static bool seed_try(struct soak *soak, uint64_t seed)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    current_seed = seed;
    current_devices_max = soak->options->devices_max;
    soak->telling = soak->options->only;
    if (soak->telling) {
        soak_draw(&soak->config, seed, soak->options->devices_max);
        describe(&soak->config);
    }
    bool fine = run(soak, seed);
    soak->telling = false;
    if (fine && soak->result.broken != SERIN_SIM_SOUND) {
        (void)printf("seed %llu: BROKEN: %s: %s\n", (unsigned long long)seed,
                     serin_sim_invariant_text(soak->result.broken), soak->result.breach);
        fine = false;
    }
    soak_totals_add(&soak->totals, &soak->config, &soak->result);
    memcpy(digest, soak->result.digest, sizeof digest);
    if (fine && (soak->options->only || seed % TWICE_EVERY == 0)) {
        fine = run(soak, seed);
        if (fine && memcmp(digest, soak->result.digest, sizeof digest) != 0) {
            (void)printf("seed %llu: two runs differ\n", (unsigned long long)seed);
            fine = false;
        }
    }
    if (!fine) {
        replay_say(soak, seed);
    }
    return fine;
}

/* The seeds of one process: from the first on in steps of `jobs`. */
static void seeds_try(struct soak *soak, unsigned job)
{
    const struct soak_options *options = soak->options;
    double end = now_s() + options->minutes * 60;
    for (uint64_t i = job; options->runs == 0 || i < options->runs; i += options->jobs) {
        if (options->minutes > 0 && now_s() >= end) {
            break;
        }
        soak->totals.breaches += seed_try(soak, options->seed + i) ? 0 : 1;
        if (soak->totals.breaches >= options->breaches_max) {
            break;
        }
    }
}

/* ---- several processes ---- */

static int job_start(struct soak *soak, unsigned job)
{
    int ends[2];
    (void)fflush(stdout);
    if (pipe(ends) != 0) {
        return -1;
    }
    pid_t child = fork();
    if (child == 0) {
        (void)close(ends[0]);
        seeds_try(soak, job);
        (void)fflush(stdout);
        bool told =
            write(ends[1], &soak->totals, sizeof soak->totals) == (ssize_t)sizeof soak->totals;
        _exit(told ? 0 : 1);
    }
    (void)close(ends[1]);
    return child > 0 ? ends[0] : -1;
}

/* False: a process died, which is a finding too. */
static bool jobs_run(struct soak *soak)
{
    int ends[SOAK_JOBS_MAX] = {0};
    bool fine = true;
    for (unsigned job = 0; job < soak->options->jobs; job++) {
        ends[job] = job_start(soak, job);
    }
    for (unsigned job = 0; job < soak->options->jobs; job++) {
        struct soak_totals totals;
        size_t got = 0;
        ssize_t size = 1;
        while (ends[job] >= 0 && got < sizeof totals && size > 0) {
            size = read(ends[job], (char *)&totals + got, sizeof totals - got);
            got += size > 0 ? (size_t)size : 0;
        }
        if (got == sizeof totals) {
            soak_totals_join(&soak->totals, &totals);
        } else {
            (void)printf("a process died: job %u of %u\n", job + 1, soak->options->jobs);
            fine = false;
        }
    }
    while (wait(NULL) > 0) {
    }
    return fine;
}

int main(int argc, char **argv)
{
    static struct soak soak;
    static struct soak_options options;
    if (!soak_options_read(&options, argc, argv)) {
        return 2;
    }
    if (options.help) {
        return 0;
    }
    soak.options = &options;
    (void)setvbuf(stdout, NULL, _IOLBF, 0); /* what was told stands even where it dies */
    watch_death();
    keys_open(&soak);
    double began = now_s();
    bool fine = true;
    if (options.jobs == 1) {
        seeds_try(&soak, 0);
    } else {
        fine = jobs_run(&soak);
    }
    soak_totals_print(&soak.totals, &options, now_s() - began);
    fine = fine && soak.totals.breaches == 0 && soak.totals.runs > 0;
    if (!options.only && soak.totals.runs >= EVERY_TROUBLE_RUNS) {
        fine = soak_totals_whole(&soak.totals) && fine;
    }
    for (size_t i = 0; i < 3; i++) {
        serin_key_signer_close(soak.keys[i]);
    }
    return fine ? 0 : 1;
}
