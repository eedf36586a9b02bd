/* Checkpoints of a patch at work: when, into which bank, and which is gone on from. */
#include "patching_keep.h"

#include "flash_io.h"

#include <serin/crc32.h>
#include <serin/piece.h>

#include <string.h>

#define MAGIC     0x504E5253u /* "SRNP" */
#define HEAD_SIZE 12u
#define CRC_SIZE  4u
/* The decoder's own head comes before the patch's header in its checkpoint. */
#define HEADER_AT (HEAD_SIZE + 8u)

uint32_t serin_patching_record_size(const struct serin_patching *p)
{
    return serin_round_up(HEAD_SIZE + (uint32_t)serin_delta_checkpoint_size(p->delta) + CRC_SIZE,
                          serin_flash_unit(p->job.flash));
}

/* What is erased for a checkpoint. */
static uint32_t erased_size(const struct serin_patching *p)
{
    uint32_t address = p->job.bank[p->next].address;
    return serin_flash_border_from(p->job.flash, address + serin_patching_record_size(p)) - address;
}

bool serin_patching_due(const struct serin_patching *p)
{
    uint32_t made = p->position - p->kept;
    if (p->renew) {
        return true;
    }
    return p->position == p->flushed && p->position % SERIN_PIECE_SIZE == 0 &&
           p->position < p->job.manifest->image_size_bytes &&
           serin_flash_border(p->job.flash, p->job.image_address + p->position) &&
           made >= erased_size(p) && made > serin_patching_record_size(p);
}

/* Whose checkpoint it is. */
static uint32_t crc_begun(const struct serin_patching_job *job)
{
    uint32_t crc = serin_crc32(job->attempt, job->patch_sha256, SERIN_SHA256_SIZE);
    return serin_crc32(crc, job->manifest->image_sha256, SERIN_SHA256_SIZE);
}

/* The next bytes of a record, which `done` of went before: head, checkpoint, CRC, and what fills
 * the last unit. */
static uint32_t record_part(const struct serin_patching *p, struct serin_delta_cursor *cursor,
                            uint32_t done, uint32_t *crc, uint8_t *out, uint32_t room)
{
    uint32_t size = (uint32_t)serin_delta_checkpoint_size(p->delta);
    uint32_t at = 0;
    if (done == 0) {
        serin_put_le32(out, MAGIC);
        serin_put_le32(out + 4, p->sequence);
        serin_put_le32(out + 8, size);
        at = HEAD_SIZE;
    }
    at += (uint32_t)serin_delta_save(p->delta, cursor, out + at, room - at);
    *crc = serin_crc32(*crc, out, at);
    return at;
}

enum serin_error serin_patching_keep(struct serin_patching *p)
{
    const struct serin_flash *flash = p->job.flash;
    uint32_t address = p->job.bank[p->next].address;
    uint32_t end = HEAD_SIZE + (uint32_t)serin_delta_checkpoint_size(p->delta);
    uint32_t crc = crc_begun(&p->job);
    struct serin_delta_cursor cursor = {0};
    enum serin_error error = serin_flash_erase(flash, address, erased_size(p));
    for (uint32_t done = 0; done < end + CRC_SIZE && error == SERIN_OK;) {
        uint32_t part =
            done < end ? record_part(p, &cursor, done, &crc, p->chunk, sizeof p->chunk) : 0;
        /* The CRC's bytes where they fall, of which a chunk may bear a few. */
        while (part < sizeof p->chunk && done + part >= end && done + part < end + CRC_SIZE) {
            p->chunk[part] = (uint8_t)(crc >> 8u * (done + part - end));
            part++;
        }
        error = serin_flash_program(flash, address + done, p->chunk, part);
        if (error == SERIN_OK && !serin_flash_holds(flash, address + done, p->chunk, part)) {
            error = SERIN_ERR_FLASH;
        }
        done += part;
    }
    p->renew = false;
    p->kept = p->position;
    p->sequence++;
    p->next = 1u - p->next;
    return error;
}

/* ---- going on ---- */

/* Reads a bank once, into the decoder where `p` has one, and says whether all of it is right. */
static bool read_bank(const struct serin_patching_job *job, struct serin_delta *delta,
                      const struct serin_region *bank, uint32_t *sequence)
{
    uint8_t bytes[SERIN_FLASH_CHUNK];
    struct serin_delta_cursor cursor = {0};
    uint32_t crc = crc_begun(job);
    if (serin_flash_read(job->flash, bank->address, bytes, HEAD_SIZE) != SERIN_OK ||
        serin_get_le32(bytes) != MAGIC) {
        return false;
    }
    *sequence = serin_get_le32(bytes + 4);
    uint32_t size = serin_get_le32(bytes + 8);
    if (size > bank->size || bank->size - size < HEAD_SIZE + CRC_SIZE) {
        return false;
    }
    crc = serin_crc32(crc, bytes, HEAD_SIZE);
    for (uint32_t done = 0; done < size;) {
        uint32_t part = size - done < sizeof bytes ? size - done : (uint32_t)sizeof bytes;
        if (serin_flash_read(job->flash, bank->address + HEAD_SIZE + done, bytes, part) !=
            SERIN_OK) {
            return false;
        }
        crc = serin_crc32(crc, bytes, part);
        if (delta != NULL && serin_delta_load(delta, &cursor, bytes, part) != part) {
            return false;
        }
        done += part;
    }
    return serin_flash_read(job->flash, bank->address + HEAD_SIZE + size, bytes, CRC_SIZE) ==
               SERIN_OK &&
           serin_get_le32(bytes) == crc &&
           (delta == NULL || serin_delta_loaded(delta, &cursor) == SERIN_OK);
}

/* Goes on from a bank. The decoder lends what it had made by then: its output reaches over the
 * border that the checkpoint was taken at, or up to it. */
static bool load_bank(struct serin_patching *p, const struct serin_patching_job *job,
                      uint32_t which)
{
    uint8_t header[SERIN_DELTA_HEADER_SIZE];
    const struct serin_region *bank = &job->bank[which];
    uint32_t sequence;
    if (serin_flash_read(job->flash, bank->address + HEADER_AT, header, sizeof header) !=
            SERIN_OK ||
        serin_patching_open(p, job, header) != SERIN_OK ||
        !read_bank(job, p->delta, bank, &sequence)) {
        return false;
    }
    p->sequence = sequence + 1u;
    p->position = serin_round_up(p->delta->written, SERIN_PIECE_SIZE);
    p->flushed = p->position;
    p->kept = p->position;
    return p->position - p->delta->written <= p->delta->output_size &&
           serin_flash_border(job->flash, job->image_address + p->position);
}

enum serin_error serin_patching_resume(struct serin_patching *p,
                                       const struct serin_patching_job *job)
{
    uint32_t sequence[2] = {0};
    bool valid[2];
    for (uint32_t i = 0; i < 2; i++) {
        valid[i] = read_bank(job, NULL, &job->bank[i], &sequence[i]);
    }
    uint32_t newest = valid[1] && (!valid[0] || sequence[1] > sequence[0]) ? 1u : 0u;
    bool found = (valid[newest] && load_bank(p, job, newest)) ||
                 (valid[1u - newest] && load_bank(p, job, 1u - newest));
    if (!found) {
        return SERIN_ERR_NOT_FOUND;
    }
    /* Where both are right the power may have gone in the newest: it is written again in its place,
     * so that the one before it stays until then. Else the newest one was whole when the other bank
     * was begun. */
    p->renew = valid[1u - newest];
    p->next = p->renew ? newest : 1u - newest;
    uint32_t highest = valid[newest] ? sequence[newest] : 0;
    p->sequence = highest + 1u;
    return SERIN_OK;
}
