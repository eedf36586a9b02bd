/*
 * The running agent: everything that `serin-agent run` joins, in one place. One thread owns it.
 */
#ifndef SERIN_AGENT_RUNTIME_H
#define SERIN_AGENT_RUNTIME_H

#include "agent.h"

#include <serin/adapters/mqtt.h>
#include <serin/device/agent.h>
#include <serin/piece.h>
#include <serin/ports/linux/control.h>
#include <serin/ports/linux/launcher.h>
#include <serin/ports/linux/supervisor.h>

struct runtime {
    struct device device;
    char *socket_path; /* absolute: the application may work in another folder */
    int signals;       /* a signalfd; -1: none */
    struct serin_control *control;
    struct serin_agent_requests requests; /* of the control socket */
    struct serin_launcher *launcher;
    struct serin_supervisor supervisor;
    struct serin_mqtt *mqtt;
    bool mqtt_started;

    /* Of this boot. */
    uint64_t booted_ms; /* on the clock of runtime_clock_ms */
    struct serin_boot_choice choice;
    enum serin_reset_cause cause;
    struct serin_agent_config config; /* the agent keeps a pointer to it */
    struct serin_agent *agent;        /* NULL: not running */
    uint64_t agent_retry_ms;          /* when to try again to start it, where it could not */
    uint64_t application_errors;      /* that it, or a script, told of */
    int application_code;             /* how the application last ended, for the fleet's eyes */

    enum serin_error start_error;      /* why the application could not be started; OK: it could */
    enum serin_reset_cause reset;      /* asked for; UNKNOWN: not */
    bool stopping;                     /* SIGTERM */
    uint8_t scratch[SERIN_PIECE_SIZE]; /* the agent's */
};

/* Milliseconds of a clock that only grows and counts suspension: leases go on while a device
 * sleeps. */
uint64_t runtime_clock_ms(void);

/* Milliseconds since this boot. */
uint64_t runtime_now_ms(const struct runtime *runtime);

/* ---- runtime_agent.c: the device core and its ports ---- */

/* Starts the agent of this boot and, the first time, the MQTT client. A failure is logged and tried
 * again later. */
void runtime_agent_start(struct runtime *runtime);
void runtime_agent_stop(struct runtime *runtime);

/* Hands an event to the agent; SERIN_ERR_STATE: it does not run. */
enum serin_error runtime_agent_event(struct runtime *runtime,
                                     const struct serin_agent_event *event);

/* Hands it what MQTT brought (a bounded part), and the ticks that are due. */
void runtime_agent_serve(struct runtime *runtime);

/* When it wants to be served, in ms since this boot. */
uint64_t runtime_agent_deadline_ms(const struct runtime *runtime);

/* ---- runtime_application.c: the image as a child ---- */

/* Tells the supervisor of an event and does what it orders. */
void runtime_supervise(struct runtime *runtime, enum serin_supervisor_event event);

/* Looks after the child, the trial and the watchdog. */
void runtime_application_serve(struct runtime *runtime);

/* ---- runtime_control.c: the control socket's requests ---- */

extern const struct serin_agent_requests_ops runtime_control_ops; /* ctx: the runtime */

#endif
