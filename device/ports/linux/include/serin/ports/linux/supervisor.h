/*
 * The supervisor: what follows when the application starts, lives, hangs, ends, or misses its
 * confirmation. Pure; time is passed in.
 *
 *            boot_steady                           ended, silent
 *   off ───────────────────────────────▶ steady ─────────────────▶ waiting
 *    │ boot_trial              confirmed ▲    ▲                       │
 *    └────────────▶ trial ───────────────┘    └───────────────────────┘ due
 *                     │ ended, silent, window_over, altered
 *                     └──▶ off, and the device resets ◀── altered, from steady
 *
 * In its trial an image has the boots and the window that its manifest grants: an end is a reset of
 * the device, and the bootloader judges. A confirmed image is started again after a pause of 1 s
 * that doubles up to 60 s, and the agent is told, so that the fleet learns of it. One whose bytes
 * in flash are no longer those that were verified is not started again: the device resets, so that
 * the bootloader verifies the slots anew and takes the other one.
 */
#ifndef SERIN_PORTS_LINUX_SUPERVISOR_H
#define SERIN_PORTS_LINUX_SUPERVISOR_H

#include <serin/device/boot.h>

#define SERIN_SUPERVISOR_PAUSE_MIN_MS 1000u
#define SERIN_SUPERVISOR_PAUSE_MAX_MS 60000u

enum serin_supervisor_state {
    SERIN_SUPERVISOR_OFF,
    SERIN_SUPERVISOR_TRIAL,
    SERIN_SUPERVISOR_STEADY,
    SERIN_SUPERVISOR_WAITING,
    SERIN_SUPERVISOR_STATE_COUNT
};

enum serin_supervisor_event {
    SERIN_SUPERVISOR_BOOT_TRIAL,  /* an image boots that is not confirmed */
    SERIN_SUPERVISOR_BOOT_STEADY, /* a confirmed one boots */
    SERIN_SUPERVISOR_CONFIRMED,   /* what runs has been confirmed */
    SERIN_SUPERVISOR_ENDED,       /* the application ended, or could not be started */
    SERIN_SUPERVISOR_ALTERED,     /* it could not: its bytes are not those that were verified */
    SERIN_SUPERVISOR_SILENT,      /* the application's watchdog ran out */
    SERIN_SUPERVISOR_WINDOW_OVER, /* the confirmation window ended */
    SERIN_SUPERVISOR_DUE,         /* the pause before a restart is over */
    SERIN_SUPERVISOR_EVENT_COUNT
};

/* What the caller does next, in this order. */
struct serin_supervisor_orders {
    bool kill;                    /* the application, at once */
    enum serin_reason unhealthy;  /* tell the agent; INVALID: nothing */
    enum serin_reset_cause reset; /* reset the device with this cause; UNKNOWN: do not */
    bool start;                   /* the application */
};

struct serin_supervisor {
    enum serin_supervisor_state state;
    uint32_t watchdog_ms; /* 0: the application has none */
    uint64_t alive_ms;    /* its last sign of life, or its start */
    uint64_t started_ms;
    uint64_t due_ms; /* WAITING */
    uint32_t pause_ms;
    uint64_t crashes, watchdogs; /* since the process started */
};

void serin_supervisor_init(struct serin_supervisor *supervisor, uint32_t watchdog_ms);

/* Handles an event. SERIN_ERR_STATE: it means nothing in this state; nothing changes and there are
 * no orders. */
enum serin_error serin_supervisor_step(struct serin_supervisor *supervisor, uint64_t now_ms,
                                       enum serin_supervisor_event event,
                                       struct serin_supervisor_orders *orders);

/* The device resets for another reason: back to OFF. */
void serin_supervisor_reset(struct serin_supervisor *supervisor);

/* The application gave a sign of life. */
void serin_supervisor_alive(struct serin_supervisor *supervisor, uint64_t now_ms);

/* The event that time brings, into `event`. False: none yet. */
bool serin_supervisor_due(const struct serin_supervisor *supervisor, uint64_t now_ms,
                          enum serin_supervisor_event *event);

/* When serin_supervisor_due may next be true; UINT64_MAX: never. */
uint64_t serin_supervisor_deadline_ms(const struct serin_supervisor *supervisor);

#endif
