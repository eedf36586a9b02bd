/* The time that directives are signed with (signed_time.h). */
#include <serin/orchestrator/signed_time.h>

#include <serin/assert.h>
#include <serin/wire.h>

#define LAST_MS (SERIN_TIME_MAX_S * 1000u + 999u)
/* Two clocks are read one after the other, and both are slewed: only more than this is a step. */
#define STEP_MS 1000u

static uint64_t at_most(uint64_t value_ms, uint64_t limit_ms)
{
    return value_ms < limit_ms ? value_ms : limit_ms;
}

static uint64_t sum(uint64_t value_ms, uint64_t more_ms)
{
    return more_ms < LAST_MS - at_most(value_ms, LAST_MS) ? value_ms + more_ms : LAST_MS;
}

/* What was signed, and the time since; 0: nothing was. */
static uint64_t known_ms(const struct serin_signed_time *time, uint64_t mono_ms)
{
    if (time->signed_ms == 0) {
        return 0;
    }
    SERIN_ASSERT(mono_ms >= time->mono_ms);
    return sum(time->signed_ms, mono_ms - time->mono_ms);
}

static void set(struct serin_signed_time *time, uint64_t signed_ms, uint64_t mono_ms)
{
    time->signed_ms = signed_ms;
    time->mono_ms = mono_ms;
}

static bool is_ahead(const struct serin_signed_time *time, uint64_t clock_ms, uint64_t mono_ms)
{
    uint64_t signed_ms = known_ms(time, mono_ms);
    return signed_ms >= clock_ms && signed_ms - clock_ms >= SERIN_SIGNED_AHEAD_MS;
}

uint64_t serin_signed_time_ms(const struct serin_signed_time *time, uint64_t clock_ms,
                              uint64_t mono_ms)
{
    uint64_t signed_ms = known_ms(time, mono_ms);
    return at_most(clock_ms > signed_ms ? clock_ms : signed_ms, LAST_MS);
}

/* ---- what an earlier run left ---- */

/* By how much signed time went on while serind was away, as the wall clock has it, which has come
 * to where it stood. False: it cannot be told. */
static bool away(const struct serin_signed_mark *left, uint64_t clock_ms, uint64_t *away_ms)
{
    *away_ms = clock_ms - left->wall_ms;
    /* Which of two walls was wrong is not known, and now it is past what was signed: then the
     * simpler is true, that it was behind and is right. */
    bool was_behind = left->doubted && clock_ms >= left->signed_ms;
    return *away_ms <= SERIN_SIGNED_AWAY_MAX_MS && !was_behind;
}

/* The wall clock tells how long it was. */
static void settle(struct serin_signed_time *time, uint64_t clock_ms, uint64_t mono_ms)
{
    uint64_t away_ms = 0;
    uint64_t known = known_ms(time, mono_ms);
    bool told = away(&time->left, clock_ms, &away_ms);
    uint64_t signed_ms = sum(time->left.signed_ms, away_ms);
    if (told && sum(signed_ms, STEP_MS) >= known) {
        set(time, signed_ms > known ? signed_ms : known, mono_ms);
        time->doubted = time->left.doubted;
    }
    time->left = (struct serin_signed_mark){.signed_ms = 0};
}

void serin_signed_time_resume(struct serin_signed_time *time, const struct serin_signed_mark *mark,
                              uint64_t clock_ms, uint64_t mono_ms)
{
    *time = (struct serin_signed_time){.signed_ms = 0};
    if (mark->signed_ms == 0) {
        return;
    }
    set(time, mark->signed_ms, mono_ms);
    time->ahead_s = mark->ahead_s;
    time->doubted = true; /* until the wall clock tells */
    time->left = *mark;
    serin_signed_time_look(time, clock_ms, mono_ms);
}

void serin_signed_time_look(struct serin_signed_time *time, uint64_t clock_ms, uint64_t mono_ms)
{
    if (time->left.signed_ms != 0 && clock_ms >= time->left.wall_ms) {
        settle(time, clock_ms, mono_ms);
    }
    if (!is_ahead(time, clock_ms, mono_ms)) {
        time->doubted = false;
        time->ahead_s = 0;
    } else if (time->ahead_s == 0) {
        time->ahead_s = clock_ms / 1000u;
    }
}

/* ---- what is heard ---- */

void serin_signed_time_heard(struct serin_signed_time *time, uint64_t issued_s, uint64_t clock_ms,
                             uint64_t mono_ms)
{
    uint64_t issued_ms = issued_s * 1000u;
    if (issued_ms <= known_ms(time, mono_ms)) {
        return;
    }
    set(time, issued_ms, mono_ms);
    time->doubted = true; /* where it is not ahead, none is left by the next line */
    serin_signed_time_look(time, clock_ms, mono_ms);
}

void serin_signed_time_add(struct serin_signed_time *time, uint64_t away_ms, uint64_t clock_ms,
                           uint64_t mono_ms)
{
    if (time->signed_ms == 0) {
        return;
    }
    set(time, sum(serin_signed_time_ms(time, clock_ms, mono_ms), away_ms), mono_ms);
    time->doubted = false;
    time->left = (struct serin_signed_mark){.signed_ms = 0};
    serin_signed_time_look(time, clock_ms, mono_ms);
}

/* ---- what is kept ---- */

struct serin_signed_mark serin_signed_time_mark(const struct serin_signed_time *time,
                                                uint64_t clock_ms, uint64_t mono_ms)
{
    if (time->signed_ms == 0) {
        return (struct serin_signed_mark){.signed_ms = 0};
    }
    return (struct serin_signed_mark){
        .signed_ms = known_ms(time, mono_ms),
        .wall_ms = clock_ms,
        .ahead_s = time->ahead_s,
        .doubted = time->doubted,
    };
}

bool serin_signed_time_moved(const struct serin_signed_time *time,
                             const struct serin_signed_mark *kept, uint64_t clock_ms,
                             uint64_t mono_ms)
{
    const struct serin_signed_mark mark = serin_signed_time_mark(time, clock_ms, mono_ms);
    /* By how much signed time is ahead, as both have it; what does not fit wraps alike. */
    uint64_t apart_ms = (mark.signed_ms - mark.wall_ms) - (kept->signed_ms - kept->wall_ms);
    bool is_set = apart_ms > STEP_MS && 0u - apart_ms > STEP_MS;
    return is_set || mark.ahead_s != kept->ahead_s;
}
