/*
 * The image as a child process: started from the chosen slot, watched, and judged by the
 * supervisor.
 */
#include "runtime.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <stdio.h>
#include <string.h>

/* ---- starting ---- */

static enum serin_error image_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    const struct runtime *runtime = ctx;
    const struct serin_flash *flash = runtime->device.boot.flash;
    return flash->ops->read(flash->ctx, runtime->choice.image_address + offset, out, size);
}

static void application_start(struct runtime *runtime)
{
    const struct serin_agent_settings *settings = &runtime->device.settings;
    const struct serin_boot_choice *choice = &runtime->choice;
    if (!settings->application.exec) {
        return; /* the image is no program of this machine: it is carried, not run */
    }
    char version[SERIN_VERSION_TEXT_SIZE], name[64], socket[160], version_entry[64], slot[32];
    char trial[32];
    serin_version_format(choice->manifest.version, version);
    (void)snprintf(name, sizeof name, "%s-%s", choice->manifest.product, version);
    (void)snprintf(socket, sizeof socket, "SERIN_SOCKET=%s", runtime->socket_path);
    (void)snprintf(version_entry, sizeof version_entry, "SERIN_VERSION=%s", version);
    (void)snprintf(slot, sizeof slot, "SERIN_SLOT=%s", choice->slot == SERIN_SLOT_A ? "a" : "b");
    (void)snprintf(trial, sizeof trial, "SERIN_TRIAL=%d",
                   runtime->supervisor.state == SERIN_SUPERVISOR_TRIAL ? 1 : 0);
    const char *const environment[] = {socket, version_entry, slot, trial};
    struct serin_launch launch = {
        .read = image_read,
        .ctx = runtime,
        .image_size = choice->manifest.image_size_bytes,
        .sha256 = choice->manifest.image_sha256,
        .crypto = runtime->device.boot.crypto,
        .name = name,
        .arguments = settings->application.arguments,
        .argument_count = settings->application.argument_count,
        .environment = environment,
        .environment_count = sizeof environment / sizeof *environment,
    };
    runtime->start_error = serin_launcher_start(runtime->launcher, &launch);
    if (runtime->start_error != SERIN_OK) {
        serin_log(SERIN_LOG_ERROR, "the application cannot be started: %s",
                  serin_error_text(runtime->start_error));
        return;
    }
    serin_log(SERIN_LOG_INFO, "application started version=%s pid=%d", version,
              (int)serin_launcher_pid(runtime->launcher));
}

/* ---- judging ---- */

static void unhealthy_tell(struct runtime *runtime, enum serin_reason reason)
{
    struct serin_agent_event event = {
        .kind = SERIN_AGENT_UNHEALTHY,
        .reason = reason,
        .detail = (uint32_t)runtime->application_code,
    };
    enum serin_error result = runtime_agent_event(runtime, &event);
    if (result != SERIN_OK) {
        serin_log(SERIN_LOG_WARN, "bad health could not be noted: %s", serin_error_text(result));
    }
}

void runtime_supervise(struct runtime *runtime, enum serin_supervisor_event event)
{
    struct serin_supervisor_orders orders;
    if (serin_supervisor_step(&runtime->supervisor, runtime_now_ms(runtime), event, &orders) !=
        SERIN_OK) {
        return; /* it means nothing now */
    }
    if (orders.kill) {
        SERIN_FAULT_POINT("launcher.child.kill");
        serin_launcher_stop(runtime->launcher, 0);
    }
    if (orders.unhealthy != SERIN_REASON_INVALID) {
        unhealthy_tell(runtime, orders.unhealthy);
    }
    if (orders.reset != SERIN_RESET_UNKNOWN) {
        runtime->reset = orders.reset;
    }
    if (orders.start) {
        application_start(runtime);
    }
}

static void child_serve(struct runtime *runtime)
{
    struct serin_launch_end end = {.by_signal = false, .code = 127};
    bool ended = serin_launcher_serve(runtime->launcher, &end);
    if (!ended && runtime->start_error == SERIN_OK) {
        return;
    }
    bool altered = runtime->start_error == SERIN_ERR_DIGEST;
    runtime->start_error = SERIN_OK;
    /* As a shell counts: a signal is 128 and its number. */
    runtime->application_code = end.by_signal ? 128 + end.code : end.code;
    serin_log(SERIN_LOG_WARN, "application ended %s=%d", end.by_signal ? "signal" : "status",
              end.code);
    SERIN_FAULT_POINT("launcher.child.ended");
    runtime_supervise(runtime, altered ? SERIN_SUPERVISOR_ALTERED : SERIN_SUPERVISOR_ENDED);
}

/* The trial ends with its confirmation, or with its window. */
static void trial_serve(struct runtime *runtime)
{
    if (runtime->supervisor.state != SERIN_SUPERVISOR_TRIAL) {
        return;
    }
    struct serin_agent_view view;
    if (runtime->agent == NULL) {
        /* Its agent cannot run: an image that cannot be confirmed is not healthy. */
        serin_log(SERIN_LOG_ERROR, "the image on trial has no agent");
        runtime_supervise(runtime, SERIN_SUPERVISOR_WINDOW_OVER);
        return;
    }
    serin_agent_inspect(runtime->agent, &view);
    if (!view.trial) {
        runtime_supervise(runtime, SERIN_SUPERVISOR_CONFIRMED);
    } else if (!serin_agent_may_feed(runtime->agent, runtime_now_ms(runtime))) {
        serin_log(SERIN_LOG_WARN, "the confirmation window is over");
        runtime_supervise(runtime, SERIN_SUPERVISOR_WINDOW_OVER);
    }
}

void runtime_application_serve(struct runtime *runtime)
{
    enum serin_supervisor_event event;
    child_serve(runtime);
    trial_serve(runtime);
    if (serin_supervisor_due(&runtime->supervisor, runtime_now_ms(runtime), &event)) {
        if (event == SERIN_SUPERVISOR_SILENT) {
            serin_log(SERIN_LOG_WARN, "the application is silent: killed watchdog_ms=%u",
                      runtime->supervisor.watchdog_ms);
        }
        runtime_supervise(runtime, event);
    }
}
