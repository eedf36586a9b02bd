/*
 * Health: how a device is, judged by its beats against its own past, and how those that were
 * updated compare with those that were not (docs/spec/rollout.md, section 5). Pure.
 *
 * One struct serin_health a device, in an array that the caller keeps and that is indexed by the
 * caller's number of the device (serin_member.device), so that it outlives sorting and serves every
 * rollout. The caller stores it with the device, whenever it stores that, and gives it back after a
 * restart: a device that sleeps is known for it after days only, and one that begins its past anew
 * while it is awake on its trial would be missed as soon as it sleeps.
 *
 * Two questions are asked of a device, and both have the answer yes or no, so that one device that
 * counts a million errors weighs as much as any other:
 *   silent   no beat for SERIN_HEALTH_SILENT_GAPS of its own usual gaps between two beats
 *   unwell   more errors an hour, of late, than SERIN_HEALTH_ERRORS_FACTOR times its own usual rate
 *            and SERIN_HEALTH_ERRORS_FLOOR more
 */
#ifndef SERIN_ORCHESTRATOR_HEALTH_H
#define SERIN_ORCHESTRATOR_HEALTH_H

#include <serin/error.h>

#include <stdbool.h>
#include <stdint.h>

#define SERIN_HEALTH_SILENT_GAPS   3u
#define SERIN_HEALTH_ERRORS_FACTOR 3u
#define SERIN_HEALTH_ERRORS_FLOOR  2u /* errors an hour */
/* Spans between beats without which a device has no past to be measured against: three beats. */
#define SERIN_HEALTH_KNOWN_SPANS 2u
#define SERIN_HEALTH_RATE_ONE    16u /* one error an hour, as rates are kept */

/* 32 bytes; zero: nothing heard. Its fields are the functions' business. */
struct serin_health {
    uint32_t beat_s;   /* Unix seconds of the last word; 0: none */
    uint32_t gap_s;    /* usual gap between words: a running mean, at least what it announced */
    uint32_t errors;   /* of the last beat: the sum of the counters that are judged */
    uint32_t uptime_s; /* of the last beat: tells counters that began anew, and how long they ran */
    uint16_t usual_rate; /* errors an hour, in sixteenths, before the rollout; saturates */
    uint16_t late_rate;  /* the same, of the last hours */
    uint16_t beats;      /* heard; saturates */
    uint16_t rated;      /* spans between beats that usual_rate was learned from; saturates */
    uint32_t lost_s;     /* Unix seconds when an earlier past was lost; 0: none was */
    uint32_t resumed_s;  /* counted as heard then by a restart of the caller; not stored */
};
_Static_assert(sizeof(struct serin_health) == 32, "kept by the hundred thousand");

/* What a beat says of health. */
struct serin_health_beat {
    uint32_t interval_s; /* announced; ≥ 1 */
    uint64_t uptime_s;
    uint64_t errors; /* sum of the counters that are judged; grows within one boot */
};

/* Takes a beat in. `watched`: a rollout is under way in which the device may be compared, updated
 * or not: its usual rate and gap stay what they were. So no release is got used to, and neither is
 * a bad day by one of the groups alone. But where it has no past yet, as after a restart of the
 * caller, what is heard first is taken for it. Rates go by the device's own clock, silence by the
 * caller's: where that went back, the device was heard now, and no gap is learned. */
void serin_health_beat(struct serin_health *health, uint64_t now_s,
                       const struct serin_health_beat *beat, bool watched);
/* The device runs another image than it said before: called before its beat is taken. What it
 * counts of late beyond its usual rate is forgotten, since that was the other image's doing; a boot
 * of the same image forgets nothing, so that one that crashes again and again adds up. Nothing
 * changes where nothing was heard of it. */
void serin_health_updated(struct serin_health *health);
/* Any other word of the device: it is not silent. */
void serin_health_heard(struct serin_health *health, uint64_t now_s);

/* Where the caller's clock was set back, or may have been while it was away: a word that seems to
 * come from the future, as far as a word of the present cannot, is one of just more than
 * SERIN_HEALTH_SILENT_GAPS of its usual gaps ago from now on. When it was is not known, so the
 * device counts as heard now for the question whether it is silent, as after a restart; but it is
 * not heard by its own last word before it says another, so that nobody who died is passed over.
 * True: it was one, and is to be stored, or it would be heard anew with each restart until the
 * clock has caught up with it, and then once more. */
bool serin_health_set_back(struct serin_health *health, uint64_t now_s);

/* After a restart of the caller at `now_s`, with the health that was stored: whoever was not silent
 * when the caller last heard anything of anybody, at `newest_s`, counts as heard now, for the
 * question whether it is silent and for its usual gap: when it was heard is not changed by that, so
 * that who dies between two restarts is not heard with each of them. The outage is nobody's
 * silence, and mends nobody's. */
void serin_health_resume(struct serin_health *health, uint64_t newest_s, uint64_t now_s);
/* The same where the store has no more of it than its last beat, at `beat_s`: its past begins
 * anew, and says nothing of whoever was updated by then. */
void serin_health_begin_anew(struct serin_health *health, uint64_t beat_s,
                             const struct serin_health_beat *beat, uint64_t newest_s,
                             uint64_t now_s);

/* Whether so much was heard of it (three beats) that its silence, or its errors, would mean
 * anything. One that is not known is neither silent nor unwell.
 *
 * These four are asked of each device of a fleet in a row, and are therefore inline. */
static inline bool serin_health_known(const struct serin_health *health)
{
    return health->rated >= SERIN_HEALTH_KNOWN_SPANS;
}

/* Whether it was silent at `now_s`, as far as is known: a past moment only tells of devices that
 * were not heard since. */
static inline bool serin_health_silent(const struct serin_health *health, uint64_t now_s)
{
    bool resumed = health->resumed_s > health->beat_s && health->resumed_s <= now_s;
    uint64_t heard_s = resumed ? health->resumed_s : health->beat_s;
    return serin_health_known(health) && now_s > heard_s &&
           now_s - heard_s > (uint64_t)health->gap_s * SERIN_HEALTH_SILENT_GAPS;
}

/* The same for `gaps` of its usual gaps, where what came before `from_s`, or seems to come from the
 * future, counts as heard at `from_s`: from then on each device has its time to be heard. */
static inline bool serin_health_quiet(const struct serin_health *health, uint64_t from_s,
                                      uint64_t now_s, uint32_t gaps)
{
    bool before = health->beat_s < from_s || health->beat_s > now_s;
    uint64_t heard_s = before ? from_s : health->beat_s;
    return serin_health_known(health) && now_s > heard_s &&
           now_s - heard_s > (uint64_t)health->gap_s * gaps;
}

static inline bool serin_health_unwell(const struct serin_health *health)
{
    return serin_health_known(health) &&
           health->late_rate > health->usual_rate * SERIN_HEALTH_ERRORS_FACTOR +
                                   SERIN_HEALTH_ERRORS_FLOOR * SERIN_HEALTH_RATE_ONE;
}

#endif
