/*
 * `serin policy check`: reads a policy as serind does and says what it comes to. What an image that
 * always fails would cost is not reckoned but tried, on the engine itself.
 */
#include "policy.h"

#include "commands.h"
#include "file.h"

#include <serin/assert.h>
#include <serin/cohort.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REHEARSAL_MS UINT64_C(1700000000000) /* any time: nothing depends on it */
#define TICK_MS      60000u
#define TICKS_MAX    100u /* in a row, for the next device to be offered */

/* ---- the stages and the test ---- */

uint32_t serin_cli_policy_new(const struct serin_cli_policy *policy, size_t stage)
{
    return policy->sizes[stage] - (stage > 0 ? policy->sizes[stage - 1] : 0);
}

static void size_stages(struct serin_cli_policy *policy)
{
    uint32_t before = 0;
    for (size_t i = 0; i < policy->file->policy.stage_count; i++) {
        const struct serin_stage_policy *stage = &policy->file->policy.stages[i];
        uint32_t size = stage->permyriad > 0 ? serin_cohort_count(policy->devices, stage->permyriad)
                        : stage->count < policy->devices ? stage->count
                                                         : policy->devices;
        before = size > before ? size : before;
        policy->sizes[i] = before;
    }
}

/* Wald's boundary of acceptance by the weight of one success (docs/spec/rollout.md). */
static uint32_t successes_needed(const struct serin_test_policy *test)
{
    double p0 = test->accepted_permyriad / 1e4;
    double p1 = test->rejected_permyriad / 1e4;
    double boundary = log((test->beta_permyriad / 1e4) / (1 - test->alpha_permyriad / 1e4));
    return (uint32_t)ceil(boundary / log((1 - p1) / (1 - p0)));
}

/* ---- the rehearsal ---- */

struct stage_play {
    struct serin_rollout rollout;
    struct serin_members members;
    uint64_t now_ms;
    struct serin_rollout_actions actions;
};

/* An event that the engine may refuse, since it has halted before. */
static void play(struct stage_play *stage, const struct serin_rollout_event *event)
{
    enum serin_error error =
        serin_rollout_step(&stage->rollout, &stage->members, stage->now_ms, event, &stage->actions);
    SERIN_ASSERT(error == SERIN_OK || error == SERIN_ERR_STATE);
}

static void play_kind(struct stage_play *stage, enum serin_rollout_event_kind kind)
{
    play(stage, &(struct serin_rollout_event){.kind = kind});
}

static void play_member(struct stage_play *stage, uint32_t member, enum serin_state state,
                        enum serin_reason reason)
{
    play(stage,
         &(struct serin_rollout_event){
             .kind = SERIN_ROLLOUT_MEMBER, .member = member, .state = state, .reason = reason});
}

/* Waits until the device is offered the release. False: it never is, since the rollout has stopped.
 */
static bool wait_for_offer(struct stage_play *stage, uint32_t member)
{
    for (unsigned i = 0; i < TICKS_MAX; i++) {
        bool rolling = stage->rollout.state == SERIN_ROLLOUT_ROLLING;
        if (!rolling && stage->rollout.state != SERIN_ROLLOUT_SOAKING) {
            return false;
        }
        if (rolling && stage->members.list[member].rank <= stage->rollout.threshold) {
            return true;
        }
        stage->now_ms += TICK_MS;
        play_kind(stage, SERIN_ROLLOUT_TICK);
    }
    return false;
}

/* Of the policy what an image meets: no start, no windows, no soak, no operator; and as releases
 * are not known here, one that stands for them. */
static struct serin_policy without_waiting(const struct serin_policy *asked, bool gates)
{
    struct serin_policy policy = *asked;
    policy.start_s = 0;
    policy.window_count = 0;
    policy.rate_per_hour = 0;
    for (size_t i = 0; i < policy.stage_count; i++) {
        policy.stages[i].approval = false;
        policy.stages[i].soak_s = 0;
    }
    policy.offer_count = 1;
    policy.offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 1, .manifest_id = {1}};
    for (unsigned i = SERIN_GATE_FAILURES; !gates && i < SERIN_GATE_COUNT; i++) {
        policy.gates[i] = (struct serin_gate_policy){.max_permyriad = 10000, .minimum = 1};
    }
    policy.reason_count = gates ? policy.reason_count : 0;
    return policy;
}

static void rehearse(const struct serin_policy *asked, uint32_t devices, bool gates,
                     struct serin_member *list, struct serin_cli_rehearsal *result)
{
    static const uint8_t salt[SERIN_SALT_SIZE] = {1};
    static struct stage_play stage; /* large; one at a time */
    const struct serin_policy policy = without_waiting(asked, gates);
    stage =
        (struct stage_play){.now_ms = REHEARSAL_MS, .members = {.list = list, .count = devices}};
    enum serin_error error = serin_rollout_init(&stage.rollout, 1, &policy, salt, 1, stage.now_ms);
    SERIN_ASSERT(error == SERIN_OK); /* the file was checked by the same rules */
    for (uint32_t i = 0; i < devices; i++) {
        list[i] = serin_rollout_member(&stage.rollout, (UINT64_MAX / devices) * i, i);
    }
    serin_rollout_rebuild(&stage.rollout, &stage.members);
    play_kind(&stage, SERIN_ROLLOUT_REPORTS_UP);
    play_kind(&stage, SERIN_ROLLOUT_START);
    *result = (struct serin_cli_rehearsal){.failed = 0};
    while (result->failed < devices && wait_for_offer(&stage, result->failed)) {
        stage.now_ms += 1000;
        play_member(&stage, result->failed, SERIN_STATE_PENDING, SERIN_REASON_NONE);
        play_member(&stage, result->failed, SERIN_STATE_ROLLED_BACK, SERIN_REASON_CRASH);
        result->failed++;
    }
    result->state = stage.rollout.state;
    result->offered = stage.rollout.tally.offered;
    (void)snprintf(result->why, sizeof result->why, "%s", stage.rollout.why);
}

static enum serin_cli_exit reckon(const struct serin_cli *cli, struct serin_cli_policy *policy)
{
    const struct serin_policy *asked = &policy->file->policy;
    policy->successes = successes_needed(&asked->test);
    if (!serin_cli_has(cli, "devices")) {
        return SERIN_CLI_DONE;
    }
    policy->devices = (uint32_t)serin_cli_number(cli, "devices");
    struct serin_member *list = calloc(policy->devices, sizeof *list);
    if (list == NULL) {
        return serin_cli_fail(cli, SERIN_CLI_FAILED, "memory is exhausted");
    }
    size_stages(policy);
    rehearse(asked, policy->devices, false, list, &policy->by_test);
    rehearse(asked, policy->devices, true, list, &policy->by_all);
    free(list);
    return SERIN_CLI_DONE;
}

/* ---- the command ---- */

enum serin_cli_exit serin_cli_policy_read(const struct serin_cli *cli, const char *path,
                                          struct serin_policy_file *file)
{
    struct serin_yaml_error why;
    uint8_t *text = NULL;
    size_t size = 0;
    enum serin_cli_exit exit = serin_cli_read(cli, path, SERIN_YAML_SIZE_MAX, &text, &size);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    enum serin_error error = serin_policy_file_open(file, path, text, size, &why);
    free(text);
    return error == SERIN_OK ? SERIN_CLI_DONE
                             : serin_cli_fail(cli, serin_cli_exit_of(error), "%s", why.text);
}

enum serin_cli_exit serin_cli_run_policy_check(struct serin_cli *cli)
{
    struct serin_policy_file file;
    enum serin_cli_exit exit = serin_cli_policy_read(cli, cli->args.operands[0], &file);
    if (exit != SERIN_CLI_DONE) {
        return exit;
    }
    struct serin_cli_policy policy = {.file = &file};
    exit = reckon(cli, &policy);
    if (exit == SERIN_CLI_DONE && cli->json) {
        serin_cli_policy_print_json(cli, &policy);
    } else if (exit == SERIN_CLI_DONE) {
        serin_cli_policy_print(cli, &policy);
    }
    serin_policy_file_close(&file);
    return exit;
}
