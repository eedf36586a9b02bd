/* The ramp: how exposure grows inside a stage (docs/spec/rollout.md, section 12).
 *
 * A stage opens in steps, so that few devices have the image while little is known of it. Steps are
 * bounded by what is in flight already, by the evidence, and by the rate. */
#include "engine_internal.h"

#define HOUR_MS UINT64_C(3600000)

/* A twelfth of the rate may come at once; the rest, and the first of the next, are spread over the
 * hour, so that no hour, whenever it begins, sees more than the rate. */
#define BURST_PART 12u

/* It grows so many times as fast while no device has failed, and once the stage is accepted, but
 * never to more devices than are resolved; while the evidence leans towards the rejected rate so
 * many times more slowly. Each step is one PUBLISH, which every device of the channel hears,
 * verifies and stores: few steps, as large as the evidence bears. */
#define CLEAN_FASTER    4u
#define ACCEPTED_FASTER 8u
#define LEANING_SLOWER  4u

/* A step begins when so much of what may be in flight has landed that only this part is left. */
#define FLIGHT_PART 4u

/* However large the fleet: an image whose luck changes late is met by no more than this part, or so
 * many devices. */
#define FLEET_PART 16u
#define FLEET_MIN  64u

/* A silent device holds the directive, and starts whenever it comes back. All that were offered it
 * and have not come to an end, however long ago, are together at most so many times as many as
 * have, or as `first`; and those whose patience is not over, of whom more may come in any moment,
 * so many times what may ever be in flight. */
#define REACH_MOST 4u

/* ---- the rate ---- */

static uint32_t rate_burst(uint32_t rate)
{
    return rate / BURST_PART > 0 ? rate / BURST_PART : 1;
}

/* How much the allowance grows in an hour. */
static uint32_t rate_spread(uint32_t rate)
{
    return rate - rate_burst(rate) + 1;
}

/* Milliseconds, in which one more device is allowed, times `count`; rounded up. */
static uint64_t rate_span_ms(uint32_t rate, uint32_t count)
{
    uint32_t spread = rate_spread(rate);
    return (HOUR_MS * count + spread - 1) / spread;
}

/* Since when the allowance has been growing: never further back than fills it; in the future, where
 * more was covered than it had. */
static uint64_t rate_since_ms(const struct serin_rollout *rollout)
{
    uint32_t rate = rollout->policy.rate_per_hour;
    uint64_t full_ms = rate_span_ms(rate, rate_burst(rate));
    uint64_t now_ms = rollout->last_ms;
    return rollout->rate_ms + full_ms > now_ms ? rollout->rate_ms : now_ms - full_ms;
}

/* Devices that the rate allows now. */
static uint32_t rate_allows(const struct serin_rollout *rollout)
{
    uint32_t rate = rollout->policy.rate_per_hour;
    if (rate == 0) {
        return UINT32_MAX;
    }
    uint64_t since_ms = rate_since_ms(rollout);
    uint64_t grown_ms = since_ms < rollout->last_ms ? rollout->last_ms - since_ms : 0;
    uint32_t burst = rate_burst(rate);
    uint64_t allowed = grown_ms * rate_spread(rate) / HOUR_MS;
    return allowed < burst ? (uint32_t)allowed : burst;
}

void serin_ramp_take(struct serin_rollout *rollout, uint32_t count)
{
    uint32_t rate = rollout->policy.rate_per_hour;
    if (rate != 0 && count > 0) {
        rollout->rate_ms = rate_since_ms(rollout) + rate_span_ms(rate, count);
    }
}

/* ---- what is in flight ---- */

static uint32_t settle_ms_left(const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    uint64_t settle_ms =
        (uint64_t)(policy->ramp.settle_s < policy->patience_s ? policy->ramp.settle_s
                                                              : policy->patience_s) *
        1000u;
    uint64_t since_ms = rollout->watch_ms - rollout->widened_watch_ms;
    return since_ms < settle_ms ? (uint32_t)(settle_ms - since_ms) : 0;
}

/* Accepted and not resolved. */
static uint32_t open_count(const struct serin_tally *tally)
{
    return tally->accepted - serin_tally_resolved(tally) - tally->other;
}

/* Silent, and offered so recently that they may yet accept. */
static uint32_t unsettled(const struct serin_rollout *rollout)
{
    const struct serin_tally *tally = &rollout->tally;
    return settle_ms_left(rollout) == 0
               ? 0
               : tally->offered - tally->accepted - tally->unreached - rollout->evidence.settled;
}

/* Whether no device failed, in this attempt or before a RETRY. */
static bool is_clean(const struct serin_rollout *rollout)
{
    return rollout->attempt == rollout->attempt_first && serin_tally_failures(&rollout->tally) == 0;
}

/* How many may be in flight, of those resolved, in percent. */
static uint32_t growth_percent(const struct serin_rollout *rollout)
{
    uint32_t percent = rollout->policy.ramp.growth_percent; /* at most 100 */
    if (rollout->accepted) {
        percent *= ACCEPTED_FASTER;
    } else if (is_clean(rollout)) {
        percent *= CLEAN_FASTER;
    }
    return percent < 100u ? percent : 100u;
}

/* What may be in flight however good the evidence is. */
static uint32_t flight_limit(const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    uint32_t most = UINT32_MAX;
    if (policy->ramp.first > 0) {
        uint32_t part = rollout->evidence.population / FLEET_PART;
        part = part > FLEET_MIN ? part : FLEET_MIN;
        most = part > policy->ramp.first ? part : policy->ramp.first;
    }
    return policy->in_flight_max != 0 && policy->in_flight_max < most ? policy->in_flight_max
                                                                      : most;
}

/* Devices that may be in flight at once. */
static uint32_t flight_most(const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    uint32_t limit = flight_limit(rollout);
    if (policy->ramp.first == 0) {
        return limit;
    }
    uint64_t most =
        (uint64_t)serin_tally_resolved(&rollout->tally) * growth_percent(rollout) / 100u;
    most = serin_test_leans(rollout) ? most / LEANING_SLOWER : most;
    most = most < policy->ramp.first ? policy->ramp.first : most;
    return most < limit ? (uint32_t)most : limit;
}

/* ---- who holds the directive ---- */

uint32_t serin_ramp_unresolved(const struct serin_rollout *rollout)
{
    const struct serin_tally *tally = &rollout->tally;
    return tally->offered - serin_tally_resolved(tally) - tally->other;
}

void serin_ramp_remember(struct serin_rollout *rollout)
{
    uint32_t unresolved = serin_ramp_unresolved(rollout);
    rollout->forgiven = rollout->forgiven < unresolved ? rollout->forgiven : unresolved;
}

static uint32_t room_below(uint64_t most, uint32_t count)
{
    uint64_t room = most > count ? most - count : 0;
    return room < UINT32_MAX ? (uint32_t)room : UINT32_MAX;
}

/* Devices to which it may be offered, whatever becomes of those that were. */
static uint32_t reach_room(const struct serin_rollout *rollout)
{
    const struct serin_policy *policy = &rollout->policy;
    uint32_t unresolved = serin_ramp_unresolved(rollout);
    uint32_t limit = flight_limit(rollout);
    uint32_t room = UINT32_MAX;
    if (limit < UINT32_MAX) {
        room = room_below((uint64_t)REACH_MOST * limit, unresolved - rollout->tally.unreached);
    }
    if (policy->ramp.first > 0) {
        uint32_t bears = serin_tally_resolved(&rollout->tally);
        bears = serin_test_leans(rollout) ? bears / LEANING_SLOWER : bears;
        bears = bears < policy->ramp.first ? policy->ramp.first : bears;
        uint32_t held = room_below(unresolved, rollout->forgiven);
        uint32_t left = room_below((uint64_t)REACH_MOST * bears, held);
        room = left < room ? left : room;
    }
    return room;
}

/* ---- steps ---- */

static bool last_stage(const struct serin_rollout *rollout)
{
    return rollout->stage == rollout->policy.stage_count;
}

/* Devices that the stage wants besides those in its reach. */
static uint32_t wanted(const struct serin_rollout *rollout)
{
    uint32_t reach = serin_tally_reach(&rollout->tally);
    return reach < rollout->target ? rollout->target - reach : 0;
}

/* So many devices are offered in place of unreached ones, or for the sake of their gateway: as many
 * as the stage is for, and no fewer than these. */
#define REPLACED_MIN 16u

bool serin_stage_searched(const struct serin_rollout *rollout)
{
    uint64_t target = rollout->target;
    uint64_t most = target + (target > REPLACED_MIN ? target : REPLACED_MIN);
    return rollout->stage > 0 && !last_stage(rollout) &&
           rollout->tally.offered - rollout->tally.other >= most;
}

bool serin_stage_spent(const struct serin_rollout *rollout)
{
    return serin_stage_searched(rollout) && wanted(rollout) > 0 &&
           rollout->tally.offered < rollout->evidence.population;
}

bool serin_stage_short(const struct serin_rollout *rollout)
{
    if (last_stage(rollout) && rollout->threshold != SERIN_COHORT_EVERYONE) {
        return true;
    }
    return wanted(rollout) > 0 && rollout->tally.offered < rollout->evidence.population &&
           !serin_stage_spent(rollout);
}

/* What the flight has room for. A large step also waits until the last one has `settled`: failures
 * take longer to show than successes, and a flight that is filled up again as it lands outruns
 * them. */
static uint32_t flight_room(const struct serin_rollout *rollout, uint32_t in_flight, bool settled)
{
    uint32_t most = flight_most(rollout);
    bool early = !settled && most > FLEET_MIN && rollout->policy.ramp.first > 0;
    return !early && in_flight <= most / FLIGHT_PART ? most - in_flight : 0;
}

/* A step of `size`, as far as there is room for those who may stay silent; none where that is only
 * a small part of it. */
static uint32_t within_reach(const struct serin_rollout *rollout, uint32_t size)
{
    uint32_t left = rollout->evidence.population - rollout->tally.offered;
    uint32_t most = size < left ? size : left;
    uint32_t room = reach_room(rollout);
    if (room >= most) {
        return size;
    }
    return room < most / FLIGHT_PART ? 0 : room;
}

/* Devices of a step that is not bounded by the rate. */
static uint32_t step_size(const struct serin_rollout *rollout, uint32_t in_flight, bool settled)
{
    uint32_t room = flight_room(rollout, in_flight, settled);
    uint32_t want = wanted(rollout);
    if (want == 0) {
        /* Who joined may have filled the last stage already: its last step is for the threshold. */
        return room < 1 ? room : 1;
    }
    return within_reach(rollout, room < want ? room : want);
}

bool serin_ramp_stalled(const struct serin_rollout *rollout)
{
    return serin_stage_short(rollout) && step_size(rollout, 0, true) == 0;
}

/* Devices that are offered together, so that a slow rate does not publish for each of them. */
static uint32_t batch(const struct serin_rollout *rollout, uint32_t size)
{
    uint32_t rate = rollout->policy.rate_per_hour;
    uint32_t burst = rate != 0 ? rate_burst(rate) : UINT32_MAX;
    return size < burst ? size : burst;
}

bool serin_ramp_flight_allows(const struct serin_rollout *rollout, uint32_t count)
{
    uint64_t flight = (uint64_t)open_count(&rollout->tally) + unsettled(rollout);
    return rollout->policy.in_flight_max == 0 || flight + count <= rollout->policy.in_flight_max;
}

/* Where nobody was offered it for an hour, that hour's whole rate may come at once: what follows is
 * then later by as much. */
bool serin_ramp_rate_allows(const struct serin_rollout *rollout, uint32_t count)
{
    uint32_t rate = rollout->policy.rate_per_hour;
    if (count <= rate_allows(rollout)) {
        return true; /* without a rate, everything */
    }
    uint64_t full_ms = rate_span_ms(rate, rate_burst(rate));
    return count <= rate && rollout->last_ms >= rollout->rate_ms + full_ms + HOUR_MS;
}

/* Of `want` more, as many as may be in flight, and may come at once. */
static uint32_t aside_size(const struct serin_rollout *rollout, uint32_t want)
{
    uint32_t most = rollout->policy.in_flight_max;
    uint32_t flight = open_count(&rollout->tally) + unsettled(rollout);
    uint32_t room = most == 0 ? want : room_below(most, flight);
    return batch(rollout, want < room ? want : room);
}

uint32_t serin_ramp_aside(const struct serin_rollout *rollout, uint32_t want)
{
    uint32_t size = aside_size(rollout, want);
    return rate_allows(rollout) >= size ? size : 0;
}

uint64_t serin_ramp_aside_due_ms(const struct serin_rollout *rollout, uint32_t want)
{
    uint32_t size = aside_size(rollout, want);
    uint32_t rate = rollout->policy.rate_per_hour;
    return size > 0 && rate > 0 ? rate_since_ms(rollout) + rate_span_ms(rate, size) : NEVER;
}

uint32_t serin_ramp_step(const struct serin_rollout *rollout)
{
    uint32_t flight = open_count(&rollout->tally) + unsettled(rollout);
    uint32_t size = step_size(rollout, flight, settle_ms_left(rollout) == 0);
    size = batch(rollout, size);
    return rate_allows(rollout) >= size ? size : 0;
}

uint64_t serin_ramp_due_ms(const struct serin_rollout *rollout)
{
    uint32_t flight = open_count(&rollout->tally);
    uint64_t left_ms = 0;
    uint32_t size = step_size(rollout, flight + unsettled(rollout), settle_ms_left(rollout) == 0);
    if (size == 0) {
        size = step_size(rollout, flight, true);
        left_ms = settle_ms_left(rollout);
    }
    if (size == 0) {
        return NEVER; /* reports have to come */
    }
    uint32_t rate = rollout->policy.rate_per_hour;
    uint64_t rate_due_ms =
        rate != 0 ? rate_since_ms(rollout) + rate_span_ms(rate, batch(rollout, size)) : 0;
    uint64_t due_ms = rollout->last_ms + left_ms;
    return rate_due_ms > due_ms ? rate_due_ms : due_ms;
}

uint32_t serin_ramp_cover(struct serin_rollout *rollout, const struct serin_members *members,
                          uint32_t size)
{
    uint32_t offered = rollout->tally.offered;
    uint64_t threshold = rollout->threshold;
    if (size > 0) {
        uint32_t reach = serin_tally_reach(&rollout->tally);
        uint32_t most = reach < rollout->target ? rollout->target : reach;
        threshold =
            serin_members_threshold(rollout, members, size < most - reach ? reach + size : most);
    }
    bool all = size >= wanted(rollout) || members->count == 0 ||
               threshold >= members->list[members->count - 1].rank;
    if (settle_ms_left(rollout) == 0) {
        serin_members_settle(rollout);
    }
    serin_members_cover(rollout, members,
                        last_stage(rollout) && all ? SERIN_COHORT_EVERYONE : threshold);
    offered = rollout->tally.offered - offered;
    serin_ramp_take(rollout, offered);
    if (offered > 0) {
        rollout->widened_watch_ms = rollout->watch_ms;
    }
    return offered;
}
