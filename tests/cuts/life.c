/* The life of one device, step by step (life.h). */
#include "life.h"

#include "agent_internal.h"
#include "harm.h"
#include "memo.h"

#include <serin/adapters/protobufc.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHAPTER_STEPS_MAX 2500u
#define APP_SPEAKS_MS     500u  /* after its start */
#define APP_REPEATS_MS    250u  /* a confirmation that was not allowed yet */
#define APP_HANGS_MS      2000u /* until the watchdog bites */

void cuts_fail(struct cuts_life *life, const char *failure, const char *format, ...)
{
    if (life->failure != NULL) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(life->detail, sizeof life->detail, format, arguments);
    va_end(arguments);
    life->failure = failure;
}

/* ---- the board's ports ---- */

static enum serin_error link_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                     size_t size)
{
    return cuts_server_hear(ctx, kind, payload, size);
}

static void platform_reset(void *ctx)
{
    ((struct cuts_life *)ctx)->reset_asked = true;
}

static uint64_t platform_time(void *ctx)
{
    return 1767225600u + ((const struct cuts_life *)ctx)->now_ms / 1000u;
}

static void platform_log(void *ctx, const char *line)
{
    const struct cuts_life *life = ctx;
    if (life->telling) {
        (void)printf("  [boot %u, %llu ms] %s\n", life->boots, (unsigned long long)life->now_ms,
                     line);
    }
}

static const struct serin_link_ops link_ops = {.publish = link_publish};
static const struct serin_platform_ops platform_ops = {
    .reset = platform_reset, .unix_time_s = platform_time, .log = platform_log};

static enum serin_error nothing_boots(void *ctx, const struct serin_recovery_account *account);
static const struct serin_recovery_ops recovery_ops = {.nothing_boots = nothing_boots};

/* No part of what is saved: a boot fills it before anything runs. */
static uint8_t memory[16384];

const uint8_t *cuts_life_copy(const struct cuts_life *life)
{
    return life->boot.loader != NULL ? life->ram.memory : NULL;
}

static void fill_ports(struct cuts_life *life)
{
    life->ram = (struct serin_ram_loader){.memory = memory, .size = sizeof memory};
    life->loader = (struct serin_image_loader){.ops = &serin_ram_loader_ops, .ctx = &life->ram};
    life->recovery = (struct serin_recovery){.ops = &recovery_ops, .ctx = life};
    static const struct serin_identity identity = {.device_id = "pump-01",
                                                   .product = "pump",
                                                   .channel = "stable",
                                                   .hardware = 2,
                                                   .bootloader = 1};
    life->boot = (struct serin_boot){.crypto = cuts_crypto_open(&life->random),
                                     .flash = serin_flash_emulator_flash(life->emulator),
                                     .layout = &life->layout,
                                     .root_key = life->goods->root_key,
                                     .recovery = &life->recovery,
                                     .loader = life->geometry->ecc ? &life->loader : NULL,
                                     .identity = &identity};
    life->bootloader = &life->boot;
    life->config = (struct serin_agent_config){.boot = &life->boot,
                                               .codec = serin_protobufc(),
                                               .link = &link_ops,
                                               .link_ctx = life,
                                               .platform = &platform_ops,
                                               .platform_ctx = life,
                                               .block_size = 1024,
                                               .window_blocks = 4,
                                               .beat_interval_s = 3600,
                                               .report_retry_min_ms = 5000,
                                               .report_retry_max_ms = 3600000,
                                               .block_timeout_ms = 2000,
                                               .confirm_needs_directive = true,
                                               .scratch = life->scratch,
                                               .scratch_size = sizeof life->scratch};
}

bool cuts_life_open(struct cuts_life *life, const struct cuts_goods *goods,
                    const struct cuts_geometry *geometry, uint64_t seed)
{
    memset(life, 0, sizeof *life);
    life->goods = goods;
    life->geometry = geometry;
    life->random = 88172645463325252u;
    life->last = CUTS_CHAPTERS - 1u;
    life->calm = CUTS_CHAPTERS;
    struct serin_flash_emulator_config config = {
        .size_bytes = geometry->size,
        .sector_size = geometry->sector,
        .write_unit = geometry->unit,
        .erased_value = geometry->erased,
        .ecc = geometry->ecc,
        .seed = seed,
        .programming = geometry->and ? SERIN_FLASH_AND : SERIN_FLASH_WRITE_ONCE};
    for (unsigned i = 0; i < CUTS_RUNS; i++) {
        config.runs[i] = geometry->runs[i];
    }
    if (serin_flash_emulator_open(&life->emulator, &config) != SERIN_OK) {
        cuts_fail(life, "no flash can be had", "%s", geometry->name);
        return false;
    }
    const struct serin_flash *flash = serin_flash_emulator_flash(life->emulator);
    if (serin_layout_default(flash, &life->layout) != SERIN_OK) {
        cuts_fail(life, "there is no layout", "%s", geometry->name);
        return false;
    }
    serin_slot_map(flash, &life->layout, &life->map);
    fill_ports(life);
    return true;
}

void cuts_life_close(struct cuts_life *life)
{
    serin_flash_emulator_close(life->emulator);
    life->emulator = NULL;
}

bool cuts_is_harmed(struct cuts_life *life)
{
    struct serin_flash_figures figures;
    if (life->harm_armed && !life->harmed) {
        serin_flash_emulator_figures(life->emulator, &figures);
        life->harmed = figures.fired > 0;
    }
    return life->harmed;
}

/* ---- factory and boot ---- */

static enum serin_error read_image(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct cuts_release *release = ctx;
    memcpy(out, release->image + offset, size);
    return SERIN_OK;
}

/* With an account as a recovery does that keeps what must not come back out, else as a factory. */
static enum serin_error provision_as(struct cuts_life *life, unsigned minor, unsigned trust,
                                     const struct serin_recovery_account *account)
{
    struct cuts_release release = life->goods->releases[minor - 1u];
    struct serin_factory_image image = {.manifest = release.manifest_bytes,
                                        .manifest_size = sizeof release.manifest_bytes,
                                        .read = read_image,
                                        .ctx = &release};
    const uint8_t *record = life->goods->trust_records[trust - 1u];
    return account != NULL
               ? serin_boot_provision_anew(&life->boot, account, record, SERIN_TRUST_SIZE_P256,
                                           &image)
               : serin_boot_provision(&life->boot, record, SERIN_TRUST_SIZE_P256, &image);
}

/* With both trust records lost somebody comes with what ran before. Anything else that brings a
 * device here is a failure. */
static enum serin_error nothing_boots(void *ctx, const struct serin_recovery_account *account)
{
    struct cuts_life *life = ctx;
    bool lost = life->event == CUTS_EVENT_LOSE_TRUST && life->struck;
    if (life->calm != CUTS_CHAPTERS) {
        return SERIN_ERR_NOT_FOUND; /* nobody comes for what passes */
    }
    life->recoveries++;
    if (!lost || life->recoveries > 1 || serin_flash_emulator_is_off(life->emulator)) {
        return SERIN_ERR_NOT_FOUND;
    }
    if (account->trust != SERIN_ERR_NOT_FOUND || account->floor < life->seen.floor) {
        cuts_fail(life, "the recovery port is told what is not so", "trust %s, floor %u of %u",
                  serin_error_text(account->trust), account->floor, life->seen.floor);
    }
    life->seen.trial_boots = 0; /* a new device, but for its floor */
    life->seen.trial_ms = 0;
    life->seen.rotten = SERIN_SLOT_NONE;
    unsigned before = life->chapter == 0 ? 1u : cuts_story[life->chapter - 1u].running;
    return provision_as(life, before, life->seen.trust != 0 ? life->seen.trust : 1u,
                        life->event_step % 2u == 0 ? account : NULL);
}

/* What the factory's tool does, again and again until it went through. */
static void provision(struct cuts_life *life)
{
    enum serin_error error = provision_as(life, 1, 1, NULL);
    if (serin_flash_emulator_is_off(life->emulator)) {
        return;
    }
    if (error != SERIN_OK && cuts_is_harmed(life)) {
        return; /* it is repeated */
    }
    if (error != SERIN_OK) {
        cuts_fail(life, "provisioning fails", "%s", serin_error_text(error));
    }
    life->mode = CUTS_OFF;
    life->cause = SERIN_RESET_POWER;
    cuts_story_begin(life);
}

static void tell_boot(const struct cuts_life *life)
{
    struct serin_boot_state state;
    if (!life->telling) {
        return;
    }
    /* From a copy: a reading more would change what cells that are loose give next. */
    struct serin_flash_emulator *copy;
    if (serin_flash_emulator_copy(&copy, life->emulator) != SERIN_OK) {
        return;
    }
    struct serin_boot boot = life->boot;
    boot.flash = serin_flash_emulator_flash(copy);
    enum serin_error error = serin_boot_read(&boot, &state);
    serin_flash_emulator_close(copy);
    (void)printf(
        "  [boot %u] operation %llu: slot %u%s; log: %s, record %u, phase %u, %u tries, %u s "
        "of %u, floor %u\n",
        life->boots, (unsigned long long)serin_flash_emulator_operations(life->emulator),
        (unsigned)life->choice.slot, life->choice.trial ? " on trial" : "", serin_error_text(error),
        state.sequence, (unsigned)state.phase, state.tries_left, state.elapsed_s, state.window_s,
        state.floor);
}

/* One boot: the bootloader's choice, then the agent's start. */
static void boot(struct cuts_life *life)
{
    life->boots++;
    life->now_ms = 0;
    life->app_ms = APP_SPEAKS_MS;
    life->app_done = life->reset_asked = false;
    struct cuts_standing before;
    cuts_judge_standing(life, &before);
    life->strikes_before = life->strikes;
    life->booting = true;
    life->dim = false;
    enum serin_error error = serin_boot_select(life->bootloader, life->cause, &life->choice);
    life->booting = false;
    if (serin_flash_emulator_is_off(life->emulator)) {
        return;
    }
    if (error != SERIN_OK && life->dim) {
        life->cause = SERIN_RESET_UNKNOWN; /* the board boots again, and it is light */
        return;
    }
    if (error != SERIN_OK) {
        cuts_fail(life, "nothing boots", "%s", serin_error_text(error));
        return;
    }
    tell_boot(life);
    if (life->event == CUTS_EVENT_LOSE_TRUST && life->struck && life->recoveries == 0) {
        cuts_fail(life, "what boots has no trust record", "slot %u", (unsigned)life->choice.slot);
    }
    cuts_judge_boot(life, &before);
    struct serin_agent_boot_info info = {
        .slot = life->choice.slot, .trial = life->choice.trial, .cause = life->cause};
    error = serin_agent_init(&life->agent, &life->config, &info, 0);
    if (serin_flash_emulator_is_off(life->emulator)) {
        return;
    }
    if (error != SERIN_OK && cuts_is_harmed(life)) {
        life->cause = SERIN_RESET_UNKNOWN; /* the board has nothing else to do, and boots again */
        return;
    }
    if (error != SERIN_OK) {
        cuts_fail(life, "the agent does not start", "%s", serin_error_text(error));
        return;
    }
    life->mode = CUTS_RUNNING;
    cuts_judge_agent(life);
    cuts_server_connect(life);
    struct serin_agent_event event = {.kind = SERIN_AGENT_CONNECTED};
    (void)serin_agent_step(&life->agent, 0, &event);
}

void cuts_life_reset(struct cuts_life *life, enum serin_reset_cause cause, bool power)
{
    if (power) {
        serin_flash_emulator_power_off(life->emulator);
        serin_flash_emulator_power_on(life->emulator);
    }
    life->mode = CUTS_OFF;
    life->cause = cause;
    life->queue_count = 0;
}

/* ---- the application ---- */

/* What it does when its moment has come. */
static void run_app(struct cuts_life *life)
{
    struct serin_agent_event confirm = {.kind = SERIN_AGENT_CONFIRM};
    switch (cuts_story_app(life)) {
    case CUTS_GOOD:
        life->app_done = serin_agent_step(&life->agent, life->now_ms, &confirm) == SERIN_OK;
        life->app_ms = life->now_ms + APP_REPEATS_MS;
        break;
    case CUTS_CRASH:
        cuts_life_reset(life, SERIN_RESET_CRASH, false);
        break;
    case CUTS_HANG:
        if (life->now_ms >= APP_HANGS_MS) {
            cuts_life_reset(life, SERIN_RESET_WATCHDOG, false);
        }
        life->app_ms = APP_HANGS_MS;
        break;
    case CUTS_SILENT:
        life->app_done = true;
        break;
    }
}

/* Time passes up to the next moment at which anything happens. */
static void pass_time(struct cuts_life *life)
{
    uint64_t due = serin_agent_deadline_ms(&life->agent);
    uint64_t app = life->app_done ? UINT64_MAX : life->app_ms;
    uint64_t linger =
        life->lingering && life->linger_ms > life->now_ms ? life->linger_ms : UINT64_MAX;
    uint64_t next = due < app ? due : app;
    next = next < linger ? next : linger;
    if (life->harmed && life->now_ms < CUTS_SETTLE_MS && next > CUTS_SETTLE_MS) {
        next = CUTS_SETTLE_MS;
    }
    next = next > life->now_ms ? next : life->now_ms + 1u;
    uint64_t passed = next - life->now_ms;
    life->now_ms = next;
    if (life->choice.trial && !life->agent.confirmed) {
        life->seen.trial_ms += passed;
    }
    struct serin_agent_event tick = {.kind = SERIN_AGENT_TICK};
    (void)serin_agent_step(&life->agent, life->now_ms, &tick);
    if (!serin_flash_emulator_is_off(life->emulator) && !life->reset_asked && !life->app_done &&
        life->now_ms >= life->app_ms) {
        run_app(life);
    }
}

/* ---- a step ---- */

static void act(struct cuts_life *life)
{
    switch (life->mode) {
    case CUTS_FACTORY:
        provision(life);
        break;
    case CUTS_OFF:
        boot(life);
        break;
    case CUTS_RUNNING:
        if (!cuts_server_deliver(life)) {
            pass_time(life);
        }
        break;
    case CUTS_OVER:
        break;
    }
}

static void power_returns(struct cuts_life *life)
{
    life->cuts++;
    serin_flash_emulator_power_on(life->emulator);
    if (life->mode != CUTS_FACTORY) {
        cuts_life_reset(life, SERIN_RESET_POWER, false);
    }
}

bool cuts_life_step(struct cuts_life *life)
{
    cuts_strike(life);
    uint64_t operations = serin_flash_emulator_operations(life->emulator);
    life->steps++;
    act(life);
    (void)cuts_is_harmed(life);
    if (serin_flash_emulator_is_off(life->emulator)) {
        power_returns(life);
    } else {
        if (serin_flash_emulator_operations(life->emulator) != operations) {
            cuts_judge_step(life);
        }
        if (life->mode == CUTS_RUNNING && life->reset_asked) {
            cuts_life_reset(life, SERIN_RESET_REQUESTED, false);
        }
        cuts_story_step(life);
    }
    cuts_story_disturb(life);
    cuts_judge_time(life);
    if (++life->chapter_steps > CHAPTER_STEPS_MAX) {
        const struct serin_agent *agent = &life->agent;
        cuts_fail(life,
                  life->chapter < life->calm ? "a chapter does not end"
                                             : "a sound release does not get in after the trouble",
                  "%s: %s, %u boots, release %u runs%s, redundancy %u, floor %u, %u of %u reports",
                  cuts_story[life->chapter].name, serin_state_text(serin_attempt_state(agent)),
                  life->boots, agent->running.version.minor, agent->confirmed ? "" : " unconfirmed",
                  (unsigned)agent->redundancy, agent->running.floor, (unsigned)agent->record.acked,
                  (unsigned)agent->record.number);
    }
    return life->failure == NULL && life->mode != CUTS_OVER;
}

/* ---- what a life was ---- */

bool cuts_life_save(const struct cuts_life *life, struct cuts_saved *saved)
{
    saved->life = *life;
    return serin_flash_emulator_snapshot(life->emulator, &saved->flash) == SERIN_OK;
}

void cuts_life_restore(struct cuts_life *life, const struct cuts_saved *saved)
{
    *life = saved->life; /* at the same address: what points into it stays right */
    serin_flash_emulator_restore(life->emulator, saved->flash);
}

void cuts_saved_close(struct cuts_saved *saved)
{
    serin_flash_snapshot_free(saved->flash);
    saved->flash = NULL;
}
