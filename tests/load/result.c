/* The result of a run (result.h). */
#include "result.h"

#include <serin/adapters/json.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* Times of all nodes that have them, each in three sets. */
struct times {
    uint64_t *held, *confirmed; /* after the node accepted */
    size_t held_count, confirmed_count;
    uint64_t first_accepted_ms, last_held_ms, last_confirmed_ms; /* LOAD_NEVER_MS: nobody did */
};

struct sums {
    uint64_t bytes_fetched, gets, pieces_refetched, reconnects, resets;
};

static const struct {
    enum serin_topic_kind kind;
    const char *name;
} kinds[] = {
    {SERIN_TOPIC_DEV_REPORT, "report"},
    {SERIN_TOPIC_DEV_BEAT, "beat"},
    {SERIN_TOPIC_DEV_GET, "get"},
    {SERIN_TOPIC_DEV_BLOCK, "block"},
    {SERIN_TOPIC_DEV_ACK, "ack"},
    {SERIN_TOPIC_DIRECTIVE, "directive"},
    {SERIN_TOPIC_DEV_DIRECTIVE, "own_directive"},
    {SERIN_TOPIC_TRUST, "trust"},
    {SERIN_TOPIC_HOLD, "hold"},
};
#define KIND_COUNT (sizeof kinds / sizeof *kinds)

static uint32_t node_count(const struct load_fleet *fleet)
{
    return load_fleet_shared(fleet)->options->nodes;
}

static const struct load_account *account_of(const struct load_fleet *fleet, uint32_t index)
{
    return &load_fleet_node(fleet, index)->account;
}

/* The later of two times of which one may be LOAD_NEVER_MS. */
static uint64_t later(uint64_t a, uint64_t b)
{
    return a == LOAD_NEVER_MS || (b != LOAD_NEVER_MS && b > a) ? b : a;
}

static enum serin_error times_make(const struct load_fleet *fleet, struct times *times)
{
    uint32_t count = node_count(fleet);
    *times = (struct times){.first_accepted_ms = LOAD_NEVER_MS,
                            .last_held_ms = LOAD_NEVER_MS,
                            .last_confirmed_ms = LOAD_NEVER_MS};
    times->held = calloc(count, sizeof *times->held);
    times->confirmed = calloc(count, sizeof *times->confirmed);
    if (times->held == NULL || times->confirmed == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < count; i++) {
        const struct load_account *account = account_of(fleet, i);
        if (account->accepted_ms < times->first_accepted_ms) {
            times->first_accepted_ms = account->accepted_ms;
        }
        times->last_held_ms = later(times->last_held_ms, account->held_ms);
        times->last_confirmed_ms = later(times->last_confirmed_ms, account->confirmed_ms);
        if (account->held_ms != LOAD_NEVER_MS) {
            times->held[times->held_count++] = account->held_ms - account->accepted_ms;
        }
        if (account->confirmed_ms != LOAD_NEVER_MS) {
            times->confirmed[times->confirmed_count++] =
                account->confirmed_ms - account->accepted_ms;
        }
    }
    return SERIN_OK;
}

static void times_free(struct times *times)
{
    free(times->held);
    free(times->confirmed);
}

static struct sums sums_of(const struct load_fleet *fleet)
{
    struct sums sums = {0};
    for (uint32_t i = 0; i < node_count(fleet); i++) {
        const struct load_account *account = account_of(fleet, i);
        sums.bytes_fetched += account->bytes_fetched;
        sums.gets += account->gets;
        sums.pieces_refetched += account->pieces_refetched;
        sums.reconnects += account->reconnects;
        sums.resets += account->resets;
    }
    return sums;
}

static uint64_t memory_kib(void)
{
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (uint64_t)usage.ru_maxrss : 0;
}

/* ---- JSON ---- */

static void put_time(struct serin_json *object, const char *key, uint64_t time_ms)
{
    if (time_ms == LOAD_NEVER_MS) {
        serin_json_put_null(object, key);
    } else {
        serin_json_put_number(object, key, time_ms);
    }
}

static struct serin_json *spread_json(const struct load_spread *spread)
{
    struct serin_json *object = serin_json_object();
    serin_json_put_number(object, "count", spread->count);
    serin_json_put_number(object, "min", spread->min);
    serin_json_put_number(object, "p50", spread->p50);
    serin_json_put_number(object, "p90", spread->p90);
    serin_json_put_number(object, "p99", spread->p99);
    serin_json_put_number(object, "max", spread->max);
    return object;
}

static struct serin_json *traffic_json(const struct load_traffic *traffic)
{
    struct serin_json *object = serin_json_object();
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (traffic->messages[kinds[i].kind] > 0) {
            struct serin_json *one = serin_json_object();
            serin_json_put_number(one, "messages", traffic->messages[kinds[i].kind]);
            serin_json_put_number(one, "bytes", traffic->bytes[kinds[i].kind]);
            serin_json_put(object, kinds[i].name, one);
        }
    }
    return object;
}

static struct serin_json *node_json(const struct load_node *node)
{
    const struct load_account *account = &node->account;
    char version[SERIN_VERSION_TEXT_SIZE];
    struct serin_json *object = serin_json_object();
    serin_version_format(account->running, version);
    serin_json_put_text(object, "id", node->identity.device_id);
    serin_json_put_number(object, "block", node->config.block_size);
    serin_json_put_text(object, "version", version);
    serin_json_put_text(object, "state",
                        account->broken                         ? "broken"
                        : account->state == SERIN_STATE_INVALID ? "idle"
                                                                : serin_state_text(account->state));
    if (load_account_failed(account) && !account->broken) {
        serin_json_put_text(object, "reason", serin_reason_word(account->reason));
    }
    put_time(object, "accepted_ms", account->accepted_ms);
    put_time(object, "held_ms", account->held_ms);
    put_time(object, "confirmed_ms", account->confirmed_ms);
    serin_json_put_bool(object, "acknowledged", account->acked);
    serin_json_put_number(object, "bytes_fetched", account->bytes_fetched);
    serin_json_put_number(object, "gets", account->gets);
    serin_json_put_number(object, "pieces_refetched", account->pieces_refetched);
    serin_json_put_number(object, "reconnects", account->reconnects);
    serin_json_put_number(object, "resets", account->resets);
    return object;
}

static struct serin_json *result_json(const struct load_fleet *fleet, struct times *times)
{
    const struct load_shared *shared = load_fleet_shared(fleet);
    struct load_tally tally;
    struct load_spread spread;
    struct sums sums = sums_of(fleet);
    struct serin_json *object = serin_json_object();
    load_fleet_tally(fleet, &tally);
    serin_json_put_number(object, "nodes", node_count(fleet));
    serin_json_put_number(object, "confirmed", tally.done);
    serin_json_put_number(object, "failed", tally.failed);
    serin_json_put_number(object, "acknowledged", tally.acked);
    serin_json_put_number(object, "elapsed_ms", load_fleet_elapsed_ms(fleet));
    put_time(object, "first_accepted_ms", times->first_accepted_ms);
    put_time(object, "last_held_ms", times->last_held_ms);
    put_time(object, "last_confirmed_ms", times->last_confirmed_ms);
    load_spread_of(times->held, times->held_count, &spread);
    serin_json_put(object, "held_after_accepted_ms", spread_json(&spread));
    load_spread_of(times->confirmed, times->confirmed_count, &spread);
    serin_json_put(object, "confirmed_after_accepted_ms", spread_json(&spread));
    serin_json_put_number(object, "bytes_fetched", sums.bytes_fetched);
    serin_json_put_number(object, "gets", sums.gets);
    serin_json_put_number(object, "pieces_refetched", sums.pieces_refetched);
    serin_json_put_number(object, "reconnects", sums.reconnects);
    serin_json_put_number(object, "resets", sums.resets);
    serin_json_put_number(object, "link_failures", shared->failures);
    if (shared->last_failure != NULL) {
        serin_json_put_text(object, "last_failure", shared->last_failure);
    }
    serin_json_put(object, "sent", traffic_json(&shared->sent));
    serin_json_put(object, "received", traffic_json(&shared->received));
    serin_json_put_number(object, "memory_kib", memory_kib());
    struct serin_json *each = serin_json_array();
    for (uint32_t i = 0; i < node_count(fleet); i++) {
        serin_json_add(each, node_json(load_fleet_node(fleet, i)));
    }
    serin_json_put(object, "each", each);
    return object;
}

/* ---- for people ---- */

static void print_spread(const char *what, uint64_t *values, size_t count)
{
    struct load_spread spread;
    load_spread_of(values, count, &spread);
    (void)printf("%-24s %8.1f %8.1f %8.1f %8.1f %8.1f\n", what, (double)spread.min / 1e3,
                 (double)spread.p50 / 1e3, (double)spread.p90 / 1e3, (double)spread.p99 / 1e3,
                 (double)spread.max / 1e3);
}

static void print_traffic(const char *what, const struct load_traffic *traffic)
{
    for (size_t i = 0; i < KIND_COUNT; i++) {
        if (traffic->messages[kinds[i].kind] > 0) {
            (void)printf("%-10s %-13s %10" PRIu64 " messages %14" PRIu64 " bytes\n", what,
                         kinds[i].name, traffic->messages[kinds[i].kind],
                         traffic->bytes[kinds[i].kind]);
        }
    }
}

static void result_text(const struct load_fleet *fleet, struct times *times)
{
    const struct load_shared *shared = load_fleet_shared(fleet);
    struct load_tally tally;
    struct sums sums = sums_of(fleet);
    load_fleet_tally(fleet, &tally);
    (void)printf("nodes      %u: %u confirmed, %u failed, %u acknowledged; %.1f s\n",
                 node_count(fleet), tally.done, tally.failed, tally.acked,
                 (double)load_fleet_elapsed_ms(fleet) / 1e3);
    (void)printf("\nseconds after a node accepted %3s %8s %8s %8s %8s\n", "min", "p50", "p90",
                 "p99", "max");
    print_spread("it holds the image", times->held, times->held_count);
    print_spread("it is confirmed", times->confirmed, times->confirmed_count);
    if (times->last_held_ms != LOAD_NEVER_MS) {
        (void)printf("the last holds it %.1f s after the first accepted\n",
                     (double)(times->last_held_ms - times->first_accepted_ms) / 1e3);
    }
    (void)printf("\nfetched    %" PRIu64 " bytes in %" PRIu64 " requests, %" PRIu64
                 " pieces again; %" PRIu64 " reconnects, %" PRIu64 " resets\n",
                 sums.bytes_fetched, sums.gets, sums.pieces_refetched, sums.reconnects,
                 sums.resets);
    if (shared->failures > 0) {
        (void)printf("link       failed %" PRIu64 " times, the last time: %s\n", shared->failures,
                     shared->last_failure != NULL ? shared->last_failure : "unknown");
    }
    print_traffic("sent", &shared->sent);
    print_traffic("received", &shared->received);
    (void)printf("memory     %" PRIu64 " KiB here\n", memory_kib());
}

enum serin_error load_result_print(const struct load_fleet *fleet, bool json)
{
    struct times times;
    enum serin_error error = times_make(fleet, &times);
    if (error == SERIN_OK && json) {
        struct serin_json *value = result_json(fleet, &times);
        char *text = serin_json_print(value, NULL);
        (void)puts(text);
        free(text);
        serin_json_free(value);
    } else if (error == SERIN_OK) {
        result_text(fleet, &times);
    }
    times_free(&times);
    return error == SERIN_OK && fflush(stdout) != 0 ? SERIN_ERR_IO : error;
}
