/*
 * What the requests of the control socket do, and the agent's status in JSON (docs/serin-agent.md).
 */
#include "runtime.h"

#include <serin/adapters/log.h>

#include <inttypes.h>
#include <stdio.h>

static bool control_is_application(void *ctx, pid_t pid)
{
    const struct runtime *runtime = ctx;
    return serin_launcher_owns(runtime->launcher, pid);
}

static enum serin_error control_alive(void *ctx, pid_t pid)
{
    struct runtime *runtime = ctx;
    /* Only the application itself: a script must not feed the watchdog of a program that hangs. */
    if (!serin_launcher_owns(runtime->launcher, pid)) {
        return SERIN_ERR_DENIED;
    }
    serin_supervisor_alive(&runtime->supervisor, runtime_now_ms(runtime));
    return SERIN_OK;
}

static enum serin_error control_confirm(void *ctx)
{
    struct runtime *runtime = ctx;
    struct serin_agent_event event = {.kind = SERIN_AGENT_CONFIRM};
    return runtime_agent_event(runtime, &event);
}

static enum serin_error control_unhealthy(void *ctx, const char *why)
{
    struct runtime *runtime = ctx;
    struct serin_agent_event event = {
        .kind = SERIN_AGENT_UNHEALTHY,
        .reason = SERIN_REASON_HEALTH,
    };
    serin_log(SERIN_LOG_WARN, "the application is not healthy: %s", why);
    return runtime_agent_event(runtime, &event);
}

/* Anyone may: who watches the application's log counts as well as it does itself. */
static enum serin_error control_errors(void *ctx, uint32_t count)
{
    struct runtime *runtime = ctx;
    runtime->application_errors += count;
    return SERIN_OK;
}

/* Every text in it is an id, a version or a word of Serin's own: none needs escaping. */
static void status_write(const struct runtime *runtime, const struct serin_agent_view *view,
                         char *text, size_t capacity)
{
    const struct serin_identity *identity = &runtime->device.settings.identity;
    char id[SERIN_SHA256_HEX_SIZE], version[SERIN_VERSION_TEXT_SIZE];
    bool booted = runtime->choice.slot != SERIN_SLOT_NONE;
    serin_hex_encode(runtime->choice.manifest_id, SERIN_SHA256_SIZE, id);
    serin_version_format(runtime->choice.manifest.version, version);
    (void)snprintf(
        text, capacity,
        "{\"device\":\"%s\",\"product\":\"%s\",\"channel\":\"%s\",\"hardware\":%u,"
        "\"version\":\"%s\",\"manifest_id\":\"%s\",\"slot\":\"%s\",\"trial\":%s,"
        "\"state\":\"%s\",\"reason\":\"%s\",\"security_counter\":%u,\"floor\":%u,"
        "\"image_size\":%u,\"bytes_done\":%u,\"bytes_fetched\":%" PRIu64 ","
        "\"incarnation\":\"%016" PRIx64 "\",\"report_number\":%" PRIu64 ",\"acked_number\":%" PRIu64
        ",\"channel_order\":{\"epoch\":%u,\"sequence\":%u},"
        "\"own_order\":{\"epoch\":%u,\"sequence\":%u},\"directive_seen\":%s,\"connected\":%s,"
        "\"uptime_s\":%" PRIu64 ",\"application\":\"%s\",\"pid\":%d,\"crashes\":%" PRIu64
        ",\"watchdogs\":%" PRIu64 ",\"errors\":%" PRIu64 "}",
        identity->device_id, identity->product, identity->channel, identity->hardware, version, id,
        !booted                                ? "none"
        : runtime->choice.slot == SERIN_SLOT_A ? "a"
                                               : "b",
        view->trial ? "true" : "false", serin_state_text(view->state),
        serin_reason_word(view->reason), view->running.security_counter, view->running.floor,
        view->image_size, view->bytes_done, view->bytes_fetched, view->incarnation,
        view->report_number, view->acked_number, view->channel_order.epoch,
        view->channel_order.sequence, view->own_order.epoch, view->own_order.sequence,
        view->directive_seen ? "true" : "false",
        serin_mqtt_connected(runtime->mqtt) ? "true" : "false", runtime_now_ms(runtime) / 1000,
        !runtime->device.settings.application.exec   ? "carried"
        : serin_launcher_pid(runtime->launcher) != 0 ? "running"
                                                     : "stopped",
        (int)serin_launcher_pid(runtime->launcher), runtime->supervisor.crashes,
        runtime->supervisor.watchdogs, runtime->application_errors);
}

static void control_status(void *ctx, char *text, size_t capacity)
{
    const struct runtime *runtime = ctx;
    struct serin_agent_view view = {.state = SERIN_STATE_IDLE, .reason = SERIN_REASON_NONE};
    if (runtime->agent != NULL) {
        serin_agent_inspect(runtime->agent, &view);
    }
    status_write(runtime, &view, text, capacity);
}

const struct serin_agent_requests_ops runtime_control_ops = {
    .is_application = control_is_application,
    .alive = control_alive,
    .confirm = control_confirm,
    .unhealthy = control_unhealthy,
    .errors = control_errors,
    .status = control_status,
};
