/* A patch becomes an image, and its piece table: see patching.h. */
#include "patching.h"

#include "flash_io.h"
#include "patching_keep.h"

#include <serin/crc32.h>
#include <serin/piece.h>

#include <string.h>

enum serin_error serin_patching_banks(const struct serin_flash *flash,
                                      const struct serin_layout *layout,
                                      struct serin_region bank[2])
{
    uint32_t end = layout->scratch.address + layout->scratch.size;
    /* The spare sector is as large as the largest of a slot, so both ends of a slot are asked. */
    uint32_t spare = 0;
    const struct serin_region *slot = &layout->slot[0];
    for (uint32_t at = slot->address; at < slot->address + slot->size;) {
        struct serin_region sector = serin_flash_sector(flash, at);
        spare = sector.size > spare ? sector.size : spare;
        at = sector.address + sector.size;
    }
    uint32_t address = layout->scratch.address;
    const uint32_t parts[] = {SERIN_SCRATCH_RECORD_SIZE, spare, SERIN_PIECE_SIZE};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i] > end - address) {
            return SERIN_ERR_NO_SPACE;
        }
        address = serin_flash_border_from(flash, address + parts[i]);
    }
    uint32_t half = (end - address) / 2u;
    uint32_t second = serin_flash_border_from(flash, address + half);
    uint32_t size = end - second;
    if (size == 0 || !serin_flash_border(flash, address + size)) {
        return SERIN_ERR_NO_SPACE;
    }
    bank[0] = (struct serin_region){.address = address, .size = size};
    bank[1] = (struct serin_region){.address = second, .size = size};
    return SERIN_OK;
}

static enum serin_error fits(const struct serin_patching_job *job,
                             const struct serin_delta_header *header)
{
    bool alone = header->base_size == 0;
    if (memcmp(header->target, job->manifest->image_sha256, SERIN_DELTA_PREFIX_SIZE) != 0 ||
        header->target_size != job->manifest->image_size_bytes) {
        return SERIN_ERR_DIGEST;
    }
    if (!alone && (header->base_size != job->base_size ||
                   memcmp(header->base, job->base_sha256, SERIN_DELTA_PREFIX_SIZE) != 0)) {
        return SERIN_ERR_DIGEST;
    }
    return SERIN_OK;
}

enum serin_error serin_patching_open(struct serin_patching *p, const struct serin_patching_job *job,
                                     const uint8_t bytes[SERIN_DELTA_HEADER_SIZE])
{
    struct serin_delta_header header;
    memset(p, 0, sizeof *p);
    p->job = *job;
    p->sequence = 1;
    enum serin_error error = serin_delta_header_read(bytes, &header);
    if (error == SERIN_OK) {
        error = fits(job, &header);
    }
    if (error == SERIN_OK) {
        error = serin_delta_init(job->memory, job->memory_size, &header,
                                 job->manifest->image_size_bytes, &p->delta);
    }
    if (error == SERIN_OK && serin_patching_record_size(p) > job->bank[0].size) {
        error = SERIN_ERR_NO_SPACE;
    }
    return error;
}

enum serin_error serin_patching_start(struct serin_patching *p,
                                      const struct serin_patching_job *job,
                                      const uint8_t header[SERIN_DELTA_HEADER_SIZE])
{
    enum serin_error error = serin_patching_open(p, job, header);
    for (size_t i = 0; i < 2 && error == SERIN_OK; i++) {
        error = serin_flash_erase(job->flash, job->bank[i].address, job->bank[i].size);
    }
    return error;
}

uint32_t serin_patching_wanted(const struct serin_patching *p)
{
    return SERIN_DELTA_HEADER_SIZE + p->delta->fed;
}

/* ---- making ---- */

/* Programs what `chunk` holds of the bytes up to `end`, and reads it back. */
static enum serin_error flush(struct serin_patching *p, uint32_t base, uint32_t end)
{
    uint32_t size = end - p->flushed;
    uint32_t address = base + p->flushed;
    if (size == 0) {
        return SERIN_OK;
    }
    enum serin_error error = serin_flash_program(p->job.flash, address, p->chunk, size);
    if (error == SERIN_OK && !serin_flash_holds(p->job.flash, address, p->chunk, size)) {
        error = SERIN_ERR_FLASH;
    }
    p->flushed = end;
    return error;
}

/* Where a sector begins, room is made: for a piece, or a sector where that is larger. */
static enum serin_error make_room(const struct serin_patching *p)
{
    uint32_t address = p->job.image_address + p->position;
    if (p->position % SERIN_PIECE_SIZE != 0 || !serin_flash_border(p->job.flash, address)) {
        return SERIN_OK;
    }
    uint32_t end = serin_flash_border_from(p->job.flash, address + SERIN_PIECE_SIZE);
    return serin_flash_erase(p->job.flash, address, end - address);
}

/* Takes what the decoder lends, up to the end of a chunk: a piece is a multiple of one. */
static enum serin_error take_output(struct serin_patching *p)
{
    size_t size;
    const uint8_t *bytes = serin_delta_output(p->delta, &size);
    uint32_t done = p->position - p->delta->written;
    uint32_t filled = p->position - p->flushed;
    if (done == size) {
        serin_delta_written(p->delta);
        return SERIN_OK;
    }
    enum serin_error error = make_room(p);
    if (error != SERIN_OK) {
        return error;
    }
    uint32_t part = (uint32_t)size - done;
    part = part < sizeof p->chunk - filled ? part : (uint32_t)sizeof p->chunk - filled;
    memcpy(p->chunk + filled, bytes + done, part);
    p->position += part;
    return filled + part == sizeof p->chunk ? flush(p, p->job.image_address, p->position)
                                            : SERIN_OK;
}

static enum serin_error give_old(struct serin_patching *p)
{
    uint8_t window[SERIN_DELTA_WINDOW_SIZE];
    uint32_t from, size;
    serin_delta_old_want(p->delta, &from, &size);
    enum serin_error error =
        serin_flash_read(p->job.flash, p->job.base_address + from, window, size);
    if (error == SERIN_OK) {
        serin_delta_old(p->delta, window);
    }
    return error;
}

/* All of the image is in flash: it is read from there and measured. The table's place is erased
 * only now, so that a cut before costs nothing of it. */
static enum serin_error end_making(struct serin_patching *p)
{
    const struct serin_crypto *crypto = SERIN_CRYPTO(p->job.crypto);
    enum serin_error error = flush(p, p->job.image_address, p->position);
    if (error == SERIN_OK) {
        error = serin_flash_erase(p->job.flash, p->job.table.address, p->job.table.size);
    }
    crypto->ops->sha256_init(crypto->ctx, &p->image);
    crypto->ops->sha256_init(crypto->ctx, &p->table);
    p->position = 0;
    p->flushed = 0;
    p->phase = SERIN_PATCHING_MEASURE;
    return error == SERIN_OK ? SERIN_ERR_AGAIN : error;
}

/* Until a piece is whole, or bytes of the patch are missing. */
static enum serin_error make(struct serin_patching *p, const uint8_t *bytes, size_t size,
                             size_t *taken)
{
    uint32_t piece = p->position / SERIN_PIECE_SIZE;
    enum serin_error error = SERIN_OK;
    if (serin_patching_due(p)) {
        error = serin_patching_keep(p);
        return error == SERIN_OK ? SERIN_ERR_AGAIN : error;
    }
    while (error == SERIN_OK && p->position / SERIN_PIECE_SIZE == piece) {
        enum serin_delta_want want;
        error = serin_delta_run(p->delta, &want);
        if (error != SERIN_OK) {
            return error;
        }
        if (want == SERIN_DELTA_WANT_END) {
            return end_making(p);
        }
        if (want == SERIN_DELTA_WANT_OUTPUT) {
            error = take_output(p);
        } else if (want == SERIN_DELTA_WANT_OLD) {
            error = give_old(p);
        } else if (*taken == size) {
            return SERIN_ERR_AGAIN;
        } else {
            size_t used = serin_delta_feed(p->delta, bytes + *taken, size - *taken);
            if (used == 0) {
                return SERIN_ERR_FORMAT;
            }
            *taken += used;
        }
    }
    return error == SERIN_OK ? SERIN_ERR_AGAIN : error;
}

/* ---- measuring ---- */

/* SHA-256 of the next piece, as flash holds it, into `digest`; the image's go on. */
static enum serin_error hash_piece(struct serin_patching *p, uint8_t digest[SERIN_SHA256_SIZE])
{
    const struct serin_crypto *crypto = SERIN_CRYPTO(p->job.crypto);
    uint32_t left = p->job.manifest->image_size_bytes - p->position;
    left = left < SERIN_PIECE_SIZE ? left : SERIN_PIECE_SIZE;
    struct serin_sha256 sha;
    crypto->ops->sha256_init(crypto->ctx, &sha);
    enum serin_error error = SERIN_OK;
    while (left > 0 && error == SERIN_OK) {
        uint8_t bytes[SERIN_FLASH_CHUNK];
        uint32_t part = left < sizeof bytes ? left : (uint32_t)sizeof bytes;
        error = serin_flash_read(p->job.flash, p->job.image_address + p->position, bytes, part);
        if (error == SERIN_OK) {
            crypto->ops->sha256_update(crypto->ctx, &sha, bytes, part);
            crypto->ops->sha256_update(crypto->ctx, &p->image, bytes, part);
            p->crc = serin_crc32(p->crc, bytes, part);
            p->position += part;
            left -= part;
        }
    }
    crypto->ops->sha256_final(crypto->ctx, &sha, digest);
    return error;
}

static enum serin_error compare(struct serin_patching *p)
{
    const struct serin_crypto *crypto = SERIN_CRYPTO(p->job.crypto);
    const struct serin_manifest *manifest = p->job.manifest;
    uint8_t image[SERIN_SHA256_SIZE], table[SERIN_SHA256_SIZE];
    crypto->ops->sha256_final(crypto->ctx, &p->image, image);
    crypto->ops->sha256_final(crypto->ctx, &p->table, table);
    p->phase = SERIN_PATCHING_MADE;
    if (p->crc != manifest->image_crc32) {
        return SERIN_ERR_CRC;
    }
    return memcmp(image, manifest->image_sha256, sizeof image) == 0 &&
                   memcmp(table, manifest->pieces_sha256, sizeof table) == 0
               ? SERIN_OK
               : SERIN_ERR_DIGEST;
}

/* A piece, and its row of the table. */
static enum serin_error measure(struct serin_patching *p)
{
    const struct serin_crypto *crypto = SERIN_CRYPTO(p->job.crypto);
    uint32_t row = p->position / SERIN_PIECE_SIZE * SERIN_SHA256_SIZE;
    uint8_t *digest = p->chunk + (row - p->flushed);
    enum serin_error error = hash_piece(p, digest);
    if (error != SERIN_OK) {
        return error;
    }
    crypto->ops->sha256_update(crypto->ctx, &p->table, digest, SERIN_SHA256_SIZE);
    row += SERIN_SHA256_SIZE;
    bool last = p->position == p->job.manifest->image_size_bytes;
    if (last || row - p->flushed == sizeof p->chunk) {
        error = flush(p, p->job.table.address, row);
    }
    if (error != SERIN_OK) {
        return error;
    }
    return last ? compare(p) : SERIN_ERR_AGAIN;
}

enum serin_error serin_patching_step(struct serin_patching *p, const uint8_t *bytes, size_t size,
                                     size_t *taken)
{
    SERIN_ASSERT(p->phase != SERIN_PATCHING_MADE);
    *taken = 0;
    return p->phase == SERIN_PATCHING_MAKE ? make(p, bytes, size, taken) : measure(p);
}
