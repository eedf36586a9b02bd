/*
 * The replay line of a fault, and which fields belong to which kind.
 *
 *   line  = "operation=" number " kind=" kind [" at=" number] [" torn=" torn] [" reads=" number]
 *           [" again=" again] [" mask=" number] [" seed=" number]
 */
#include "emulator_internal.h"

#include <serin/assert.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Fields that a kind has beside `operation`. */
#define HAS_AT   1u
#define HAS_TORN 2u /* torn, reads, again, seed */
#define HAS_MASK 4u

struct kind_row {
    const char *name;
    unsigned fields;
};

static const struct kind_row kinds[SERIN_FLASH_FAULT_KIND_COUNT] = {
    [SERIN_FLASH_FAULT_NONE] = {"none", 0},
    [SERIN_FLASH_FAULT_BEFORE] = {"before", 0},
    [SERIN_FLASH_FAULT_AFTER] = {"after", 0},
    [SERIN_FLASH_FAULT_INSIDE] = {"inside", 0},
    [SERIN_FLASH_FAULT_PROGRAM_PREFIX] = {"program-prefix", HAS_AT | HAS_TORN},
    [SERIN_FLASH_FAULT_PROGRAM_NEW] = {"program-new", HAS_AT | HAS_TORN},
    [SERIN_FLASH_FAULT_PROGRAM_SUBSET] = {"program-subset", HAS_AT | HAS_TORN},
    [SERIN_FLASH_FAULT_PROGRAM_SCATTER] = {"program-scatter", HAS_TORN},
    [SERIN_FLASH_FAULT_ERASE_PART] = {"erase-part", HAS_AT},
    [SERIN_FLASH_FAULT_ERASE_OLD] = {"erase-old", HAS_AT | HAS_TORN},
    [SERIN_FLASH_FAULT_ERASE_ERASED] = {"erase-erased", HAS_AT | HAS_TORN},
    [SERIN_FLASH_FAULT_ERASE_HALF] = {"erase-half", HAS_AT | HAS_TORN},
    [SERIN_FLASH_FAULT_ERASE_GARBAGE] = {"erase-garbage", HAS_AT | HAS_TORN},
    [SERIN_FLASH_FAULT_ERASE_MIX] = {"erase-mix", HAS_AT | HAS_TORN},
    [SERIN_FLASH_FAULT_FAILS] = {"fails", 0},
    [SERIN_FLASH_FAULT_FAILS_DONE] = {"fails-done", 0},
    [SERIN_FLASH_FAULT_ROT] = {"rot", HAS_AT | HAS_TORN | HAS_MASK},
};

static const char *const torn_names[SERIN_FLASH_TORN_COUNT] = {
    [SERIN_FLASH_TORN_STABLE] = "stable",
    [SERIN_FLASH_TORN_FAULTING] = "faulting",
    [SERIN_FLASH_TORN_UNSTABLE] = "unstable",
    [SERIN_FLASH_TORN_WEAK_READ] = "weak-read",
    [SERIN_FLASH_TORN_WEAK_POWER] = "weak-power"};

static const char *const again_names[SERIN_FLASH_AGAIN_COUNT] = {
    [SERIN_FLASH_AGAIN_REFUSED] = "refused",
    [SERIN_FLASH_AGAIN_UNSTABLE] = "unstable",
    [SERIN_FLASH_AGAIN_FINE] = "fine"};

const char *serin_flash_fault_name(enum serin_flash_fault_kind kind)
{
    SERIN_ASSERT((unsigned)kind < SERIN_FLASH_FAULT_KIND_COUNT);
    return kinds[kind].name;
}

bool serin_flash_fault_is_cut(const struct serin_flash_fault *fault)
{
    return fault->kind >= SERIN_FLASH_FAULT_BEFORE && fault->kind <= SERIN_FLASH_FAULT_ERASE_MIX;
}

bool emulator_fault_valid(const struct serin_flash_fault *fault)
{
    if ((unsigned)fault->kind >= SERIN_FLASH_FAULT_KIND_COUNT ||
        (unsigned)fault->torn >= SERIN_FLASH_TORN_COUNT ||
        (unsigned)fault->again >= SERIN_FLASH_AGAIN_COUNT || fault->reads > UINT8_MAX) {
        return false;
    }
    unsigned fields = kinds[fault->kind].fields;
    bool weak_read = fault->torn == SERIN_FLASH_TORN_WEAK_READ;
    bool plain = fault->torn == SERIN_FLASH_TORN_STABLE &&
                 fault->again == SERIN_FLASH_AGAIN_REFUSED && fault->seed == 0;
    return ((fields & HAS_AT) != 0 || fault->at == 0) && ((fields & HAS_TORN) != 0 || plain) &&
           ((fields & HAS_MASK) != 0) == (fault->mask != 0) && weak_read == (fault->reads > 0);
}

/* ---- printing ---- */

struct line {
    char *text;
    size_t used;
};

static void put(struct line *line, const char *key, const char *value)
{
    size_t room = SERIN_FLASH_FAULT_TEXT_MAX - line->used;
    int more =
        snprintf(line->text + line->used, room, "%s%s=%s", line->used > 0 ? " " : "", key, value);
    SERIN_ASSERT(more > 0 && (size_t)more < room);
    line->used += (size_t)more;
}

static void put_number(struct line *line, const char *key, uint64_t value)
{
    char digits[24];
    (void)snprintf(digits, sizeof digits, "%" PRIu64, value);
    put(line, key, digits);
}

void serin_flash_fault_print(const struct serin_flash_fault *fault, char *text)
{
    struct line line = {.text = text};
    SERIN_ASSERT(emulator_fault_valid(fault));
    text[0] = '\0';
    put_number(&line, "operation", fault->operation);
    put(&line, "kind", kinds[fault->kind].name);
    if (fault->at > 0) {
        put_number(&line, "at", fault->at);
    }
    if (fault->torn != SERIN_FLASH_TORN_STABLE) {
        put(&line, "torn", torn_names[fault->torn]);
    }
    if (fault->reads > 0) {
        put_number(&line, "reads", fault->reads);
    }
    if (fault->again != SERIN_FLASH_AGAIN_REFUSED) {
        put(&line, "again", again_names[fault->again]);
    }
    if (fault->mask > 0) {
        put_number(&line, "mask", fault->mask);
    }
    if (fault->seed > 0) {
        put_number(&line, "seed", fault->seed);
    }
}

/* ---- parsing ---- */

/* Takes "key=" at `*text`, after a space unless `first`, and the word after it. */
static bool take(const char **text, const char *key, bool first, char word[32])
{
    const char *at = *text;
    size_t size = strlen(key);
    if (!first) {
        if (*at != ' ') {
            return false;
        }
        at++;
    }
    if (strncmp(at, key, size) != 0 || at[size] != '=') {
        return false;
    }
    at += size + 1u;
    size_t length = strcspn(at, " ");
    if (length == 0 || length >= 32u) {
        return false;
    }
    memcpy(word, at, length);
    word[length] = '\0';
    *text = at + length;
    return true;
}

/* Decimal digits without leading zeros, up to `most`. */
static bool number(const char *word, uint64_t most, uint64_t *value)
{
    uint64_t sum = 0;
    if (word[0] == '0' && word[1] != '\0') {
        return false;
    }
    for (; *word != '\0'; word++) {
        unsigned digit = (unsigned)*word - (unsigned)'0';
        if (digit > 9u || sum > (most - digit) / 10u) {
            return false;
        }
        sum = sum * 10u + digit;
    }
    *value = sum;
    return sum <= most;
}

static bool named(const char *word, const char *const *names, unsigned count, unsigned *index)
{
    for (*index = 0; *index < count; ++*index) {
        if (strcmp(word, names[*index]) == 0) {
            return true;
        }
    }
    return false;
}

static bool kind_of(const char *word, enum serin_flash_fault_kind *kind)
{
    for (unsigned i = 0; i < SERIN_FLASH_FAULT_KIND_COUNT; i++) {
        if (strcmp(word, kinds[i].name) == 0) {
            *kind = (enum serin_flash_fault_kind)i;
            return true;
        }
    }
    return false;
}

/* A word that may be missing: 0 then. One that is there must not be 0: it would not be printed. */
static bool take_number(const char **text, const char *key, uint64_t most, uint64_t *value)
{
    char word[32];
    *value = 0;
    return !take(text, key, false, word) || (number(word, most, value) && *value > 0);
}

static bool take_name(const char **text, const char *key, const char *const *names, unsigned count,
                      unsigned *index)
{
    char word[32];
    *index = 0;
    return !take(text, key, false, word) || (named(word, names, count, index) && *index > 0);
}

static bool parse(const char *text, struct serin_flash_fault *fault)
{
    char word[32];
    uint64_t at, reads, mask;
    unsigned torn, again;
    if (!take(&text, "operation", true, word) || !number(word, UINT64_MAX, &fault->operation) ||
        !take(&text, "kind", false, word) || !kind_of(word, &fault->kind) ||
        !take_number(&text, "at", UINT32_MAX, &at) ||
        !take_name(&text, "torn", torn_names, SERIN_FLASH_TORN_COUNT, &torn) ||
        !take_number(&text, "reads", UINT8_MAX, &reads) ||
        !take_name(&text, "again", again_names, SERIN_FLASH_AGAIN_COUNT, &again) ||
        !take_number(&text, "mask", UINT8_MAX, &mask) ||
        !take_number(&text, "seed", UINT64_MAX, &fault->seed) || *text != '\0') {
        return false;
    }
    fault->at = (uint32_t)at;
    fault->torn = (enum serin_flash_torn)torn;
    fault->reads = (uint32_t)reads;
    fault->again = (enum serin_flash_again)again;
    fault->mask = (uint8_t)mask;
    return emulator_fault_valid(fault);
}

enum serin_error serin_flash_fault_parse(const char *text, struct serin_flash_fault *fault)
{
    *fault = (struct serin_flash_fault){0};
    if (!parse(text, fault)) {
        *fault = (struct serin_flash_fault){0};
        return SERIN_ERR_INVALID;
    }
    return SERIN_OK;
}
