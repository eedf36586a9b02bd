/* Alarms (alarms.h). */
#include "alarms.h"

#include "serind.h"

#include <serin/adapters/log.h>

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct serind_alarm *find(struct serind_alarms *alarms, const char *key)
{
    for (size_t i = 0; i < alarms->count; i++) {
        if (strcmp(alarms->list[i].key, key) == 0) {
            return &alarms->list[i];
        }
    }
    return NULL;
}

bool serind_alarm_stands(const struct serind *serind, const char *key)
{
    for (size_t i = 0; i < serind->alarms.count; i++) {
        if (strcmp(serind->alarms.list[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

void serind_alarm_raise(struct serind *serind, const char *key, const char *format, ...)
{
    struct serind_alarms *alarms = &serind->alarms;
    char text[SERIND_ALARM_TEXT_MAX];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);

    struct serind_alarm *alarm = find(alarms, key);
    bool is_new = alarm == NULL;
    if (is_new && alarms->count == SERIND_ALARMS_MAX) {
        if (!alarms->overflowed) {
            serin_log(SERIN_LOG_ERROR, "more alarms than can be held, one is dropped key=%s", key);
            alarms->overflowed = true;
        }
        return;
    }
    if (is_new) {
        alarm = &alarms->list[alarms->count++];
        (void)snprintf(alarm->key, sizeof alarm->key, "%s", key);
    }
    (void)snprintf(alarm->text, sizeof alarm->text, "%s", text);
    if (is_new) {
        serin_log(SERIN_LOG_ERROR, "alarm raised key=%s: %s", key, text);
        serind_audit(serind, &(struct serind_audit_line){.what = "alarm"}, "raised: %s", text);
    }
}

void serind_alarm_clear(struct serind *serind, const char *key)
{
    struct serind_alarms *alarms = &serind->alarms;
    struct serind_alarm *alarm = find(alarms, key);
    if (alarm == NULL) {
        return;
    }
    serin_log(SERIN_LOG_INFO, "alarm cleared key=%s: %s", key, alarm->text);
    serind_audit(serind, &(struct serind_audit_line){.what = "alarm"}, "cleared: %s", alarm->text);
    size_t behind = (size_t)(&alarms->list[alarms->count] - (alarm + 1));
    memmove(alarm, alarm + 1, behind * sizeof *alarm);
    alarms->count--;
    alarms->overflowed = false;
}
