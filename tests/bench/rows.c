/* The rows of the table (rows.h). */
#include "rows.h"

#include <serin/adapters/stored_rollout.h>

#include <stdlib.h>

#define PERCENT     (DRAWN_ALL / 100u)
#define MINUTE_MS   UINT64_C(60000)
#define HOUR_MS     (60u * MINUTE_MS)
#define CHANGE_RANK 20000u
/* The first stage, and those who take the place of whoever is dark in it. */
#define STAGE_1 1250
/* And where a stage is so small that a gate only holds it. */
#define DEAD 10u
/* When a good release is offered to everyone, in steps of ten minutes: after a day of beats, three
 * soaks and what the stages take. */
#define LAST_STAGE_MS (99u * HOUR_MS + 5u * MINUTE_MS)

void rows_policy(struct serin_policy *policy)
{
    serin_policy_default(policy);
    (void)snprintf(policy->product, sizeof policy->product, "lamp");
    (void)snprintf(policy->channel, sizeof policy->channel, "stable");
    policy->offer_count = 1;
    policy->offers[0] = (struct serin_offer){.hw_min = 1, .hw_max = 9, .manifest_id = {1}};
    policy->test.accepted_permyriad = 50;
    policy->test.rejected_permyriad = 200;
    policy->test.alpha_permyriad = 100;
    policy->test.beta_permyriad = 500;
}

static void draw_always(struct drawn_config *config)
{
    config->fails = DRAWN_ALL;
}

static void draw_30(struct drawn_config *config)
{
    config->fails = 30u * PERCENT;
}

static void draw_2(struct drawn_config *config)
{
    config->fails = 2u * PERCENT;
}

static void draw_05(struct drawn_config *config)
{
    config->fails = PERCENT / 2u;
}

static void draw_01(struct drawn_config *config)
{
    config->fails = PERCENT / 10u;
}

/* A tenth is never reached. In the first soak a fifth of the others is cut off for twelve hours,
 * and a few of them for longer than the deadline of those that were under way; a second such day
 * comes in the third stage. */
static void draw_bad_day(struct drawn_config *config)
{
    config->offline = 10u * PERCENT;
    config->beats = true;
    config->storm_count = 3;
    config->storms[0] = (struct drawn_storm){
        .from_ms = 25u * HOUR_MS, .for_ms = 12u * HOUR_MS, .share = 20u * PERCENT};
    config->storms[1] = (struct drawn_storm){
        .from_ms = 25u * HOUR_MS, .for_ms = 30u * HOUR_MS, .share = 3u * PERCENT};
    config->storms[2] = (struct drawn_storm){
        .from_ms = 80u * HOUR_MS, .for_ms = 12u * HOUR_MS, .share = 20u * PERCENT};
}

static void draw_regress(struct drawn_config *config)
{
    config->regresses = 2u * PERCENT;
}

/* As many as the accepted rate allows, and fast: before much else is known of the stage. */
static void draw_regress_05(struct drawn_config *config)
{
    config->regresses = PERCENT / 2u;
    config->later_min_ms = 60000;
    config->later_max_ms = 300000;
}

/* Ten minutes into the first stage nobody is heard for eight hours: who is under way then is
 * excused, and nobody who is offered it later. */
static void draw_hang(struct drawn_config *config)
{
    config->hangs = 30u * PERCENT;
    config->beats = true;
    config->storm_count = 1;
    config->storms[0] = (struct drawn_storm){
        .from_ms = 24u * HOUR_MS + 600000u, .for_ms = 8u * HOUR_MS, .share = DRAWN_ALL};
}

/* A fifth of the fleet is dark for eight hours of each day, from whatever hour of the rollout. */
static void each_night(struct drawn_config *config)
{
    config->beats = true;
    config->storm_count = 1;
    config->storms[0] = (struct drawn_storm){.from_ms = config->seed % 24u * HOUR_MS,
                                             .for_ms = 8u * HOUR_MS,
                                             .every_ms = 24u * HOUR_MS,
                                             .share = 20u * PERCENT};
}

static void draw_hang_nightly(struct drawn_config *config)
{
    config->hangs = 10u * PERCENT;
    each_night(config);
}

/* One such night, which begins at any hour of the first stage. */
static void draw_hang_night(struct drawn_config *config)
{
    draw_hang_nightly(config);
    config->storms[0].from_ms = (24u + config->seed % 48u) * HOUR_MS;
    config->storms[0].every_ms = 0;
}

/* Nights of more than half of a deadline excuse whoever times out, but no whole stage. */
static void draw_hang_long(struct drawn_config *config)
{
    config->hangs = DRAWN_ALL;
    each_night(config);
    config->storms[0].for_ms = 13u * HOUR_MS;
}

/* What is dark for a night is dark for the whole of a deadline. */
static void draw_hang_deadline(struct drawn_config *config)
{
    config->hangs = 5u * PERCENT;
    each_night(config);
    config->storms[0].for_ms = 12u * HOUR_MS;
    config->policy.deadline_s = config->policy.patience_s = 12u * 3600u;
}

/* Open for an hour of each day, from 2 o'clock, and dark for eight others: runs begin at 8. */
static void draw_hang_window(struct drawn_config *config)
{
    struct serin_policy *policy = &config->policy;
    config->hangs = 5u * PERCENT;
    each_night(config);
    config->storms[0].from_ms = config->seed % 10u * HOUR_MS;
    policy->window_count = 1;
    policy->windows[0] = (struct serin_window){.days = 0x7F, .from_min = 120, .until_min = 180};
    policy->deadline_s = 3600;
    policy->patience_s = 900;
    policy->ramp.settle_s = 300;
}

static void draw_nightly(struct drawn_config *config)
{
    config->fails = PERCENT / 10u;
    each_night(config);
}

/* The network is bad while the last stage goes on, also once there is nobody left to whom the
 * release was not offered: a tenth is cut off for longer than the deadline of what they began. */
static void draw_last_day(struct drawn_config *config)
{
    uint64_t from_ms = LAST_STAGE_MS + config->seed % 60u * MINUTE_MS;
    config->beats = true;
    config->storm_count = 2;
    config->storms[0] =
        (struct drawn_storm){.from_ms = from_ms, .for_ms = 12u * HOUR_MS, .share = 20u * PERCENT};
    config->storms[1] =
        (struct drawn_storm){.from_ms = from_ms, .for_ms = 30u * HOUR_MS, .share = 10u * PERCENT};
}

/* A fifth is cut off for 32 hours from the ramp of the first stage on. In their midst the engine
 * itself hears nobody for a minute, and has to hear everybody anew. */
static void draw_reconnect(struct drawn_config *config)
{
    uint64_t from_ms = 25u * HOUR_MS + config->seed % 30u * MINUTE_MS;
    config->beats = true;
    config->storm_count = 2;
    config->storms[0] =
        (struct drawn_storm){.from_ms = from_ms, .for_ms = 32u * HOUR_MS, .share = 20u * PERCENT};
    config->storms[1] = (struct drawn_storm){
        .from_ms = from_ms + 16u * HOUR_MS, .for_ms = MINUTE_MS, .noticed = true};
}

/* A fifth is cut off for 32 hours, and the engine itself hears nobody for a minute every one to
 * four hours, from before that to after it: more often than anybody is missed. */
static void draw_blinks(struct drawn_config *config)
{
    config->beats = true;
    config->storm_count = 2;
    config->storms[0] = (struct drawn_storm){.from_ms = 25u * HOUR_MS + 15u * MINUTE_MS,
                                             .for_ms = 32u * HOUR_MS,
                                             .share = 20u * PERCENT};
    config->storms[1] = (struct drawn_storm){.from_ms = config->seed % 60u * MINUTE_MS,
                                             .for_ms = MINUTE_MS,
                                             .every_ms = (61u + config->seed % 180u) * MINUTE_MS,
                                             .share = DRAWN_ALL,
                                             .noticed = true};
}

static void draw_blinks_hang(struct drawn_config *config)
{
    draw_blinks(config);
    config->hangs = 10u * PERCENT;
}

/* The same day; in its midst, before the network is known to be dark for as long as most of a
 * deadline, the engine's clock is set back by two hours. */
static void draw_clock_back(struct drawn_config *config)
{
    draw_blinks(config);
    config->storm_count = 1;
    config->jump_ms = config->storms[0].from_ms + (15u + config->seed % 4u) * HOUR_MS;
    config->jump_by_ms = -2 * (int64_t)HOUR_MS;
}

static void draw_clock_back_hang(struct drawn_config *config)
{
    draw_clock_back(config);
    config->hangs = 10u * PERCENT;
}

/* Stage 1 is ten devices: too few to halt on, enough to hold. All of them die in its soak. */
static void draw_dead(struct drawn_config *config)
{
    config->beats = true;
    config->stored = serin_stored_rollout;
    config->policy.stages[0].permyriad = 0;
    config->policy.stages[0].count = DEAD;
    config->deaf = DRAWN_ALL;
}

/* The engine is restarted twice, half an hour to two hours apart, once it holds the stage. */
static void draw_restarts(struct drawn_config *config)
{
    draw_dead(config);
    config->restarts = 2;
    config->restart_ms = (50u * 60u + config->seed % 240u) * MINUTE_MS;
    config->restart_every_ms = (30u + config->seed % 90u) * MINUTE_MS;
}

/* It is restarted every hour or two, from the first stage on, for two days. */
static void draw_restarts_hourly(struct drawn_config *config)
{
    draw_dead(config);
    config->restart_ms = (24u * 60u + 15u + config->seed % 60u) * MINUTE_MS;
    config->restart_every_ms = (31u + config->seed % 90u) * MINUTE_MS;
    config->restarts = (uint32_t)(48u * HOUR_MS / config->restart_every_ms);
}

static void draw_restarts_good(struct drawn_config *config)
{
    draw_restarts_hourly(config);
    config->deaf = 0;
    config->restarts *= 3u; /* through three soaks */
}

static void draw_deaf(struct drawn_config *config)
{
    config->deaf = 10u * PERCENT;
    config->beats = true;
}

static void draw_errors(struct drawn_config *config)
{
    config->errs = 10u * PERCENT;
    config->beats = true;
}

/* The new version errs as the old one did, on other devices, and from its first minute on. */
static void draw_errors_both(struct drawn_config *config)
{
    draw_errors(config);
    config->errs_before = config->errs;
    config->later_max_ms = 1;
}

static void draw_slow(struct drawn_config *config)
{
    config->fails = 2u * PERCENT;
    config->failing_max_ms = 40u * 60000u;
}

static void draw_change(struct drawn_config *config)
{
    config->fails = 5u * PERCENT;
    config->change_at = CHANGE_RANK;
}

#define AT_MOST(figure, value)                                   \
    {                                                            \
        .kind = (figure), .must = ROWS_AT_MOST, .limit = (value) \
    }
#define AT_LEAST(figure, value)                                   \
    {                                                             \
        .kind = (figure), .must = ROWS_AT_LEAST, .limit = (value) \
    }
#define SHOWN(figure)                        \
    {                                        \
        .kind = (figure), .must = ROWS_SHOWN \
    }

const struct rows_row rows[] = {
    {.name = "always",
     .title = "image always fails",
     .draw = draw_always,
     .figures = {AT_LEAST(ROWS_HALTED, 1), AT_MOST(ROWS_EXPOSED_MOST, 8), SHOWN(ROWS_HOURS)},
     .figure_count = 3},
    {.name = "30",
     .title = "30 % fail",
     .draw = draw_30,
     .figures = {AT_MOST(ROWS_EXPOSED_95, 40), SHOWN(ROWS_HALTED), SHOWN(ROWS_EXPOSED_MEDIAN),
                 SHOWN(ROWS_EXPOSED_MOST)},
     .figure_count = 4},
    {.name = "2",
     .title = "2 % fail",
     .draw = draw_2,
     .figures = {AT_MOST(ROWS_EXPOSED_MEDIAN, 500), AT_MOST(ROWS_FAILED_MEDIAN, 9),
                 AT_LEAST(ROWS_HALTED_EARLY, 0.92), SHOWN(ROWS_HELD), SHOWN(ROWS_HOURS)},
     .figure_count = 5},
    {.name = "0.5",
     .title = "0.5 % fail",
     .draw = draw_05,
     .figures = {AT_MOST(ROWS_FALSE_HALTS, 0.02), SHOWN(ROWS_HELD), SHOWN(ROWS_COMPLETED),
                 SHOWN(ROWS_PUBLISHES)},
     .figure_count = 4},
    {.name = "0.5-regress",
     .title = "0.5 % regress 1 to 5 min after they confirmed",
     .draw = draw_regress_05,
     .figures = {AT_MOST(ROWS_FALSE_HALTS, 0.02), SHOWN(ROWS_HELD), SHOWN(ROWS_COMPLETED)},
     .figure_count = 3},
    {.name = "0.1",
     .title = "0.1 % fail",
     .draw = draw_01,
     .figures = {AT_MOST(ROWS_FALSE_HALTS, 0.01), SHOWN(ROWS_HELD), SHOWN(ROWS_COMPLETED),
                 SHOWN(ROWS_PUBLISHES), SHOWN(ROWS_HOURS)},
     .figure_count = 5},
    {.name = "bad-day",
     .title = "good image, 10 % offline, bad network days",
     .draw = draw_bad_day,
     .figures = {AT_LEAST(ROWS_COMPLETED, 1), SHOWN(ROWS_FALSE_HALTS), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "regress",
     .title = "2 % regress 1 to 6 h after they confirmed",
     .draw = draw_regress,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 0.88), AT_MOST(ROWS_EXPOSED_MEDIAN, 1000),
                 AT_MOST(ROWS_FAILED_MEDIAN, 25)},
     .figure_count = 3},
    {.name = "deaf",
     .title = "10 % fall silent 1 to 6 h after they confirmed",
     .draw = draw_deaf,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 0.95), AT_MOST(ROWS_EXPOSED_MEDIAN, 1000),
                 AT_MOST(ROWS_FAILED_MEDIAN, 120)},
     .figure_count = 3},
    {.name = "errors",
     .title = "10 % count errors 1 to 6 h after they confirmed",
     .draw = draw_errors,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 0.95), AT_MOST(ROWS_EXPOSED_MEDIAN, 1000),
                 AT_MOST(ROWS_FAILED_MEDIAN, 120)},
     .figure_count = 3},
    {.name = "errors-both",
     .title = "10 % count errors, under the old version as well",
     .draw = draw_errors_both,
     .figures = {AT_LEAST(ROWS_COMPLETED, 1), SHOWN(ROWS_FALSE_HALTS), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "hang",
     .title = "30 % hang, after a night in which all are dark",
     .draw = draw_hang,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 1), AT_MOST(ROWS_EXPOSED_95, 100),
                 SHOWN(ROWS_EXPOSED_MEDIAN), SHOWN(ROWS_FAILED_MEDIAN), SHOWN(ROWS_HOURS)},
     .figure_count = 5},
    {.name = "hang-night",
     .title = "10 % hang, one night in which 20 % are dark",
     .draw = draw_hang_night,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 1), AT_MOST(ROWS_EXPOSED_MEDIAN, 250),
                 AT_MOST(ROWS_EXPOSED_MOST, STAGE_1), SHOWN(ROWS_FAILED_MEDIAN), SHOWN(ROWS_HOURS)},
     .figure_count = 5},
    {.name = "hang-nightly",
     .title = "10 % hang, 20 % are dark each night",
     .draw = draw_hang_nightly,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 1), AT_MOST(ROWS_EXPOSED_MEDIAN, 250),
                 AT_MOST(ROWS_EXPOSED_MOST, STAGE_1), SHOWN(ROWS_FAILED_MEDIAN), SHOWN(ROWS_HOURS)},
     .figure_count = 5},
    {.name = "hang-long",
     .title = "all hang, 20 % are dark for 13 h a day",
     .draw = draw_hang_long,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 1), AT_MOST(ROWS_EXPOSED_MOST, 40),
                 SHOWN(ROWS_EXPOSED_MEDIAN), SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "hang-deadline",
     .title = "5 % hang, nights as long as the deadline",
     .draw = draw_hang_deadline,
     .figures = {AT_MOST(ROWS_EXPOSED_MOST, STAGE_1), SHOWN(ROWS_HALTED_EARLY),
                 SHOWN(ROWS_EXPOSED_MEDIAN), SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "hang-window",
     .title = "5 % hang, nights outside of a daily window",
     .draw = draw_hang_window,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 1), AT_MOST(ROWS_EXPOSED_MOST, STAGE_1),
                 SHOWN(ROWS_EXPOSED_MEDIAN), SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "nightly",
     .title = "0.1 % fail, 20 % are dark each night",
     .draw = draw_nightly,
     .figures = {AT_LEAST(ROWS_COMPLETED, 1), SHOWN(ROWS_FALSE_HALTS), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "reconnect",
     .title = "good image, a bad day and an outage of reports",
     .draw = draw_reconnect,
     .figures = {AT_LEAST(ROWS_COMPLETED, 1), SHOWN(ROWS_FALSE_HALTS), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "blinks",
     .title = "good image, a bad day, reports down each few hours",
     .draw = draw_blinks,
     .figures = {AT_LEAST(ROWS_COMPLETED, 1), SHOWN(ROWS_FALSE_HALTS), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "blinks-hang",
     .title = "10 % hang, reports blink on a bad day",
     .draw = draw_blinks_hang,
     .figures = {AT_MOST(ROWS_EXPOSED_MOST, STAGE_1), SHOWN(ROWS_HALTED_EARLY),
                 SHOWN(ROWS_EXPOSED_MEDIAN), SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "clock-back",
     .title = "good image, a bad day, the clock set back in it",
     .draw = draw_clock_back,
     .figures = {AT_LEAST(ROWS_COMPLETED, 1), SHOWN(ROWS_FALSE_HALTS), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "clock-back-hang",
     .title = "10 % hang, the clock set back on a bad day",
     .draw = draw_clock_back_hang,
     .figures = {AT_MOST(ROWS_EXPOSED_MOST, STAGE_1), SHOWN(ROWS_HALTED_EARLY),
                 SHOWN(ROWS_EXPOSED_MEDIAN), SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "restarts",
     .title = "all die in the soak, two restarts of serind",
     .draw = draw_restarts,
     .figures = {AT_MOST(ROWS_EXPOSED_MOST, DEAD), SHOWN(ROWS_HALTED_EARLY), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "restarts-hourly",
     .title = "all die in the soak, a restart every hour or two",
     .draw = draw_restarts_hourly,
     .figures = {AT_MOST(ROWS_EXPOSED_MOST, DEAD), SHOWN(ROWS_HALTED_EARLY), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "restarts-good",
     .title = "good image, a restart every hour or two",
     .draw = draw_restarts_good,
     .figures = {AT_LEAST(ROWS_COMPLETED, 1), SHOWN(ROWS_FALSE_HALTS), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "last-day",
     .title = "good image, a bad network day in the last stage",
     .draw = draw_last_day,
     .figures = {AT_LEAST(ROWS_COMPLETED, 1), SHOWN(ROWS_FALSE_HALTS), SHOWN(ROWS_HELD),
                 SHOWN(ROWS_HOURS)},
     .figure_count = 4},
    {.name = "slow",
     .title = "2 % fail, and take up to 40 min to do so",
     .draw = draw_slow,
     .figures = {AT_LEAST(ROWS_HALTED_EARLY, 0.88), AT_MOST(ROWS_EXPOSED_MEDIAN, 600),
                 AT_MOST(ROWS_FAILED_MEDIAN, 12)},
     .figure_count = 3},
    {.name = "change",
     .title = "good, but 5 % fail from the 20,000th device on",
     .draw = draw_change,
     .figures = {AT_LEAST(ROWS_HALTED, 0.99), AT_MOST(ROWS_EXPOSED_MEDIAN, 30000),
                 AT_MOST(ROWS_FAILED_MEDIAN, 450)},
     .figure_count = 3},
};
const size_t rows_count = sizeof rows / sizeof rows[0];

const char *rows_text(enum rows_figure_kind kind)
{
    static const char *const texts[] = {
        [ROWS_HALTED] = "halted",
        [ROWS_HALTED_EARLY] = "halted before stage 2",
        [ROWS_FALSE_HALTS] = "false halts",
        [ROWS_COMPLETED] = "completed",
        [ROWS_HELD] = "held, undecided",
        [ROWS_EXPOSED_MEDIAN] = "exposed, median",
        [ROWS_EXPOSED_95] = "exposed, 95th percentile",
        [ROWS_EXPOSED_MOST] = "exposed, most of all seeds",
        [ROWS_FAILED_MEDIAN] = "failed, median",
        [ROWS_PUBLISHES] = "publishes, median",
        [ROWS_HOURS] = "hours, median",
    };
    return texts[kind];
}

bool rows_is_share(enum rows_figure_kind kind)
{
    return kind <= ROWS_HELD;
}

static bool counts(enum rows_figure_kind kind, const struct drawn_result *result)
{
    bool halted = result->state == SERIN_ROLLOUT_HALTED;
    switch (kind) {
    case ROWS_HALTED:
    case ROWS_FALSE_HALTS:
        return halted;
    case ROWS_HALTED_EARLY:
        return halted && result->stage == 1;
    case ROWS_COMPLETED:
        return result->state == SERIN_ROLLOUT_COMPLETED;
    case ROWS_HELD:
        return result->held;
    case ROWS_EXPOSED_MEDIAN:
    case ROWS_EXPOSED_95:
    case ROWS_EXPOSED_MOST:
    case ROWS_FAILED_MEDIAN:
    case ROWS_PUBLISHES:
    case ROWS_HOURS:
        break;
    }
    return false;
}

static double amount(enum rows_figure_kind kind, const struct drawn_result *result)
{
    switch (kind) {
    case ROWS_FAILED_MEDIAN:
        return result->failed;
    case ROWS_PUBLISHES:
        return result->publishes;
    case ROWS_HOURS:
        return (double)result->ended_ms / (double)HOUR_MS;
    case ROWS_EXPOSED_MEDIAN:
    case ROWS_EXPOSED_95:
    case ROWS_EXPOSED_MOST:
    case ROWS_HALTED:
    case ROWS_HALTED_EARLY:
    case ROWS_FALSE_HALTS:
    case ROWS_COMPLETED:
    case ROWS_HELD:
        break;
    }
    return result->exposed;
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return left < right ? -1 : left > right;
}

/* Percentiles as the smallest value that at least so many of the seeds do not exceed. */
double rows_value(enum rows_figure_kind kind, struct drawn_result *results, size_t count)
{
    double *amounts = calloc(count, sizeof *amounts);
    if (amounts == NULL || count == 0) {
        free(amounts);
        return -1; /* no limit holds then */
    }
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        amounts[i] = amount(kind, &results[i]);
        sum += counts(kind, &results[i]) ? 1 : 0;
    }
    qsort(amounts, count, sizeof *amounts, by_size);
    double value = amounts[(count - 1u) / 2u];
    if (kind == ROWS_EXPOSED_95) {
        value = amounts[(count * 95u + 99u) / 100u - 1u];
    } else if (kind == ROWS_EXPOSED_MOST) {
        value = amounts[count - 1u];
    }
    free(amounts);
    return rows_is_share(kind) ? sum / (double)count : value;
}

bool rows_holds(const struct rows_figure *figure, double value)
{
    switch (figure->must) {
    case ROWS_SHOWN:
        return true;
    case ROWS_AT_MOST:
        return value >= 0 && value <= figure->limit;
    case ROWS_AT_LEAST:
        return value >= figure->limit;
    }
    return false;
}
