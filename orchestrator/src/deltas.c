/* Which patches a rollout is worth (serin/orchestrator/deltas.h). */
#include <serin/orchestrator/deltas.h>

#include <string.h>

/* What was chosen so far: the base at the end has the fewest devices. */
struct choice {
    size_t count;
    struct serin_deltas_run bases[SERIN_DELTAS_BASES_MAX];
};

static uint64_t devices(const struct serin_deltas_run *run)
{
    return (uint64_t)run->best_count + run->small_count;
}

static bool same_image(const struct serin_manifest *a, const struct serin_manifest *b)
{
    return memcmp(a->image_sha256, b->image_sha256, SERIN_SHA256_SIZE) == 0;
}

static bool leads_to(const struct serin_manifest *base, const struct serin_manifest *target)
{
    return strcmp(base->vendor, target->vendor) == 0 &&
           strcmp(base->product, target->product) == 0 &&
           strcmp(base->component, target->component) == 0 && base->hw_min <= target->hw_max &&
           target->hw_min <= base->hw_max && base->version.major == target->version.major &&
           !same_image(base, target);
}

/* Whether a stands before b; the hash decides between equals, so that the order in which the store
 * lists releases does not. */
static bool before(const struct serin_deltas_run *a, const struct serin_deltas_run *b)
{
    if (devices(a) != devices(b)) {
        return devices(a) > devices(b);
    }
    return memcmp(a->manifest->image_sha256, b->manifest->image_sha256, SERIN_SHA256_SIZE) < 0;
}

static uint32_t add(uint32_t a, uint32_t b)
{
    return a > UINT32_MAX - b ? UINT32_MAX : a + b;
}

/* All devices that run the image of runs[index]; false: an earlier run has the same image. */
static bool gather(const struct serin_manifest *target, const struct serin_deltas_run *runs,
                   size_t run_count, size_t index, struct serin_deltas_run *base)
{
    *base = (struct serin_deltas_run){.manifest = runs[index].manifest};
    for (size_t i = 0; i < run_count; i++) {
        if (!leads_to(runs[i].manifest, target) || !same_image(runs[i].manifest, base->manifest)) {
            continue;
        }
        if (i < index) {
            return false;
        }
        base->best_count = add(base->best_count, runs[i].best_count);
        base->small_count = add(base->small_count, runs[i].small_count);
    }
    return devices(base) > 0;
}

static void insert(struct choice *choice, const struct serin_deltas_run *base)
{
    size_t at = choice->count;
    while (at > 0 && before(base, &choice->bases[at - 1])) {
        at--;
    }
    if (at == SERIN_DELTAS_BASES_MAX) {
        return;
    }
    if (choice->count < SERIN_DELTAS_BASES_MAX) {
        choice->count++;
    }
    memmove(&choice->bases[at + 1], &choice->bases[at],
            (choice->count - 1 - at) * sizeof choice->bases[0]);
    choice->bases[at] = *base;
}

static size_t wish(const struct serin_deltas_run *base, enum serin_delta_backend backend,
                   uint32_t device_count, struct serin_deltas_wish *out)
{
    if (device_count == 0) {
        return 0;
    }
    out->backend = backend;
    out->device_count = device_count;
    memcpy(out->base, base->manifest->image_sha256, SERIN_SHA256_SIZE);
    return 1;
}

size_t serin_deltas_choose(const struct serin_manifest *target, const struct serin_deltas_run *runs,
                           size_t run_count, struct serin_deltas_wish wishes[SERIN_DELTAS_MAX])
{
    struct choice choice = {.count = 0};
    for (size_t i = 0; i < run_count; i++) {
        struct serin_deltas_run base;
        if (leads_to(runs[i].manifest, target) && gather(target, runs, run_count, i, &base)) {
            insert(&choice, &base);
        }
    }
    size_t count = 0;
    for (size_t i = 0; i < choice.count; i++) {
        const struct serin_deltas_run *base = &choice.bases[i];
        count += wish(base, SERIN_DELTA_BEST, base->best_count, &wishes[count]);
        count += wish(base, SERIN_DELTA_SMALL, base->small_count, &wishes[count]);
    }
    return count;
}

uint32_t serin_deltas_limit(uint32_t image_size_bytes)
{
    return (uint32_t)(((uint64_t)image_size_bytes * 9 - 1) / 10);
}
