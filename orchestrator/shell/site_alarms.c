/* Sites: what operators should know of a gateway (sites.h). */
#include "sites.h"

#include "serind.h"
#include "text.h"

#include <serin/adapters/log.h>

#include <stdio.h>
#include <string.h>

#define TEND_MS 1000u

/* What does not fit is counted each second, and raised when there is room. */
static void note(struct serind *serind, struct serind_site *site, const char *key)
{
    site->unlisted |= !serind_alarm_stands(serind, key);
}

/* ---- claims ---- */

static void claims_key(const struct serind_site *site, char key[SERIND_ALARM_KEY_MAX])
{
    (void)snprintf(key, SERIND_ALARM_KEY_MAX, "claims:%s", site->record.id);
}

static void crowd_key(const struct serind_site *site, char key[SERIND_ALARM_KEY_MAX])
{
    (void)snprintf(key, SERIND_ALARM_KEY_MAX, "nodes:%s", site->record.id);
}

static void count_claim(struct serind *serind, uint32_t number,
                        const struct serin_device_record *device, char key[SERIND_ALARM_KEY_MAX])
{
    struct serind_site *site = serind_site(serind, number);
    struct serin_gateway_record *record = &site->record;
    record->claims++;
    record->last_claim_s = serind_now_s(serind);
    memcpy(record->last_claimed, device->id, sizeof record->last_claimed);
    serind_site_changed(serind, number);
    site->claimed_at_ms = serind->mono_ms;
    claims_key(site, key);
}

void serind_site_claimed(struct serind *serind, uint32_t number,
                         const struct serin_device_record *device)
{
    const struct serin_gateway_record *record = &serind_site(serind, number)->record;
    bool direct = device->gateway[0] == '\0';
    char key[SERIND_ALARM_KEY_MAX];
    count_claim(serind, number, device, key);
    serind_alarm_raise(
        serind, key, "gateway %s speaks for devices that are not its own, such as %s%s%s",
        record->id, device->id, direct ? ", which is direct" : " of gateway ", device->gateway);
    note(serind, serind_site(serind, number), key);
    if (serind_site_says(serind, number)) {
        serind_audit(serind,
                     &(struct serind_audit_line){
                         .actor = "gateway", .what = "refused", .device = device->id},
                     "gateway %s speaks for it, and is not its gateway: its %lluth claim",
                     record->id, (unsigned long long)record->claims);
    }
}

void serind_site_strayed(struct serind *serind, uint32_t number,
                         const struct serin_device_record *device, const char *product,
                         const char *channel)
{
    const struct serin_gateway_record *record = &serind_site(serind, number)->record;
    char key[SERIND_ALARM_KEY_MAX];
    count_claim(serind, number, device, key);
    serind_alarm_raise(serind, key,
                       "gateway %s says that its nodes are of another product or channel than they "
                       "are, such as %s, which is %s %s",
                       record->id, device->id, device->product, device->channel);
    note(serind, serind_site(serind, number), key);
    if (serind_site_says(serind, number)) {
        serind_audit(serind,
                     &(struct serind_audit_line){
                         .actor = "gateway", .what = "refused", .device = device->id},
                     "gateway %s says that it is %s %s, and it is %s %s: its %lluth claim",
                     record->id, product, channel, device->product, device->channel,
                     (unsigned long long)record->claims);
    }
}

void serind_site_absolved(struct serind *serind, uint32_t number)
{
    struct serind_site *site = serind_site(serind, number);
    char key[SERIND_ALARM_KEY_MAX];
    site->claimed_at_ms = 0;
    claims_key(site, key);
    serind_alarm_clear(serind, key);
}

static void raise_crowd(struct serind *serind, struct serind_site *site)
{
    char key[SERIND_ALARM_KEY_MAX];
    crowd_key(site, key);
    serind_alarm_raise(serind, key,
                       "gateway %s speaks for more than %u nodes: raise gateway_nodes_max, or look "
                       "for who makes them up",
                       site->record.id, serind->config->gateway_nodes_max);
    note(serind, site, key);
}

void serind_site_crowded(struct serind *serind, uint32_t number)
{
    struct serind_site *site = serind_site(serind, number);
    site->crowded = true;
    raise_crowd(serind, site);
}

bool serind_site_says(struct serind *serind, uint32_t number)
{
    struct serind_site *site = serind_site(serind, number);
    if (serind->mono_ms < site->audit_at_ms) {
        return false;
    }
    site->audit_at_ms = serind->mono_ms + SERIND_CLAIM_AUDIT_MS;
    return true;
}

bool serind_site_tells(struct serind *serind, uint32_t number)
{
    if (number == 0) {
        return true;
    }
    struct serind_site *site = serind_site(serind, number);
    uint32_t minute = (uint32_t)(serind->mono_ms / 60000);
    if (site->line_minute != minute) {
        site->line_minute = minute;
        site->lines = 0;
    }
    if (site->lines == SERIND_NODE_LINES_PER_MINUTE) {
        serin_log(SERIN_LOG_WARN, "no more lines about its nodes in this minute gateway=%s",
                  site->record.id);
    }
    return site->lines++ < SERIND_NODE_LINES_PER_MINUTE;
}

bool serind_site_answers(struct serind *serind, uint32_t number)
{
    struct serind_site *site = serind_site(serind, number);
    uint32_t minute = (uint32_t)(serind->mono_ms / 60000);
    if (site->answer_minute != minute) {
        site->answer_minute = minute;
        site->answers = 0;
    }
    return site->answers++ < SERIND_CLAIM_ANSWERS_PER_MINUTE;
}

/* ---- floods ---- */

static void flood_key(const struct serind_site *site, char key[SERIND_ALARM_KEY_MAX])
{
    (void)snprintf(key, SERIND_ALARM_KEY_MAX, "flood:%s", site->record.id);
}

static void raise_flood(struct serind *serind, struct serind_site *site)
{
    char key[SERIND_ALARM_KEY_MAX];
    flood_key(site, key);
    serind_alarm_raise(serind, key,
                       "gateway %s says more than %u messages a second: the rest is dropped, and "
                       "not acknowledged",
                       site->record.id, SERIND_SITE_PER_SECOND);
    note(serind, site, key);
}

/* A bucket by its time: each message moves it on by what one costs, and it may be ahead of the
 * clock by a burst. */
bool serind_site_paced(struct serind *serind, uint32_t number)
{
    const uint64_t cost_ms = 1000u / SERIND_SITE_PER_SECOND;
    struct serind_site *site = serind_site(serind, number);
    if (site->heard_at_ms < serind->mono_ms) {
        site->heard_at_ms = serind->mono_ms;
    }
    if (site->heard_at_ms - serind->mono_ms <= (SERIND_SITE_BURST - 1) * cost_ms) {
        site->heard_at_ms += cost_ms;
        return true;
    }
    site->dropped++;
    if (site->flooded_at_ms == 0) {
        raise_flood(serind, site);
    }
    site->flooded_at_ms = serind->mono_ms;
    return false;
}

static void end_flood(struct serind *serind, struct serind_site *site)
{
    char key[SERIND_ALARM_KEY_MAX];
    site->flooded_at_ms = 0;
    flood_key(site, key);
    serind_alarm_clear(serind, key);
    serin_log(SERIN_LOG_WARN, "messages above the rate dropped gateway=%s in_all=%llu",
              site->record.id, (unsigned long long)site->dropped);
}

/* ---- holds ---- */

static void hold_key(const struct serind_site *site, char key[SERIND_ALARM_KEY_MAX])
{
    (void)snprintf(key, SERIND_ALARM_KEY_MAX, "site:%s", site->record.id);
}

/* A gateway holds a product, and says so of each of its channels: the one whose nodes failed is
 * meant. */
static bool holds(const struct serin_gw_fleet *fleet)
{
    return fleet->hold == SERIN_HOLD_CAUSE_FAILURES && fleet->failures > fleet->failures_max;
}

static void raise_hold(struct serind *serind, struct serind_site *site,
                       const struct serin_gw_fleet *fleet, size_t more)
{
    char key[SERIND_ALARM_KEY_MAX];
    char since[SERIND_TIME_SIZE] = "a time not known";
    char others[32] = "";
    hold_key(site, key);
    if (fleet->held_since_s != 0) {
        serind_time_s(fleet->held_since_s, since);
    }
    if (more > 0) {
        (void)snprintf(others, sizeof others, ", and %zu more", more);
    }
    serind_alarm_raise(serind, key,
                       "gateway %s holds %s %s: %u of its nodes failed the release, more than the "
                       "%u that its site may, since %s%s",
                       site->record.id, fleet->product, fleet->channel, fleet->failures,
                       fleet->failures_max, since, others);
    note(serind, site, key);
}

/* One alarm for all that it holds, which stands at least a minute: a status is only its word, and
 * each change is a line of the audit log. */
static void settle_holds(struct serind *serind, struct serind_site *site)
{
    const struct serin_gw_status *status = &site->record.status;
    const struct serin_gw_fleet *first = NULL;
    size_t held = 0;
    for (size_t i = 0; i < status->fleet_count; i++) {
        if (holds(&status->fleets[i])) {
            first = first == NULL ? &status->fleets[i] : first;
            held++;
        }
    }
    char key[SERIND_ALARM_KEY_MAX];
    if (first != NULL) {
        site->held_at_ms = site->held ? site->held_at_ms : serind->mono_ms;
        site->held = true;
        raise_hold(serind, site, first, held - 1);
    } else if (site->held && serind->mono_ms - site->held_at_ms >= SERIND_HOLD_STANDS_MS) {
        site->held = false;
        hold_key(site, key);
        serind_alarm_clear(serind, key);
    }
}

void serind_site_alarms(struct serind *serind, uint32_t number)
{
    struct serind_site *site = serind_site(serind, number);
    if (site->record.standing == SERIN_GATEWAY_KNOWN) {
        settle_holds(serind, site);
    }
}

void serind_site_status(struct serind *serind, uint32_t number,
                        const struct serin_gw_status *status)
{
    struct serind_site *site = serind_site(serind, number);
    site->record.status = *status;
    site->record.status_s = serind_now_s(serind);
    settle_holds(serind, site);
    serind_site_changed(serind, number);
}

void serind_site_silence(struct serind *serind, uint32_t number)
{
    struct serind_site *site = serind_site(serind, number);
    char key[SERIND_ALARM_KEY_MAX];
    site->held = false;
    hold_key(site, key);
    serind_alarm_clear(serind, key);
    site->crowded = false;
    crowd_key(site, key);
    serind_alarm_clear(serind, key);
    if (site->flooded_at_ms != 0) {
        end_flood(serind, site);
    }
    serind_site_absolved(serind, number);
}

/* ---- time ---- */

/* What did not fit before: there may be room now. */
static void raise_unlisted(struct serind *serind, struct serind_site *site)
{
    char key[SERIND_ALARM_KEY_MAX];
    site->unlisted = false;
    if (site->claimed_at_ms != 0) {
        claims_key(site, key);
        serind_alarm_raise(serind, key, "gateway %s speaks for what is not its own, such as %s",
                           site->record.id, site->record.last_claimed);
        note(serind, site, key);
    }
    if (site->crowded) {
        raise_crowd(serind, site);
    }
    if (site->flooded_at_ms != 0) {
        raise_flood(serind, site);
    }
    if (site->held) {
        settle_holds(serind, site);
    }
}

/* What ends with time. */
static void tend(struct serind *serind, uint32_t number)
{
    struct serind_site *site = serind_site(serind, number);
    char key[SERIND_ALARM_KEY_MAX];
    if (site->claimed_at_ms != 0 && serind->mono_ms - site->claimed_at_ms >= SERIND_CLAIM_REST_MS) {
        serind_site_absolved(serind, number);
    }
    if (site->flooded_at_ms != 0 && serind->mono_ms - site->flooded_at_ms >= SERIND_FLOOD_REST_MS) {
        end_flood(serind, site);
    }
    if (site->crowded && site->nodes < serind->config->gateway_nodes_max) {
        site->crowded = false;
        crowd_key(site, key);
        serind_alarm_clear(serind, key);
    }
    if (site->held) {
        settle_holds(serind, site);
    }
}

void serind_sites_tend(struct serind *serind)
{
    if (serind->mono_ms < serind->sites.tend_at_ms) {
        return;
    }
    serind->sites.tend_at_ms = serind->mono_ms + TEND_MS;
    unsigned unlisted = 0;
    for (uint32_t number = 1; number <= serind->sites.ids.count; number++) {
        struct serind_site *site = serind_site(serind, number);
        tend(serind, number);
        if (site->unlisted) {
            raise_unlisted(serind, site);
            unlisted += site->unlisted ? 1 : 0;
        }
    }
    if (unlisted > 0) {
        serind_alarm_raise(serind, "gateways:more",
                           "and %u more gateways have alarms than are listed: see serin gateway "
                           "list",
                           unlisted);
    } else {
        serind_alarm_clear(serind, "gateways:more");
    }
    if (serind->sites.ids.count < serind->sites.ids.limit) {
        serind_alarm_clear(serind, "gateways");
    }
}
