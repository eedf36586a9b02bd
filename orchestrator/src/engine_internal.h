/*
 * What the files of the rollout engine share (docs/spec/rollout.md). Nothing here leaves the
 * folder.
 *
 *   engine.c           the transition table, the one function that changes a rollout's state
 *   engine_clock.c     the watch: what time counts, and when the next TICK is due
 *   engine_stage.c     effects of transitions: stages, thresholds, gate, soak
 *   engine_sites.c     what stands behind one gateway: failures, and a stage
 *   engine_members.c   the one function that changes a member's state, the books, the deadlines
 *   engine_sort.c      the order of members
 *   engine_words.c     what people read: reasons and audit lines
 *   engine_directive.c what devices read: the candidate, and what it becomes
 */
#ifndef SERIN_ENGINE_INTERNAL_H
#define SERIN_ENGINE_INTERNAL_H

#include <serin/assert.h>
#include <serin/orchestrator/engine.h>

#define NEVER UINT64_MAX

/* The events of engine.h, and after them what the engine concludes by itself. Both go through the
 * same table. */
enum serin_signal {
    SERIN_SIGNAL_NONE = 0,
    SERIN_SIGNAL_GATE = SERIN_ROLLOUT_EVENT_COUNT, /* too many failed */
    SERIN_SIGNAL_SITE,                             /* the same, but all behind one gateway */
    SERIN_SIGNAL_RESOLVED,                         /* nobody is left to wait for */
    SERIN_SIGNAL_ASK,                              /* soaked; the next stage asks for approval */
    SERIN_SIGNAL_NEXT,                             /* soaked; the next stage may start */
    SERIN_SIGNAL_DONE,                             /* the last stage is soaked */
    SERIN_SIGNAL_COUNT
};

/* What goes on in a state. */
struct serin_rollout_traits {
    bool watch;    /* the watch runs while reports are up */
    bool soak;     /* and so does the soak */
    bool gate;     /* too many failures halt */
    bool patience; /* silent devices become unreached */
    bool deadline; /* accepted ones time out */
    bool over;     /* an end: `ended_ms` is set */
};

/* One step in progress. */
struct serin_step {
    struct serin_rollout *rollout;
    const struct serin_members *members;
    uint64_t now_ms;
    const struct serin_rollout_event *event;
    struct serin_rollout_actions *actions;
    bool publish; /* the directive changed: one PUBLISH ends the actions */
    bool opened;  /* a stage began: no second one in this step */
};

/* Room that a TICK leaves for whatever is not a SAVE_MEMBER: PROMOTE, PUBLISH and audit lines. */
#define SERIN_STEP_ROOM 12u

/* ---- engine.c ---- */
const struct serin_rollout_traits *serin_rollout_traits(enum serin_rollout_state state);
/* What the engine concludes from the rollout as it stands, NONE if nothing. */
enum serin_signal serin_rollout_conclude(const struct serin_rollout *rollout,
                                         const struct serin_members *members);
/* Adds an action; there is room, or it is a programmer error. */
struct serin_rollout_action *serin_step_act(struct serin_step *step,
                                            enum serin_rollout_action_kind kind);

/* ---- engine_clock.c ---- */
void serin_step_clock(struct serin_step *step);

/* ---- engine_stage.c: effects, named after the signal that has them ---- */
void serin_effect_start(struct serin_step *step);
void serin_effect_member(struct serin_step *step);
void serin_effect_tick(struct serin_step *step);
void serin_effect_reports_up(struct serin_step *step);
void serin_effect_reports_down(struct serin_step *step);
void serin_effect_pause(struct serin_step *step);
void serin_effect_resume(struct serin_step *step);
void serin_effect_halt(struct serin_step *step);
void serin_effect_approve(struct serin_step *step);
void serin_effect_skip_soak(struct serin_step *step);
void serin_effect_abort(struct serin_step *step);
void serin_effect_supersede(struct serin_step *step);
void serin_effect_gate(struct serin_step *step);
void serin_effect_site(struct serin_step *step);
void serin_effect_resolved(struct serin_step *step);
void serin_effect_ask(struct serin_step *step);
void serin_effect_open_stage(struct serin_step *step);
void serin_effect_done(struct serin_step *step);

/* Whether the gate trips on these figures: where a sequential test will take its place. Failures
 * that were judged before do not trip it again. */
bool serin_gate_trips(const struct serin_rollout *rollout);
/* The same on the figures of all but one gateway. */
struct serin_without;
bool serin_gate_trips_without(const struct serin_rollout *rollout,
                              const struct serin_without *without);
/* What the present stage still has to soak. */
uint64_t serin_soak_left_ms(const struct serin_rollout *rollout);
/* Whether members of the stage are out of its reach and others can take their place. */
bool serin_stage_short(const struct serin_rollout *rollout, const struct serin_members *members);
/* Whether the stage would pass on the word of one gateway, and one elsewhere could speak too. */
bool serin_stage_lone(const struct serin_rollout *rollout, const struct serin_members *members);
/* Raises the threshold to cover replacements, or one who is elsewhere, if the stage needs either.
 */
void serin_stage_widen(struct serin_step *step);
/* Offered members that the stage waits for; and those that count for the gate. */
uint32_t serin_tally_waiting(const struct serin_rollout *rollout);
uint32_t serin_tally_resolved(const struct serin_tally *tally);
uint32_t serin_tally_failures(const struct serin_tally *tally);

/* ---- engine_sites.c ---- */

/* Failures of the offered members by site. */
struct serin_cluster {
    uint32_t site;      /* the gateway that most of them stand behind, or SERIN_SITE_DIRECT: none */
    uint32_t failures;  /* behind it */
    uint32_t elsewhere; /* members anywhere else that have resolved */
};
struct serin_cluster serin_sites_cluster(const struct serin_rollout *rollout,
                                         const struct serin_members *members);
/* Whether all failures are the site's and enough members elsewhere are well: then it is the site
 * that is to blame, as far as anyone can tell from here. */
bool serin_cluster_alone(const struct serin_rollout *rollout, const struct serin_cluster *cluster);
/* Whether so many failures are the site's that a reader should know. */
bool serin_cluster_named(const struct serin_rollout *rollout, const struct serin_cluster *cluster);

/* The figures without the gateway behind which most of those stand that resolved. */
struct serin_without {
    uint32_t
        site; /* SERIN_SITE_DIRECT: no gateway's can matter, and the figures are those of all */
    uint32_t resolved, failures; /* of all members but its */
};
/* Walks over the members only where leaving out one gateway could trip the gate. */
struct serin_without serin_sites_without(const struct serin_rollout *rollout,
                                         const struct serin_members *members);

/* A stage behind one gateway, and the threshold at which it no longer is. */
struct serin_lone {
    uint32_t site;
    uint64_t threshold;
};
/* Whether all offered members that `counts` takes stand behind one gateway, and the population has
 * another elsewhere; `*lone` is set only then. */
bool serin_sites_lone(const struct serin_rollout *rollout, const struct serin_members *members,
                      bool (*counts)(const struct serin_member *member), struct serin_lone *lone);

/* ---- engine_members.c ---- */
/* A failure by the gate's books; a member that counts for the gate; and one that can give evidence,
 * being neither silent for too long nor withdrawn. */
bool serin_member_failed(const struct serin_member *member);
bool serin_member_resolved(const struct serin_member *member);
bool serin_member_in_reach(const struct serin_member *member);
/* Moves one member, keeps the books, adds SAVE_MEMBER. False: its state does not allow it. */
bool serin_member_enter(struct serin_step *step, uint32_t index, enum serin_state state,
                        enum serin_reason reason);
/* Raises the threshold and books whom it now covers. */
void serin_members_cover(struct serin_rollout *rollout, const struct serin_members *members,
                         uint64_t threshold);
/* The threshold that offers to `target` members that can still give evidence, or to everyone known.
 */
uint64_t serin_members_threshold(const struct serin_rollout *rollout,
                                 const struct serin_members *members, uint32_t target);
/* Looks at the next SERIN_ENGINE_SWEEP_MAX members for deadlines that have passed. */
void serin_members_sweep(struct serin_step *step);
/* Notes that a deadline will pass when the watch shows `due_ms`. */
void serin_members_due(struct serin_rollout *rollout, uint64_t due_ms);

/* ---- engine_sort.c ---- */
void serin_members_sort(struct serin_members *members);

/* ---- engine_words.c ---- */
void serin_step_audit(struct serin_step *step, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* `what`, and after it the operator's note, if there is one. */
void serin_words_noted(char out[SERIN_ROLLOUT_WHY_MAX], const char *what, const char *note);
/* Room for a gateway's id, or for its number. */
#define SERIN_SITE_TEXT_MAX (SERIN_ID_MAX + 1u)
/* What a site is called. */
void serin_words_site_name(char out[SERIN_SITE_TEXT_MAX], const struct serin_members *members,
                           uint32_t site);
/* Why the gate halted: the figures, the gateway where most of them are from one, the limit and the
 * commonest reason. */
void serin_words_gate(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members);
/* Why the gate paused instead: the gateway, its failures, and what became of the others. */
void serin_words_site(char out[SERIN_ROLLOUT_WHY_MAX], const struct serin_rollout *rollout,
                      const struct serin_members *members, const struct serin_cluster *cluster);

#endif
