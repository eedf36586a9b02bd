/*
 * The index of objects. Channels' directives make objects live; halted candidates make them halted;
 * an object that is both is served, for another release that needs it is still offered. Targeted
 * directives halt for everyone but offer to their device alone, which serin_guard_rule looks up;
 * here what they name is known, and neither live nor halted by it.
 */
#include "objects.h"

#include <serin/assert.h>
#include <serin/piece.h>

#include <string.h>

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, SERIN_SHA256_SIZE) == 0;
}

/* Names are SHA-256 digests: any four bytes of them are a hash. */
static uint32_t slot_of(const struct serin_guard *guard, const uint8_t *name)
{
    SERIN_ASSERT(guard->object_capacity > 0);
    uint32_t index = serin_get_le32(name) % guard->object_capacity;
    while (guard->objects[index].used && !same(guard->objects[index].name, name)) {
        index = (index + 1) % guard->object_capacity;
    }
    return index;
}

const struct serin_guard_object *guard_objects_find(const struct serin_guard *guard,
                                                    const uint8_t name[SERIN_SHA256_SIZE])
{
    const struct serin_guard_object *object = &guard->objects[slot_of(guard, name)];
    return object->used ? object : NULL;
}

/* By whom an object is named. */
enum naming { NAMED_HALTED, NAMED_LIVE, NAMED_TO_ONE };

static void note_lack(struct serin_guard *guard, enum naming naming)
{
    guard->incomplete = true;
    guard->unsure = guard->unsure || naming == NAMED_LIVE;
}

/* Adds an object of its kind, or finds it. NULL: there is no room. */
static struct serin_guard_object *note_object(struct serin_guard *guard, const uint8_t *name,
                                              enum serin_guard_kind kind, uint32_t size,
                                              enum naming naming)
{
    struct serin_guard_object *object = &guard->objects[slot_of(guard, name)];
    if (!object->used) {
        if (guard->object_count >= guard->object_capacity - guard->object_capacity / 4) {
            note_lack(guard, naming);
            return NULL;
        }
        *object = (struct serin_guard_object){.used = true, .kind = kind, .size = size};
        memcpy(object->name, name, SERIN_SHA256_SIZE);
        guard->object_count++;
    }
    object->halted = object->halted || naming == NAMED_HALTED;
    object->live = object->live || naming == NAMED_LIVE;
    return object;
}

/* What could not be read now is read again; the gateway hears of one of them at a time. */
static void note_unread(struct serin_guard *guard, const uint8_t *name, enum naming naming)
{
    note_lack(guard, naming);
    if (naming == NAMED_LIVE && guard->lack_count++ == guard->lack_turn) {
        memcpy(guard->lacking, name, SERIN_SHA256_SIZE);
    }
}

static void note_image(struct serin_guard *guard, const struct serin_guard_objects *named,
                       enum naming naming)
{
    struct serin_guard_object *image =
        note_object(guard, named->image, SERIN_GUARD_IMAGE, named->image_size, naming);
    if (image != NULL && image->kind == SERIN_GUARD_IMAGE) {
        memcpy(image->pieces, named->pieces, SERIN_SHA256_SIZE);
    }
    (void)note_object(guard, named->pieces, SERIN_GUARD_PIECES, named->pieces_size, naming);
}

static void note_manifest(struct serin_guard *guard, const uint8_t *manifest_id, enum naming naming)
{
    /* Many devices may be offered the same: it is looked up once. */
    if (naming == NAMED_TO_ONE && guard_objects_find(guard, manifest_id) != NULL) {
        return;
    }
    (void)note_object(guard, manifest_id, SERIN_GUARD_MANIFEST, 0, naming);
    struct serin_guard_objects named = {.known = false};
    guard->ops->lookup(guard->ctx, manifest_id, &named);
    if (!named.known) {
        note_unread(guard, manifest_id, naming);
        return;
    }
    note_image(guard, &named, naming);
}

/* ---- patches ---- */

static bool among(const uint8_t ids[][SERIN_SHA256_SIZE], size_t count, const uint8_t *id)
{
    for (size_t i = 0; i < count; i++) {
        if (same(ids[i], id)) {
            return true;
        }
    }
    return false;
}

static bool is_halted(const struct serin_guard_view *view)
{
    return view->candidate_state == SERIN_CANDIDATE_HALTED;
}

/* Whether a view offers the manifest: a halted candidate is not offered. */
static bool view_names(const struct serin_guard_view *view, const uint8_t *id)
{
    return among(view->stable, view->stable_count, id) ||
           (!is_halted(view) && among(view->candidate, view->candidate_count, id));
}

static struct serin_guard_objects patch_names(const struct serin_route *route)
{
    struct serin_guard_objects named = {.known = true,
                                        .image_size = route->size_bytes,
                                        .pieces_size = serin_piece_table_size(route->size_bytes)};
    memcpy(named.image, route->object, SERIN_SHA256_SIZE);
    memcpy(named.pieces, route->pieces_sha256, SERIN_SHA256_SIZE);
    return named;
}

/* The patches of a view's route table: those to what it offers are named as that is, and those to a
 * halted candidate are halted with it. */
static void note_patches(struct serin_guard *guard, const struct serin_guard_view *view,
                         enum naming naming)
{
    struct serin_routes routes;
    if (!view->has_routes || (naming == NAMED_HALTED && !is_halted(view))) {
        return;
    }
    if (!guard->ops->routes(guard->ctx, view->routes, &routes)) {
        note_unread(guard, view->routes, naming);
        return;
    }
    for (size_t i = 0; i < routes.route_count; i++) {
        const struct serin_route *route = &routes.routes[i];
        const uint8_t *target = routes.targets[route->target];
        bool named = naming == NAMED_HALTED ? among(view->candidate, view->candidate_count, target)
                                            : view_names(view, target);
        struct serin_guard_objects patch = patch_names(route);
        if (named && route->size_bytes > SERIN_PIECE_SIZE) {
            note_image(guard, &patch, naming);
        } else if (named) {
            (void)note_object(guard, patch.image, SERIN_GUARD_PATCH, patch.image_size, naming);
        }
    }
}

/* ---- the index ---- */

static void note_halted(struct serin_guard *guard, const struct serin_guard_view *view)
{
    if (is_halted(view)) {
        for (size_t i = 0; i < view->candidate_count; i++) {
            note_manifest(guard, view->candidate[i], NAMED_HALTED);
        }
        note_patches(guard, view, NAMED_HALTED);
    }
}

/* A route table stays open with a halted candidate: without the manifest nothing begins. */
static void note_offers(struct serin_guard *guard, const struct serin_guard_view *view,
                        enum naming naming)
{
    if (view->has_routes) {
        (void)note_object(guard, view->routes, SERIN_GUARD_ROUTES, 0, naming);
    }
    for (size_t i = 0; i < view->stable_count; i++) {
        note_manifest(guard, view->stable[i], naming);
    }
    for (size_t i = 0; i < view->candidate_count; i++) {
        if (!is_halted(view)) {
            note_manifest(guard, view->candidate[i], naming);
        }
    }
    note_patches(guard, view, naming);
}

static bool is_channel(const char *topic)
{
    static const char start[] = SERIN_TOPIC_PREFIX "directive/";
    return strncmp(topic, start, sizeof start - 1) == 0;
}

void guard_objects_refresh(struct serin_guard *guard, uint64_t now_ms)
{
    bool again = guard->incomplete && now_ms - guard->built_ms >= SERIN_GUARD_REBUILD_MS;
    if (!guard->stale && !again) {
        return;
    }
    for (uint32_t i = 0; i < guard->object_capacity; i++) {
        guard->objects[i].used = false;
    }
    guard->object_count = 0;
    guard->incomplete = guard->unsure = false;
    guard->lack_turn = guard->lack_count > 0 ? (guard->lack_turn + 1) % guard->lack_count : 0;
    guard->lack_count = 0;
    memset(guard->lacking, 0, sizeof guard->lacking);
    /* Halted ones first: if room runs out, a halt is kept and a size check is lost, not the other
     * way round; and what single devices are offered last, which no ruling depends on. */
    for (uint32_t i = 0; i < guard->entry_capacity; i++) {
        if (guard->entries[i].topic[0] != '\0') {
            note_halted(guard, &guard->entries[i].view);
        }
    }
    for (uint32_t i = 0; i < guard->entry_capacity; i++) {
        if (is_channel(guard->entries[i].topic)) {
            note_offers(guard, &guard->entries[i].view, NAMED_LIVE);
        }
    }
    for (uint32_t i = 0; guard->knows_all && i < guard->entry_capacity; i++) {
        if (guard->entries[i].topic[0] != '\0' && !is_channel(guard->entries[i].topic)) {
            note_offers(guard, &guard->entries[i].view, NAMED_TO_ONE);
        }
    }
    guard->stale = false;
    guard->built_ms = now_ms;
}

/* What the object is to what a manifest or a route names, if anything. */
static struct serin_guard_answer named_as(const struct serin_guard_objects *named,
                                          const uint8_t *name)
{
    struct serin_guard_answer answer = {.offer = SERIN_GUARD_NOT_OFFERED};
    if (same(named->image, name)) {
        answer = (struct serin_guard_answer){.offer = SERIN_GUARD_OFFERED,
                                             .kind = SERIN_GUARD_IMAGE,
                                             .size = named->image_size,
                                             .pieces_size = named->pieces_size};
        memcpy(answer.pieces, named->pieces, SERIN_SHA256_SIZE);
    } else if (same(named->pieces, name)) {
        answer = (struct serin_guard_answer){
            .offer = SERIN_GUARD_OFFERED, .kind = SERIN_GUARD_PIECES, .size = named->pieces_size};
    }
    return answer;
}

/* What the object is to a manifest that is on offer. */
static struct serin_guard_answer manifest_names(const struct serin_guard *guard,
                                                const uint8_t *manifest_id, const uint8_t *name)
{
    if (same(manifest_id, name)) {
        return (struct serin_guard_answer){.offer = SERIN_GUARD_OFFERED,
                                           .kind = SERIN_GUARD_MANIFEST};
    }
    struct serin_guard_objects named = {.known = false};
    guard->ops->lookup(guard->ctx, manifest_id, &named);
    if (!named.known) {
        struct serin_guard_answer answer = {.offer = SERIN_GUARD_UNSURE};
        memcpy(answer.lacking, manifest_id, SERIN_SHA256_SIZE);
        return answer;
    }
    return named_as(&named, name);
}

/* What the object is to the view's route table. */
static struct serin_guard_answer routes_name(const struct serin_guard *guard,
                                             const struct serin_guard_view *view,
                                             const uint8_t *name)
{
    struct serin_routes routes;
    struct serin_guard_answer answer = {.offer = SERIN_GUARD_NOT_OFFERED};
    if (!guard->ops->routes(guard->ctx, view->routes, &routes)) {
        answer.offer = SERIN_GUARD_UNSURE;
        memcpy(answer.lacking, view->routes, SERIN_SHA256_SIZE);
        return answer;
    }
    for (size_t i = 0; i < routes.route_count && answer.offer != SERIN_GUARD_OFFERED; i++) {
        const struct serin_route *route = &routes.routes[i];
        if (!view_names(view, routes.targets[route->target])) {
            continue;
        }
        struct serin_guard_objects patch = patch_names(route);
        if (route->size_bytes > SERIN_PIECE_SIZE) {
            answer = named_as(&patch, name);
        } else if (same(patch.image, name)) {
            answer = (struct serin_guard_answer){
                .offer = SERIN_GUARD_OFFERED, .kind = SERIN_GUARD_PATCH, .size = patch.image_size};
        }
    }
    return answer;
}

struct serin_guard_answer guard_view_offers(const struct serin_guard *guard,
                                            const struct serin_guard_view *view,
                                            const uint8_t name[SERIN_SHA256_SIZE])
{
    struct serin_guard_answer best = {.offer = SERIN_GUARD_NOT_OFFERED};
    if (view->has_routes && same(view->routes, name)) {
        return (struct serin_guard_answer){.offer = SERIN_GUARD_OFFERED,
                                           .kind = SERIN_GUARD_ROUTES};
    }
    size_t candidates = is_halted(view) ? 0 : view->candidate_count;
    for (size_t i = 0; i < view->stable_count + candidates; i++) {
        const uint8_t *id =
            i < view->stable_count ? view->stable[i] : view->candidate[i - view->stable_count];
        struct serin_guard_answer answer = manifest_names(guard, id, name);
        if (answer.offer == SERIN_GUARD_OFFERED) {
            return answer;
        }
        best = answer.offer == SERIN_GUARD_UNSURE ? answer : best;
    }
    if (view->has_routes) {
        struct serin_guard_answer answer = routes_name(guard, view, name);
        /* A manifest comes first: without it a patch is of no use. */
        best =
            answer.offer == SERIN_GUARD_OFFERED || best.offer != SERIN_GUARD_UNSURE ? answer : best;
    }
    return best;
}
