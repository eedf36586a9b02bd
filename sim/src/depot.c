/* The depots of the sites: which pieces of which objects each of them holds. */
#include "world.h"

#include <serin/piece.h>

#include <stdlib.h>
#include <string.h>

#define OBJECTS (SIM_RELEASES * 3u)

struct sim_depot {
    bool stale;
    uint8_t *held; /* one byte a piece of each object */
};

struct sim_depots {
    uint32_t first[OBJECTS]; /* of each object's pieces */
    uint32_t pieces;         /* of all */
    struct sim_depot *of;    /* by gateway */
    uint8_t *held;
};

/* Objects by number: image, pieces and manifest of each release. */
static uint32_t number_of(const struct sim *sim, const struct sim_object *object)
{
    for (uint32_t i = 0; i < SIM_RELEASES; i++) {
        const struct sim_release *release = &sim->releases[i];
        if (object == &release->image) {
            return i * 3u;
        }
        if (object == &release->pieces) {
            return i * 3u + 1u;
        }
        if (object == &release->manifest) {
            return i * 3u + 2u;
        }
    }
    SERIN_ASSERT(false);
    return 0;
}

enum serin_error sim_depots_open(struct sim *sim)
{
    struct sim_depots *depots = calloc(1, sizeof *depots);
    sim->depots = depots;
    if (depots == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (uint32_t i = 0; i < SIM_RELEASES; i++) {
        const struct sim_release *release = &sim->releases[i];
        const uint32_t sizes[] = {release->image.size, release->pieces.size,
                                  release->manifest.size};
        for (uint32_t j = 0; j < 3u; j++) {
            depots->first[i * 3u + j] = depots->pieces;
            depots->pieces += serin_piece_count(sizes[j]);
        }
    }
    size_t count = sim->config->gateways;
    depots->of = calloc(count + 1u, sizeof *depots->of);
    depots->held = calloc(count * depots->pieces + 1u, 1);
    if (depots->of == NULL || depots->held == NULL) {
        return SERIN_ERR_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        depots->of[i].held = depots->held + i * depots->pieces;
    }
    return SERIN_OK;
}

void sim_depots_close(struct sim *sim)
{
    if (sim->depots != NULL) {
        free(sim->depots->of);
        free(sim->depots->held);
        free(sim->depots);
    }
}

static uint8_t *place_of(const struct sim *sim, uint32_t gateway, const struct sim_object *object)
{
    return sim->depots->of[gateway].held + sim->depots->first[number_of(sim, object)];
}

enum serin_error sim_depot_write(struct sim *sim, uint32_t gateway,
                                 const uint8_t name[SERIN_SHA256_SIZE], uint32_t piece,
                                 const uint8_t *data, size_t size)
{
    const struct sim_object *object = sim_object_find(sim, name);
    if (object == NULL || piece >= serin_piece_count(object->size) ||
        size != serin_piece_size(object->size, piece) ||
        memcmp(object->bytes + (size_t)piece * SERIN_PIECE_SIZE, data, size) != 0) {
        return SERIN_ERR_DIGEST;
    }
    place_of(sim, gateway, object)[piece] = 1;
    return SERIN_OK;
}

bool sim_depot_holds(const struct sim *sim, uint32_t gateway, const struct sim_object *object,
                     uint32_t piece)
{
    return piece < serin_piece_count(object->size) && place_of(sim, gateway, object)[piece] != 0;
}

enum serin_error sim_depot_read(const struct sim *sim, uint32_t gateway,
                                const struct sim_object *object, uint32_t offset, uint8_t *out,
                                size_t size)
{
    if (size == 0 || size > object->size || offset > object->size - size) {
        return SERIN_ERR_NOT_FOUND;
    }
    uint32_t last = (offset + (uint32_t)size - 1u) / SERIN_PIECE_SIZE;
    for (uint32_t piece = offset / SERIN_PIECE_SIZE; piece <= last; piece++) {
        if (!sim_depot_holds(sim, gateway, object, piece)) {
            return SERIN_ERR_NOT_FOUND;
        }
    }
    const uint8_t *bytes = object->bytes;
    if (sim->depots->of[gateway].stale && object->kind == SIM_OBJECT_IMAGE) {
        /* Images are of one size. */
        const struct sim_release *old = &sim->releases[SIM_STABLE];
        bytes = object == &old->image ? sim->releases[SIM_CANDIDATE].image.bytes : old->image.bytes;
    }
    memcpy(out, bytes + offset, size);
    return SERIN_OK;
}

void sim_depot_forget(struct sim *sim, uint32_t gateway, const struct sim_object *object)
{
    memset(place_of(sim, gateway, object), 0, serin_piece_count(object->size));
}

void sim_depot_stale(struct sim *sim, uint32_t gateway, bool stale)
{
    sim->depots->of[gateway].stale = stale;
}
