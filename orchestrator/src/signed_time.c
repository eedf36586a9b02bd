/* The time that directives are signed with (signed_time.h). */
#include <serin/orchestrator/signed_time.h>

#include <serin/assert.h>

void serin_signed_time_heard(struct serin_signed_time *time, uint64_t issued_s, uint64_t mono_ms)
{
    uint64_t issued_ms = issued_s * 1000u;
    if (issued_ms > serin_signed_time_ms(time, 0, mono_ms)) {
        *time = (struct serin_signed_time){.signed_ms = issued_ms, .mono_ms = mono_ms};
    }
}

uint64_t serin_signed_time_ms(const struct serin_signed_time *time, uint64_t clock_ms,
                              uint64_t mono_ms)
{
    if (time->signed_ms == 0) {
        return clock_ms;
    }
    SERIN_ASSERT(mono_ms >= time->mono_ms);
    uint64_t signed_ms = time->signed_ms + (mono_ms - time->mono_ms);
    return clock_ms > signed_ms ? clock_ms : signed_ms;
}
