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

static bool begins(const char *key, const char *const *prefixes)
{
    for (; *prefixes != NULL; prefixes++) {
        if (strncmp(key, *prefixes, strlen(*prefixes)) == 0) {
            return true;
        }
    }
    return false;
}

/* What gateways can raise, each about itself: never more than half, whatever they do. */
static bool of_gateway(const char *key)
{
    static const char *const prefixes[] = {"claims:", "flood:", "nodes:", "site:", NULL};
    return begins(key, prefixes);
}

/* What takes the place of another where all are taken. */
static bool vital(const char *key)
{
    static const char *const prefixes[] = {"halt:", "store", "broker:", NULL};
    return begins(key, prefixes);
}

static void take_out(struct serind_alarms *alarms, struct serind_alarm *alarm)
{
    size_t behind = (size_t)(&alarms->list[alarms->count] - (alarm + 1));
    memmove(alarm, alarm + 1, behind * sizeof *alarm);
    alarms->count--;
}

/* Whether there is room for a new alarm, made at the cost of the latest that is not vital where it
 * must be. */
static bool make_room(struct serind_alarms *alarms, const char *key)
{
    size_t gateways = 0;
    for (size_t i = 0; of_gateway(key) && i < alarms->count; i++) {
        gateways += of_gateway(alarms->list[i].key) ? 1 : 0;
    }
    if (gateways >= SERIND_ALARMS_GATEWAYS) {
        return false;
    }
    for (size_t i = alarms->count; alarms->count == SERIND_ALARMS_MAX && vital(key) && i > 0; i--) {
        if (!vital(alarms->list[i - 1].key)) {
            serin_log(SERIN_LOG_ERROR, "alarm dropped, for one that matters more key=%s: %s",
                      alarms->list[i - 1].key, alarms->list[i - 1].text);
            take_out(alarms, &alarms->list[i - 1]);
        }
    }
    return alarms->count < SERIND_ALARMS_MAX;
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
    if (is_new && !make_room(alarms, key)) {
        if (!alarms->overflowed && !of_gateway(key)) {
            serin_log(SERIN_LOG_ERROR, "more alarms than can be held, one is dropped key=%s: %s",
                      key, text);
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
    take_out(alarms, alarm);
    alarms->overflowed = false;
}
