/*
 * Bytes that were checked before they go out (docs/spec/site.md, section 4): images piece by piece
 * against their table, manifests and tables as a whole against their names.
 */
#include "site.h"

#include <serin/assert.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool same(const uint8_t *a, const uint8_t *b)
{
    return memcmp(a, b, SERIN_SHA256_SIZE) == 0;
}

static void log_damage(struct shell *shell, const uint8_t *object, uint32_t offset)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(object, SERIN_SHA256_SIZE, hex);
    shell_log_client(shell, "the depot's object %s does not verify at byte %u: it is not sent", hex,
                     offset);
}

/* What it means that a read of the depot failed: SERIN_ERR_NOT_FOUND; SERIN_ERR_DENIED where this
 * broker's user may not read the file, which is said here, and is no rot: nobody can mend it but
 * the operator; SERIN_ERR_DIGEST for whatever else, a sector that is gone included. */
static enum serin_error failure_of(struct shell *shell, const uint8_t *object,
                                   enum serin_error error)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    if (error == SERIN_ERR_NOT_FOUND) {
        return error;
    }
    if (error != SERIN_ERR_IO || (errno != EACCES && errno != EPERM)) {
        return SERIN_ERR_DIGEST;
    }
    serin_hex_encode(object, SERIN_SHA256_SIZE, hex);
    shell_log_client(shell, "the depot's object %s cannot be read: %s", hex, strerror(errno));
    return SERIN_ERR_DENIED;
}

/* ---- objects that are verified as a whole ---- */

static bool digest_holds(const struct shell *shell, enum serin_guard_kind kind, const uint8_t *name,
                         const uint8_t *data, uint32_t size)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    struct serin_signature_area area;
    if (kind != SERIN_GUARD_MANIFEST) {
        serin_sha256_of(shell->ports.crypto, data, size, digest);
        return same(digest, name);
    }
    /* A manifest's name covers its body; the signature behind it is for devices to verify, but must
     * be one. */
    if (size < SERIN_MANIFEST_HEAD_SIZE || size > SERIN_MANIFEST_MAX ||
        serin_signature_area_decode(data, size, SERIN_MANIFEST_BODY_SIZE, &area) != SERIN_OK) {
        return false;
    }
    serin_manifest_id(shell->ports.crypto, data, digest);
    return same(digest, name);
}

/* The object's place, also while it is collected. */
static struct site_whole *find_place(struct site *site, const uint8_t *name)
{
    for (size_t i = 0; i < SITE_WHOLES; i++) {
        if (site->wholes[i].data != NULL && same(site->wholes[i].name, name)) {
            site->wholes[i].used = ++site->wholes_turn;
            return &site->wholes[i];
        }
    }
    return NULL;
}

static const struct site_whole *find_whole(struct site *site, const uint8_t *name)
{
    const struct site_whole *place = find_place(site, name);
    return place != NULL && place->missing == 0 ? place : NULL;
}

static void drop_whole(struct site *site, struct site_whole *whole)
{
    free(whole->data);
    site->wholes_bytes -= whole->data != NULL ? whole->size : 0;
    *whole = (struct site_whole){.data = NULL};
}

/* A free place with room for `size` bytes (≤ SERIN_SITE_WHOLE_MAX): what was not used for the
 * longest time gives way. */
static struct site_whole *make_room(struct site *site, uint32_t size)
{
    for (;;) {
        struct site_whole *open = NULL;
        struct site_whole *oldest = NULL;
        for (size_t i = 0; i < SITE_WHOLES; i++) {
            struct site_whole *whole = &site->wholes[i];
            if (whole->data == NULL) {
                open = whole;
            } else if (oldest == NULL || whole->used < oldest->used) {
                oldest = whole;
            }
        }
        if (open != NULL && site->wholes_bytes + size <= SITE_WHOLES_BYTES_MAX) {
            return open;
        }
        drop_whole(site, oldest);
    }
}

/* Gives an object (≤ SERIN_SITE_WHOLE_MAX bytes, of malloc, taken over) a place. */
static struct site_whole *take_place(struct site *site, const uint8_t *name, uint8_t *data,
                                     uint32_t size)
{
    struct site_whole *place = make_room(site, size);
    *place = (struct site_whole){.size = size, .used = ++site->wholes_turn};
    place->data = data;
    memcpy(place->name, name, SERIN_SHA256_SIZE);
    site->wholes_bytes += size;
    return place;
}

/* Reads an object of the depot and checks its digest. What is remembered gives way only to what
 * holds. SERIN_ERR_NOT_FOUND, SERIN_ERR_DENIED, SERIN_ERR_DIGEST, SERIN_ERR_MEMORY. */
static enum serin_error load_whole(struct shell *shell, const uint8_t *name,
                                   enum serin_guard_kind kind, uint32_t expected_size,
                                   const struct site_whole **loaded)
{
    uint32_t size = 0;
    errno = 0;
    enum serin_error error = serin_depot_size(shell->depot, name, &size);
    if (error != SERIN_OK) {
        return failure_of(shell, name, error);
    }
    if (size == 0 || size > SERIN_SITE_WHOLE_MAX || (expected_size != 0 && size != expected_size)) {
        return SERIN_ERR_DIGEST;
    }
    uint8_t *data = malloc(size);
    if (data == NULL) {
        return SERIN_ERR_MEMORY;
    }
    errno = 0;
    error = serin_depot_read(shell->depot, name, 0, data, size);
    if (error != SERIN_OK) {
        error = failure_of(shell, name, error);
    } else if (!digest_holds(shell, kind, name, data, size)) {
        error = SERIN_ERR_DIGEST;
    }
    if (error != SERIN_OK) {
        free(data);
        return error;
    }
    struct site_whole *collected = find_place(shell->site, name);
    if (collected != NULL) {
        drop_whole(shell->site, collected);
    }
    *loaded = take_place(shell->site, name, data, size);
    return SERIN_OK;
}

/* As site_whole, without a word to the gateway. */
static enum serin_error quiet_whole(struct shell *shell, const uint8_t *name,
                                    enum serin_guard_kind kind, uint32_t expected_size,
                                    const struct site_whole **whole)
{
    *whole = find_whole(shell->site, name);
    return *whole != NULL ? SERIN_OK : load_whole(shell, name, kind, expected_size, whole);
}

/* Asks for what is missing of an object that is verified as a whole; `size` 0: not known. No
 * further than to the end of a stretch that the gateway hands over at once: so the stretch that is
 * on its way is asked for once, and the next one when it is here. */
static void ask_rest(struct shell *shell, const struct site_ask *ask, uint32_t size)
{
    const struct site_whole *place = find_place(shell->site, ask->object);
    uint32_t window = (uint32_t)shell->options.window_bytes / SERIN_PIECE_SIZE;
    uint32_t stretch = window < SITE_COLLECT_PIECES ? window : SITE_COLLECT_PIECES;
    uint32_t first = 0;
    if (place == NULL && size == 0) {
        site_say(shell, SERIN_WANT_MISSING, ask->object, 0, ask->offset, ask->length, ask->now_ms);
        return;
    }
    while (place != NULL && (place->here[first / 32u] >> first % 32u & 1u) != 0) {
        first++;
    }
    site_say(shell, SERIN_WANT_MISSING, ask->object, place != NULL ? place->size : size,
             first * SERIN_PIECE_SIZE, (stretch - first % stretch) * SERIN_PIECE_SIZE, ask->now_ms);
}

const uint8_t *site_whole(struct shell *shell, const struct site_ask *ask,
                          enum serin_guard_kind kind, uint32_t expected_size, uint32_t *size)
{
    const struct site_whole *whole = NULL;
    enum serin_error error = quiet_whole(shell, ask->object, kind, expected_size, &whole);
    if (error == SERIN_OK) {
        *size = whole->size;
        return whole->data;
    }
    if (error == SERIN_ERR_DIGEST) {
        log_damage(shell, ask->object, 0);
        site_say(shell, SERIN_WANT_ROTTEN, ask->object, expected_size, ask->offset, ask->length,
                 ask->now_ms);
    } else if (error == SERIN_ERR_NOT_FOUND) {
        ask_rest(shell, ask, expected_size);
    }
    return NULL;
}

static void log_wrong(struct shell *shell, const uint8_t *object, uint32_t offset)
{
    char hex[SERIN_SHA256_HEX_SIZE];
    serin_hex_encode(object, SERIN_SHA256_SIZE, hex);
    shell_log_client(shell, "the gateway sent a wrong piece at byte %u of object %s", offset, hex);
}

/* The place where an object of that size is collected, or stands. NULL: no memory. */
static struct site_whole *collecting_place(struct shell *shell, const uint8_t *name, uint32_t size)
{
    struct site_whole *place = find_place(shell->site, name);
    if (place != NULL && place->size == size) {
        return place;
    }
    if (place != NULL) {
        drop_whole(shell->site, place);
    }
    uint8_t *data = malloc(size);
    if (data == NULL) {
        shell_log_client(shell, "no memory for a table of %u bytes", size);
        return NULL;
    }
    place = take_place(shell->site, name, data, size);
    place->missing = serin_piece_count(size);
    return place;
}

/* Takes one piece of a manifest or table, and verifies the whole when it is the last one. */
static enum site_news collect(struct shell *shell, const struct serin_have *have,
                              enum serin_guard_kind kind, uint64_t now_ms)
{
    const struct site_ask rest = {.object = have->object, .now_ms = now_ms};
    uint32_t index = have->data_offset / SERIN_PIECE_SIZE;
    struct site_whole *place = collecting_place(shell, have->object, have->object_size);
    if (place == NULL || place->missing == 0) {
        return SITE_NEWS_NONE;
    }
    uint32_t bit = 1u << index % 32u;
    if ((place->here[index / 32u] & bit) == 0) {
        memcpy(place->data + have->data_offset, have->data, have->data_size);
        place->here[index / 32u] |= bit;
        place->missing--;
    }
    if (place->missing > 0) {
        ask_rest(shell, &rest, place->size);
        return SITE_NEWS_NONE;
    }
    if (!digest_holds(shell, kind, place->name, place->data, place->size)) {
        log_wrong(shell, have->object, 0);
        drop_whole(shell->site, place);
        return SITE_NEWS_NONE;
    }
    return SITE_NEWS_OPENED;
}

/* ---- images ---- */

/* Where an image stands. */
enum source { SOURCE_NONE, SOURCE_PART, SOURCE_WHOLE, SOURCE_DAMAGED, SOURCE_DENIED };

static enum source source_of(struct shell *shell, const uint8_t *object, uint32_t size)
{
    uint32_t stored = 0;
    if (serin_partial_size(&shell->site->partial, object) == size) {
        return SOURCE_PART;
    }
    errno = 0;
    enum serin_error error = serin_depot_size(shell->depot, object, &stored);
    if (error == SERIN_OK) {
        return stored == size ? SOURCE_WHOLE : SOURCE_DAMAGED;
    }
    error = failure_of(shell, object, error);
    return error == SERIN_ERR_NOT_FOUND ? SOURCE_NONE
           : error == SERIN_ERR_DENIED  ? SOURCE_DENIED
                                        : SOURCE_DAMAGED;
}

/* A part file may have become whole a moment ago. */
static enum serin_error read_piece(struct shell *shell, enum source source, const uint8_t *object,
                                   uint32_t offset, uint8_t *out, uint32_t size)
{
    enum serin_error error = SERIN_ERR_NOT_FOUND;
    if (source == SOURCE_PART) {
        error = serin_depot_part_read(shell->depot, object, offset, out, size);
    }
    return error == SERIN_ERR_NOT_FOUND ? serin_depot_read(shell->depot, object, offset, out, size)
                                        : error;
}

static bool piece_holds(const struct shell *shell, const uint8_t *table, uint32_t index,
                        const uint8_t *data, uint32_t size)
{
    uint8_t digest[SERIN_SHA256_SIZE];
    serin_sha256_of(shell->ports.crypto, data, size, digest);
    return same(digest, table + (size_t)index * SERIN_SHA256_SIZE);
}

/* The verified piece table of an image; NULL: as site_whole. */
static const uint8_t *table_of(struct shell *shell, const struct serin_guard_answer *image,
                               uint64_t now_ms)
{
    const struct site_ask ask = {
        .object = image->pieces, .length = image->pieces_size, .now_ms = now_ms};
    uint32_t size = 0;
    return site_whole(shell, &ask, SERIN_GUARD_PIECES, image->pieces_size, &size);
}

/* What is known of the piece with the byte at `at`. */
enum proof {
    PROOF_HOLDS, /* it is in the memory of pieces, verified */
    PROOF_MISSING,
    PROOF_ROTTEN,
    PROOF_WAITS /* for its table, which the gateway was told of; or for the right to read it */
};

/* Reads one piece, and remembers it if it holds. */
static enum proof verify_piece(struct shell *shell, enum source source, const uint8_t *table,
                               const uint8_t *object, uint32_t object_size, uint32_t index)
{
    uint8_t data[SERIN_PIECE_SIZE];
    uint32_t size = serin_piece_size(object_size, index);
    uint32_t offset = index * SERIN_PIECE_SIZE;
    enum serin_error error = SERIN_ERR_DIGEST;
    if (source != SOURCE_DAMAGED) {
        errno = 0;
        error = read_piece(shell, source, object, offset, data, size);
    }
    if (error != SERIN_OK && failure_of(shell, object, error) == SERIN_ERR_DENIED) {
        return PROOF_WAITS;
    }
    if (error != SERIN_OK || !piece_holds(shell, table, index, data, size)) {
        log_damage(shell, object, offset);
        serin_partial_lose(&shell->site->partial, object, offset);
        return PROOF_ROTTEN;
    }
    (void)serin_pieces_put(&shell->site->pieces, object, object_size, index, data);
    return PROOF_HOLDS;
}

/* Judges a piece that the gateway handed over before it could be verified. */
static bool settle_piece(struct shell *shell, const struct serin_guard_answer *image,
                         const uint8_t *table, const struct serin_pieces_place *piece)
{
    bool holds = piece->object_size == image->size &&
                 piece_holds(shell, table, piece->index, piece->data,
                             serin_piece_size(image->size, piece->index));
    if (!holds) {
        log_wrong(shell, piece->object, piece->index * SERIN_PIECE_SIZE);
    }
    serin_pieces_settle(&shell->site->pieces, piece->object, piece->index, holds);
    return holds;
}

/* `table`: NULL until it was needed. */
static enum proof prove_piece(struct shell *shell, const struct site_ask *ask,
                              const struct serin_guard_answer *image, enum source source,
                              const uint8_t **table, uint32_t at)
{
    struct site *site = shell->site;
    uint32_t index = at / SERIN_PIECE_SIZE;
    const struct serin_pieces_place *piece = serin_pieces_find(&site->pieces, ask->object, index);
    if (piece != NULL && piece->verified) {
        return PROOF_HOLDS;
    }
    bool stored = source == SOURCE_PART
                      ? serin_partial_end(&site->partial, ask->object, at, at + 1) > at
                      : source != SOURCE_NONE;
    if (piece == NULL && !stored) {
        return PROOF_MISSING;
    }
    *table = *table == NULL ? table_of(shell, image, ask->now_ms) : *table;
    if (*table == NULL) {
        return PROOF_WAITS;
    }
    if (piece != NULL && settle_piece(shell, image, *table, piece)) {
        return PROOF_HOLDS;
    }
    if (!stored) {
        return PROOF_MISSING;
    }
    return source != SOURCE_DENIED
               ? verify_piece(shell, source, *table, ask->object, image->size, index)
               : PROOF_WAITS;
}

uint32_t site_verify(struct shell *shell, const struct site_ask *ask,
                     const struct serin_guard_answer *image, uint32_t limit)
{
    enum source source = source_of(shell, ask->object, image->size);
    const uint8_t *table = NULL;
    uint32_t at = ask->offset;
    while (at < limit) {
        uint32_t index = at / SERIN_PIECE_SIZE;
        uint32_t size = serin_piece_size(image->size, index);
        enum proof proof = prove_piece(shell, ask, image, source, &table, at);
        if (proof == PROOF_MISSING) {
            site_say(shell, SERIN_WANT_MISSING, ask->object, image->size, at,
                     ask->length - (at - ask->offset), ask->now_ms);
        } else if (proof == PROOF_ROTTEN) {
            site_say(shell, SERIN_WANT_ROTTEN, ask->object, image->size, index * SERIN_PIECE_SIZE,
                     size, ask->now_ms);
        }
        if (proof != PROOF_HOLDS) {
            break;
        }
        at += size - at % SERIN_PIECE_SIZE;
    }
    return at < limit ? at : limit;
}

void site_copy(struct site *site, const uint8_t *object, uint32_t offset, uint32_t size,
               uint8_t *out)
{
    while (size > 0) {
        const struct serin_pieces_place *piece =
            serin_pieces_find(&site->pieces, object, offset / SERIN_PIECE_SIZE);
        uint32_t inside = offset % SERIN_PIECE_SIZE;
        uint32_t part = SERIN_PIECE_SIZE - inside < size ? SERIN_PIECE_SIZE - inside : size;
        SERIN_ASSERT(piece != NULL);
        memcpy(out, piece->data + inside, part);
        out += part;
        offset += part;
        size -= part;
    }
}

/* ---- from the gateway ---- */

enum site_news site_take_data(struct shell *shell, const struct serin_have *have, uint64_t now_ms)
{
    uint32_t index = have->data_offset / SERIN_PIECE_SIZE;
    SERIN_ASSERT(index < serin_piece_count(have->object_size) &&
                 have->data_size == serin_piece_size(have->object_size, index));
    const struct site_whole *table = NULL;
    /* Whoever it is for: it is judged here, and not given away. */
    struct serin_guard_answer object = serin_guard_know(&shell->guard, have->object, now_ms);
    bool whole = object.offer == SERIN_GUARD_OFFERED && object.kind != SERIN_GUARD_IMAGE;
    if ((object.size != 0 && object.size != have->object_size) ||
        (whole && have->object_size > SERIN_SITE_WHOLE_MAX)) {
        log_wrong(shell, have->object, have->data_offset);
        return SITE_NEWS_NONE;
    }
    if (whole) {
        return collect(shell, have, object.kind, now_ms);
    }
    if (object.offer != SERIN_GUARD_OFFERED ||
        quiet_whole(shell, object.pieces, SERIN_GUARD_PIECES, object.pieces_size, &table) !=
            SERIN_OK) {
        serin_pieces_hold(&shell->site->pieces, have->object, have->object_size, index, have->data);
        return SITE_NEWS_PIECE;
    }
    if (!piece_holds(shell, table->data, index, have->data, (uint32_t)have->data_size)) {
        log_wrong(shell, have->object, have->data_offset);
        return SITE_NEWS_NONE;
    }
    (void)serin_pieces_put(&shell->site->pieces, have->object, have->object_size, index,
                           have->data);
    return SITE_NEWS_PIECE;
}

bool site_manifest_body(struct shell *shell, const uint8_t *id,
                        uint8_t body[SERIN_MANIFEST_BODY_SIZE])
{
    const struct site_whole *manifest = find_whole(shell->site, id);
    if (manifest == NULL || manifest->size < SERIN_MANIFEST_BODY_SIZE) {
        return false;
    }
    memcpy(body, manifest->data, SERIN_MANIFEST_BODY_SIZE);
    return true;
}

bool site_routes(struct shell *shell, const uint8_t *name, uint8_t out[SERIN_ROUTES_SIZE_MAX],
                 uint32_t *size)
{
    const struct site_whole *table = find_whole(shell->site, name);
    if (table == NULL || table->size > SERIN_ROUTES_SIZE_MAX) {
        return false;
    }
    memcpy(out, table->data, table->size);
    *size = table->size;
    return true;
}
