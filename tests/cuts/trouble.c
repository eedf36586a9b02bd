/* Trouble that passes (trouble.h). */
#include "trouble.h"

#include "harm.h"
#include "points.h"

#include <stdio.h>
#include <string.h>

#define MILLION   1000000u
#define DARK_MORE 10u /* steps are fewer than operations */
#define LIFE_SEED 1u
#define CALM_FROM 8u /* the chapter "last": a release that nothing has struck before */

/* The device's flash as its bootloader and its agent see it. The judge has the flash itself. */
struct troubled {
    struct serin_flash flash; /* its ctx is this struct */
    const struct serin_flash *real;
    const struct cuts_trouble *trouble;
    uint64_t dice;
    uint64_t hits;
    struct serin_region dark; /* in step `step`; size 0: none is */
    unsigned step;
    struct cuts_life *life;
};

static struct cuts_life life;
static struct troubled troubled;
static struct serin_boot boot; /* the agent's */

/* ---- flash in trouble ---- */

static void tell_strike(const struct cuts_life *of, unsigned kind, uint32_t address)
{
    const char *what = kind == CUTS_TROUBLE_FLIP      ? "a bit is read wrong"
                       : kind == CUTS_TROUBLE_READ    ? "a reading fails"
                       : kind == CUTS_TROUBLE_PROGRAM ? "a program fails"
                       : kind == CUTS_TROUBLE_ERASE   ? "an erase fails"
                                                      : "all is dark";
    if (of->telling) {
        (void)printf("    trouble%s: %s at %u, %s\n", of->booting ? " of the bootloader" : "", what,
                     address, cuts_place(of, address));
    }
}

/* Whether an operation of this kind at `address` goes wrong now. */
static bool strikes(struct troubled *self, unsigned kind, uint32_t address)
{
    struct cuts_life *of = self->life;
    bool reading = kind == CUTS_TROUBLE_FLIP || kind == CUTS_TROUBLE_READ;
    if (of->booting && reading && of->strikes - of->strikes_before >= CUTS_GLANCES) {
        return false;
    }
    unsigned more = kind == CUTS_TROUBLE_DARK ? DARK_MORE : 1u;
    if ((self->trouble->kinds & kind) == 0 || of->chapter >= of->calm ||
        cuts_dice(&self->dice) % MILLION >= (uint64_t)self->trouble->ppm * more) {
        return false;
    }
    self->hits++;
    of->harmed = true;
    of->strikes += reading ? 1u : 0;
    tell_strike(of, kind, address);
    return true;
}

/* Whether `address` lies in the region that is dark in this step; drawn at its first reading. */
static bool is_dark(struct troubled *self, uint32_t address)
{
    const struct serin_layout *layout = &self->life->layout;
    const struct serin_region regions[] = {layout->boot_log, layout->trust,   layout->agent_log,
                                           layout->scratch,  layout->slot[0], layout->slot[1]};
    if (self->step != self->life->steps) {
        self->step = self->life->steps;
        self->dark.size = 0;
        struct serin_region region = regions[cuts_dice(&self->dice) % 6u];
        if (strikes(self, CUTS_TROUBLE_DARK, region.address)) {
            self->dark = region;
        }
    }
    bool dark = address >= self->dark.address && address - self->dark.address < self->dark.size;
    if (dark && self->life->booting) {
        /* A slot that the bootloader cannot read gives way to the other: no trouble that passes. */
        if (cuts_slot_at(self->life, address) != SERIN_SLOT_NONE) {
            return false;
        }
        self->life->dim = true;
    }
    return dark;
}

static enum serin_error troubled_read(void *ctx, uint32_t address, void *out, size_t size)
{
    struct troubled *self = ctx;
    if (is_dark(self, address) || strikes(self, CUTS_TROUBLE_READ, address)) {
        return SERIN_ERR_FLASH;
    }
    enum serin_error error = self->real->ops->read(self->real->ctx, address, out, size);
    if (error == SERIN_OK && size > 0 && strikes(self, CUTS_TROUBLE_FLIP, address)) {
        uint64_t bit = cuts_dice(&self->dice) % (8u * size);
        ((uint8_t *)out)[bit / 8u] ^= (uint8_t)(1u << bit % 8u);
    }
    return error;
}

static enum serin_error troubled_program(void *ctx, uint32_t address, const void *data, size_t size)
{
    struct troubled *self = ctx;
    return strikes(self, CUTS_TROUBLE_PROGRAM, address)
               ? SERIN_ERR_FLASH
               : self->real->ops->program(self->real->ctx, address, data, size);
}

static enum serin_error troubled_erase(void *ctx, uint32_t address, size_t size)
{
    struct troubled *self = ctx;
    return strikes(self, CUTS_TROUBLE_ERASE, address)
               ? SERIN_ERR_FLASH
               : self->real->ops->erase(self->real->ctx, address, size);
}

/* ---- a life ---- */

void cuts_trouble_draw(const struct cuts_geometry *geometry, uint32_t seed,
                       struct cuts_trouble *trouble)
{
    static const unsigned rates[] = {300, 1000, 3000};
    uint64_t dice = (uint64_t)seed * 7919u + 13u;
    for (unsigned i = 0; i < 8u; i++) {
        (void)cuts_dice(&dice);
    }
    *trouble = (struct cuts_trouble){.geometry = *geometry,
                                     .seed = seed,
                                     .kinds = 1u + (unsigned)(cuts_dice(&dice) % CUTS_TROUBLE_ALL),
                                     .ppm = rates[cuts_dice(&dice) % 3u]};
}

static bool begin(const struct cuts_goods *goods, const struct cuts_trouble *trouble)
{
    static const struct serin_flash_ops ops = {
        .read = troubled_read, .program = troubled_program, .erase = troubled_erase};
    if (!cuts_life_open(&life, goods, &trouble->geometry, LIFE_SEED)) {
        (void)fprintf(stderr, "%s: %s\n", trouble->geometry.name, life.failure);
        return false;
    }
    troubled = (struct troubled){.flash = *life.boot.flash,
                                 .real = life.boot.flash,
                                 .trouble = trouble,
                                 .dice = (uint64_t)trouble->seed * 7919u + 17u,
                                 .life = &life};
    for (unsigned i = 0; i < 8u; i++) {
        (void)cuts_dice(&troubled.dice);
    }
    troubled.flash.ops = &ops;
    troubled.flash.ctx = &troubled;
    boot = life.boot;
    boot.flash = &troubled.flash;
    life.config.boot = &boot;
    life.bootloader = &boot;
    life.harm_armed = true;
    life.calm = CALM_FROM;
    return true;
}

static void finish(void)
{
    while (cuts_life_step(&life)) {
    }
    const char *breach = serin_flash_emulator_breach(life.emulator);
    if (breach != NULL) {
        cuts_fail(&life, "a rule of the flash is broken", "%s", breach);
    }
    cuts_life_close(&life);
}

bool cuts_trouble_live(const struct cuts_goods *goods, const struct cuts_trouble *trouble,
                       struct cuts_totals *totals)
{
    if (!begin(goods, trouble)) {
        return false;
    }
    finish();
    totals->lives++;
    totals->lives_struck += troubled.hits > 0 ? 1u : 0u;
    totals->hits += troubled.hits;
    totals->boots += life.boots;
    totals->steps += life.steps;
    if (life.failure != NULL) {
        struct cuts_finding finding = {.trouble = true};
        (void)snprintf(finding.replay, sizeof finding.replay, "part=%s trouble=%u kinds=%u ppm=%u",
                       trouble->geometry.name, trouble->seed, trouble->kinds, trouble->ppm);
        cuts_totals_find(totals, &life, &finding);
    }
    return true;
}

bool cuts_trouble_parse(const char *line, struct cuts_trouble *trouble)
{
    char whole[CUTS_REPLAY_MAX], name[CUTS_NAME];
    const char *rest = whole;
    unsigned seed = 0;
    memset(trouble, 0, sizeof *trouble);
    int size = snprintf(whole, sizeof whole, "%s ", line); /* each word ends with a space */
    bool good = size > 0 && (size_t)size < sizeof whole &&
                cuts_line_word(&rest, "part=", name, sizeof name) &&
                cuts_geometry_named(name, &trouble->geometry) &&
                cuts_line_number(&rest, "trouble=", UINT32_MAX, &seed) &&
                cuts_line_number(&rest, "kinds=", CUTS_TROUBLE_ALL, &trouble->kinds) &&
                cuts_line_number(&rest, "ppm=", MILLION, &trouble->ppm) && *rest == '\0';
    trouble->seed = seed;
    return good && trouble->kinds != 0;
}

bool cuts_trouble_replay(const struct cuts_goods *goods, const struct cuts_trouble *trouble)
{
    if (!begin(goods, trouble)) {
        return false;
    }
    life.telling = true;
    finish();
    (void)printf("%llu operations went wrong\n", (unsigned long long)troubled.hits);
    if (life.failure == NULL) {
        (void)printf("every rule held\n");
    } else {
        (void)printf("BROKEN: %s (%s), in chapter %s\n", life.failure, life.detail,
                     cuts_story[life.chapter].name);
    }
    return life.failure == NULL;
}
