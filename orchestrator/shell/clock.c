/* The publisher: the time that directives are signed with, and what operators should know of it
 * (publisher.h, signed_time.h). */
#include "publisher_internal.h"
#include "text.h"

#include <stdio.h>

#define ALARM_KEY "clock"

uint64_t serind_signed_ms(const struct serind *serind)
{
    return serin_signed_time_ms(&serind->publisher.time, serind->now_ms, serind->mono_ms);
}

void serind_signed_resume(struct serind *serind)
{
    serin_signed_time_resume(&serind->publisher.time, &serind->meta.signed_mark, serind->now_ms,
                             serind->mono_ms);
}

void serind_signed_heard(struct serind *serind, uint64_t issued_s)
{
    serin_signed_time_heard(&serind->publisher.time, issued_s, serind->now_ms, serind->mono_ms);
}

void serind_publisher_ahead(struct serind *serind, uint32_t ahead_s)
{
    if (ahead_s == 0) {
        return;
    }
    serin_signed_time_add(&serind->publisher.time, (uint64_t)ahead_s * 1000u, serind->now_ms,
                          serind->mono_ms);
    serind_audit(serind, &(struct serind_audit_line){.actor = "operator", .what = "command"},
                 "signed time goes ahead by %u s, asked for with --signed-ahead", ahead_s);
}

/* ---- keeping ---- */

/* The directives of this pass are heard once it is committed; at a start they tell themselves. */
void serind_signed_store(struct serind *serind)
{
    serind->meta.signed_mark =
        serin_signed_time_mark(&serind->publisher.time, serind->now_ms, serind->mono_ms);
}

static bool should_keep(const struct serind *serind)
{
    const struct serind_publisher *publisher = &serind->publisher;
    uint64_t since_ms = serind->mono_ms - publisher->kept_at_ms;
    bool moved = serin_signed_time_moved(&publisher->time, &serind->meta.signed_mark,
                                         serind->now_ms, serind->mono_ms);
    return publisher->time.signed_ms != 0 &&
           (since_ms >= SERIND_SIGNED_KEEP_MS || (moved && since_ms >= SERIND_SIGNED_REST_MS));
}

/* ---- the alarm ---- */

#define SPAN_SIZE 32u

static void span(uint64_t ms, char text[SPAN_SIZE])
{
    unsigned long long minutes = (unsigned long long)(ms / 60000u);
    if (minutes >= 60) {
        (void)snprintf(text, SPAN_SIZE, "%llu h %llu min", minutes / 60, minutes % 60);
    } else {
        (void)snprintf(text, SPAN_SIZE, "%llu min", minutes);
    }
}

static void raise_alarm(struct serind *serind)
{
    const struct serin_signed_time *time = &serind->publisher.time;
    char ahead[SPAN_SIZE];
    char since[SERIND_TIME_SIZE];
    span(serind_signed_ms(serind) - serind->now_ms, ahead);
    serind_time_s(time->ahead_s, since);
    if (time->left.signed_ms != 0) {
        char behind[SPAN_SIZE];
        span(time->left.wall_ms - serind->now_ms, behind);
        serind_alarm_raise(serind, ALARM_KEY,
                           "signed time is %s ahead of this machine's clock, which stands %s "
                           "before where it was when serind last ran: how long serind was away is "
                           "not known. If the clock is wrong, set it right; if it is right, and "
                           "that was hours, start once with --signed-ahead",
                           ahead, behind);
    } else if (time->doubted) {
        serind_alarm_raise(serind, ALARM_KEY,
                           "signed time is %s ahead of this machine's clock since %s, and may lack "
                           "the time since it was last kept. If the clock is wrong, set it right; "
                           "if sites take leases for over too early, start once with "
                           "--signed-ahead",
                           ahead, since);
    } else {
        serind_alarm_raise(serind, ALARM_KEY,
                           "signed time is %s ahead of this machine's clock since %s: directives "
                           "stay valid, over restarts too. If the clock is right now there is "
                           "nothing to do; if it is wrong, set it right",
                           ahead, since);
    }
}

void serind_signed_tend(struct serind *serind)
{
    struct serind_publisher *publisher = &serind->publisher;
    serin_signed_time_look(&publisher->time, serind->now_ms, serind->mono_ms);
    publisher->due |= should_keep(serind);
    if (publisher->time.ahead_s != 0) {
        raise_alarm(serind);
    } else {
        serind_alarm_clear(serind, ALARM_KEY);
    }
}
