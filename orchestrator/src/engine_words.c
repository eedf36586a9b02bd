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

const char *serin_words_plural(uint32_t count)
{
    return count == 1 ? "" : "s";
}

/* Bytes of the printable character that begins here, as UTF-8 (RFC 3629); 0: there is none, but a
 * control, one of the line separators U+2028 and U+2029, or bytes that are no UTF-8, as where a
 * text was cut. */
static size_t printable(const char *text)
{
    static const struct {
        uint32_t least; /* of a character that takes so many bytes */
        uint8_t mask, mark;
    } leads[] = {{0x80u, 0xE0u, 0xC0u}, {0x800u, 0xF0u, 0xE0u}, {0x10000u, 0xF8u, 0xF0u}};
    uint8_t lead = (uint8_t)text[0];
    if (lead < 0x80u) {
        return lead >= ' ' && lead <= '~' ? 1u : 0;
    }
    for (size_t i = 0; i < sizeof leads / sizeof leads[0]; i++) {
        if ((lead & leads[i].mask) != leads[i].mark) {
            continue;
        }
        uint32_t code = lead & (uint8_t)~leads[i].mask;
        for (size_t k = 1; k < i + 2u; k++) {
            uint8_t byte = (uint8_t)text[k]; /* the terminator ends it */
            if ((byte & 0xC0u) != 0x80u) {
                return 0;
            }
            code = code << 6 | (byte & 0x3Fu);
        }
        bool surrogate = code >= 0xD800u && code <= 0xDFFFu;
        bool control = code < 0xA0u || code == 0x2028u || code == 0x2029u;
        return code >= leads[i].least && code <= 0x10FFFFu && !surrogate && !control ? i + 2u : 0;
    }
    return 0;
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

/* Leaves at most so many bytes of a text, at least four, whole characters, and shows that it was
 * cut. */
static void shorten(char *text, size_t size)
{
    static const char cut[] = "...";
    if (strlen(text) <= size) {
        return;
    }
    size_t end = size - strlen(cut);
    while (end > 0 && ((uint8_t)text[end] & 0xC0u) == 0x80u) {
        end--;
    }
    memcpy(text + end, cut, sizeof cut);
}

void serin_words_noted(char out[SERIN_ROLLOUT_WHY_MAX], const char *what, const char *note)
{
    char whole[SERIN_ROLLOUT_WHY_MAX + 1u]; /* by a byte too long shows that it has to be cut */
    bool noted = note != NULL && note[0] != '\0';
    (void)snprintf(whole, sizeof whole, "%s%s%s", what, noted ? ": " : "", noted ? note : "");
    shorten(whole, SERIN_ROLLOUT_WHY_MAX - 1u);
    memcpy(out, whole, SERIN_ROLLOUT_WHY_MAX);
    for (char *c = out; *c != '\0';) {
        size_t size = printable(c);
        if (size == 0) {
            *c = '?'; /* a note cannot forge a second line of the audit log */
        }
        c += size > 0 ? size : 1u;
    }
}

void serin_words_also(char out[SERIN_ROLLOUT_WHY_MAX], const char *what, const char *note)
{
    static const char joint[] = "; ";
    static const size_t note_least = 26; /* of the note, where both are too long */
    char also[SERIN_ROLLOUT_WHY_MAX];
    serin_words_noted(also, what, note);
    size_t room = SERIN_ROLLOUT_WHY_MAX - 1u - strlen(joint);
    size_t least =
        strlen(also) < strlen(what) + note_least ? strlen(also) : strlen(what) + note_least;
    shorten(out, room - least);
    shorten(also, room - strlen(out));
    append(out, "%s%s", joint, also);
}

/* The reason that most devices failed for; the lowest number among equals. */
enum serin_reason serin_words_commonest(const struct serin_rollout *rollout)
{
    size_t best = SERIN_REASON_NONE;
    for (size_t i = SERIN_REASON_NONE; i < SERIN_REASON_COUNT; i++) {
        if (serin_gates_reason(rollout, (enum serin_reason)i) >
            serin_gates_reason(rollout, (enum serin_reason)best)) {
            best = i;
        }
    }
    /* Where all that failed are left out, it is what the network excuses that they have in common.
     */
    bool none = serin_gates_reason(rollout, (enum serin_reason)best) == 0;
    return none && rollout->evidence.excused > 0 ? SERIN_REASON_DEADLINE : (enum serin_reason)best;
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

static void append_percent(char *out, uint32_t permyriad)
{
    append(out, "%u.%02u %%", permyriad / 100u, permyriad % 100u);
}

void serin_words_site(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_cluster *cluster)
{
    uint32_t failures = serin_gates_failures(rollout);
    bool hardware = serin_cluster_hardware_alone(rollout, cluster);
    out[0] = '\0';
    if (!serin_cluster_site_alone(rollout, cluster)) {
        append(out,
               "%u of %u failures are on hardware revision %u, %u of %u on others: paused, the "
               "image is well elsewhere",
               cluster->hardware_failures, failures, cluster->hardware,
               failures - cluster->hardware_failures, cluster->hardware_elsewhere);
        return;
    }
    char site[SERIN_SITE_TEXT_MAX];
    serin_words_site_name(site, members, cluster->site);
    append(out, "%u of %u failures are behind gateway %s, %u of %u elsewhere: paused, ",
           cluster->failures, failures, site, failures - cluster->failures, cluster->elsewhere);
    if (hardware) {
        append(out, "all on hardware revision %u", cluster->hardware);
    } else {
        append(out, "the image is not blamed");
    }
}

/* What is counted, by gate: "`bad` of `of` ...". */
static const char *const gate_words[SERIN_GATE_COUNT] = {
    [SERIN_GATE_INVALID] = "resolved failed for one reason",
    [SERIN_GATE_FAILURES] = "resolved failed",
    [SERIN_GATE_BOOTS] = "that booted it did not stay",
    [SERIN_GATE_ROLLBACKS] = "resolved rolled back",
    [SERIN_GATE_REGRESSIONS] = "confirmed went wrong later",
    [SERIN_GATE_SILENCE] = "updated fell silent",
    [SERIN_GATE_ERRORS] = "updated count more errors",
};

/* Where most failures stand, `of` how many, if a reader should know; whether it was said. */
static bool append_cluster(char *out, const struct serin_rollout *rollout,
                           const struct serin_members *members, const char *of)
{
    struct serin_cluster cluster = serin_sites_cluster(rollout, members);
    if (serin_cluster_named(rollout, &cluster)) {
        char site[SERIN_SITE_TEXT_MAX];
        serin_words_site_name(site, members, cluster.site);
        append(out, ", %u of %s behind gateway %s", cluster.failures, of, site);
        return true;
    }
    if (serin_cluster_hardware_named(rollout, &cluster)) {
        append(out, ", %u of %s on hardware revision %u", cluster.hardware_failures, of,
               cluster.hardware);
        return true;
    }
    return false;
}

void serin_words_cluster(char *out, const struct serin_rollout *rollout,
                         const struct serin_members *members)
{
    (void)append_cluster(out, rollout, members, "them");
}

bool serin_words_cluster_held(char *out, const struct serin_rollout *rollout,
                              const struct serin_members *members)
{
    uint32_t failures = serin_gates_failures(rollout);
    char of[32];
    (void)snprintf(of, sizeof of, "%u failure%s", failures, serin_words_plural(failures));
    return append_cluster(out, rollout, members, of);
}

/* What the control group let expect. */
static void append_control(char *out, const struct serin_trip *trip)
{
    append(out, ", ");
    append_percent(out, trip->expected_permyriad);
    append(out, " expected (%u of %u others", trip->control_bad, trip->control_of);
    if (trip->age_s != 0) {
        append(out, ", %u min ago", trip->age_s / 60u);
    }
    append(out, ")");
}

void serin_words_silent(char out[SERIN_SILENT_TEXT_MAX], uint32_t count)
{
    (void)snprintf(out, SERIN_SILENT_TEXT_MAX, ", and %u silent with the network", count);
    if (count == 0) {
        out[0] = '\0';
    }
}

void serin_words_trip(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_trip *trip)
{
    out[0] = '\0';
    append(out, "halted: %u of %u %s", trip->bad, trip->of, gate_words[trip->gate]);
    if (!serin_trip_of_failures(trip)) {
        append_control(out, trip);
    } else if (trip->without != SERIN_SITE_DIRECT) {
        char site[SERIN_SITE_TEXT_MAX];
        serin_words_site_name(site, members, trip->without);
        append(out, ", not counting gateway %s", site);
        (void)serin_words_cluster_held(out, rollout, members);
    } else {
        serin_words_cluster(out, rollout, members);
    }
    if (serin_trip_of_failures(trip)) {
        char silent[SERIN_SILENT_TEXT_MAX];
        serin_words_silent(silent, serin_rollout_left_out(rollout));
        append(out, "%s", silent);
    }
    append(out, " (limit ");
    append_percent(out, trip->limit.max_permyriad);
    append(out, ", minimum %u%s)", trip->limit.minimum,
           trip->of < trip->limit.minimum ? ", but the stage waits for nobody" : "");
    if (trip->gate == SERIN_GATE_INVALID) {
        append(out, ": %s", serin_reason_word(trip->reason));
    } else if (serin_trip_of_failures(trip)) {
        append(out, ": %s", serin_reason_word(serin_words_commonest(rollout)));
    }
}

void serin_words_spent(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout)
{
    const struct serin_tally *tally = &rollout->tally;
    out[0] = '\0';
    append(out, "held: %u of %u devices that were offered it say nothing, and the stage is for %u",
           tally->unreached, tally->offered, rollout->target);
}

void serin_words_lone(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_lone *lone)
{
    const struct serin_tally *tally = &rollout->tally;
    char site[SERIN_SITE_TEXT_MAX];
    serin_words_site_name(site, members, lone->site);
    out[0] = '\0';
    append(out,
           "held: all %u that resolved stand behind gateway %s, and %u of %u devices that were "
           "offered it say nothing",
           serin_tally_resolved(tally), site, tally->unreached, tally->offered);
}

/* Of those that were offered it and have not come to an end, the ones that say nothing. */
static uint32_t silent_count(const struct serin_rollout *rollout)
{
    return rollout->tally.offered - rollout->tally.accepted;
}

void serin_words_stalled(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout)
{
    out[0] = '\0';
    if (rollout->tally.offered == 0) {
        append(out, "waits for a first device to offer it to");
        return;
    }
    append(out,
           "waits for devices that were offered it: %u of %u are silent, and no more may have it "
           "until some have come to an end",
           silent_count(rollout), serin_ramp_unresolved(rollout));
}

void serin_words_unproven(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout)
{
    uint32_t silent = silent_count(rollout);
    out[0] = '\0';
    if (serin_ramp_stalled(rollout)) {
        append(out,
               "held: %u of %u devices that were offered it say nothing, and no more may have it "
               "until some of them do",
               silent, rollout->tally.offered);
    } else {
        append(out, "held: none of the %u device%s that stage %u added has come to an end",
               rollout->evidence.stage_offered, serin_words_plural(rollout->evidence.stage_offered),
               rollout->stage);
    }
    append(out, "; 'serin rollout advance' goes on without");
}

void serin_words_hold(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_trip *trip)
{
    const struct serin_comparison *comparison = &rollout->comparison;
    out[0] = '\0';
    append(out, "held: ");
    if (trip->doubt == SERIN_DOUBT_UNKNOWN) {
        append(out, "nothing is heard any more of %u of %u devices that accepted",
               comparison->known_most - comparison->known, comparison->known_most);
        return;
    }
    if (trip->doubt == SERIN_DOUBT_UNJUDGED) {
        append(out, "too little is heard of %u of %u updated to judge them, as of %u of %u others",
               trip->bad, trip->of, trip->control_bad, comparison->others);
        return;
    }
    if (trip->doubt == SERIN_DOUBT_UNHEARD) {
        append(out, "%u of %u updated were not heard yet since reports are up, or the clock jumped",
               trip->bad, trip->of);
        return;
    }
    if (trip->doubt == SERIN_DOUBT_MOST) {
        append(out,
               "%u of %u updated since it began are not heard, nor are %u of %u others: too many "
               "to compare them with",
               trip->bad, trip->of, trip->control_bad, trip->control_of);
        return;
    }
    bool before = trip->doubt == SERIN_DOUBT_BEFORE;
    bool lost = trip->doubt == SERIN_DOUBT_LOST || before;
    append(out, "%u of %u %s", trip->bad, trip->of,
           before ? "that run it, some since before it began, are not heard any more"
           : lost ? "updated since it began are not heard any more"
                  : gate_words[trip->gate]);
    if (trip->doubt == SERIN_DOUBT_CONTROL_SMALL ||
        (lost && trip->control_of < rollout->policy.control_minimum)) {
        append(out, ", and %u others are too few to compare them with (minimum %u)",
               trip->control_of, rollout->policy.control_minimum);
        return;
    }
    if (trip->doubt != SERIN_DOUBT_CHANCE) {
        append_control(out, trip);
    }
    append(out, " (limit ");
    append_percent(out, trip->limit.max_permyriad);
    append(out, ")");
    if (trip->doubt == SERIN_DOUBT_CHANCE) {
        append(out, ", which may be chance: the test is undecided");
    } else if (trip->doubt == SERIN_DOUBT_SITE) {
        uint32_t gateway = serin_gates_site(rollout, members, trip->gate);
        char site[SERIN_SITE_TEXT_MAX] = "";
        if (gateway != SERIN_SITE_DIRECT) { /* beats since the comparison may have ended it */
            serin_words_site_name(site, members, gateway);
        }
        append(out, ", most behind gateway %s", site);
    } else if (trip->doubt == SERIN_DOUBT_UNSURE) {
        append(out, ", too few to be certain");
    } else if (trip->doubt == SERIN_DOUBT_YOUNG) {
        append(out, ", too short a time to be certain");
    } else if (trip->doubt == SERIN_DOUBT_FEW) {
        append(out, ", too few to halt (minimum %u)", trip->limit.minimum);
    }
    if (serin_trip_of_failures(trip)) {
        (void)serin_words_cluster_held(out, rollout, members);
    }
}

void serin_words_passes(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                        const char *verb)
{
    const struct serin_evidence *evidence = &rollout->evidence;
    const struct serin_comparison *c = &rollout->comparison;
    const struct serin_tally *tally = &rollout->tally;
    out[0] = '\0';
    append(out, "stage %u %s: %u well, %u failed, %u silent, %u of %u regressed", rollout->stage,
           verb, evidence->stage_well, evidence->stage_failed, evidence->stage_silent,
           tally->regressed, tally->confirmed + tally->regressed);
    if (c->at_ms != 0) {
        append(out, "; of %u updated %u silent, %u worse; of %u others %u and %u", c->updated,
               c->updated_silent, c->updated_unwell, c->control, c->control_silent,
               c->control_unwell);
    }
}
