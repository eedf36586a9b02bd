/*
 * `on_halt: revert` in the shell of serind, with a real depot: the rollout that takes devices back,
 * and every reason for which there is none.
 */
#define _XOPEN_SOURCE 700
#include "check_main.h"
#include "serind_bench.h"
#include "test_keys.h"

#include <shell/revert.h>

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HERE (&bench->serind)

static char depot_folder[64];

struct stocked {
    uint8_t id[SERIN_SHA256_SIZE];
    uint8_t image[SERIN_SHA256_SIZE];
};

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info, (void)type, (void)walk;
    return remove(path);
}

static void open_bench(struct serind_bench *bench)
{
    serind_bench_open(bench);
    strcpy(depot_folder, "/tmp/serind-depot-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(depot_folder));
    ck_assert_int_eq(serin_depot_create(&HERE->depot, depot_folder, HERE->crypto), SERIN_OK);
}

static void close_bench(struct serind_bench *bench)
{
    serin_depot_close(HERE->depot);
    serind_bench_close(bench);
    ck_assert_int_eq(nftw(depot_folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

/* A release of version `major`.0.0 for hardware 1 to `hw_max`, with its objects in the depot. */
static struct stocked release(struct serind_bench *bench, uint16_t major, uint32_t counter,
                              uint16_t hw_max)
{
    struct stocked made;
    uint8_t manifest[700], image[100], pieces[32];
    memset(manifest, major, sizeof manifest);
    memset(image, major, sizeof image);
    memset(pieces, major + 100, sizeof pieces);
    struct serin_release_record record = {.manifest = {
                                              .product = "lamp",
                                              .hw_min = 1,
                                              .hw_max = hw_max,
                                              .version = {.major = major},
                                              .security_counter = counter,
                                              .channels = {"stable"},
                                          }};
    serin_sha256_of(HERE->crypto, manifest, 512, made.id);
    serin_sha256_of(HERE->crypto, image, sizeof image, made.image);
    memcpy(record.manifest_id, made.id, sizeof made.id);
    memcpy(record.manifest.image_sha256, made.image, sizeof made.image);
    serin_sha256_of(HERE->crypto, pieces, sizeof pieces, record.manifest.pieces_sha256);
    ck_assert_int_eq(serin_depot_put(HERE->depot, made.image, image, sizeof image), SERIN_OK);
    ck_assert_int_eq(
        serin_depot_put(HERE->depot, record.manifest.pieces_sha256, pieces, sizeof pieces),
        SERIN_OK);
    ck_assert_int_eq(serin_depot_put_manifest(HERE->depot, made.id, manifest, sizeof manifest),
                     SERIN_OK);
    ck_assert_int_eq(serind_pass_begin(HERE), SERIN_OK);
    ck_assert_int_eq(HERE->store.ops->put_release(HERE->store.ctx, &record), SERIN_OK);
    ck_assert_int_eq(serind_pass_end(HERE), SERIN_OK);
    return made;
}

static void set_stable(struct serind_bench *bench, const struct stocked *of, uint16_t hw_max)
{
    struct serin_stable_record stable = {.product = "lamp", .channel = "stable"};
    stable.release = (struct serin_release){.offer_count = 1, .attempt = 1};
    stable.release.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = hw_max};
    memcpy(stable.release.offers[0].manifest_id, of->id, sizeof of->id);
    ck_assert_int_eq(serind_pass_begin(HERE), SERIN_OK);
    ck_assert_int_eq(HERE->store.ops->put_stable(HERE->store.ctx, &stable), SERIN_OK);
    ck_assert_int_eq(serind_pass_end(HERE), SERIN_OK);
}

static void device(struct serind_bench *bench, const char *id, const struct stocked *runs,
                   uint32_t floor, uint16_t hardware)
{
    struct serin_beat beat = serind_bench_beat(id, 0, 0);
    memcpy(beat.running.manifest_id, runs->id, sizeof runs->id);
    beat.running.floor = floor;
    beat.hardware = hardware;
    serind_bench_take_beat(bench, &beat);
}

/* What a device reports of its attempt at `of`. */
static void say(struct serind_bench *bench, const char *id, uint64_t number, uint32_t attempt,
                const struct stocked *of, enum serin_state state, const struct stocked *runs)
{
    struct serin_report report = serind_bench_report(id, number, 0, attempt, state, 0);
    memcpy(report.attempts[0].manifest_id, of->id, sizeof of->id);
    memcpy(report.running.manifest_id, runs->id, sizeof runs->id);
    serind_bench_take_report(bench, &report);
}

static struct serind_slot *create(struct serind_bench *bench, const char *text)
{
    struct serind_slot *slot = NULL;
    struct serind_refusal refusal;
    enum serin_error error = serind_rollout_create(HERE, text, strlen(text), &slot, &refusal);
    ck_assert_msg(error == SERIN_OK, "%s", refusal.message);
    serind_bench_turn(bench);
    return slot;
}

#define POLICY                                                                      \
    "name: spring\nproduct: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\n"  \
    "stages: [{percent: 50, soak: 1h, approval: true}, {percent: 100, soak: 2h}]\n" \
    "start: 2020-01-01T00:00:00Z\nwindows: [{from: \"00:00\", to: \"24:00\"}]\n"    \
    "on_halt: revert\n"

/* The rollout of POLICY, opened and halted by its operator. */
static void halted(struct serind_bench *bench)
{
    struct serind_refusal refusal;
    struct serind_slot *slot = create(bench, POLICY);
    uint64_t id = slot->rollout.id;
    ck_assert_int_eq(serind_rollout_command(HERE, id, SERIN_ROLLOUT_ADVANCE, NULL, &slot, &refusal),
                     SERIN_OK);
    ck_assert_int_eq(serind_rollout_command(HERE, id, SERIN_ROLLOUT_HALT, "bad", &slot, &refusal),
                     SERIN_OK);
}

static struct serin_rollout stored(struct serind_bench *bench, uint64_t id)
{
    struct serin_rollout rollout;
    ck_assert_int_eq(HERE->store.ops->begin(HERE->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(HERE->store.ops->get_rollout(HERE->store.ctx, id, &rollout), SERIN_OK);
    HERE->store.ops->abort(HERE->store.ctx);
    return rollout;
}

static struct serind_slot *latest(struct serind_bench *bench)
{
    return serind_rollouts_latest(HERE, "lamp", "stable");
}

/* Caught: the halt not published before; `from` without the salt; windows or approvals kept; a
 * revert that reverts; the flag left out of the directive; the halted rollout's own books
 * forgotten; a floor of a device that does not run the halted release in everybody's way. */
START_TEST(a_halted_rollout_is_taken_back_in_steps)
{
    static struct serind_bench bench_memory, *bench = &bench_memory;
    static const char *const ids[] = {"lamp-1", "lamp-2", "lamp-3", "lamp-4"};
    open_bench(bench);
    struct stocked old = release(bench, 1, 1, 3), bad = release(bench, 2, 1, 3);
    set_stable(bench, &old, 3);
    for (size_t i = 0; i < 4; i++) {
        device(bench, ids[i], &old, i == 3 ? 4000000000u : 1u, 1);
    }
    halted(bench);
    unsigned published = bench->publishes;
    const struct serin_rollout before = latest(bench)->rollout;
    ck_assert_int_eq(before.state, SERIN_ROLLOUT_HALTED);
    ck_assert_uint_eq(before.reverted_by, 0);
    ck_assert(HERE->publisher.topics[0]->halt && HERE->publisher.topics[0]->views[0].in_flight);
    /* One of the two had confirmed it, and one is still trying. */
    const char *first = HERE->index.list[latest(bench)->members.list[0].device].id;
    const char *second = HERE->index.list[latest(bench)->members.list[1].device].id;
    say(bench, first, 1, 1, &bad, SERIN_STATE_CONFIRMED, &bad);
    say(bench, second, 1, 1, &bad, SERIN_STATE_DOWNLOADING, &old);

    const struct serin_rollout ended = latest(bench)->rollout;
    serind_revert_tend(HERE);
    const struct serind_slot *slot = latest(bench);
    const struct serin_policy *policy = &slot->rollout.policy;
    /* What it was judged by can be looked at all the same. */
    struct serind_slot *recalled = NULL;
    ck_assert_int_eq(HERE->store.ops->begin(HERE->store.ctx, false), SERIN_OK);
    ck_assert_int_eq(serind_rollout_recall(HERE, before.id, &recalled), SERIN_OK);
    ck_assert_uint_eq(recalled->members.count, 4);
    ck_assert_mem_eq(&recalled->rollout.tally, &ended.tally, sizeof ended.tally);
    ck_assert_uint_eq(recalled->rollout.tally.confirmed, 1);
    ck_assert_uint_eq(recalled->rollout.evidence.stage_well, ended.evidence.stage_well);
    ck_assert_uint_eq(recalled->rollout.evidence.stage_well, 1);
    serind_rollout_let_go(recalled);
    ck_assert_int_eq(serind_rollout_recall(HERE, 99, &recalled), SERIN_ERR_NOT_FOUND);
    ck_assert_ptr_null(recalled);
    HERE->store.ops->abort(HERE->store.ctx);
    ck_assert_uint_eq(stored(bench, before.id).reverted_by, slot->rollout.id);
    ck_assert_int_eq(stored(bench, before.id).state, SERIN_ROLLOUT_HALTED);
    ck_assert_str_eq(policy->name, "spring-revert");
    ck_assert_mem_eq(policy->offers[0].manifest_id, old.id, sizeof old.id);
    ck_assert_mem_eq(slot->rollout.salt, before.salt, sizeof before.salt);
    ck_assert(policy->revert && policy->on_halt == SERIN_ON_HALT_HOLD);
    ck_assert_uint_eq(policy->window_count, 0);
    ck_assert_uint_eq(policy->start_s, 0);
    ck_assert_uint_eq(policy->stage_count, 2);
    ck_assert_uint_eq(policy->stages[1].soak_s, 7200);
    /* Stage 1 of the halted one was approved by its operator; nobody is asked again. */
    ck_assert(before.policy.stages[0].approval && !policy->stages[0].approval);
    ck_assert_int_eq(slot->rollout.state, SERIN_ROLLOUT_ROLLING);
    ck_assert_uint_eq(slot->rollout.stage, 1);
    ck_assert_uint_eq(serind_bench_audited(bench, "release: 2 of 4 do not run it"), 1);
    ck_assert_uint_eq(serind_bench_audited(bench, "the policy of rollout 1"), 1);
    /* Who runs the stable release is confirmed from the start, but who may yet come off it. */
    ck_assert_int_eq(serind_bench_member(bench, latest(bench), first), SERIN_STATE_IDLE);
    ck_assert_int_eq(serind_bench_member(bench, latest(bench), second), SERIN_STATE_IDLE);
    uint32_t confirmed = 0;
    for (uint32_t i = 0; i < slot->members.count; i++) {
        confirmed += slot->members.list[i].state == SERIN_STATE_CONFIRMED;
    }
    ck_assert_uint_eq(confirmed, 2);
    struct serind_slot *same = NULL;
    struct serind_refusal refusal;
    uint64_t id = slot->rollout.id;
    serind_bench_turn(bench);
    ck_assert_uint_gt(bench->publishes, published);
    struct serin_directive directive = {.order = {0, 0}};
    serin_rollout_candidate(&latest(bench)->rollout, &directive);
    ck_assert_uint_ne(directive.candidate.flags & SERIN_RELEASE_REVERT, 0);
    say(bench, first, 2, slot->rollout.attempt, &old, SERIN_STATE_CONFIRMED, &old);
    ck_assert_int_eq(serind_bench_member(bench, latest(bench), first), SERIN_STATE_CONFIRMED);

    /* It reverts nothing itself, and nothing is made twice. */
    ck_assert_int_eq(serind_rollout_command(HERE, id, SERIN_ROLLOUT_HALT, "no", &same, &refusal),
                     SERIN_OK);
    serind_revert_tend(HERE);
    ck_assert_uint_eq(latest(bench)->rollout.id, id);
    ck_assert_str_eq(latest(bench)->rollout.revert_why, "");
    /* The fixed release begins with those that the bad one touched. */
    release(bench, 3, 1, 3);
    const struct serind_slot *fixed =
        create(bench, "product: lamp\nchannel: stable\nreleases: [{version: 3.0.0}]\nfrom: 1\n");
    ck_assert_mem_eq(fixed->rollout.salt, before.salt, sizeof before.salt);
    close_bench(bench);
}
END_TEST

/* The halted rollout keeps `why`, it and an alarm say so, once; another rollout ends the alarm. */
static void stays(struct serind_bench *bench, const char *why)
{
    halted(bench);
    uint64_t id = latest(bench)->rollout.id;
    for (int turn = 0; turn < 3; turn++) {
        serind_revert_tend(HERE);
    }
    const struct serin_rollout kept = stored(bench, id);
    ck_assert_uint_eq(latest(bench)->rollout.id, id);
    ck_assert_msg(strstr(kept.revert_why, why) != NULL, "said: %s", kept.revert_why);
    ck_assert_str_eq(latest(bench)->rollout.revert_why, kept.revert_why);
    ck_assert_uint_eq(kept.reverted_by, 0);
    ck_assert_uint_eq(serind_bench_audited(bench, "refused, the devices stay on what they run"), 1);
    ck_assert(serind_alarm_stands(HERE, "revert:lamp/stable"));
    serind_revert_silence(HERE, latest(bench));
    ck_assert(!serind_alarm_stands(HERE, "revert:lamp/stable"));
    serind_revert_alarm(HERE, latest(bench)); /* as at a start */
    ck_assert(serind_alarm_stands(HERE, "revert:lamp/stable"));
    ck_assert(serind_alarm_stands(HERE, "halted:lamp/stable"));
    release(bench, 7, 9, 9);
    create(bench, "product: lamp\nchannel: stable\nreleases: [{version: 7.0.0}]\n");
    ck_assert(!serind_alarm_stands(HERE, "revert:lamp/stable"));
    ck_assert(!serind_alarm_stands(HERE, "halted:lamp/stable"));
    close_bench(bench);
}

START_TEST(without_a_stable_release_devices_stay)
{
    static struct serind_bench bench_memory, *bench = &bench_memory;
    open_bench(bench);
    struct stocked old = release(bench, 1, 1, 3), bad = release(bench, 2, 1, 3);
    device(bench, "lamp-1", &old, 1, 1);
    device(bench, "lamp-2", &bad, 1, 1);
    stays(bench, "lamp stable has no stable release to go back to");
}
END_TEST

/* Caught: the counter of the device that is at the stable one's named; devices of others counted.
 */
START_TEST(above_a_committed_counter_devices_stay)
{
    static struct serind_bench bench_memory, *bench = &bench_memory;
    open_bench(bench);
    struct stocked old = release(bench, 1, 4, 3), bad = release(bench, 2, 9, 3);
    set_stable(bench, &old, 3);
    device(bench, "lamp-1", &old, 4, 1);
    device(bench, "lamp-2", &bad, 5, 1);
    stays(bench, "1 device committed a security counter above that of stable 1.0.0 and would "
                 "refuse it: lamp-2 is at 5");
}
END_TEST

START_TEST(without_the_image_devices_stay)
{
    static struct serind_bench bench_memory, *bench = &bench_memory;
    open_bench(bench);
    struct stocked old = release(bench, 1, 1, 3), bad = release(bench, 2, 1, 3);
    set_stable(bench, &old, 3);
    device(bench, "lamp-1", &old, 1, 1);
    device(bench, "lamp-2", &bad, 1, 1);
    ck_assert_int_eq(serin_depot_remove(HERE->depot, old.image), SERIN_OK);
    stays(bench, "the stable release 1.0.0 is not in the depot");
}
END_TEST

START_TEST(hardware_without_a_stable_release_stays)
{
    static struct serind_bench bench_memory, *bench = &bench_memory;
    open_bench(bench);
    struct stocked old = release(bench, 1, 1, 2), bad = release(bench, 2, 1, 3);
    set_stable(bench, &old, 2);
    device(bench, "lamp-1", &old, 1, 1);
    device(bench, "lamp-3", &bad, 1, 3);
    stays(bench, "no stable release is for the hardware of 1 device that run it, lamp-3 is one");
}
END_TEST

/* A rollout over one device that is halted while that is trying it: nothing is decided before it is
 * known what became of it. */
static void at_it(struct serind_bench *bench, struct stocked *old, struct stocked *bad)
{
    open_bench(bench);
    *old = release(bench, 1, 1, 3);
    *bad = release(bench, 2, 1, 3);
    set_stable(bench, old, 3);
    device(bench, "lamp-1", old, 1, 1);
    struct serind_refusal refusal;
    struct serind_slot *slot = create(bench, POLICY);
    ck_assert_int_eq(serind_rollout_command(HERE, 1, SERIN_ROLLOUT_ADVANCE, NULL, &slot, &refusal),
                     SERIN_OK);
    say(bench, "lamp-1", 1, 1, bad, SERIN_STATE_DOWNLOADING, old);
    ck_assert_int_eq(serind_rollout_command(HERE, 1, SERIN_ROLLOUT_HALT, "bad", &slot, &refusal),
                     SERIN_OK);
    serind_revert_tend(HERE);
    ck_assert_uint_eq(latest(bench)->rollout.id, 1);
    ck_assert_str_eq(latest(bench)->rollout.revert_why, "");
}

/* The second report of a device: its trial of attempt 1 at `of` ended where it began. */
static void rolls_back(struct serind_bench *bench, const char *id, const struct stocked *of,
                       const struct stocked *runs)
{
    struct serin_report report = serind_bench_report(id, 2, 0, 1, SERIN_STATE_TRIAL, 0);
    struct serin_attempt_report *attempt = &report.attempts[0];
    memcpy(attempt->manifest_id, of->id, sizeof of->id);
    memcpy(report.running.manifest_id, runs->id, sizeof runs->id);
    attempt->transitions[attempt->transition_count++] =
        (struct serin_transition){.state = SERIN_STATE_ROLLED_BACK, .reason = SERIN_REASON_CRASH};
    serind_bench_take_report(bench, &report);
}

/* Caught: a way back of days for nobody; an alarm of it; the same said after each restart; one who
 * turns up on the release after all left there. */
START_TEST(nobody_is_taken_back_where_nobody_runs_it)
{
    static struct serind_bench bench_memory, *bench = &bench_memory;
    struct stocked old, bad;
    at_it(bench, &old, &bad);
    rolls_back(bench, "lamp-1", &bad, &old);
    for (int turn = 0; turn < 3; turn++) {
        latest(bench)->way_back = (struct serin_way_back_seen){.looked = false}; /* a restart */
        serind_revert_tend(HERE);
    }
    ck_assert_uint_eq(latest(bench)->rollout.id, 1);
    ck_assert_str_eq(stored(bench, 1).revert_why, SERIN_WAY_BACK_NOBODY_TEXT);
    ck_assert_uint_eq(serind_bench_audited(bench, "none is made: nobody runs it"), 1);
    serind_revert_alarm(HERE, latest(bench));
    ck_assert(!serind_alarm_stands(HERE, "revert:lamp/stable"));
    device(bench, "lamp-2", &bad, 1, 1); /* it came to it by another way */
    latest(bench)->way_back = (struct serin_way_back_seen){.looked = false};
    serind_revert_tend(HERE);
    ck_assert_uint_eq(latest(bench)->rollout.id, 2);
    ck_assert_uint_eq(stored(bench, 1).reverted_by, 2);
    ck_assert_str_eq(stored(bench, 1).revert_why, "");
    close_bench(bench);
}
END_TEST

/* Caught: whoever is still trying the release when it is halted forgotten. */
START_TEST(who_ends_on_it_after_the_halt_is_taken_back)
{
    static struct serind_bench bench_memory, *bench = &bench_memory;
    struct stocked old, bad;
    at_it(bench, &old, &bad);
    say(bench, "lamp-1", 2, 1, &bad, SERIN_STATE_CONFIRMED, &bad);
    serind_revert_tend(HERE);
    ck_assert_uint_eq(latest(bench)->rollout.id, 2);
    close_bench(bench);
}
END_TEST

/* Nobody was offered it yet, the policy holds, or it is a way back itself: nothing is made and
 * nothing is said. */
START_TEST(what_needs_no_revert_gets_none)
{
    static struct serind_bench bench_memory, *bench = &bench_memory;
    struct serind_refusal refusal;
    struct serind_slot *slot = NULL;
    open_bench(bench);
    struct stocked old = release(bench, 1, 1, 3);
    release(bench, 2, 1, 3);
    set_stable(bench, &old, 3);
    device(bench, "lamp-1", &old, 1, 1);
    create(bench, POLICY);
    ck_assert_int_eq(serind_rollout_command(HERE, 1, SERIN_ROLLOUT_HALT, NULL, &slot, &refusal),
                     SERIN_OK);
    serind_revert_tend(HERE);
    ck_assert_uint_eq(latest(bench)->rollout.id, 1);
    create(bench, "product: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\non_halt: hold\n");
    ck_assert_int_eq(serind_rollout_command(HERE, 2, SERIN_ROLLOUT_HALT, NULL, &slot, &refusal),
                     SERIN_OK);
    serind_revert_tend(HERE);
    ck_assert_uint_eq(latest(bench)->rollout.id, 2);
    ck_assert_str_eq(latest(bench)->rollout.revert_why, "");
    create(bench, "product: lamp\nchannel: stable\nreleases: [{version: 2.0.0}]\n"
                  "revert: true\non_halt: revert\n");
    ck_assert_int_eq(serind_rollout_command(HERE, 3, SERIN_ROLLOUT_HALT, NULL, &slot, &refusal),
                     SERIN_OK);
    serind_revert_tend(HERE);
    ck_assert_uint_eq(latest(bench)->rollout.id, 3);
    close_bench(bench);
}
END_TEST

int main(void)
{
    const TTest *const list[] = {
        a_halted_rollout_is_taken_back_in_steps,
        without_a_stable_release_devices_stay,
        above_a_committed_counter_devices_stay,
        without_the_image_devices_stay,
        hardware_without_a_stable_release_stays,
        nobody_is_taken_back_where_nobody_runs_it,
        who_ends_on_it_after_the_halt_is_taken_back,
        what_needs_no_revert_gets_none,
        NULL,
    };
    test_keys_open();
    int status = check_run("serind_revert", list);
    test_keys_close();
    return status;
}
