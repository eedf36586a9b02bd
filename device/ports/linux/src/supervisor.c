/*
 * The supervisor's table (serin/ports/linux/supervisor.h).
 */
#include <serin/ports/linux/supervisor.h>

#include <assert.h>

struct rule {
    bool allowed;
    enum serin_supervisor_state next;
    struct serin_supervisor_orders orders;
};

/* Pairs that are not listed are refused. */
static const struct rule rules[SERIN_SUPERVISOR_STATE_COUNT][SERIN_SUPERVISOR_EVENT_COUNT] = {
    [SERIN_SUPERVISOR_OFF] =
        {
            [SERIN_SUPERVISOR_BOOT_TRIAL] = {true, SERIN_SUPERVISOR_TRIAL, {.start = true}},
            [SERIN_SUPERVISOR_BOOT_STEADY] = {true, SERIN_SUPERVISOR_STEADY, {.start = true}},
        },
    [SERIN_SUPERVISOR_TRIAL] =
        {
            [SERIN_SUPERVISOR_CONFIRMED] = {true, SERIN_SUPERVISOR_STEADY, {.start = false}},
            [SERIN_SUPERVISOR_ENDED] = {true, SERIN_SUPERVISOR_OFF, {.reset = SERIN_RESET_CRASH}},
            [SERIN_SUPERVISOR_ALTERED] = {true, SERIN_SUPERVISOR_OFF, {.reset = SERIN_RESET_CRASH}},
            [SERIN_SUPERVISOR_SILENT] = {true,
                                         SERIN_SUPERVISOR_OFF,
                                         {.kill = true, .reset = SERIN_RESET_WATCHDOG}},
            [SERIN_SUPERVISOR_WINDOW_OVER] = {true,
                                              SERIN_SUPERVISOR_OFF,
                                              {.kill = true, .reset = SERIN_RESET_WATCHDOG}},
        },
    [SERIN_SUPERVISOR_STEADY] =
        {
            [SERIN_SUPERVISOR_ENDED] = {true,
                                        SERIN_SUPERVISOR_WAITING,
                                        {.unhealthy = SERIN_REASON_CRASH}},
            [SERIN_SUPERVISOR_ALTERED] = {true,
                                          SERIN_SUPERVISOR_OFF,
                                          {.reset = SERIN_RESET_REQUESTED}},
            [SERIN_SUPERVISOR_SILENT] = {true,
                                         SERIN_SUPERVISOR_WAITING,
                                         {.kill = true, .unhealthy = SERIN_REASON_WATCHDOG}},
        },
    [SERIN_SUPERVISOR_WAITING] =
        {
            [SERIN_SUPERVISOR_DUE] = {true, SERIN_SUPERVISOR_STEADY, {.start = true}},
        },
};

void serin_supervisor_init(struct serin_supervisor *supervisor, uint32_t watchdog_ms)
{
    *supervisor = (struct serin_supervisor){
        .state = SERIN_SUPERVISOR_OFF,
        .watchdog_ms = watchdog_ms,
        .pause_ms = SERIN_SUPERVISOR_PAUSE_MIN_MS,
    };
}

/* The one place that changes the state. */
static void state_enter(struct serin_supervisor *supervisor, uint64_t now_ms,
                        enum serin_supervisor_state next)
{
    supervisor->state = next;
    if (next == SERIN_SUPERVISOR_WAITING) {
        /* Who ran for longer than the longest pause starts afresh with the shortest. */
        if (now_ms - supervisor->started_ms > SERIN_SUPERVISOR_PAUSE_MAX_MS) {
            supervisor->pause_ms = SERIN_SUPERVISOR_PAUSE_MIN_MS;
        }
        supervisor->due_ms = now_ms + supervisor->pause_ms;
        supervisor->pause_ms *= 2;
        if (supervisor->pause_ms > SERIN_SUPERVISOR_PAUSE_MAX_MS) {
            supervisor->pause_ms = SERIN_SUPERVISOR_PAUSE_MAX_MS;
        }
    }
}

enum serin_error serin_supervisor_step(struct serin_supervisor *supervisor, uint64_t now_ms,
                                       enum serin_supervisor_event event,
                                       struct serin_supervisor_orders *orders)
{
    assert(event < SERIN_SUPERVISOR_EVENT_COUNT);
    const struct rule *rule = &rules[supervisor->state][event];
    *orders = rule->orders;
    if (!rule->allowed) {
        return SERIN_ERR_STATE;
    }
    bool failed = event == SERIN_SUPERVISOR_ENDED || event == SERIN_SUPERVISOR_ALTERED;
    supervisor->crashes += failed ? 1 : 0;
    supervisor->watchdogs += event == SERIN_SUPERVISOR_SILENT ? 1 : 0;
    if (orders->start) {
        supervisor->started_ms = now_ms;
        supervisor->alive_ms = now_ms;
    }
    state_enter(supervisor, now_ms, rule->next);
    return SERIN_OK;
}

void serin_supervisor_reset(struct serin_supervisor *supervisor)
{
    state_enter(supervisor, 0, SERIN_SUPERVISOR_OFF);
    supervisor->pause_ms = SERIN_SUPERVISOR_PAUSE_MIN_MS;
}

void serin_supervisor_alive(struct serin_supervisor *supervisor, uint64_t now_ms)
{
    supervisor->alive_ms = now_ms;
}

uint64_t serin_supervisor_deadline_ms(const struct serin_supervisor *supervisor)
{
    switch (supervisor->state) {
    case SERIN_SUPERVISOR_TRIAL:
    case SERIN_SUPERVISOR_STEADY:
        return supervisor->watchdog_ms == 0 ? UINT64_MAX
                                            : supervisor->alive_ms + supervisor->watchdog_ms;
    case SERIN_SUPERVISOR_WAITING:
        return supervisor->due_ms;
    case SERIN_SUPERVISOR_OFF:
    case SERIN_SUPERVISOR_STATE_COUNT:
    default:
        return UINT64_MAX;
    }
}

bool serin_supervisor_due(const struct serin_supervisor *supervisor, uint64_t now_ms,
                          enum serin_supervisor_event *event)
{
    if (now_ms < serin_supervisor_deadline_ms(supervisor)) {
        return false;
    }
    *event = supervisor->state == SERIN_SUPERVISOR_WAITING ? SERIN_SUPERVISOR_DUE
                                                           : SERIN_SUPERVISOR_SILENT;
    return true;
}
