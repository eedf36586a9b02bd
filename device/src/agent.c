/* The agent's events, deadlines and view. */
#include "agent_internal.h"
#include "boot_state.h"

#include <serin/piece.h>

#include <string.h>

#define IDLE_TICK_MS 60000u
#define LOG_LINE_MAX 160u

size_t serin_agent_size(void)
{
    return sizeof(struct serin_agent);
}

#ifndef SERIN_AGENT_QUIET

static size_t append(char *line, size_t used, const char *text)
{
    for (; *text != '\0' && used < LOG_LINE_MAX - 1u; text++) {
        line[used++] = *text;
    }
    line[used] = '\0';
    return used;
}

void serin_agent_log(const struct serin_agent *agent, const char *text, const char *detail)
{
    const struct serin_agent_config *config = agent->config;
    char line[LOG_LINE_MAX];
    if (config->platform->log == NULL) {
        return;
    }
    size_t used = append(line, 0, text);
    if (detail != NULL) {
        used = append(line, used, ": ");
        (void)append(line, used, detail);
    }
    config->platform->log(config->platform_ctx, line);
}

void serin_agent_fault_point(const struct serin_agent *agent, const char *name)
{
    if (agent->config->platform->fault_point != NULL) {
        agent->config->platform->fault_point(agent->config->platform_ctx, name);
    }
}

#endif

uint32_t serin_agent_seconds(uint32_t seconds)
{
    return seconds < SERIN_NEVER_MS / 1000u ? seconds * 1000u : SERIN_NEVER_MS;
}

/* Another period of the watchdog: it has come so far. */
static void feed(const struct serin_agent *agent)
{
    if (agent->config->platform->feed != NULL) {
        agent->config->platform->feed(agent->config->platform_ctx);
    }
}

static void feed_where_allowed(const struct serin_agent *agent)
{
    if (serin_agent_may_feed(agent, agent->now_ms)) {
        feed(agent);
    }
}

uint64_t serin_agent_clock_s(const struct serin_agent *agent)
{
    return agent->config->platform->unix_time_s(agent->config->platform_ctx);
}

uint64_t serin_agent_time_s(const struct serin_agent *agent)
{
    uint64_t heard = agent->time_base_s + (agent->now_ms - agent->time_base_ms) / 1000u;
    uint64_t clock = serin_agent_clock_s(agent);
    return clock > heard ? clock : heard;
}

uint32_t serin_agent_random(const struct serin_agent *agent, uint32_t range)
{
    const struct serin_crypto *crypto = agent->config->boot->crypto;
    uint8_t bytes[8];
    if (crypto->ops->random(crypto->ctx, bytes, sizeof bytes) != SERIN_OK) {
        return range / 2u;
    }
    return (uint32_t)(serin_get_le64(bytes) % ((uint64_t)range + 1u));
}

enum serin_error serin_agent_failed(struct serin_agent *agent, enum serin_error error)
{
    agent->errors++;
    agent->wait_ms[SERIN_WAIT_RETRY] = SERIN_AGENT_RETRY_MS;
    return error;
}

/* Reads the record that counts. Where it does not read at this moment the one that was opened
 * before goes on counting, unless it was just replaced.
 * Its stack is not needed any more when something is stored. */
__attribute__((noinline)) static bool learn_trust(struct serin_agent *agent, bool updated)
{
    struct serin_trust trust;
    bool reads = serin_trust_region_read(agent->config->boot, &trust) == SERIN_OK;
    if (reads) {
        agent->trust = trust;
        agent->trust_dark.readings = 0;
    }
    if (updated && !reads) {
        agent->have_trust = false; /* the one before may hold keys that this one drops */
        agent->trust_dark.readings = SERIN_AGENT_READINGS; /* the server offers it again */
    }
    agent->have_trust = agent->have_trust || reads;
    return reads;
}

/* Makes it durable that the trust record is proved in one bank, then gives the older one up. */
static enum serin_error complete_trust(struct serin_agent *agent, bool updated)
{
    struct serin_agent_record next;
    if (!learn_trust(agent, updated)) {
        return SERIN_ERR_FLASH;
    }
    serin_record_copy(&next, &agent->record);
    next.trust_proved = agent->trust.version;
    enum serin_error error = serin_record_store(agent, &next);
    if (error != SERIN_OK) {
        return error;
    }
    serin_agent_fault_point(agent, "agent.trust.proved");
    return serin_trust_region_mend(agent->config->boot, agent->trust.version);
}

void serin_agent_keep_trust(struct serin_agent *agent, bool updated)
{
    const struct serin_boot *boot = agent->config->boot;
    enum serin_error error =
        updated ? SERIN_ERR_AGAIN : serin_trust_region_mend(boot, agent->record.trust_proved);
    if (error == SERIN_ERR_AGAIN) {
        error = complete_trust(agent, updated);
    }
    agent->trust_single = !learn_trust(agent, updated) || error != SERIN_OK;
    if (!agent->trust_single && agent->trust.version > agent->record.trust_proved) {
        agent->record.trust_proved =
            agent->trust.version; /* flash learns it with the next record */
    }
    if (agent->have_trust) {
        serin_intake_forget_directors(agent);
    }
    if (agent->have_trust && agent->trust_single) {
        agent->errors++;
        serin_agent_log(agent, "the trust record has no second copy", "the next boot tries");
    }
}

static bool config_usable(const struct serin_agent_config *config)
{
    const struct serin_flash *flash = config->boot->flash;
    const struct serin_identity *identity = config->boot->identity;
    bool named = serin_id_valid(identity->device_id, strlen(identity->device_id)) &&
                 serin_product_valid(identity->product, strlen(identity->product)) &&
                 serin_channel_valid(identity->channel, strlen(identity->channel)) &&
                 identity->hardware > 0;
    return named && config->block_size >= SERIN_BLOCK_DATA_MIN &&
           config->block_size <= SERIN_BLOCK_DATA_MAX &&
           config->block_size % flash->write_unit == 0 && config->window_blocks > 0 &&
           config->beat_interval_s > 0 && config->beat_interval_s <= 604800u &&
           config->report_retry_min_ms > 0 &&
           config->report_retry_min_ms <= config->report_retry_max_ms &&
           config->block_timeout_ms > 0 && config->scratch != NULL &&
           config->scratch_size >= SERIN_PIECE_SIZE;
}

/* The manifest of what runs. The bootloader has just verified it: a reading in which it does not
 * verify may be wrong, and would make it older than everything. */
static enum serin_error open_running(const struct serin_agent *agent,
                                     struct serin_manifest *manifest, uint8_t *id)
{
    const struct serin_boot *boot = agent->config->boot;
    enum serin_error error = SERIN_ERR_KEY;
    for (unsigned reading = 0;
         agent->have_trust && error != SERIN_OK && reading < SERIN_AGENT_READINGS; reading++) {
        error = serin_slot_manifest_open(boot, &agent->trust, agent->info.slot,
                                         boot->floor_constant, manifest, id);
    }
    return error;
}

/* What runs, by the manifest that verified at boot. */
static void learn_running(struct serin_agent *agent)
{
    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    agent->running.slot = (uint8_t)agent->info.slot;
    if (open_running(agent, &manifest, id) != SERIN_OK) {
        return; /* all zero, older than everything, unless an earlier reading told */
    }
    memcpy(agent->running.manifest_id, id, sizeof id);
    agent->running.version = manifest.version;
    agent->running.security_counter = manifest.security_counter;
}

static bool knows_running(const struct serin_agent *agent)
{
    return !serin_bytes_all(agent->running.manifest_id, SERIN_SHA256_SIZE, 0);
}

/* Makes the floor's witnesses one. The agent's record has it from the first start on, should the
 * boot log be lost before anything is committed; a boot log that was lost, and knows less, learns
 * it again. */
static void commit_floor(struct serin_agent *agent, uint32_t boot_floor)
{
    uint32_t floor = agent->record.floor;
    if (floor < agent->running.floor) {
        struct serin_agent_record next;
        serin_record_copy(&next, &agent->record);
        next.floor = agent->running.floor;
        if (serin_record_store(agent, &next) != SERIN_OK) {
            serin_agent_log(agent, "the floor could not be written down", "the next boot tries");
        }
    }
    /* Nothing is committed on trial, and a lost log is not replaced: it is the trial's end. */
    if (floor > boot_floor && knows_running(agent) && !agent->info.trial &&
        floor <= agent->running.security_counter && serin_trial_raise(agent, floor) != SERIN_OK) {
        serin_agent_log(agent, "the committed floor could not be logged", "the next boot tries");
    }
}

void serin_agent_learn(struct serin_agent *agent)
{
    struct serin_boot_state state;
    struct serin_running *running = &agent->running;
    learn_running(agent);
    enum serin_error error = serin_trial_ask(agent, &state);
    if (error == SERIN_OK) {
        agent->boots = state.boots;
    } else {
        state.floor = state.floor > agent->record.floor ? state.floor : agent->record.floor;
        serin_agent_log(agent, "boot log lost", "what runs counts");
    }
    uint32_t constant = agent->config->boot->floor_constant;
    uint32_t boot_floor = state.floor > constant ? state.floor : constant;
    /* Nothing below what was once committed is taken, even while something below it runs. */
    running->floor = agent->record.floor > boot_floor ? agent->record.floor : boot_floor;
    if (!agent->info.trial && knows_running(agent)) {
        /* What was on trial is confirmed by this boot, or not at all. */
        agent->confirmed = state.phase == SERIN_BOOT_STEADY && state.active == agent->info.slot &&
                           state.active_confirmed;
    }
    serin_mirror_learn(agent);
    if (error != SERIN_OK && agent->confirmed && running->security_counter > running->floor &&
        agent->redundancy == SERIN_REDUNDANCY_MIRRORED) {
        running->floor = running->security_counter; /* committed, before either slot got it */
    }
    commit_floor(agent, boot_floor);
}

enum serin_error serin_agent_init(struct serin_agent *agent,
                                  const struct serin_agent_config *config,
                                  const struct serin_agent_boot_info *info, uint64_t now_ms)
{
    const struct serin_boot *boot = config->boot;
    enum serin_error error = serin_layout_check(boot->flash, boot->layout, NULL);
    if (error == SERIN_OK && !config_usable(config)) {
        error = SERIN_ERR_CONFIG;
    }
    if (error != SERIN_OK) {
        return error;
    }
    SERIN_ASSERT(info->slot == SERIN_SLOT_A || info->slot == SERIN_SLOT_B);
    memset(agent, 0, sizeof *agent);
    agent->config = config;
    agent->info = *info;
    agent->spare = serin_slot_other(info->slot);
    agent->now_ms = now_ms;
    agent->refused = SERIN_REASON_NONE;
    feed(agent);
    error = serin_find_account(agent);
    if (error == SERIN_OK) {
        serin_agent_keep_trust(agent, false);
    }
    agent->time_base_s = agent->record.signed_time_s;
    agent->time_base_ms = now_ms;
    agent->crashes = info->cause == SERIN_RESET_CRASH ? 1u : 0u;
    agent->watchdogs = info->cause == SERIN_RESET_WATCHDOG ? 1u : 0u;
    if (error == SERIN_OK) {
        serin_agent_learn(agent);
        serin_trial_resume(agent);
        if (agent->have_trust) {
            serin_download_resume(agent);
        }
        feed_where_allowed(agent);
    }
    return error;
}

static enum serin_error take_directive(struct serin_agent *agent, enum serin_agent_source source,
                                       const uint8_t *payload, size_t size)
{
    bool waits = serin_agent_waits_for_trust(agent);
    enum serin_error error =
        waits ? SERIN_ERR_FLASH : serin_intake_directive(agent, source, payload, size);
    if ((waits || agent->unborn) && error == SERIN_ERR_FLASH) {
        serin_find_keep(agent, source, payload, size);
    }
    return error;
}

static enum serin_error take_channel(struct serin_agent *agent, const uint8_t *payload, size_t size)
{
    return take_directive(agent, SERIN_AGENT_CHANNEL, payload, size);
}

static enum serin_error take_own(struct serin_agent *agent, const uint8_t *payload, size_t size)
{
    return take_directive(agent, SERIN_AGENT_OWN, payload, size);
}

/* What is not listed is not for a device. */
static enum serin_error (*const takers[SERIN_TOPIC_COUNT])(struct serin_agent *agent,
                                                           const uint8_t *payload, size_t size) = {
    [SERIN_TOPIC_DIRECTIVE] = take_channel,   [SERIN_TOPIC_DEV_DIRECTIVE] = take_own,
    [SERIN_TOPIC_TRUST] = serin_intake_trust, [SERIN_TOPIC_HOLD] = serin_intake_hold,
    [SERIN_TOPIC_DEV_ACK] = serin_report_ack, [SERIN_TOPIC_DEV_BLOCK] = serin_download_block,
};

static enum serin_error take_message(struct serin_agent *agent,
                                     const struct serin_agent_event *event)
{
    if ((unsigned)event->topic >= SERIN_TOPIC_COUNT || takers[event->topic] == NULL) {
        return SERIN_ERR_INVALID;
    }
    return takers[event->topic](agent, event->payload, event->payload_size);
}

static void take_link(struct serin_agent *agent, bool connected)
{
    agent->reconnects += connected && agent->linked ? 1u : 0u;
    agent->linked = agent->linked || connected;
    agent->connected = connected;
    if (connected) {
        serin_report_connected(agent);
        if (agent->fetch.active) {
            serin_fetch_rewind(agent, agent->fetch.position);
        }
    }
}

static void shorten(uint32_t *wait_ms, uint64_t passed_ms)
{
    *wait_ms = *wait_ms > passed_ms ? *wait_ms - (uint32_t)passed_ms : 0;
}

static void pass_time(struct serin_agent *agent, uint64_t now_ms)
{
    SERIN_ASSERT(now_ms >= agent->now_ms);
    uint64_t passed_ms = now_ms - agent->now_ms;
    agent->now_ms = now_ms;
    for (unsigned n = 0; n < SERIN_WAIT_COUNT; n++) {
        shorten(&agent->wait_ms[n], passed_ms);
    }
    for (unsigned n = 0; n < SERIN_AGENT_SOURCES; n++) {
        shorten(&agent->standing[n].wait_ms, passed_ms);
    }
}

enum serin_error serin_agent_step(struct serin_agent *agent, uint64_t now_ms,
                                  const struct serin_agent_event *event)
{
    pass_time(agent, now_ms);
    enum serin_error error = SERIN_OK;
    switch (event->kind) {
    case SERIN_AGENT_CONNECTED:
        take_link(agent, true);
        break;
    case SERIN_AGENT_DISCONNECTED:
        take_link(agent, false);
        break;
    case SERIN_AGENT_MESSAGE:
        error = take_message(agent, event);
        break;
    case SERIN_AGENT_TICK:
        break;
    case SERIN_AGENT_CONFIRM:
        error = serin_trial_confirm(agent);
        break;
    case SERIN_AGENT_UNHEALTHY:
        error = serin_trial_unhealthy(agent, event->reason, event->detail);
        break;
    }
    serin_agent_pursue(agent);
    feed_where_allowed(agent);
    return error;
}

/* How long until a trial has something to log, or its account has: the window waits for neither. */
static uint32_t trial_ms(const struct serin_agent *agent)
{
    uint32_t elapse_ms = agent->wait_ms[SERIN_WAIT_ELAPSE];
    return agent->unsettled || serin_agent_lacks(agent)
               ? serin_earlier(elapse_ms, agent->wait_ms[SERIN_WAIT_RETRY])
               : elapse_ms;
}

/* How long until the present state has something to do by itself, where nothing stands in its way.
 */
static uint32_t state_ms(const struct serin_agent *agent)
{
    enum serin_state state = serin_attempt_state(agent);
    if (agent->job != SERIN_AGENT_JOB_NONE || agent->checking ||
        (agent->redundancy > SERIN_REDUNDANCY_NONE && !agent->looked &&
         !serin_attempt_in_progress(state))) {
        return 0;
    }
    if (agent->fetch.active) {
        return agent->connected ? agent->wait_ms[SERIN_WAIT_FETCH] : SERIN_NEVER_MS;
    }
    const struct serin_agent_standing *standing = serin_intake_standing(agent);
    if (state == SERIN_STATE_PENDING && standing != NULL) {
        return standing->wait_ms;
    }
    if (serin_trial_due(agent, standing)) {
        return 0; /* not only with the next message: at a site none may come for long */
    }
    bool busy = state == SERIN_STATE_DOWNLOADING || state == SERIN_STATE_VERIFYING;
    return busy && agent->download.have_manifest ? 0 : SERIN_NEVER_MS;
}

static uint32_t work_ms(const struct serin_agent *agent)
{
    uint32_t retry_ms = agent->wait_ms[SERIN_WAIT_RETRY];
    if (agent->unsettled || serin_agent_lacks(agent)) {
        return retry_ms;
    }
    if (agent->stopped) {
        return SERIN_NEVER_MS;
    }
    if (retry_ms > 0) {
        return retry_ms; /* what failed is tried again, also where nothing else is due */
    }
    uint32_t peek_ms = serin_peek_wait_ms(agent);
    return agent->download.target == SERIN_AGENT_TARGET_PEEK
               ? peek_ms
               : serin_earlier(peek_ms, state_ms(agent));
}

static uint32_t next_ms(const struct serin_agent *agent)
{
    uint32_t wait_ms = agent->trial ? trial_ms(agent) : work_ms(agent);
    if (agent->connected && !serin_agent_lacks(agent)) {
        if (serin_report_owed(agent)) {
            wait_ms = serin_earlier(wait_ms, agent->wait_ms[SERIN_WAIT_REPORT]);
        }
        wait_ms = serin_earlier(wait_ms, agent->wait_ms[SERIN_WAIT_BEAT]);
    }
    return wait_ms;
}

uint64_t serin_agent_next_ms(const struct serin_agent *agent)
{
    uint32_t wait_ms = next_ms(agent);
    return wait_ms != SERIN_NEVER_MS ? agent->now_ms + wait_ms : UINT64_MAX;
}

uint64_t serin_agent_deadline_ms(const struct serin_agent *agent)
{
    return agent->now_ms + serin_earlier(next_ms(agent), IDLE_TICK_MS);
}

bool serin_agent_may_feed(const struct serin_agent *agent, uint64_t now_ms)
{
    if (agent->stopped && agent->info.trial && !agent->confirmed) {
        return false; /* abandoned, whatever the account says of it: should the reset not come, the
                         watchdog brings it */
    }
    return !agent->trial || now_ms - agent->now_ms < agent->wait_ms[SERIN_WAIT_WINDOW];
}

bool serin_agent_subscription(const struct serin_agent *agent, size_t n, char *text, int *qos)
{
    static const enum serin_topic_kind kinds[] = {SERIN_TOPIC_TRUST,         SERIN_TOPIC_DEV_ACK,
                                                  SERIN_TOPIC_DEV_BLOCK,     SERIN_TOPIC_HOLD,
                                                  SERIN_TOPIC_DEV_DIRECTIVE, SERIN_TOPIC_DIRECTIVE};
    const struct serin_identity *identity = agent->config->boot->identity;
    if (n >= sizeof kinds / sizeof kinds[0]) {
        return false;
    }
    struct serin_topic topic = {.kind = kinds[n]};
    bool of_device = topic.kind == SERIN_TOPIC_DEV_ACK || topic.kind == SERIN_TOPIC_DEV_BLOCK ||
                     topic.kind == SERIN_TOPIC_DEV_DIRECTIVE;
    if (of_device) {
        memcpy(topic.id, identity->device_id, sizeof topic.id);
    } else {
        memcpy(topic.product, identity->product, sizeof topic.product);
    }
    if (topic.kind == SERIN_TOPIC_DIRECTIVE) {
        memcpy(topic.channel, identity->channel, sizeof topic.channel);
    }
    serin_topic_format(&topic, text);
    *qos = topic.kind == SERIN_TOPIC_DEV_BLOCK ? 0 : 1;
    return true;
}

void serin_agent_inspect(const struct serin_agent *agent, struct serin_agent_view *view)
{
    const struct serin_attempt_report *current = serin_attempt_current(agent);
    memset(view, 0, sizeof *view);
    view->state = serin_attempt_state(agent);
    view->reason = SERIN_REASON_NONE;
    if (current != NULL) {
        view->reason = current->transitions[current->transition_count - 1u].reason;
        view->bytes_fetched = current->bytes_fetched;
    }
    view->running = agent->running;
    view->incarnation = agent->record.incarnation;
    view->report_number = agent->record.number;
    view->acked_number = agent->record.acked;
    view->image_size = agent->download.manifest.image_size_bytes;
    view->bytes_done = serin_download_done(agent);
    view->channel_order = agent->record.order[SERIN_AGENT_CHANNEL];
    view->own_order = agent->record.order[SERIN_AGENT_OWN];
    view->trial = agent->trial;
    view->directive_seen = agent->directive_seen;
}
