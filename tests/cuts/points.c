/* Points of the sweep (points.h). */
#include "points.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEPS_MAX 100000u

#define KINDS SERIN_FLASH_FAULT_KIND_COUNT
#define TORNS SERIN_FLASH_TORN_COUNT
#define AGAIN SERIN_FLASH_AGAIN_COUNT

/* ---- the line ---- */

static const char *const event_names[CUTS_EVENTS] = {
    [CUTS_EVENT_NONE] = "none",
    [CUTS_EVENT_CRASH] = "crash",
    [CUTS_EVENT_LOSE_BOOT_LOG] = "lose-boot-log",
    [CUTS_EVENT_ROT_BOOT_LOG] = "rot-boot-log",
    [CUTS_EVENT_LOSE_TRUST] = "lose-trust",
};

const char *cuts_event_name(enum cuts_event event)
{
    return event_names[event];
}

static bool event_named(const char *name, enum cuts_event *event)
{
    for (unsigned i = CUTS_EVENT_CRASH; i < CUTS_EVENTS; i++) {
        if (strcmp(name, event_names[i]) == 0) {
            *event = (enum cuts_event)i;
            return true;
        }
    }
    return false;
}

const struct serin_flash_fault *cuts_point_last(const struct cuts_point *point)
{
    return &point->faults[point->count > 0 ? point->count - 1u : 0];
}

void cuts_point_print(const struct cuts_point *point, char line[CUTS_REPLAY_MAX])
{
    char text[SERIN_FLASH_FAULT_TEXT_MAX];
    int used =
        snprintf(line, CUTS_REPLAY_MAX, "part=%s until=%u", point->geometry.name, point->until);
    if (point->step != 0) {
        used += snprintf(line + used, CUTS_REPLAY_MAX - (size_t)used, " step=%u", point->step);
    }
    if (point->event != CUTS_EVENT_NONE) {
        used += snprintf(line + used, CUTS_REPLAY_MAX - (size_t)used, " event=%s",
                         event_names[point->event]);
    }
    for (unsigned i = 0; i < point->count; i++) {
        serin_flash_fault_print(&point->faults[i], text);
        used += snprintf(line + used, CUTS_REPLAY_MAX - (size_t)used, "%s%s", i == 0 ? " " : " | ",
                         text);
    }
}

bool cuts_line_word(const char **line, const char *word, char *value, size_t size)
{
    size_t begins = strlen(word);
    if (strncmp(*line, word, begins) != 0) {
        return false;
    }
    const char *from = *line + begins;
    size_t count = strcspn(from, " ");
    if (count == 0 || count >= size || from[count] != ' ') {
        return false;
    }
    memcpy(value, from, count);
    value[count] = '\0';
    *line = from + count + 1u;
    return true;
}

bool cuts_line_number(const char **line, const char *word, unsigned long most, unsigned *number)
{
    char digits[12], *end = NULL;
    if (!cuts_line_word(line, word, digits, sizeof digits)) {
        return false;
    }
    unsigned long value = strtoul(digits, &end, 10);
    *number = (unsigned)value;
    return *end == '\0' && value <= most;
}

/* What stands before the faults. `*line` is what is left. */
static bool head_parse(const char **line, struct cuts_point *point)
{
    char name[CUTS_NAME], event[24];
    if (!cuts_line_word(line, "part=", name, sizeof name) ||
        !cuts_line_number(line, "until=", CUTS_CHAPTERS - 1u, &point->until) ||
        !cuts_geometry_named(name, &point->geometry)) {
        return false;
    }
    (void)cuts_line_number(line, "step=", STEPS_MAX, &point->step);
    return !cuts_line_word(line, "event=", event, sizeof event) ||
           event_named(event, &point->event);
}

bool cuts_point_parse(const char *line, struct cuts_point *point)
{
    char whole[CUTS_REPLAY_MAX], text[CUTS_REPLAY_MAX];
    const char *rest = whole;
    memset(point, 0, sizeof *point);
    int size = snprintf(whole, sizeof whole, "%s ", line); /* each word ends with a space */
    if (size < 0 || (size_t)size >= sizeof whole || !head_parse(&rest, point)) {
        return false;
    }
    (void)snprintf(text, sizeof text, "%.*s", (int)(strlen(rest) > 0 ? strlen(rest) - 1u : 0),
                   rest);
    for (char *at = text[0] != '\0' ? text : NULL; at != NULL && point->count < 2;) {
        char *bar = strstr(at, " | ");
        if (bar != NULL) {
            *bar = '\0';
        }
        if (serin_flash_fault_parse(at, &point->faults[point->count++]) != SERIN_OK) {
            return false;
        }
        at = bar == NULL ? NULL : bar + 3;
    }
    return point->count > 0 || point->event > CUTS_EVENT_CRASH;
}

/* ---- the set ---- */

static uint64_t fold(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
    return hash ^ hash >> 31;
}

static uint64_t key_of(const struct cuts_point *point)
{
    const struct cuts_geometry *part = &point->geometry;
    uint64_t hash = fold(part->sector, (uint64_t)part->unit << 32 | (uint64_t)part->erased << 16 |
                                           (part->and ? 2u : 0u) | (part->ecc ? 1u : 0u));
    hash = fold(hash, part->size);
    for (unsigned i = 0; i < CUTS_RUNS; i++) {
        hash = fold(hash, (uint64_t)part->runs[i].count << 32 | part->runs[i].size);
    }
    hash = fold(hash, (uint64_t)point->event << 32 | point->step);
    for (unsigned i = 0; i < point->count; i++) {
        const struct serin_flash_fault *fault = &point->faults[i];
        hash = fold(hash, fault->operation);
        hash = fold(hash, (uint64_t)fault->kind << 48 | (uint64_t)fault->torn << 40 |
                              (uint64_t)fault->again << 32 | fault->at);
        hash = fold(hash, (uint64_t)fault->reads << 8 | fault->mask);
        hash = fold(hash, fault->seed);
    }
    return hash | 1u; /* 0 is an empty place */
}

bool cuts_keys_open(struct cuts_keys *set, size_t capacity)
{
    *set = (struct cuts_keys){.capacity = capacity};
    set->keys = calloc(capacity, sizeof *set->keys);
    return set->keys != NULL;
}

void cuts_keys_close(struct cuts_keys *set)
{
    free(set->keys);
    set->keys = NULL;
}

bool cuts_keys_add(struct cuts_keys *set, const struct cuts_point *point)
{
    uint64_t key = key_of(point);
    if (set->count >= set->capacity / 4u * 3u) {
        memset(set->keys, 0, set->capacity * sizeof *set->keys);
        set->count = 0;
        set->forgotten++;
    }
    size_t at = (size_t)(key >> 7) & (set->capacity - 1u);
    while (set->keys[at] != 0) {
        if (set->keys[at] == key) {
            return false;
        }
        at = (at + 1u) & (set->capacity - 1u);
    }
    set->keys[at] = key;
    set->count++;
    return true;
}

/* ---- which faults of an operation ---- */

/* Faults that differ in place and contents only. */
struct classes {
    uint32_t count[KINDS][TORNS][AGAIN]; /* how many there are */
    uint32_t seen[KINDS][TORNS][AGAIN];
};

static bool is_prefix(const struct serin_flash_fault *fault)
{
    return fault->kind == SERIN_FLASH_FAULT_PROGRAM_PREFIX &&
           fault->torn == SERIN_FLASH_TORN_STABLE && fault->again == SERIN_FLASH_AGAIN_REFUSED;
}

/* How many of the faults like this one are tried. */
static uint64_t quota_of(const struct cuts_quota *quota, const struct serin_flash_fault *fault,
                         uint64_t salt)
{
    if (fault->kind == SERIN_FLASH_FAULT_BEFORE || fault->kind == SERIN_FLASH_FAULT_AFTER) {
        return 1;
    }
    if (is_prefix(fault)) {
        return quota->prefixes;
    }
    return salt / 1024u % quota->one_in == 0 ? quota->each : 0;
}

/* Whether the next of `count` is one of `wanted` evenly spaced ones, moved by `salt`. */
static bool is_chosen(uint64_t index, uint64_t count, uint64_t wanted, uint64_t salt)
{
    if (wanted == 0 || wanted >= count) {
        return wanted > 0;
    }
    uint64_t moved = (index + salt) % count;
    return moved * wanted / count != (moved + count - 1u) % count * wanted / count || moved == 0;
}

unsigned cuts_choose(const struct serin_flash_emulator *emulator,
                     const struct serin_flash_operation *operation, const struct cuts_quota *quota,
                     struct serin_flash_fault *chosen)
{
    static struct classes classes;
    struct serin_flash_fault fault;
    uint64_t total = serin_flash_fault_count(emulator, operation, 1);
    unsigned taken = 0;
    memset(&classes, 0, sizeof classes);
    for (uint64_t i = 0; i < total; i++) {
        serin_flash_fault_nth(emulator, operation, 1, i, &fault);
        classes.count[fault.kind][fault.torn][fault.again]++;
    }
    for (uint64_t i = 0; i < total && taken < CUTS_CHOSEN_MAX; i++) {
        serin_flash_fault_nth(emulator, operation, 1, i, &fault);
        uint32_t count = classes.count[fault.kind][fault.torn][fault.again];
        uint32_t index = classes.seen[fault.kind][fault.torn][fault.again]++;
        uint64_t class = (uint64_t)fault.kind << 16 | (uint64_t)fault.torn << 8 | fault.again;
        uint64_t salt = fold(fold(quota->salt, class), operation->number);
        if (is_chosen(index, count, quota_of(quota, &fault, salt), salt % count)) {
            chosen[taken++] = fault;
        }
    }
    return taken;
}
