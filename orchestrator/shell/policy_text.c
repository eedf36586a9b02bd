/* A policy in one line (policy_text.h). */
#include "policy_text.h"

#include "text.h"

#include <serin/bytes.h>

#include <stdarg.h>
#include <stdio.h>

#define ALL_PERMYRIAD 10000u

struct line {
    char *text;
    size_t used;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size =
        vsnprintf(line->text + line->used, SERIND_POLICY_TEXT_SIZE - line->used, format, arguments);
    va_end(arguments);
    line->used += size > 0 ? (size_t)size : 0;
    if (line->used >= SERIND_POLICY_TEXT_SIZE) {
        line->used = SERIND_POLICY_TEXT_SIZE - 1u;
    }
}

static void add_percent(struct line *line, uint32_t permyriad)
{
    add(line, "%u.%02u %%", permyriad / 100u, permyriad % 100u);
}

static void add_offers(struct line *line, const struct serin_policy *policy)
{
    for (size_t i = 0; i < policy->offer_count; i++) {
        const struct serin_offer *offer = &policy->offers[i];
        char id[SERIN_SHA256_HEX_SIZE];
        serin_hex_encode(offer->manifest_id, SERIN_SHA256_SIZE, id);
        add(line, "%s%.16s for hardware %u-%u", i > 0 ? ", " : " manifest ", id, offer->hw_min,
            offer->hw_max);
    }
}

static void add_stages(struct line *line, const struct serin_policy *policy)
{
    add(line, "; stages");
    for (size_t i = 0; i < policy->stage_count; i++) {
        const struct serin_stage_policy *stage = &policy->stages[i];
        add(line, "%s ", i > 0 ? "," : "");
        if (stage->permyriad > 0) {
            add_percent(line, stage->permyriad);
        } else {
            add(line, "%u devices", stage->count);
        }
        add(line, " soak %u s%s", stage->soak_s, stage->approval ? " asks for approval" : "");
    }
}

static void add_gates(struct line *line, const struct serin_policy *policy)
{
    static const char *const names[SERIN_GATE_COUNT] = {
        [SERIN_GATE_FAILURES] = "failures",   [SERIN_GATE_BOOTS] = "boot_success",
        [SERIN_GATE_ROLLBACKS] = "rollbacks", [SERIN_GATE_REGRESSIONS] = "regressions",
        [SERIN_GATE_SILENCE] = "silence",     [SERIN_GATE_ERRORS] = "errors",
    };
    add(line, "; gates");
    for (size_t i = SERIN_GATE_FAILURES; i < SERIN_GATE_COUNT; i++) {
        /* The gate on boots is kept as a share of failures, and said as the policy says it. */
        uint32_t permyriad = policy->gates[i].max_permyriad;
        add(line, "%s %s ", i > SERIN_GATE_FAILURES ? "," : "", names[i]);
        add_percent(line, i == SERIN_GATE_BOOTS ? ALL_PERMYRIAD - permyriad : permyriad);
        add(line, " of %u", policy->gates[i].minimum);
    }
    for (size_t i = 0; i < policy->reason_count; i++) {
        add(line, ", %s ", serin_reason_word(policy->reasons[i].reason));
        add_percent(line, policy->reasons[i].gate.max_permyriad);
        add(line, " of %u", policy->reasons[i].gate.minimum);
    }
}

static void add_test(struct line *line, const struct serin_policy *policy)
{
    add(line, "; test ");
    add_percent(line, policy->test.accepted_permyriad);
    add(line, " against ");
    add_percent(line, policy->test.rejected_permyriad);
    add(line, " at ");
    add_percent(line, policy->test.alpha_permyriad);
    add(line, " and ");
    add_percent(line, policy->test.beta_permyriad);
}

static void add_pace(struct line *line, const struct serin_policy *policy)
{
    add(line, "; ramp %u and %u %%", policy->ramp.first, policy->ramp.growth_percent);
    if (policy->in_flight_max > 0) {
        add(line, ", %u in flight", policy->in_flight_max);
    }
    if (policy->rate_per_hour > 0) {
        add(line, ", %u an hour", policy->rate_per_hour);
    }
    if (policy->start_s > 0) {
        char start[SERIND_TIME_SIZE];
        serind_time_s(policy->start_s, start);
        add(line, ", from %s", start);
    }
    if (policy->window_count > 0) {
        add(line, ", %zu windows", policy->window_count);
    }
    add(line, "; on halt %s", policy->on_halt == SERIN_ON_HALT_REVERT ? "revert" : "hold");
    add(line, "%s%s", policy->revert ? "; reverts" : "", policy->emergency ? "; emergency" : "");
}

void serind_policy_text(const struct serin_policy *policy, char text[SERIND_POLICY_TEXT_SIZE])
{
    struct line line = {.text = text};
    text[0] = '\0';
    add(&line, "policy %s", policy->name[0] != '\0' ? policy->name : "without a name");
    add_offers(&line, policy);
    add_stages(&line, policy);
    add_gates(&line, policy);
    add_test(&line, policy);
    add_pace(&line, policy);
}
