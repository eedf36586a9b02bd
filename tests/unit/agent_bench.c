/*
 * The bench of serin-agent's tests (agent_bench.h).
 */
#include "agent_bench.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/crc32.h>
#include <serin/host/bundle.h>
#include <serin/topic.h>

#include "test_keys.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PRODUCT "lamp"
#define CHANNEL "stable"
#define DEVICE  "bench-1"

/* ---- objects and releases ---- */

static void object_add(struct bench *bench, const uint8_t *name, const void *data, size_t size)
{
    ck_assert_uint_lt(bench->object_count, BENCH_OBJECTS_MAX);
    struct bench_object *object = &bench->objects[bench->object_count++];
    if (name != NULL) {
        memcpy(object->name, name, sizeof object->name);
    } else {
        serin_sha256_of(serin_wolfcrypt(), data, size, object->name);
    }
    object->data = malloc(size);
    ck_assert_ptr_nonnull(object->data);
    memcpy(object->data, data, size);
    object->size = size;
}

static void file_write(const char *path, const void *a, size_t a_size, const void *b, size_t b_size)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(a, 1, a_size, file), a_size);
    ck_assert_uint_eq(fwrite(b, 1, b_size, file), b_size);
    ck_assert_int_eq(fclose(file), 0);
}

static void image_take(struct bench_release *release, const struct bench_make *make)
{
    if (make->image != NULL) {
        release->image_size = make->image_size;
        release->image = malloc(make->image_size);
        ck_assert_ptr_nonnull(release->image);
        memcpy(release->image, make->image, make->image_size);
        return;
    }
    FILE *file = fopen(make->image_file, "r");
    ck_assert_msg(file != NULL, "%s", make->image_file);
    ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
    release->image_size = (size_t)ftell(file);
    rewind(file);
    release->image = malloc(release->image_size);
    ck_assert_ptr_nonnull(release->image);
    ck_assert_uint_eq(fread(release->image, 1, release->image_size, file), release->image_size);
    (void)fclose(file);
}

void bench_release(struct bench *bench, struct bench_release *release,
                   const struct bench_make *make)
{
    struct serin_manifest manifest = {
        .vendor = "serin",
        .component = "main",
        .hw_min = 1,
        .hw_max = 3,
        .security_counter = 1,
        .slot_mask = SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B,
        .confirm_window_s = make->window_s != 0 ? make->window_s : 60,
        .confirm_tries = 3,
        .created_s = 1767225600,
        .channels = {CHANNEL},
    };
    (void)snprintf(manifest.product, sizeof manifest.product, "%s",
                   make->product != NULL ? make->product : PRODUCT);
    ck_assert_int_eq(serin_version_parse(make->version, &manifest.version), SERIN_OK);
    image_take(release, make);

    uint8_t *prefix = NULL;
    size_t prefix_size = 0;
    const char *field = "";
    struct serin_bundle bundle;
    enum serin_error result =
        serin_bundle_build(serin_wolfcrypt(), &test_keys[TEST_RELEASE].signer, &manifest,
                           release->image, release->image_size, &prefix, &prefix_size, &field);
    ck_assert_msg(result == SERIN_OK, "%s", field);
    (void)snprintf(release->bundle, sizeof release->bundle, "%s/%s.serin", bench->folder,
                   make->version);
    file_write(release->bundle, prefix, prefix_size, release->image, release->image_size);

    const uint8_t *bytes = prefix + SERIN_BUNDLE_HEADER_SIZE;
    bundle.manifest_size = SERIN_MANIFEST_SIZE_P256;
    serin_manifest_id(serin_wolfcrypt(), bytes, release->id);
    object_add(bench, release->id, bytes, bundle.manifest_size);
    object_add(bench, NULL, bytes + bundle.manifest_size,
               prefix_size - SERIN_BUNDLE_HEADER_SIZE - bundle.manifest_size);
    object_add(bench, NULL, release->image, release->image_size);
    free(prefix);
}

void bench_release_free(struct bench_release *release)
{
    free(release->image);
    release->image = NULL;
}

void bench_offer(struct bench *bench, const struct bench_release *release, uint32_t attempt)
{
    struct serin_directive directive = {
        .product = PRODUCT,
        .channel = CHANNEL,
        .order = {.epoch = 1, .sequence = ++bench->sequence},
        .issued_s = (uint64_t)time(NULL),
        .lease_s = 21600,
        .candidate_state = SERIN_CANDIDATE_NONE,
        .stable =
            {
                .offer_count = 1,
                .offers = {{.hw_min = 1, .hw_max = 3}},
                .attempt = attempt,
            },
    };
    memcpy(directive.stable.offers[0].manifest_id, release->id, SERIN_SHA256_SIZE);
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    size_t size = 0;
    const char *field = "";
    char topic[SERIN_TOPIC_MAX];
    enum serin_error result =
        serin_directive_seal(serin_wolfcrypt(), serin_protobufc(), &test_keys[TEST_DIRECTOR].signer,
                             &directive, payload, &size, &field);
    ck_assert_msg(result == SERIN_OK, "%s", field);
    serin_topic_directive(PRODUCT, CHANNEL, topic);
    ck_assert_int_eq(serin_mqtt_publish(bench->mqtt, topic, payload, size, 1, true, NULL),
                     SERIN_OK);
}

/* ---- in the place of serind and the plugin ---- */

static void block_send(struct bench *bench, const struct serin_block *block)
{
    static uint8_t payload[SERIN_BLOCK_MAX];
    size_t size = 0;
    char topic[SERIN_TOPIC_MAX];
    serin_topic_device(SERIN_TOPIC_DEV_BLOCK, DEVICE, topic);
    ck_assert_int_eq(serin_protobufc()->encode_block(block, payload, sizeof payload, &size),
                     SERIN_OK);
    ck_assert_int_eq(serin_mqtt_publish(bench->mqtt, topic, payload, size, 0, false, NULL),
                     SERIN_OK);
}

static const struct bench_object *object_find(const struct bench *bench, const uint8_t *name)
{
    for (size_t i = 0; i < bench->object_count; i++) {
        if (memcmp(bench->objects[i].name, name, SERIN_SHA256_SIZE) == 0) {
            return &bench->objects[i];
        }
    }
    return NULL;
}

static void get_answer(struct bench *bench, const struct serin_get *get)
{
    const struct bench_object *object = object_find(bench, get->object);
    struct serin_block block = {.token = get->token};
    if (object == NULL || get->offset >= object->size) {
        block.status = object == NULL ? SERIN_BLOCK_NOT_FOUND : SERIN_BLOCK_RANGE;
        block.object_size = object == NULL ? 0 : (uint32_t)object->size;
        block.retry_ms = object == NULL ? 500 : 0;
        block_send(bench, &block);
        return;
    }
    size_t end =
        object->size - get->offset < get->length ? object->size : (size_t)get->offset + get->length;
    for (size_t at = get->offset; at < end; at += get->block_size) {
        size_t part = end - at < get->block_size ? end - at : get->block_size;
        static uint8_t data[SERIN_BLOCK_DATA_MAX];
        memcpy(data, object->data + at, part);
        block.status = SERIN_BLOCK_DATA;
        block.offset = (uint32_t)at;
        block.object_size = (uint32_t)object->size;
        block.window_end = (uint32_t)end;
        block.crc32 = serin_crc32(0, data, part);
        if (bench->corrupt > 0 && at >= bench->corrupt_from && at / get->block_size % 5 == 3) {
            bench->corrupt--;
            bench->corrupt_from = at + 1;
            data[part / 2] ^= 0x10;
        }
        block.data = data;
        block.data_size = part;
        block_send(bench, &block);
        bench->served_bytes += part;
    }
}

static void report_answer(struct bench *bench)
{
    struct serin_ack ack = {
        .incarnation = bench->report.incarnation,
        .number = bench->report.number,
        .status = SERIN_ACK_STORED,
    };
    uint8_t payload[SERIN_ACK_MAX];
    size_t size = 0;
    char topic[SERIN_TOPIC_MAX];
    bench->reports++;
    serin_topic_device(SERIN_TOPIC_DEV_ACK, DEVICE, topic);
    ck_assert_int_eq(serin_protobufc()->encode_ack(&ack, payload, sizeof payload, &size), SERIN_OK);
    ck_assert_int_eq(serin_mqtt_publish(bench->mqtt, topic, payload, size, 1, false, NULL),
                     SERIN_OK);
}

static void message_take(struct bench *bench, const struct serin_mqtt_event *event)
{
    struct serin_topic topic;
    struct serin_get get;
    ck_assert_int_eq(serin_topic_parse(event->topic, &topic), SERIN_OK);
    ck_assert_str_eq(topic.id, DEVICE);
    if (topic.kind == SERIN_TOPIC_DEV_GET) {
        ck_assert_int_eq(serin_protobufc()->decode_get(event->payload, event->payload_size, &get),
                         SERIN_OK);
        get_answer(bench, &get);
    } else if (topic.kind == SERIN_TOPIC_DEV_REPORT) {
        ck_assert_int_eq(
            serin_protobufc()->decode_report(event->payload, event->payload_size, &bench->report),
            SERIN_OK);
        report_answer(bench);
    } else if (topic.kind == SERIN_TOPIC_DEV_BEAT) {
        ck_assert_int_eq(
            serin_protobufc()->decode_beat(event->payload, event->payload_size, &bench->beat),
            SERIN_OK);
    }
}

void bench_serve(struct bench *bench, int ms)
{
    struct timespec start, now;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    for (int passed = 0; passed < ms;) {
        struct pollfd fd = {.fd = serin_mqtt_fd(bench->mqtt), .events = POLLIN};
        struct serin_mqtt_event event;
        (void)poll(&fd, 1, ms - passed);
        while (serin_mqtt_next(bench->mqtt, &event)) {
            if (event.kind == SERIN_MQTT_MESSAGE) {
                message_take(bench, &event);
            }
            serin_mqtt_event_free(&event);
        }
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        passed =
            (int)((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000);
    }
}

const struct serin_transition *bench_last(const struct bench *bench)
{
    static const struct serin_transition none;
    if (bench->reports == 0 || bench->report.attempt_count == 0) {
        return &none;
    }
    const struct serin_attempt_report *attempt =
        &bench->report.attempts[bench->report.attempt_count - 1];
    return attempt->transition_count > 0 ? &attempt->transitions[attempt->transition_count - 1]
                                         : &none;
}

/* For whoever reads the failure of a test. */
static void log_show(const struct bench *bench)
{
    char command[160];
    (void)snprintf(command, sizeof command, "tail -40 %s >&2", bench->log);
    ck_assert_int_eq(system(command), 0);
}

/* An agent that is expected to run must not have ended: waiting on would only hide why. */
static void agent_check(const struct bench *bench)
{
    siginfo_t info = {0};
    if (bench->agent > 0 &&
        waitid(P_PID, (id_t)bench->agent, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
        if (info.si_pid != 0) {
            log_show(bench);
        }
        ck_assert_msg(info.si_pid == 0, "the agent ended by itself: %d", info.si_status);
    }
}

void bench_until_state(struct bench *bench, enum serin_state state, int seconds)
{
    for (int i = 0; i < seconds * 20 && bench_last(bench)->state != state; i++) {
        bench_serve(bench, 50);
        agent_check(bench);
    }
    if (bench_last(bench)->state != state) {
        log_show(bench);
    }
    ck_assert_str_eq(serin_state_text(bench_last(bench)->state), serin_state_text(state));
}

/* ---- the log ---- */

bool bench_log_has(const struct bench *bench, const char *text)
{
    static char content[1 << 20];
    FILE *file = fopen(bench->log, "r");
    if (file == NULL) {
        return false;
    }
    size_t size = fread(content, 1, sizeof content - 1, file);
    content[size] = '\0';
    (void)fclose(file);
    return strstr(content, text) != NULL;
}

void bench_until_log(struct bench *bench, const char *text, int seconds)
{
    for (int i = 0; i < seconds * 20 && !bench_log_has(bench, text); i++) {
        bench_serve(bench, 50);
        agent_check(bench);
    }
    if (!bench_log_has(bench, text)) {
        log_show(bench);
    }
    ck_assert_msg(bench_log_has(bench, text), "the log never said: %s", text);
}

/* ---- the programs ---- */

static int status_code(int status)
{
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static size_t output_read(int fd, char *output, size_t capacity)
{
    char spare[512];
    size_t used = 0;
    for (;;) {
        bool room = output != NULL && used + 1 < capacity;
        ssize_t got =
            room ? read(fd, output + used, capacity - 1 - used) : read(fd, spare, sizeof spare);
        if (got <= 0) {
            return used;
        }
        used += room ? (size_t)got : 0;
    }
}

int bench_command(const struct bench *bench, char *output, size_t capacity, ...)
{
    char *arguments[16] = {(char *)(uintptr_t)AGENT};
    va_list list;
    int ends[2], status = 0;
    (void)bench;
    va_start(list, capacity);
    for (size_t i = 1; i < 15 && (arguments[i] = va_arg(list, char *)) != NULL; i++) {
    }
    va_end(list);
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)dup2(ends[1], STDOUT_FILENO);
        (void)dup2(ends[1], STDERR_FILENO);
        (void)execv(AGENT, arguments);
        _exit(127);
    }
    (void)close(ends[1]);
    size_t size = output_read(ends[0], output, capacity);
    if (output != NULL) {
        output[size] = '\0';
    }
    (void)close(ends[0]);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status_code(status);
}

void bench_provision(struct bench *bench, const struct bench_release *release)
{
    char output[512];
    int status =
        bench_command(bench, output, sizeof output, "provision", "--config", bench->config,
                      "--bundle", release->bundle, "--trust", bench->trust, "--force", NULL);
    ck_assert_msg(status == 0, "%s", output);
}

void bench_agent_start(struct bench *bench, const char *fault)
{
    ck_assert_int_eq(bench->agent, 0);
    bench->agent = fork();
    ck_assert_int_ge(bench->agent, 0);
    if (bench->agent == 0) {
        int log = open(bench->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(log, STDERR_FILENO);
        if (fault != NULL) {
            (void)setenv("SERIN_FAULT", fault, 1);
        } else {
            (void)unsetenv("SERIN_FAULT");
        }
        (void)execl(AGENT, "serin-agent", "run", "--config", bench->config, (char *)NULL);
        _exit(127);
    }
}

int bench_agent_gone(struct bench *bench, int seconds)
{
    int status = 0;
    for (int i = 0; i < seconds * 20; i++) {
        if (waitpid(bench->agent, &status, WNOHANG) == bench->agent) {
            bench->agent = 0;
            return status_code(status);
        }
        bench_serve(bench, 50);
    }
    ck_abort_msg("the agent did not end within %d s", seconds);
}

void bench_agent_stop(struct bench *bench)
{
    ck_assert_int_eq(kill(bench->agent, SIGTERM), 0);
    ck_assert_int_eq(bench_agent_gone(bench, 10), 0);
}

/* ---- opening ---- */

void bench_configure(struct bench *bench, bool exec, const char *more)
{
    FILE *file = fopen(bench->config, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_gt(
        fprintf(file,
                "device: {id: " DEVICE ", product: " PRODUCT ", channel: " CHANNEL
                ", hardware: 2}\n"
                "broker: {uri: 'tcp://127.0.0.1:%u', reconnect_min: 50ms, reconnect_max: 300ms}\n"
                "root_key: %s/root.pub\n"
                "flash: {file: %s/flash.bin, size: 512KiB}\n"
                "control_socket: %s\n"
                "application: {exec: %s, watchdog: %us}\n"
                "beat: 1s\n"
                "download: {block: 1KiB, window: 4, timeout: 1s}\n"
                "report: {retry_min: 200ms, retry_max: 1s}\n%s",
                bench->broker.port, bench->folder, bench->folder, bench->socket,
                exec ? "true" : "false", bench->watchdog_s, more != NULL ? more : ""),
        0);
    ck_assert_int_eq(fclose(file), 0);
}

static void trust_write(const struct bench *bench)
{
    struct serin_trust trust;
    uint8_t record[SERIN_TRUST_SIZE_P256];
    char path[128];
    test_trust(&trust, PRODUCT);
    ck_assert_int_eq(
        serin_trust_seal(serin_wolfcrypt(), &test_keys[TEST_ROOT].signer, &trust, record),
        SERIN_OK);
    file_write(bench->trust, record, sizeof record, "", 0);
    (void)snprintf(path, sizeof path, "%s/root.pub", bench->folder);
    ck_assert_int_eq(serin_key_write_public(path, test_keys[TEST_ROOT].public_key, NULL), SERIN_OK);
}

void bench_open(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    bench->watchdog_s = 1;
    broker_folder(&bench->broker);
    broker_start(&bench->broker, false, NULL);
    memcpy(bench->folder, bench->broker.folder, sizeof bench->folder);
    (void)snprintf(bench->config, sizeof bench->config, "%s/agent.yaml", bench->folder);
    (void)snprintf(bench->socket, sizeof bench->socket, "%s/control", bench->folder);
    (void)snprintf(bench->trust, sizeof bench->trust, "%s/trust.bin", bench->folder);
    (void)snprintf(bench->log, sizeof bench->log, "%s/agent.log", bench->folder);
    trust_write(bench);
    bench_configure(bench, true, NULL);

    char uri[64];
    (void)snprintf(uri, sizeof uri, "tcp://127.0.0.1:%u", bench->broker.port);
    struct serin_mqtt_config config = {
        .uri = uri,
        .client_id = "bench",
        .keep_alive_s = 30,
        .reconnect_min_ms = 50,
        .reconnect_max_ms = 200,
        .clean_session = true,
        .queue_max = 4096,
    };
    ck_assert_int_eq(serin_mqtt_open(&bench->mqtt, &config), SERIN_OK);
    static const char *const filters[] = {"get", "report", "beat"};
    for (size_t i = 0; i < 3; i++) {
        char filter[64];
        (void)snprintf(filter, sizeof filter, SERIN_TOPIC_PREFIX "dev/+/%s", filters[i]);
        ck_assert_int_eq(serin_mqtt_subscribe(bench->mqtt, filter, 1), SERIN_OK);
    }
    ck_assert_int_eq(serin_mqtt_start(bench->mqtt), SERIN_OK);
    for (int i = 0; i < 200 && !serin_mqtt_connected(bench->mqtt); i++) {
        bench_serve(bench, 20);
    }
    ck_assert(serin_mqtt_connected(bench->mqtt));
}

void bench_close(struct bench *bench)
{
    if (bench->agent > 0) {
        (void)kill(bench->agent, SIGKILL);
        (void)waitpid(bench->agent, NULL, 0);
    }
    serin_mqtt_close(bench->mqtt);
    for (size_t i = 0; i < bench->object_count; i++) {
        free(bench->objects[i].data);
    }
    broker_end(&bench->broker);
}
