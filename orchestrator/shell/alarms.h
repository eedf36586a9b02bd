/*
 * Alarms: what an operator should know now. Each has a key, by which it is raised once and cleared;
 * both are logged and written to the audit log.
 */
#ifndef SERIND_ALARMS_H
#define SERIND_ALARMS_H

#include <stdbool.h>
#include <stddef.h>

#define SERIND_ALARMS_MAX ((size_t)64)
/* Of them, at most so many about gateways; sites.h says what becomes of the others. */
#define SERIND_ALARMS_GATEWAYS (SERIND_ALARMS_MAX / 2)
#define SERIND_ALARM_KEY_MAX   ((size_t)200)
#define SERIND_ALARM_TEXT_MAX  ((size_t)320)

struct serind_alarm {
    char key[SERIND_ALARM_KEY_MAX];
    char text[SERIND_ALARM_TEXT_MAX];
};

struct serind_alarms {
    size_t count;
    struct serind_alarm list[SERIND_ALARMS_MAX];
    bool overflowed; /* one was dropped because the list is full */
};

struct serind;

/* Raises the alarm `key`, or changes its text where it stands already (in silence). Where there is
 * no room it is dropped, but a halt's, the store's or a broker's: that takes the place of another.
 */
void serind_alarm_raise(struct serind *serind, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Clears the alarm `key`; nothing happens where it does not stand. */
void serind_alarm_clear(struct serind *serind, const char *key);

bool serind_alarm_stands(const struct serind *serind, const char *key);

#endif
