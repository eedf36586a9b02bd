/* What the watch showed when, and when reports could not arrive: by the clock a device was heard,
 * and on the watch its silence counts (docs/spec/rollout.md, section 11). */
#include "engine_internal.h"

#include <string.h>

/* Marks are so much of a deadline apart: all of them span more than one. */
#define MARK_PART 12u
_Static_assert(SERIN_ENGINE_MARKS_MAX > MARK_PART + 2u, "a deadline lies between marks");

/* ---- marks ---- */

void serin_marks_note(struct serin_rollout *rollout)
{
    struct serin_mark now = {.at_s = (uint32_t)(rollout->last_ms / 1000u),
                             .watch_s = (uint32_t)(rollout->watch_ms / 1000u)};
    struct serin_mark *marks = rollout->marks;
    while (rollout->mark_count > 0 && marks[rollout->mark_count - 1u].at_s > now.at_s) {
        rollout->mark_count--; /* the clock was set back: it shows that time once more */
    }
    if (rollout->mark_count > 0) {
        struct serin_mark *last = &marks[rollout->mark_count - 1u];
        if (last->watch_s == now.watch_s) {
            last->at_s = now.at_s; /* while the watch stands the mark moves on with the clock */
            return;
        }
        if (now.watch_s - last->watch_s < rollout->policy.deadline_s / MARK_PART) {
            return;
        }
    }
    if (rollout->mark_count == SERIN_ENGINE_MARKS_MAX) {
        rollout->mark_count--;
        memmove(marks, marks + 1, rollout->mark_count * sizeof *marks);
    }
    marks[rollout->mark_count++] = now;
}

uint32_t serin_marks_heard_before_s(const struct serin_rollout *rollout, uint64_t span_s)
{
    uint64_t now_s = rollout->watch_ms / 1000u;
    uint32_t at_s = 0;
    for (uint32_t i = 0; i < rollout->mark_count; i++) {
        at_s = rollout->marks[i].watch_s + span_s <= now_s ? rollout->marks[i].at_s : at_s;
    }
    return at_s;
}

uint64_t serin_marks_shown_s(const struct serin_rollout *rollout, uint64_t at_s)
{
    uint64_t most_s = rollout->watch_ms / 1000u;
    for (uint32_t i = rollout->mark_count; i > 0; i--) {
        const struct serin_mark *mark = &rollout->marks[i - 1u];
        if (at_s >= mark->at_s) {
            uint64_t ran_s = mark->watch_s + (at_s - mark->at_s);
            return ran_s < most_s ? ran_s : most_s;
        }
        most_s = mark->watch_s;
    }
    return most_s;
}

/* ---- outages ---- */

void serin_outages_note(struct serin_rollout *rollout, uint64_t now_ms)
{
    bool known = rollout->down_ms != 0 && rollout->down_ms <= now_ms;
    uint64_t for_s = known ? (now_ms - rollout->down_ms) / 1000u + 1u : UINT32_MAX;
    if (rollout->outage_count == SERIN_ENGINE_OUTAGES_MAX) {
        rollout->outage_count--;
        memmove(rollout->outages, rollout->outages + 1,
                rollout->outage_count * sizeof *rollout->outages);
    }
    rollout->outages[rollout->outage_count++] =
        (struct serin_outage){.watch_s = (uint32_t)(rollout->watch_ms / 1000u),
                              .for_s = (uint32_t)(for_s < UINT32_MAX ? for_s : UINT32_MAX)};
}

/* How long reports were down in a part of the watch, its ends included. */
static uint64_t down_s(const struct serin_rollout *rollout, uint64_t from_s, uint64_t until_s)
{
    uint64_t sum_s = 0;
    for (uint32_t i = 0; i < rollout->outage_count; i++) {
        const struct serin_outage *outage = &rollout->outages[i];
        sum_s += outage->watch_s >= from_s && outage->watch_s <= until_s ? outage->for_s : 0;
    }
    return sum_s;
}

double serin_outages_share(const struct serin_rollout *rollout, uint32_t gap_s, uint32_t gaps)
{
    uint64_t until_s = rollout->watch_ms / 1000u;
    uint64_t known_s = rollout->outage_count > 0 ? rollout->outages[0].watch_s : until_s;
    uint64_t least_s = gap_s;
    for (uint32_t i = 0; i < gaps && until_s >= known_s + gap_s; i++) {
        uint64_t sum_s = down_s(rollout, until_s - gap_s, until_s);
        least_s = sum_s < least_s ? sum_s : least_s;
        until_s -= gap_s;
    }
    return gap_s > 0 ? (double)least_s / (double)gap_s : 1;
}
