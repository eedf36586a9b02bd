/* Part files as bitmaps of pieces, and verdicts with their end. */
#include <serin/plugin/partial.h>

#include <serin/assert.h>

#include <string.h>

void serin_partial_init(struct serin_partial *partial)
{
    memset(partial, 0, sizeof *partial);
}

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, SERIN_SHA256_SIZE) == 0;
}

static struct serin_partial_file *find_file(struct serin_partial *partial, const uint8_t *name)
{
    for (size_t i = 0; i < SERIN_PARTIAL_FILES; i++) {
        struct serin_partial_file *file = &partial->files[i];
        if (file->size != 0 && same(file->name, name)) {
            file->used = ++partial->turn;
            return file;
        }
    }
    return NULL;
}

/* A free place, or that of the file which was not used for the longest time. */
static struct serin_partial_file *make_file(struct serin_partial *partial, const uint8_t *name)
{
    struct serin_partial_file *place = &partial->files[0];
    for (size_t i = 1; i < SERIN_PARTIAL_FILES && place->size != 0; i++) {
        struct serin_partial_file *file = &partial->files[i];
        if (file->size == 0 || file->used < place->used) {
            place = file;
        }
    }
    place->size = 0;
    memcpy(place->name, name, SERIN_SHA256_SIZE);
    place->used = ++partial->turn;
    return place;
}

static bool is_known(const struct serin_partial_file *file, uint32_t piece)
{
    return (file->known[piece / 32u] >> piece % 32u & 1u) != 0;
}

/* Whole pieces only: a range that begins or ends inside one does not vouch for it. */
static void add_range(struct serin_partial_file *file, const struct serin_range *range)
{
    uint32_t first = serin_piece_count(range->start);
    uint32_t end =
        range->end >= file->size ? serin_piece_count(file->size) : range->end / SERIN_PIECE_SIZE;
    for (uint32_t piece = first; piece < end; piece++) {
        file->known[piece / 32u] |= 1u << piece % 32u;
    }
}

static void hear_part(struct serin_partial *partial, const struct serin_have *have)
{
    SERIN_ASSERT(have->object_size > 0 && have->object_size <= SERIN_SITE_OBJECT_MAX);
    struct serin_partial_file *file = find_file(partial, have->object);
    if (file == NULL) {
        file = make_file(partial, have->object);
    }
    if (have->fresh || file->size != have->object_size) {
        memset(file->known, 0, sizeof file->known);
        file->size = have->object_size;
    }
    for (size_t i = 0; i < have->range_count; i++) {
        add_range(file, &have->ranges[i]);
    }
}

static struct serin_partial_verdict *find_verdict(struct serin_partial *partial,
                                                  const uint8_t *name)
{
    for (size_t i = 0; i < SERIN_PARTIAL_VERDICTS; i++) {
        struct serin_partial_verdict *verdict = &partial->verdicts[i];
        if (verdict->status != SERIN_BLOCK_INVALID && same(verdict->name, name)) {
            return verdict;
        }
    }
    return NULL;
}

static void hear_absent(struct serin_partial *partial, const struct serin_have *have,
                        uint64_t now_ms)
{
    struct serin_partial_verdict *place = &partial->verdicts[0];
    for (size_t i = 1; i < SERIN_PARTIAL_VERDICTS; i++) {
        struct serin_partial_verdict *verdict = &partial->verdicts[i];
        if (place->status == SERIN_BLOCK_INVALID) {
            break;
        }
        if (verdict->status == SERIN_BLOCK_INVALID || verdict->until_ms < place->until_ms) {
            place = verdict;
        }
    }
    *place =
        (struct serin_partial_verdict){.status = have->status, .until_ms = now_ms + have->retry_ms};
    memcpy(place->name, have->object, SERIN_SHA256_SIZE);
}

void serin_partial_hear(struct serin_partial *partial, const struct serin_have *have,
                        uint64_t now_ms)
{
    struct serin_partial_verdict *verdict = find_verdict(partial, have->object);
    if (verdict != NULL) {
        verdict->status = SERIN_BLOCK_INVALID;
    }
    struct serin_partial_file *file = NULL;
    switch (have->kind) {
    case SERIN_HAVE_PART:
        hear_part(partial, have);
        break;
    case SERIN_HAVE_WHOLE:
        file = find_file(partial, have->object);
        if (file != NULL) {
            file->size = 0;
        }
        break;
    case SERIN_HAVE_ABSENT:
        hear_absent(partial, have, now_ms);
        break;
    case SERIN_HAVE_INVALID:
    case SERIN_HAVE_DATA:
        break;
    }
}

uint32_t serin_partial_size(struct serin_partial *partial, const uint8_t name[SERIN_SHA256_SIZE])
{
    const struct serin_partial_file *file = find_file(partial, name);
    return file == NULL ? 0 : file->size;
}

uint32_t serin_partial_end(struct serin_partial *partial, const uint8_t name[SERIN_SHA256_SIZE],
                           uint32_t offset, uint32_t limit)
{
    const struct serin_partial_file *file = find_file(partial, name);
    uint32_t end = offset;
    while (file != NULL && end < limit && end < file->size &&
           is_known(file, end / SERIN_PIECE_SIZE)) {
        /* Sizes are at most SERIN_SITE_OBJECT_MAX, so the next piece's start does not wrap. */
        end = (end / SERIN_PIECE_SIZE + 1) * SERIN_PIECE_SIZE;
        end = end < file->size ? end : file->size;
    }
    return end < limit ? end : limit;
}

void serin_partial_lose(struct serin_partial *partial, const uint8_t name[SERIN_SHA256_SIZE],
                        uint32_t offset)
{
    struct serin_partial_file *file = find_file(partial, name);
    if (file != NULL && offset < file->size) {
        uint32_t piece = offset / SERIN_PIECE_SIZE;
        file->known[piece / 32u] &= ~(1u << piece % 32u);
    }
}

bool serin_partial_absent(const struct serin_partial *partial,
                          const uint8_t name[SERIN_SHA256_SIZE], uint64_t now_ms,
                          enum serin_block_status *status, uint32_t *retry_ms)
{
    for (size_t i = 0; i < SERIN_PARTIAL_VERDICTS; i++) {
        const struct serin_partial_verdict *verdict = &partial->verdicts[i];
        if (verdict->status != SERIN_BLOCK_INVALID && same(verdict->name, name)) {
            *status = verdict->status;
            *retry_ms = verdict->until_ms > now_ms ? (uint32_t)(verdict->until_ms - now_ms) : 0;
            return verdict->until_ms > now_ms;
        }
    }
    return false;
}
