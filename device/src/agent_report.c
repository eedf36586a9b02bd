/* Reports until they are acknowledged, and beats (docs/spec/report.md, docs/spec/beat.md; design
 * decision 12). */
#include "agent_internal.h"

#include <string.h>

#define LINK_RETRY_MS   200u  /* where the link has no room */
#define REPORT_GAP_MS   1000u /* between a report and one that an ack asks for */
#define BEAT_GAP_MS     5000u /* between two beats, however much happens */
#define RETRY_SHIFT_MAX 16u

void serin_report_due(struct serin_agent *agent)
{
    agent->report_tries = 0;
    agent->wait_ms[SERIN_WAIT_REPORT] = 0;
}

bool serin_report_owed(const struct serin_agent *agent)
{
    return agent->record.attempt_count > 0 && agent->record.acked < agent->record.number;
}

void serin_beat_soon(struct serin_agent *agent)
{
    uint32_t *wait_ms = agent->wait_ms;
    wait_ms[SERIN_WAIT_BEAT] =
        serin_earlier(wait_ms[SERIN_WAIT_BEAT], wait_ms[SERIN_WAIT_BEAT_GAP]);
}

void serin_report_connected(struct serin_agent *agent)
{
    serin_report_due(agent);
    agent->wait_ms[SERIN_WAIT_BEAT] = 0;
}

static void copy_text(char *out, const char *text, size_t size)
{
    memcpy(out, text, size); /* both are of the same size, checked when they were configured */
}

/* When to say it again: full jitter between the least wait and a window that doubles, up to the
 * greatest. */
static uint32_t retry_ms(const struct serin_agent *agent)
{
    uint32_t least = agent->config->report_retry_min_ms;
    uint32_t most = agent->config->report_retry_max_ms;
    uint32_t shift = agent->report_tries < RETRY_SHIFT_MAX ? agent->report_tries : RETRY_SHIFT_MAX;
    uint64_t window = (uint64_t)least << shift;
    uint32_t bound = window < most ? (uint32_t)window : most;
    return least + (bound > least ? serin_agent_random(agent, bound - least) : 0);
}

static void send_report(struct serin_agent *agent)
{
    const struct serin_agent_config *config = agent->config;
    const struct serin_identity *identity = config->boot->identity;
    struct serin_report report = {.hardware = identity->hardware,
                                  .incarnation = agent->record.incarnation,
                                  .number = agent->record.number,
                                  .running = agent->running,
                                  .attempt_count = agent->record.attempt_count};
    copy_text(report.device_id, identity->device_id, sizeof report.device_id);
    copy_text(report.product, identity->product, sizeof report.product);
    copy_text(report.channel, identity->channel, sizeof report.channel);
    memcpy(report.attempts, agent->record.attempts, sizeof report.attempts);
    uint8_t payload[SERIN_REPORT_MAX];
    size_t size;
    enum serin_error error = config->codec->encode_report(&report, payload, sizeof payload, &size);
    SERIN_ASSERT(error == SERIN_OK);
    serin_agent_fault_point(agent, "agent.report.before");
    if (config->link->publish(config->link_ctx, SERIN_TOPIC_DEV_REPORT, payload, size) !=
        SERIN_OK) {
        agent->wait_ms[SERIN_WAIT_REPORT] = LINK_RETRY_MS;
        return;
    }
    serin_agent_fault_point(agent, "agent.report.after");
    agent->report_tries++;
    agent->wait_ms[SERIN_WAIT_REPORT_GAP] = REPORT_GAP_MS;
    agent->wait_ms[SERIN_WAIT_REPORT] = retry_ms(agent);
}

static void add_counter(struct serin_beat *beat, enum serin_counter_id id, uint64_t value)
{
    for (size_t i = 0; i < beat->counter_count; i++) {
        if (beat->counters[i].id == (uint32_t)id) {
            return; /* the platform counts this itself */
        }
    }
    if (beat->counter_count < SERIN_BEAT_COUNTERS_MAX) {
        beat->counters[beat->counter_count++] = (struct serin_counter){.id = id, .value = value};
    }
}

static void fill_counters(const struct serin_agent *agent, struct serin_beat *beat)
{
    const struct serin_platform_ops *platform = agent->config->platform;
    if (platform->counters != NULL) {
        beat->counter_count = platform->counters(agent->config->platform_ctx, beat->counters,
                                                 SERIN_BEAT_COUNTERS_MAX);
        SERIN_ASSERT(beat->counter_count <= SERIN_BEAT_COUNTERS_MAX);
    }
    if (agent->boots > 0) {
        add_counter(beat, SERIN_COUNTER_BOOTS, agent->boots);
    }
    add_counter(beat, SERIN_COUNTER_CRASHES, agent->crashes);
    add_counter(beat, SERIN_COUNTER_WATCHDOGS, agent->watchdogs);
    add_counter(beat, SERIN_COUNTER_ERRORS, agent->errors);
    add_counter(beat, SERIN_COUNTER_RECONNECTS, agent->reconnects);
    add_counter(beat, SERIN_COUNTER_REFUSED_DIRECTIVES, agent->refusals);
}

static void send_beat(struct serin_agent *agent)
{
    const struct serin_agent_config *config = agent->config;
    const struct serin_identity *identity = config->boot->identity;
    struct serin_beat beat = {.hardware = identity->hardware,
                              .incarnation = agent->record.incarnation,
                              .last_number = agent->record.number,
                              .acked_number = agent->record.acked,
                              .running = agent->running,
                              .uptime_s = agent->now_ms / 1000u,
                              .redundancy =
                                  agent->trust_single ? SERIN_REDUNDANCY_NONE : agent->redundancy,
                              .channel_order = agent->record.order[SERIN_AGENT_CHANNEL],
                              .own_order = agent->record.order[SERIN_AGENT_OWN],
                              .interval_s = config->beat_interval_s,
                              .refused = agent->refused};
    copy_text(beat.device_id, identity->device_id, sizeof beat.device_id);
    copy_text(beat.product, identity->product, sizeof beat.product);
    copy_text(beat.channel, identity->channel, sizeof beat.channel);
    fill_counters(agent, &beat);
    uint8_t payload[SERIN_BEAT_MAX];
    size_t size;
    enum serin_error error = config->codec->encode_beat(&beat, payload, sizeof payload, &size);
    SERIN_ASSERT(error == SERIN_OK);
    if (config->link->publish(config->link_ctx, SERIN_TOPIC_DEV_BEAT, payload, size) != SERIN_OK) {
        agent->wait_ms[SERIN_WAIT_BEAT] = LINK_RETRY_MS;
        return;
    }
    agent->wait_ms[SERIN_WAIT_BEAT_GAP] = BEAT_GAP_MS;
    agent->wait_ms[SERIN_WAIT_BEAT] = serin_agent_seconds(config->beat_interval_s);
}

void serin_report_poll(struct serin_agent *agent)
{
    if (!agent->connected || serin_agent_lacks(agent)) {
        return; /* an incarnation that is not durable is told to nobody */
    }
    if (serin_report_owed(agent) && serin_agent_over(agent, SERIN_WAIT_REPORT)) {
        send_report(agent);
    }
    if (serin_agent_over(agent, SERIN_WAIT_BEAT)) {
        send_beat(agent);
    }
}

/* Whether an ack of `number` is worth a record. An ack is not signed, and one that asks for a
 * resend takes back what was acknowledged: what flash has is not written again, or acks alone would
 * wear it out. In the midst of an attempt, or where flash failed a moment ago, the report is rather
 * sent, and acknowledged, once more after a reset. */
static bool worth_storing(const struct serin_agent *agent, uint64_t number)
{
    bool known = agent->record.attempt_count <= 1 && agent->acked_stored >= number;
    return !known && serin_state_final(serin_attempt_state(agent)) &&
           serin_agent_over(agent, SERIN_WAIT_RETRY);
}

/* Everything told is stored: the account of the attempt before the current one has done its duty.
 */
static enum serin_error settle(struct serin_agent *agent, uint64_t number)
{
    struct serin_agent_record next;
    bool store = worth_storing(agent, number);
    serin_record_copy(&next, &agent->record);
    next.acked = number;
    if (next.attempt_count > 1) {
        next.attempts[0] = next.attempts[next.attempt_count - 1u];
        next.attempt_count = 1;
    }
    if (!store) {
        serin_record_copy(&agent->record, &next);
        return SERIN_OK;
    }
    enum serin_error error = serin_record_store(agent, &next);
    if (error != SERIN_OK) {
        serin_record_copy(&agent->record, &next);
    }
    return error;
}

/* Where serind does not take it yet. */
static uint32_t ask_again_ms(const struct serin_agent *agent, uint32_t retry_s)
{
    uint32_t least = serin_agent_seconds(retry_s);
    uint32_t more = retry_ms(agent);
    return least < SERIN_NEVER_MS - more ? least + more : SERIN_NEVER_MS;
}

enum serin_error serin_report_ack(struct serin_agent *agent, const uint8_t *payload, size_t size)
{
    struct serin_ack ack;
    enum serin_error error = agent->config->codec->decode_ack(payload, size, &ack);
    if (error != SERIN_OK) {
        return error;
    }
    if (ack.incarnation != agent->record.incarnation || ack.number > agent->record.number) {
        return SERIN_ERR_STALE; /* of an earlier life of this device, or of none */
    }
    switch (ack.status) {
    case SERIN_ACK_STORED:
        if (ack.number == agent->record.number) {
            return agent->record.acked < ack.number ? settle(agent, ack.number) : SERIN_OK;
        }
        break;
    case SERIN_ACK_RESEND:
        agent->record.acked = ack.number < agent->record.acked ? ack.number : agent->record.acked;
        if (agent->record.acked == agent->record.number && agent->record.number > 0) {
            agent->record.acked = agent->record.number - 1u;
        }
        break;
    case SERIN_ACK_REFUSED:
    case SERIN_ACK_PENDING:
        agent->wait_ms[SERIN_WAIT_REPORT] = ask_again_ms(agent, ack.retry_s);
        return SERIN_OK;
    case SERIN_ACK_INVALID:
        return SERIN_ERR_INVALID;
    }
    /* One below what was sent, or a plain wish: the latest report goes out again, at once. */
    agent->wait_ms[SERIN_WAIT_REPORT] =
        serin_earlier(agent->wait_ms[SERIN_WAIT_REPORT], agent->wait_ms[SERIN_WAIT_REPORT_GAP]);
    return SERIN_OK;
}
