/* The sweep over one part (sweep.h). */
#include "sweep.h"

#include "harm.h"
#include "memo.h"

#include <stdio.h>
#include <string.h>

#define STATES      4096u /* left behind by faults of one operation, at most */
#define STEP_MAX    1024u /* operations of one step, at most */
#define LIFE_SEED   1u
#define CRASH_STEPS 6u /* after a cut */

/* The one life: what points into it stays right when it is restored. */
static struct cuts_life life;

/* ---- the uncut life ---- */

static bool begin(const struct cuts_sweep *sweep)
{
    if (!cuts_life_open(&life, sweep->goods, &sweep->geometry, LIFE_SEED)) {
        (void)fprintf(stderr, "%s: %s\n", sweep->geometry.name, life.failure);
        return false;
    }
    return true;
}

/* Learns what each chapter costs. */
static bool live_uncut(struct cuts_sweep *sweep)
{
    if (!begin(sweep)) {
        return false;
    }
    unsigned chapter = 0;
    bool lingers = false;
    while (cuts_life_step(&life)) {
        if (life.chapter != chapter || (life.lingering && !lingers)) {
            sweep->uncut[life.chapter] =
                (struct cuts_uncut){.boots = life.boots, .image_bytes = life.seen.image_bytes};
        }
        chapter = life.chapter;
        lingers = life.lingering;
    }
    bool whole = life.failure == NULL && serin_flash_emulator_breaches(life.emulator) == 0;
    if (!whole) {
        (void)fprintf(stderr, "%s: uncut, in chapter %s: %s (%s)\n", sweep->geometry.name,
                      cuts_story[life.chapter].name, life.failure, life.detail);
    }
    cuts_life_close(&life);
    return whole;
}

/* ---- one point ---- */

/* What faults of one operation leave: those that leave the same are lived once. */
struct states {
    uint64_t prints[STATES];
    unsigned count;
};

static bool is_new(struct states *states, uint64_t print)
{
    for (unsigned i = 0; i < states->count; i++) {
        if (states->prints[i] == print) {
            return false;
        }
    }
    if (states->count < STATES) {
        states->prints[states->count++] = print;
    }
    return true;
}

static uint64_t fired(void)
{
    struct serin_flash_figures figures;
    serin_flash_emulator_figures(life.emulator, &figures);
    return figures.fired;
}

/* Lives on until the point is over. False: after the fault it is what another one left. */
static bool live(struct states *states, unsigned cuts)
{
    bool looked = states == NULL;
    while (cuts_life_step(&life)) {
        if (!looked && life.cuts > cuts) {
            looked = true;
            if (!is_new(states, serin_flash_emulator_fingerprint(life.emulator))) {
                return false;
            }
        }
    }
    return true;
}

static const char not_fired[] = "the fault did not fire";

static void judge_flash(uint64_t expected)
{
    const char *breach = serin_flash_emulator_breach(life.emulator);
    if (life.failure == NULL && fired() != expected) {
        cuts_fail(&life, not_fired, "%llu have", (unsigned long long)fired());
    }
    if (life.failure == NULL && life.event != CUTS_EVENT_NONE && !life.struck) {
        cuts_fail(&life, not_fired, "%s", cuts_event_name(life.event));
    }
    if (breach != NULL) {
        cuts_fail(&life, "a rule of the flash is broken", "%s", breach);
    }
}

static void count_point(struct cuts_sweep *sweep, const struct cuts_point *point, bool real)
{
    struct cuts_totals *totals = sweep->totals;
    totals->points[cuts_geometry_row(&point->geometry)][cuts_point_last(point)->kind]++;
    totals->events[point->event]++;
    totals->singles += point->count == 1 ? 1u : 0u;
    totals->pairs += point->count == 2 ? 1u : 0u;
    totals->real += real ? 1u : 0u;
    totals->cuts += life.cuts;
    totals->boots += life.boots;
    totals->steps += life.steps;
    totals->again_bytes += life.seen.again_bytes;
}

static void find_broken(struct cuts_sweep *sweep, const struct cuts_point *point)
{
    struct cuts_finding finding = {.event = point->event};
    for (unsigned i = 0; i < point->count; i++) {
        finding.faults[i] = point->faults[i];
        bool doubt = cuts_leaves_doubt(&point->faults[i]);
        finding.places[i] = doubt ? point->places[i] : NULL;
    }
    sweep->totals->silent += life.failure == not_fired ? 1u : 0u;
    cuts_point_print(point, finding.replay);
    cuts_totals_find(sweep->totals, &life, &finding);
}

static bool one_in(const struct cuts_sweep *sweep, uint64_t n, uint64_t salt)
{
    return n != 0 && (sweep->tried * UINT64_C(0x9E3779B97F4A7C15) + salt) / 65536u % n == 0;
}

static void set_fault(const struct serin_flash_fault *fault)
{
    cuts_harm(&life, fault);
    if (serin_flash_emulator_arm(life.emulator, fault) != SERIN_OK) {
        cuts_fail(&life, "the fault cannot be set", "%s", life.geometry->name);
    }
}

/* What the life is told of the point before it goes on. */
static void prepare(const struct cuts_point *point)
{
    life.event = point->event;
    life.event_cuts = point->count;
    life.event_step = point->step;
    life.doubts = 0;
    for (unsigned i = 0; i < point->count; i++) {
        life.doubts += cuts_leaves_doubt(&point->faults[i]) ? 1u : 0;
    }
}

/* Lives `point`, whose last fault falls into the step after `saved`. True: its state is new, and
 * all rules held, so that a second fault may follow. */
static bool try_point(struct cuts_sweep *sweep, const struct cuts_saved *saved,
                      struct cuts_point *point, struct states *states)
{
    const struct serin_flash_fault *fault = point->count > 0 ? cuts_point_last(point) : NULL;
    if (!cuts_keys_add(&sweep->keys, point)) {
        sweep->totals->repeated++;
        return false;
    }
    bool real = one_in(sweep, sweep->real_one_in, 1);
    bool whole = point->count == 1 && serin_flash_fault_is_cut(fault) && point->event == 0 &&
                 one_in(sweep, sweep->whole_one_in, 2);
    point->until = whole ? CUTS_CHAPTERS - 1u : point->until;
    sweep->tried++;
    cuts_life_restore(&life, saved);
    life.last = point->until;
    prepare(point);
    uint64_t expected = fired() + (fault != NULL ? 1u : 0u);
    if (fault != NULL) {
        set_fault(fault);
    }
    cuts_crypto_real(real);
    bool lived = live(states, saved->life.cuts);
    cuts_crypto_real(false);
    if (!lived) {
        sweep->totals->merged[cuts_geometry_row(&point->geometry)]++;
        return false;
    }
    judge_flash(expected);
    count_point(sweep, point, real);
    if (life.failure != NULL) {
        find_broken(sweep, point);
        return false;
    }
    return true;
}

/* ---- the walk ---- */

/* One step of a life, with what is needed to live it again. */
struct step {
    struct cuts_saved before, after; /* `after` is empty where nothing was done */
    struct serin_flash_operation operations[STEP_MAX];
    unsigned count;
    bool last, failed; /* the life is over; there is no memory */
    bool spare[2];     /* after it the other slot may take over from A, from B */
};

static void step_take(struct step *step)
{
    step->count = 0;
    step->failed = !cuts_life_save(&life, &step->before);
    uint64_t from = serin_flash_emulator_operations(life.emulator);
    step->last = !cuts_life_step(&life);
    uint64_t to = serin_flash_emulator_operations(life.emulator);
    for (uint64_t n = from; n < to; n++) {
        if (step->count == STEP_MAX ||
            !serin_flash_emulator_operation(life.emulator, n, &step->operations[step->count++])) {
            step->failed = true;
            break;
        }
    }
    if (step->count > 0 && !cuts_life_save(&life, &step->after)) {
        step->failed = true;
    }
    step->spare[0] = cuts_judge_spare(&life, SERIN_SLOT_A);
    step->spare[1] = cuts_judge_spare(&life, SERIN_SLOT_B);
}

/* The life goes on after it. */
static void step_end(struct step *step)
{
    if (step->count > 0) {
        cuts_life_restore(&life, &step->after);
        cuts_saved_close(&step->after);
    }
    cuts_saved_close(&step->before);
}

static unsigned until_of(const struct cuts_saved *saved, unsigned more)
{
    unsigned until = saved->life.chapter + more;
    return until < CUTS_CHAPTERS ? until : CUTS_CHAPTERS - 1u;
}

#define FEW 2u

/* A program that was cut, is whole, and reads so for a while: what follows may rely on it. */
static struct serin_flash_fault weak_fault(const struct serin_flash_operation *operation)
{
    static const enum serin_flash_torn torn[] = {
        SERIN_FLASH_TORN_WEAK_POWER, SERIN_FLASH_TORN_UNSTABLE, SERIN_FLASH_TORN_WEAK_READ};
    enum serin_flash_torn how = torn[operation->number % 3u];
    return (struct serin_flash_fault){.operation = operation->number,
                                      .kind = SERIN_FLASH_FAULT_PROGRAM_NEW,
                                      .at = operation->size - 1u,
                                      .torn = how,
                                      .reads = how == SERIN_FLASH_TORN_WEAK_READ ? 2u : 0};
}

/* After the operation, which is before the next one, and one of the other cuts, drawn. */
static unsigned choose_few(struct cuts_sweep *sweep, const struct serin_flash_operation *operation,
                           struct serin_flash_fault few[FEW])
{
    uint64_t count = serin_flash_fault_count(life.emulator, operation, 1);
    few[0] =
        (struct serin_flash_fault){.operation = operation->number, .kind = SERIN_FLASH_FAULT_AFTER};
    for (unsigned draw = 0; draw < 16; draw++) {
        struct serin_flash_fault *other = &few[1];
        serin_flash_fault_nth(life.emulator, operation, 1, cuts_dice(&sweep->dice) % count, other);
        if (serin_flash_fault_is_cut(other) && other->kind != SERIN_FLASH_FAULT_AFTER) {
            return 2;
        }
    }
    return 1;
}

/* Whether the pairs that are tried have the operation. */
static bool pairs_have(const struct cuts_sweep *sweep,
                       const struct serin_flash_operation *operation)
{
    bool slots = cuts_slot_at(&life, operation->address) != SERIN_SLOT_NONE ||
                 strcmp(cuts_place(&life, operation->address), "scratch") == 0;
    return slots || !sweep->pairs_in_slots;
}

static void try_second(struct cuts_sweep *sweep, const struct cuts_saved *before,
                       const struct cuts_point *first,
                       const struct serin_flash_operation *operation)
{
    struct serin_flash_fault few[FEW];
    if (!pairs_have(sweep, operation)) {
        return;
    }
    unsigned count = choose_few(sweep, operation, few);
    /* Behind a clean first cut both, else one of them by turns. */
    bool clean = first->faults[0].kind == SERIN_FLASH_FAULT_AFTER;
    for (unsigned i = clean ? 0 : (unsigned)(operation->number % count); i < count;
         i += clean ? 1u : FEW) {
        struct cuts_point point = *first;
        point.count = 2;
        point.faults[1] = few[i];
        point.places[1] = cuts_place(&life, operation->address);
        (void)try_point(sweep, before, &point, NULL);
    }
}

/* Walks what follows the first fault, up to its chapter's end, and puts a second one at each
 * operation. */
static void walk_second(struct cuts_sweep *sweep, const struct cuts_saved *saved,
                        const struct cuts_point *first)
{
    static struct step step;
    struct cuts_point point = *first;
    cuts_life_restore(&life, saved);
    life.last = point.until = until_of(saved, 0);
    if (serin_flash_emulator_arm(life.emulator, &first->faults[0]) != SERIN_OK) {
        return; /* it was tried alone before this, and told */
    }
    do {
        bool cut = life.cuts > saved->life.cuts;
        step_take(&step);
        for (unsigned n = 0; cut && !step.failed && n < step.count; n++) {
            try_second(sweep, &step.before, &point, &step.operations[n]);
        }
        step_end(&step);
    } while (!step.last && !step.failed);
}

static void try_single(struct cuts_sweep *sweep, const struct cuts_saved *saved,
                       const struct serin_flash_fault *fault, const char *place,
                       struct states *states)
{
    struct cuts_totals *totals = sweep->totals;
    bool cut = serin_flash_fault_is_cut(fault);
    struct cuts_point point = {.geometry = sweep->geometry,
                               .until = until_of(saved, cut ? 1 : 0),
                               .count = 1,
                               .faults = {*fault},
                               .places = {place}};
    uint64_t before = totals->singles;
    bool holds = try_point(sweep, saved, &point, states);
    bool factory = saved->life.mode == CUTS_FACTORY;
    *(factory ? &totals->factory : &totals->chapters[saved->life.chapter]) +=
        totals->singles - before;
    if (holds && cut && one_in(sweep, sweep->pairs_one_in, 3)) {
        walk_second(sweep, saved, &point);
    }
    bool room = saved->life.chapter + 1u < CUTS_CHAPTERS; /* for steps after the cut */
    if (holds && cut && room && cuts_leaves_doubt(fault) &&
        one_in(sweep, sweep->events_one_in, 4)) {
        point.until = until_of(saved, 1);
        point.event = CUTS_EVENT_CRASH;
        point.step = 2u + (unsigned)(cuts_dice(&sweep->dice) % CRASH_STEPS);
        (void)try_point(sweep, saved, &point, NULL);
    }
}

/* What stands twice is lost twice, before the step of an operation. */
static void try_loss(struct cuts_sweep *sweep, const struct cuts_saved *saved,
                     const struct serin_flash_operation *operation)
{
    static const enum cuts_event events[] = {CUTS_EVENT_LOSE_BOOT_LOG, CUTS_EVENT_ROT_BOOT_LOG,
                                             CUTS_EVENT_LOSE_TRUST};
    if (sweep->events_one_in == 0 || saved->life.mode != CUTS_RUNNING) {
        return;
    }
    struct cuts_point point = {.geometry = sweep->geometry,
                               .until = until_of(saved, 0),
                               .event = events[operation->number % 3u],
                               .step = saved->life.steps};
    (void)try_point(sweep, saved, &point, NULL);
}

/* Whether two slots help once the step is over: it may be the one that gives the other slot up, or
 * lets it rot. */
static bool may_rot(const struct cuts_life *before, const struct step *step, bool fresh,
                    const struct serin_flash_fault *rot)
{
    for (unsigned n = 0; n < step->count && !fresh; n++) {
        const struct serin_flash_operation *operation = &step->operations[n];
        if (rot->at >= operation->address && rot->at - operation->address < operation->size) {
            return false; /* what was drawn may be erased by then */
        }
    }
    enum serin_slot slot = cuts_slot_needs(before, rot->at);
    return slot == SERIN_SLOT_NONE || step->spare[slot - 1];
}

/* Bits that flip before the step of an operation, and in what it programs, wherever two slots help.
 */
static void try_rots(struct cuts_sweep *sweep, const struct step *step,
                     const struct serin_flash_operation *operation)
{
    const struct cuts_saved *saved = &step->before;
    struct serin_flash_fault rot;
    struct cuts_point point = {.geometry = sweep->geometry,
                               .until = until_of(saved, 0),
                               .step = saved->life.steps,
                               .count = 1};
    for (unsigned i = 0; i < sweep->rots; i++) {
        cuts_life_restore(&life, saved);
        if (cuts_rot_draw(&life, operation, i % 2u != 0, &sweep->dice, &rot) &&
            may_rot(&life, step, i % 2u != 0, &rot)) {
            point.faults[0] = rot;
            point.places[0] = cuts_place(&life, rot.at);
            (void)try_point(sweep, saved, &point, NULL);
        }
    }
}

/* All chosen faults of one operation, and after some of them a second. */
static void try_operation(struct cuts_sweep *sweep, const struct step *step,
                          const struct serin_flash_operation *operation)
{
    const struct cuts_saved *saved = &step->before;
    static struct serin_flash_fault chosen[CUTS_CHOSEN_MAX];
    static struct states states;
    unsigned count = cuts_choose(life.emulator, operation, &sweep->quota, chosen);
    const char *place = cuts_place(&life, operation->address);
    states.count = 0;
    for (unsigned i = 0; i < count; i++) {
        try_single(sweep, saved, &chosen[i], place, &states);
    }
    if (operation->kind == SERIN_FLASH_PROGRAM) {
        /* Whole, and it fades with the power: a drawn place is seldom the last one. */
        struct serin_flash_fault fades = weak_fault(operation);
        fades.torn = SERIN_FLASH_TORN_WEAK_POWER;
        fades.reads = 0;
        try_single(sweep, saved, &fades, place, &states);
    }
    try_rots(sweep, step, operation);
    try_loss(sweep, saved, operation);
    struct serin_flash_fault few[FEW];
    unsigned firsts = 0;
    bool told = sweep->pairs_in_slots && cuts_story[saved->life.chapter].like_another;
    if (sweep->all_pairs && !told && pairs_have(sweep, operation)) {
        firsts = choose_few(sweep, operation, few);
        bool weak = sweep->pairs_in_slots || operation->number % 3u == 0;
        if (operation->kind == SERIN_FLASH_PROGRAM && weak) {
            firsts = 2;
            few[1] = weak_fault(operation); /* in the place of the drawn one */
        }
    }
    for (unsigned i = 0; i < firsts; i++) {
        struct cuts_point point = {
            .geometry = sweep->geometry, .count = 1, .faults = {few[i]}, .places = {place}};
        walk_second(sweep, saved, &point);
    }
}

bool cuts_sweep_part(struct cuts_sweep *sweep, const struct cuts_geometry *geometry)
{
    static struct step step;
    sweep->geometry = *geometry;
    if (!live_uncut(sweep) || !begin(sweep)) {
        return false;
    }
    life.uncut = sweep->uncut;
    bool goes_on = true;
    do {
        step_take(&step);
        for (unsigned n = 0; n < step.count && !step.failed && goes_on; n++) {
            bool wanted =
                sweep->chapter == CUTS_CHAPTERS || (step.before.life.mode != CUTS_FACTORY &&
                                                    step.before.life.chapter == sweep->chapter);
            if (wanted && step.operations[n].number % sweep->jobs == sweep->job) {
                try_operation(sweep, &step, &step.operations[n]);
            }
            goes_on = sweep->go_on(sweep->ctx);
        }
        step_end(&step);
    } while (!step.last && !step.failed && goes_on);
    cuts_life_close(&life);
    return !step.failed;
}

/* Tells the operations of one step. */
static void tell_step(uint64_t from)
{
    struct serin_flash_operation operation;
    uint64_t to = serin_flash_emulator_operations(life.emulator);
    for (uint64_t n = from; n < to; n++) {
        if (serin_flash_emulator_operation(life.emulator, n, &operation)) {
            (void)printf("    operation %llu: %s %u bytes at %u, %s\n", (unsigned long long)n,
                         operation.kind == SERIN_FLASH_PROGRAM ? "program" : "erase",
                         operation.size, operation.address, cuts_place(&life, operation.address));
        }
    }
}

bool cuts_sweep_replay(struct cuts_sweep *sweep, const struct cuts_point *point)
{
    sweep->geometry = point->geometry;
    if (!live_uncut(sweep) || !begin(sweep)) {
        return false;
    }
    life.uncut = sweep->uncut;
    life.last = point->until;
    life.telling = true;
    prepare(point);
    /* Rot strikes when the step begins, not at the end of the operation before it. */
    bool late = point->step != 0 && point->event == CUTS_EVENT_NONE;
    for (unsigned i = 0; i < point->count && !late; i++) {
        set_fault(&point->faults[i]);
    }
    uint64_t told = 0;
    for (bool on = true; on;) {
        if (late && life.steps == point->step) {
            set_fault(&point->faults[0]);
        }
        on = cuts_life_step(&life);
        tell_step(told);
        told = serin_flash_emulator_operations(life.emulator);
    }
    judge_flash(point->count);
    bool held = life.failure == NULL;
    if (held) {
        (void)printf("every rule held\n");
    } else {
        (void)printf("BROKEN: %s (%s), in chapter %s\n", life.failure, life.detail,
                     cuts_story[life.chapter].name);
    }
    cuts_life_close(&life);
    return held;
}
