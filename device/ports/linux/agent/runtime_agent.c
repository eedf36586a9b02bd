/*
 * The device core in this process: its link is MQTT, its platform is Linux.
 */
#include "runtime.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>
#include <serin/adapters/protobufc.h>
#include <serin/topic.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MQTT_EVENTS_PER_PASS 64
#define AGENT_RETRY_MS       10000u
#define CLOCK_KNOWN_S        1577836800 /* 2020: a clock below it was never set */

/* ---- ports ---- */

static enum serin_error link_publish(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                     size_t size)
{
    const struct runtime *runtime = ctx;
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(kind, runtime->device.settings.identity.device_id, topic);
    int qos = kind == SERIN_TOPIC_DEV_REPORT ? 1 : 0;
    enum serin_error result =
        serin_mqtt_publish(runtime->mqtt, topic, payload, size, qos, false, NULL);
    return result == SERIN_OK ? SERIN_OK : SERIN_ERR_AGAIN;
}

static void platform_reset(void *ctx)
{
    struct runtime *runtime = ctx;
    if (runtime->reset == SERIN_RESET_UNKNOWN) {
        runtime->reset = SERIN_RESET_REQUESTED;
    }
}

static uint64_t platform_unix_time_s(void *ctx)
{
    (void)ctx;
    time_t now = time(NULL);
    return now >= CLOCK_KNOWN_S ? (uint64_t)now : 0;
}

static void platform_transition(void *ctx, const struct serin_attempt_report *attempt)
{
    (void)ctx;
    char id[SERIN_SHA256_HEX_SIZE], version[SERIN_VERSION_TEXT_SIZE];
    if (attempt->transition_count == 0) {
        return;
    }
    const struct serin_transition *last = &attempt->transitions[attempt->transition_count - 1];
    serin_hex_encode(attempt->manifest_id, 4, id); /* enough to tell releases apart */
    serin_version_format(attempt->version, version);
    bool why = last->reason != SERIN_REASON_NONE;
    serin_log(SERIN_LOG_INFO, "attempt is %s%s%s reason=%s version=%s manifest=%s attempt=%u",
              serin_state_text(last->state), why ? ": " : "",
              why ? serin_reason_text(last->reason) : "", serin_reason_word(last->reason), version,
              id, attempt->attempt);
}

/* Whether a line of the agent's tells of a transition: "staged", "failed: …". */
static bool tells_transition(const char *line)
{
    size_t size = strcspn(line, ":");
    for (int state = SERIN_STATE_IDLE; state < SERIN_STATE_COUNT; state++) {
        const char *text = serin_state_text((enum serin_state)state);
        if (strlen(text) == size && memcmp(text, line, size) == 0) {
            return true;
        }
    }
    return false;
}

static void platform_log(void *ctx, const char *line)
{
    (void)ctx;
    if (tells_transition(line)) {
        return; /* platform_transition does, and says more */
    }
    serin_log(SERIN_LOG_INFO, "agent: %s", line);
}

static void platform_fault_point(void *ctx, const char *name)
{
    (void)ctx;
    (void)name; /* unused in a build without fault points */
    SERIN_FAULT_POINT(name);
}

static size_t platform_counters(void *ctx, struct serin_counter *out, size_t max)
{
    const struct runtime *runtime = ctx;
    const struct serin_counter counters[] = {
        {SERIN_COUNTER_CRASHES, runtime->supervisor.crashes},
        {SERIN_COUNTER_WATCHDOGS, runtime->supervisor.watchdogs},
        {SERIN_COUNTER_APPLICATION, runtime->application_errors},
    };
    size_t count = sizeof counters / sizeof *counters;
    count = count < max ? count : max;
    (void)memcpy(out, counters, count * sizeof *counters);
    return count;
}

static const struct serin_link_ops link_ops = {.publish = link_publish};

static const struct serin_platform_ops platform_ops = {
    .reset = platform_reset,
    .unix_time_s = platform_unix_time_s,
    .transition = platform_transition,
    .log = platform_log,
    .fault_point = platform_fault_point,
    .counters = platform_counters,
};

/* ---- starting ---- */

/* Subscribes and connects; the first time only. */
static enum serin_error mqtt_start(struct runtime *runtime)
{
    char topic[SERIN_TOPIC_MAX];
    int qos = 0;
    enum serin_error result = SERIN_OK;
    for (size_t n = 0;
         result == SERIN_OK && serin_agent_subscription(runtime->agent, n, topic, &qos); n++) {
        result = serin_mqtt_subscribe(runtime->mqtt, topic, qos);
    }
    if (result == SERIN_OK) {
        result = serin_mqtt_start(runtime->mqtt);
    }
    runtime->mqtt_started = result == SERIN_OK;
    return result;
}

static enum serin_error agent_make(struct runtime *runtime)
{
    const struct serin_agent_settings *settings = &runtime->device.settings;
    runtime->config = (struct serin_agent_config){
        .boot = &runtime->device.boot,
        .codec = serin_protobufc(),
        .link = &link_ops,
        .link_ctx = runtime,
        .platform = &platform_ops,
        .platform_ctx = runtime,
        .block_size = settings->download.block_size,
        .window_blocks = settings->download.window_blocks,
        .beat_interval_s = settings->beat_s,
        .report_retry_min_ms = settings->report.retry_min_ms,
        .report_retry_max_ms = settings->report.retry_max_ms,
        .block_timeout_ms = settings->download.timeout_ms,
        .confirm_needs_directive = settings->confirm_needs_directive,
        .auto_confirm = settings->confirm_auto,
        .scratch = runtime->scratch,
        .scratch_size = sizeof runtime->scratch,
    };
    struct serin_agent_boot_info info = {
        .slot = runtime->choice.slot,
        .trial = runtime->choice.trial,
        .cause = runtime->cause,
    };
    struct serin_agent *agent = calloc(1, serin_agent_size());
    if (agent == NULL) {
        return SERIN_ERR_MEMORY;
    }
    enum serin_error result =
        serin_agent_init(agent, &runtime->config, &info, runtime_now_ms(runtime));
    if (result != SERIN_OK) {
        free(agent);
        return result;
    }
    runtime->agent = agent;
    return SERIN_OK;
}

void runtime_agent_start(struct runtime *runtime)
{
    enum serin_error result = agent_make(runtime);
    if (result == SERIN_OK && runtime->mqtt_started) {
        /* A device that resets is gone for a moment: it connects anew and hears its directives
         * again. */
        serin_mqtt_restart(runtime->mqtt);
    } else if (result == SERIN_OK) {
        result = mqtt_start(runtime);
    }
    if (result != SERIN_OK) {
        serin_log(SERIN_LOG_ERROR,
                  "the agent cannot start: %s; the application runs on, updates do not",
                  serin_error_text(result));
        runtime_agent_stop(runtime);
        runtime->agent_retry_ms = runtime_now_ms(runtime) + AGENT_RETRY_MS;
    }
}

void runtime_agent_stop(struct runtime *runtime)
{
    free(runtime->agent);
    runtime->agent = NULL;
}

/* ---- events ---- */

enum serin_error runtime_agent_event(struct runtime *runtime, const struct serin_agent_event *event)
{
    return runtime->agent == NULL
               ? SERIN_ERR_STATE
               : serin_agent_step(runtime->agent, runtime_now_ms(runtime), event);
}

static void message_take(struct runtime *runtime, const struct serin_mqtt_event *message)
{
    struct serin_topic topic;
    if (serin_topic_parse(message->topic, &topic) != SERIN_OK) {
        return; /* nothing that was subscribed to */
    }
    struct serin_agent_event event = {
        .kind = SERIN_AGENT_MESSAGE,
        .topic = topic.kind,
        .retained = message->retained,
        .payload = message->payload,
        .payload_size = message->payload_size,
    };
    enum serin_error result = runtime_agent_event(runtime, &event);
    if (result != SERIN_OK) {
        bool data = topic.kind == SERIN_TOPIC_DEV_BLOCK;
        serin_log(data ? SERIN_LOG_DEBUG : SERIN_LOG_WARN, "refused: %s topic=%s error=%s",
                  serin_error_text(result), message->topic, serin_error_name(result));
    }
}

static void mqtt_event_take(struct runtime *runtime, const struct serin_mqtt_event *event)
{
    switch (event->kind) {
    case SERIN_MQTT_CONNECTED:
        serin_log(SERIN_LOG_INFO, "connected broker=%s", runtime->device.settings.broker.uri);
        (void)runtime_agent_event(runtime,
                                  &(struct serin_agent_event){.kind = SERIN_AGENT_CONNECTED});
        break;
    case SERIN_MQTT_DISCONNECTED:
        serin_log(SERIN_LOG_WARN, "disconnected: %s", event->why);
        (void)runtime_agent_event(runtime,
                                  &(struct serin_agent_event){.kind = SERIN_AGENT_DISCONNECTED});
        break;
    case SERIN_MQTT_MESSAGE:
        message_take(runtime, event);
        break;
    case SERIN_MQTT_DELIVERED: /* PUBACK means little: the agent waits for serind's ack */
    case SERIN_MQTT_REFUSED:   /* it follows nothing */
    default:
        break;
    }
}

void runtime_agent_serve(struct runtime *runtime)
{
    struct serin_mqtt_event event;
    for (int i = 0; i < MQTT_EVENTS_PER_PASS && serin_mqtt_next(runtime->mqtt, &event); i++) {
        mqtt_event_take(runtime, &event);
        serin_mqtt_event_free(&event);
    }
    uint64_t now_ms = runtime_now_ms(runtime);
    if (runtime->agent == NULL) {
        if (now_ms >= runtime->agent_retry_ms) {
            runtime_agent_start(runtime);
        }
    } else if (now_ms >= serin_agent_deadline_ms(runtime->agent)) {
        (void)runtime_agent_event(runtime, &(struct serin_agent_event){.kind = SERIN_AGENT_TICK});
    }
}

uint64_t runtime_agent_deadline_ms(const struct runtime *runtime)
{
    return runtime->agent == NULL ? runtime->agent_retry_ms
                                  : serin_agent_deadline_ms(runtime->agent);
}
