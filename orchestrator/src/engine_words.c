/* What people read of a rollout: names of states and events, reasons, audit lines. */
#include "engine_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const state_texts[SERIN_ROLLOUT_STATE_COUNT] = {
    [SERIN_ROLLOUT_INVALID] = "invalid",   [SERIN_ROLLOUT_CREATED] = "created",
    [SERIN_ROLLOUT_AWAITING] = "awaiting", [SERIN_ROLLOUT_ROLLING] = "rolling",
    [SERIN_ROLLOUT_SOAKING] = "soaking",   [SERIN_ROLLOUT_PAUSED] = "paused",
    [SERIN_ROLLOUT_HALTED] = "halted",     [SERIN_ROLLOUT_COMPLETED] = "completed",
    [SERIN_ROLLOUT_ABORTED] = "aborted",   [SERIN_ROLLOUT_SUPERSEDED] = "superseded",
};

static const char *const event_texts[SERIN_ROLLOUT_EVENT_COUNT] = {
    [SERIN_ROLLOUT_EVENT_INVALID] = "invalid",
    [SERIN_ROLLOUT_START] = "start",
    [SERIN_ROLLOUT_MEMBER] = "member",
    [SERIN_ROLLOUT_TICK] = "tick",
    [SERIN_ROLLOUT_REPORTS_UP] = "reports_up",
    [SERIN_ROLLOUT_REPORTS_DOWN] = "reports_down",
    [SERIN_ROLLOUT_PAUSE] = "pause",
    [SERIN_ROLLOUT_RESUME] = "resume",
    [SERIN_ROLLOUT_HALT] = "halt",
    [SERIN_ROLLOUT_ADVANCE] = "advance",
    [SERIN_ROLLOUT_ABORT] = "abort",
    [SERIN_ROLLOUT_SUPERSEDE] = "supersede",
    [SERIN_ROLLOUT_RETRY] = "retry",
};

const char *serin_rollout_state_text(enum serin_rollout_state state)
{
    size_t index = (size_t)state;
    return state_texts[index < SERIN_ROLLOUT_STATE_COUNT ? index : 0];
}

const char *serin_rollout_event_text(enum serin_rollout_event_kind kind)
{
    size_t index = (size_t)kind;
    return event_texts[index < SERIN_ROLLOUT_EVENT_COUNT ? index : 0];
}

void serin_step_audit(struct serin_step *step, const char *format, ...)
{
    struct serin_rollout_action *action = serin_step_act(step, SERIN_ROLLOUT_ACT_AUDIT);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(action->text, sizeof action->text, format, arguments);
    va_end(arguments);
}

void serin_words_noted(char out[SERIN_ROLLOUT_WHY_MAX], const char *what, const char *note)
{
    bool noted = note != NULL && note[0] != '\0';
    (void)snprintf(out, SERIN_ROLLOUT_WHY_MAX, "%s%s%s", what, noted ? ": " : "",
                   noted ? note : "");
    for (char *c = out; *c != '\0'; c++) {
        if (*c < ' ' || *c > '~') {
            *c = '?'; /* a note cannot forge a second line of the audit log */
        }
    }
}

/* The reason that most devices failed for; the lowest number among equals. */
static enum serin_reason commonest(const struct serin_rollout *rollout)
{
    size_t best = SERIN_REASON_NONE;
    for (size_t i = SERIN_REASON_NONE; i < SERIN_REASON_COUNT; i++) {
        if (rollout->reasons[i] > rollout->reasons[best]) {
            best = i;
        }
    }
    return (enum serin_reason)best;
}

void serin_words_site_name(char out[SERIN_SITE_TEXT_MAX], const struct serin_members *members,
                           uint32_t site)
{
    const char *name = members->site_name != NULL ? members->site_name(members->sites, site) : NULL;
    if (name != NULL) {
        (void)snprintf(out, SERIN_SITE_TEXT_MAX, "%s", name);
    } else {
        (void)snprintf(out, SERIN_SITE_TEXT_MAX, "number %u", site);
    }
}

void serin_words_site(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_cluster *cluster)
{
    char site[SERIN_SITE_TEXT_MAX];
    serin_words_site_name(site, members, cluster->site);
    uint32_t failures = serin_tally_failures(&rollout->tally);
    (void)snprintf(out, SERIN_ROLLOUT_WHY_MAX,
                   "%u of %u failures are behind gateway %s, %u of %u elsewhere: paused, the image "
                   "is not blamed",
                   cluster->failures, failures, site, failures - cluster->failures,
                   cluster->elsewhere);
}

/* Adds to a text of SERIN_ROLLOUT_WHY_MAX, and cuts what does not fit. */
static void append(char *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append(char *out, const char *format, ...)
{
    size_t size = strlen(out);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(out + size, SERIN_ROLLOUT_WHY_MAX - size, format, arguments);
    va_end(arguments);
}

void serin_words_gate(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members)
{
    const struct serin_gate_policy *gate = &rollout->policy.gates[SERIN_GATE_FAILURES];
    struct serin_cluster cluster = serin_sites_cluster(rollout, members);
    struct serin_without without = serin_sites_without(rollout, members);
    bool all = serin_gate_trips(rollout);
    uint32_t failures = all ? serin_tally_failures(&rollout->tally) : without.failures;
    uint32_t resolved = all ? serin_tally_resolved(&rollout->tally) : without.resolved;
    char site[SERIN_SITE_TEXT_MAX];
    out[0] = '\0';
    append(out, "halted: %u of %u resolved failed", failures, resolved);
    if (!all) {
        serin_words_site_name(site, members, without.site);
        append(out, ", not counting gateway %s", site);
    } else if (serin_cluster_named(rollout, &cluster)) {
        serin_words_site_name(site, members, cluster.site);
        append(out, ", %u of them behind gateway %s", cluster.failures, site);
    }
    append(out, " (limit %u.%02u %%, minimum %u%s): %s", gate->max_permyriad / 100u,
           gate->max_permyriad % 100u, gate->minimum,
           resolved < gate->minimum ? ", but the stage waits for nobody" : "",
           serin_reason_word(commonest(rollout)));
}
