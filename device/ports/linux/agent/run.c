/*
 * serin-agent run: boots the device again and again until it is told to stop.
 *
 * A boot is what a board does between two resets: the bootloader's code chooses and verifies a
 * slot, the image is executed, the agent starts, connects, and works until something asks for the
 * next reset. All of it happens in one thread that waits in poll(2); Paho's own threads reach it
 * only through a descriptor.
 */
#include "runtime.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#define NOTHING_BOOTS_RETRY_MS 10000u
#define STOP_GRACE_MS          1000
#define TRIAL_LOOK_MS          250u /* how often the end of a trial's window is looked for */
#define KEEP_ALIVE_S           30u
#define MQTT_QUEUE_MAX         1024u

uint64_t runtime_clock_ms(void)
{
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

uint64_t runtime_now_ms(const struct runtime *runtime)
{
    return runtime_clock_ms() - runtime->booted_ms;
}

/* ---- waiting ---- */

/* What is polled: the signals, MQTT, the control socket, the application. */
struct watch {
    struct pollfd fds[2 + SERIN_CONTROL_FDS_MAX + SERIN_LAUNCHER_FDS_MAX];
    size_t control_first, control_count, count;
};

static void signals_take(struct runtime *runtime)
{
    struct signalfd_siginfo info;
    if (read(runtime->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        serin_log(SERIN_LOG_INFO, "stopping signal=%u", info.ssi_signo);
        runtime->stopping = true;
    }
}

/* Waits for something to do, at most until `deadline_ms` of this boot, and serves signals and the
 * control socket. */
static void runtime_wait(struct runtime *runtime, uint64_t deadline_ms, bool with_mqtt)
{
    struct watch watch = {.count = 0};
    uint64_t now_ms = runtime_now_ms(runtime);
    uint64_t left_ms = deadline_ms > now_ms ? deadline_ms - now_ms : 0;
    watch.fds[watch.count++] = (struct pollfd){.fd = runtime->signals, .events = POLLIN};
    watch.fds[watch.count++] = (struct pollfd){
        .fd = with_mqtt ? serin_mqtt_fd(runtime->mqtt) : -1,
        .events = POLLIN,
    };
    watch.control_first = watch.count;
    watch.control_count = serin_control_fds(runtime->control, watch.fds + watch.count);
    watch.count += watch.control_count;
    watch.count += serin_launcher_fds(runtime->launcher, watch.fds + watch.count);

    int ready = poll(watch.fds, (nfds_t)watch.count, left_ms < 60000 ? (int)left_ms : 60000);
    if (ready <= 0) {
        return;
    }
    if (watch.fds[0].revents != 0) {
        signals_take(runtime);
    }
    serin_control_serve(runtime->control, watch.fds + watch.control_first, watch.control_count,
                        runtime_clock_ms());
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t next_deadline_ms(const struct runtime *runtime)
{
    uint64_t deadline_ms = min_u64(runtime_agent_deadline_ms(runtime),
                                   serin_supervisor_deadline_ms(&runtime->supervisor));
    if (runtime->supervisor.state == SERIN_SUPERVISOR_TRIAL) {
        deadline_ms = min_u64(deadline_ms, runtime_now_ms(runtime) + TRIAL_LOOK_MS);
    }
    return runtime->start_error != SERIN_OK ? 0 : deadline_ms;
}

/* ---- a boot ---- */

static const char *cause_text(enum serin_reset_cause cause)
{
    static const char *const texts[] = {
        [SERIN_RESET_UNKNOWN] = "unknown",   [SERIN_RESET_POWER] = "power",
        [SERIN_RESET_REQUESTED] = "request", [SERIN_RESET_WATCHDOG] = "watchdog",
        [SERIN_RESET_CRASH] = "crash",
    };
    return texts[cause];
}

/* The recovery port: says why nothing boots. Nothing is provisioned here; that is another program's
 * business (recovery_wait). */
static enum serin_error recovery_tell(void *ctx, const struct serin_recovery_account *account)
{
    (void)ctx;
    serin_log(SERIN_LOG_ERROR,
              "NOTHING BOOTS: neither slot holds an image that verifies; trust=%s a=%s b=%s "
              "log=%s floor=%u trust_version=%u cause=%s; provision the device anew, with nothing "
              "older",
              serin_error_name(account->trust), serin_error_name(account->slots[0]),
              serin_error_name(account->slots[1]), account->log_lost ? "lost" : "OK",
              account->floor, account->trust_version, cause_text(account->cause));
    return SERIN_ERR_NOT_FOUND;
}

static const struct serin_recovery_ops recovery_ops = {.nothing_boots = recovery_tell};
static const struct serin_recovery recovery = {.ops = &recovery_ops};

/* Waits with the flash let go of, so that `serin-agent provision` can take its place, and takes it
 * again. False: it is not to be had yet. */
static bool recovery_wait(struct runtime *runtime)
{
    serin_file_flash_close(runtime->device.flash);
    runtime->device.flash = NULL;
    uint64_t until_ms = runtime_now_ms(runtime) + NOTHING_BOOTS_RETRY_MS;
    while (!runtime->stopping && runtime_now_ms(runtime) < until_ms) {
        runtime_wait(runtime, until_ms, false);
    }
    serin_control_hang_up(runtime->control);
    return device_flash_open(&runtime->device, SERIN_FILE_FLASH_WRITE) == EXIT_DONE;
}

/* Chooses what boots: both runs of its verification, each asked by itself. */
static bool boot_select(struct runtime *runtime, enum serin_reset_cause cause)
{
    const struct serin_boot_choice *choice = &runtime->choice;
    runtime->choice = (struct serin_boot_choice){.slot = SERIN_SLOT_NONE};
    runtime->device.boot.recovery = &recovery;
    if (serin_boot_select(&runtime->device.boot, cause, &runtime->choice) != SERIN_OK) {
        return false;
    }
    return serin_boot_proved_first(choice) && serin_boot_proved_second(choice);
}

/* Boots. A device without a bootable image says so and tries again: it may be provisioned
 * meanwhile, or an error of the disk may pass. False: told to stop. */
static bool boot_choose(struct runtime *runtime, enum serin_reset_cause cause)
{
    bool have_flash = true;
    while (!runtime->stopping) {
        runtime->booted_ms = runtime_clock_ms();
        runtime->application_errors = 0;
        if (have_flash && boot_select(runtime, cause)) {
            SERIN_FAULT_POINT("launcher.boot.selected");
            return true;
        }
        runtime->choice.slot = SERIN_SLOT_NONE;
        serin_log(SERIN_LOG_WARN, "trying again in %u s", NOTHING_BOOTS_RETRY_MS / 1000);
        have_flash = recovery_wait(runtime);
    }
    return false;
}

static void boot_announce(const struct runtime *runtime)
{
    char version[SERIN_VERSION_TEXT_SIZE], id[SERIN_SHA256_HEX_SIZE];
    serin_version_format(runtime->choice.manifest.version, version);
    serin_hex_encode(runtime->choice.manifest_id, 4, id);
    serin_log(SERIN_LOG_INFO, "boots version=%s slot=%s trial=%d window_s=%u cause=%s manifest=%s",
              version, runtime->choice.slot == SERIN_SLOT_A ? "a" : "b", runtime->choice.trial,
              runtime->choice.window_left_s, cause_text(runtime->cause), id);
    if (runtime->choice.log_failed) {
        serin_log(SERIN_LOG_WARN, "the boot log cannot be written: no trial runs while that lasts");
    }
}

/* From one reset to the next. */
static void boot_run(struct runtime *runtime, enum serin_reset_cause cause)
{
    runtime->reset = SERIN_RESET_UNKNOWN;
    runtime->start_error = SERIN_OK;
    runtime->agent_retry_ms = 0;
    runtime->cause = cause;
    if (!boot_choose(runtime, cause)) {
        return;
    }
    boot_announce(runtime);
    runtime_supervise(runtime, runtime->choice.trial ? SERIN_SUPERVISOR_BOOT_TRIAL
                                                     : SERIN_SUPERVISOR_BOOT_STEADY);
    runtime_agent_start(runtime);
    while (!runtime->stopping && runtime->reset == SERIN_RESET_UNKNOWN) {
        runtime_wait(runtime, next_deadline_ms(runtime), true);
        runtime_agent_serve(runtime);
        runtime_application_serve(runtime);
    }
    SERIN_FAULT_POINT("launcher.reset.before");
    serin_launcher_stop(runtime->launcher, STOP_GRACE_MS);
    /* After the image's end, and before the next one's start: its last words, on connections that
     * nobody has read yet, must not speak for its successor. */
    serin_control_hang_up(runtime->control);
    serin_supervisor_reset(&runtime->supervisor);
    runtime_agent_stop(runtime);
}

/* ---- the process ---- */

/* Signals become readable. Blocked before any thread starts, so that all threads have them blocked.
 */
static int signals_open(void)
{
    sigset_t set;
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)sigaddset(&set, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) != 0) {
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum exit_code control_start(struct runtime *runtime)
{
    const char *path = runtime->device.settings.control_socket;
    runtime->requests = (struct serin_agent_requests){.ops = &runtime_control_ops, .ctx = runtime};
    enum serin_error result = serin_agent_control_open(&runtime->control, path, &runtime->requests);
    if (result == SERIN_ERR_BUSY) {
        return complain(EXIT_REFUSED, "%s: another agent listens there; stop it first", path);
    }
    if (result == SERIN_ERR_EXISTS) {
        return complain(EXIT_CONFIG, "%s: something that is no socket stands there", path);
    }
    if (result != SERIN_OK) {
        return complain(EXIT_FAILED, "%s: the control socket cannot be made: %s", path,
                        strerror(errno));
    }
    runtime->socket_path = realpath(path, NULL);
    return runtime->socket_path != NULL ? EXIT_DONE
                                        : complain(EXIT_FAILED, "%s: %s", path, strerror(errno));
}

static enum exit_code mqtt_open(struct runtime *runtime)
{
    const struct serin_agent_settings *settings = &runtime->device.settings;
    struct serin_mqtt_config config = {
        .uri = settings->broker.uri,
        .client_id = settings->identity.device_id,
        .ca_file = settings->broker.ca,
        .cert_file = settings->broker.certificate,
        .key_file = settings->broker.key,
        .keep_alive_s = KEEP_ALIVE_S,
        .reconnect_min_ms = settings->broker.reconnect_min_ms,
        .reconnect_max_ms = settings->broker.reconnect_max_ms,
        .clean_session = true,
        .queue_max = MQTT_QUEUE_MAX,
    };
    enum serin_error result = serin_mqtt_open(&runtime->mqtt, &config);
    if (result == SERIN_ERR_CONFIG) {
        return complain(EXIT_CONFIG, "broker.ca, broker.certificate or broker.key cannot be read");
    }
    return result == SERIN_OK ? EXIT_DONE
                              : complain(EXIT_FAILED, "MQTT: %s", serin_error_text(result));
}

static enum exit_code runtime_open(struct runtime *runtime)
{
    enum exit_code code = device_flash_open(&runtime->device, SERIN_FILE_FLASH_WRITE);
    if (code != EXIT_DONE) {
        return code;
    }
    runtime->signals = signals_open();
    if (runtime->signals < 0 || serin_launcher_open(&runtime->launcher) != SERIN_OK) {
        return complain(EXIT_FAILED, "cannot start: %s", strerror(errno));
    }
    const struct serin_agent_settings *settings = &runtime->device.settings;
    serin_supervisor_init(&runtime->supervisor,
                          settings->application.exec ? settings->application.watchdog_ms : 0);
    code = mqtt_open(runtime);
    return code == EXIT_DONE ? control_start(runtime) : code;
}

static void runtime_close(struct runtime *runtime)
{
    serin_launcher_close(runtime->launcher);
    serin_control_close(runtime->control);
    serin_mqtt_close(runtime->mqtt);
    runtime_agent_stop(runtime);
    free(runtime->socket_path);
    if (runtime->signals >= 0) {
        (void)close(runtime->signals);
    }
    device_close(&runtime->device);
}

enum exit_code command_run(const struct options *options)
{
    struct runtime *runtime = calloc(1, sizeof *runtime);
    if (runtime == NULL) {
        return complain(EXIT_FAILED, "memory is exhausted");
    }
    runtime->signals = -1;
    enum exit_code code = device_load(&runtime->device, options->config);
    if (code == EXIT_DONE) {
        code = runtime_open(runtime);
    }
    if (code == EXIT_DONE) {
        serin_log(SERIN_LOG_INFO, "starts device=%s", runtime->device.settings.identity.device_id);
        /* For this process a start is power coming back, whatever ended the last one. */
        enum serin_reset_cause cause = SERIN_RESET_POWER;
        while (!runtime->stopping) {
            boot_run(runtime, cause);
            cause = runtime->reset;
        }
        serin_log(SERIN_LOG_INFO, "stopped");
    }
    runtime_close(runtime);
    free(runtime);
    return code;
}
