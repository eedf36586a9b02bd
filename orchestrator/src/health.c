/* How one device is, by its beats against its own past (health.h). Whole numbers only: times in
 * seconds, rates in sixteenths of an error an hour. */
#include <serin/orchestrator/health.h>

#define HOUR_S UINT64_C(3600)
#define DAY_S  UINT64_C(86400)

#define RATE_MAX UINT16_MAX

/* A gap counts as at most so many usual ones, so that one outage, or one jump of the clock, does
 * not make a device's silence usual; and none is longer than the longest interval between beats. */
#define GAP_FACTOR 8u
#define GAP_MAX_S  (7 * DAY_S)
/* One gap in so many becomes usual where it is longer: a device that sleeps is known after some.
 * Shorter ones take so many more, so that it stays known over the dozen beats while it is awake. */
#define GAP_RISE 4u
#define GAP_FALL 32u

/* A device's clock may run so much slower than the caller's, and a beat be so late. */
#define BOOT_SLACK   8u
#define BOOT_SLACK_S 60u

/* A word may be so much later than the moment in which it is asked for: the clock is disciplined.
 */
#define AHEAD_S 2u

/* The late rate follows the last hours, the usual one the last day. */
#define LATE_S  (2 * HOUR_S)
#define USUAL_S DAY_S

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* The mean of `rate` over `memory_s` and of what `errors` in `span_s` make, rounded to the nearest.
 */
static uint16_t follow(uint16_t rate, uint64_t errors, uint64_t span_s, uint64_t memory_s)
{
    uint64_t whole_s = span_s + memory_s;
    uint64_t sum = rate * memory_s + errors * SERIN_HEALTH_RATE_ONE * HOUR_S;
    return (uint16_t)least((sum + whole_s / 2u) / whole_s, RATE_MAX);
}

/* What happened since the last beat, by the device's own clock: neither the caller's clock nor its
 * outages change a rate. */
struct since {
    uint64_t errors, span_s;
};

/* When it was heard last, or counts as heard. */
static uint64_t heard_s_of(const struct serin_health *health)
{
    return health->resumed_s > health->beat_s ? health->resumed_s : health->beat_s;
}

/* Whether the device booted since its last beat: its uptime or its counters fell, or it is up for
 * less than it was then and the time since. */
static bool has_booted(const struct serin_health *health, uint64_t now_s, uint64_t uptime_s,
                       uint64_t errors)
{
    uint64_t heard_s = heard_s_of(health);
    uint64_t gap_s = now_s > heard_s ? now_s - heard_s : 0;
    return uptime_s < health->uptime_s || errors < health->errors ||
           uptime_s + gap_s / BOOT_SLACK + BOOT_SLACK_S < health->uptime_s + gap_s;
}

/* Counters begin anew with each boot, and then what is since the boot is all that is known. */
static struct since since_last(const struct serin_health *health, uint64_t now_s,
                               const struct serin_health_beat *beat)
{
    uint64_t errors = least(beat->errors, UINT32_MAX);
    uint64_t uptime_s = least(beat->uptime_s, UINT32_MAX);
    if (has_booted(health, now_s, uptime_s, errors)) {
        return (struct since){.errors = errors, .span_s = uptime_s};
    }
    return (struct since){.errors = errors - health->errors, .span_s = uptime_s - health->uptime_s};
}

static void learn_gap(struct serin_health *health, uint64_t gap_s)
{
    uint64_t capped_s = least(least(gap_s, (uint64_t)health->gap_s * GAP_FACTOR), GAP_MAX_S);
    uint64_t share = capped_s > health->gap_s ? GAP_RISE : GAP_FALL;
    health->gap_s = (uint32_t)((health->gap_s * (share - 1u) + capped_s) / share);
}

static void learn_rates(struct serin_health *health, const struct since *since, bool learns)
{
    if (since->span_s == 0) {
        return;
    }
    health->late_rate = follow(health->late_rate, since->errors, since->span_s, LATE_S);
    if (learns) {
        uint64_t memory_s = least(HOUR_S * (health->rated + 1u), USUAL_S);
        health->usual_rate = follow(health->usual_rate, since->errors, since->span_s, memory_s);
        health->rated = (uint16_t)least(health->rated + 1u, UINT16_MAX);
    }
}

void serin_health_beat(struct serin_health *health, uint64_t now_s,
                       const struct serin_health_beat *beat, bool watched)
{
    uint32_t interval_s = (uint32_t)least(beat->interval_s, GAP_MAX_S);
    /* One without a past gets one from what is heard first, whatever it runs. */
    bool learns = !watched || !serin_health_known(health);
    if (health->beats > 0) {
        struct since since = since_last(health, now_s, beat);
        learn_rates(health, &since, learns);
        uint64_t heard_s = heard_s_of(health);
        if (learns && now_s > heard_s) {
            learn_gap(health, now_s - heard_s);
        }
    }
    if (health->gap_s < interval_s) {
        health->gap_s = interval_s;
    }
    health->errors = (uint32_t)least(beat->errors, UINT32_MAX);
    health->uptime_s = (uint32_t)least(beat->uptime_s, UINT32_MAX);
    health->beats = (uint16_t)least(health->beats + 1u, UINT16_MAX);
    serin_health_heard(health, now_s);
}

void serin_health_updated(struct serin_health *health)
{
    health->late_rate = (uint16_t)least(health->late_rate, health->usual_rate);
}

void serin_health_heard(struct serin_health *health, uint64_t now_s)
{
    /* Backwards too: a word that seems to come from the future would cover any silence until then.
     */
    health->beat_s = (uint32_t)least(now_s, UINT32_MAX);
    health->resumed_s = 0;
}

bool serin_health_set_back(struct serin_health *health, uint64_t now_s)
{
    if (health->beat_s <= now_s + AHEAD_S) {
        return false;
    }
    uint64_t span_s = (uint64_t)health->gap_s * SERIN_HEALTH_SILENT_GAPS + 1u;
    health->beat_s = (uint32_t)least(now_s > span_s ? now_s - span_s : 0, UINT32_MAX);
    health->resumed_s = (uint32_t)least(now_s, UINT32_MAX);
    return true;
}

void serin_health_resume(struct serin_health *health, uint64_t newest_s, uint64_t now_s)
{
    uint64_t silence_s = (uint64_t)health->gap_s * SERIN_HEALTH_SILENT_GAPS;
    bool silent = health->beats == 0 || health->beat_s + silence_s < newest_s;
    health->resumed_s = silent ? 0 : (uint32_t)least(now_s, UINT32_MAX);
}

void serin_health_begin_anew(struct serin_health *health, uint64_t beat_s,
                             const struct serin_health_beat *beat, uint64_t newest_s,
                             uint64_t now_s)
{
    *health = (struct serin_health){.lost_s = (uint32_t)least(now_s, UINT32_MAX)};
    serin_health_beat(health, beat_s, beat, false);
    serin_health_resume(health, newest_s, now_s);
}
