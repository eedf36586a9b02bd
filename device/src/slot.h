/*
 * A slot's parts: manifest, `confirmed` marker, and the check of its image (docs/spec/flash.md,
 * section 3).
 *
 *   the marker, 16 bytes, in whole write units:
 *   offset size  field
 *        0    4  magic "SRNC"
 *        4    8  first 8 bytes of the manifest id
 *       12    4  CRC-32/ISO-HDLC of bytes 0..11
 */
#ifndef SERIN_DEVICE_SRC_SLOT_H
#define SERIN_DEVICE_SRC_SLOT_H

#include <serin/device/boot.h>

#define SERIN_MARKER_SIZE 16u
#define SERIN_MARKERS_MAX 8u

/* Where a part of a slot lies in flash. */
uint32_t serin_slot_address(const struct serin_boot *boot, enum serin_slot slot, uint32_t offset);

static inline enum serin_slot serin_slot_other(enum serin_slot slot)
{
    return slot == SERIN_SLOT_A ? SERIN_SLOT_B : SERIN_SLOT_A;
}

/* Reads the manifest's bytes with its signature area. SERIN_ERR_NOT_FOUND: erased.
 * SERIN_ERR_TOO_LARGE: its signature is larger than this code verifies. SERIN_ERR_FORMAT: not a
 * manifest. */
SERIN_MUST_USE enum serin_error serin_slot_manifest_read(const struct serin_boot *boot,
                                                         enum serin_slot slot,
                                                         uint8_t bytes[SERIN_MANIFEST_SIZE_P256],
                                                         size_t *size);

/* Programs a manifest into erased manifest sectors. */
SERIN_MUST_USE enum serin_error serin_slot_manifest_program(const struct serin_boot *boot,
                                                            enum serin_slot slot,
                                                            const uint8_t *bytes, size_t size);

/* Reads and opens the manifest: errors of the above, of serin_manifest_open and
 * serin_manifest_suits; SERIN_ERR_UNSUPPORTED: not made for this slot; SERIN_ERR_TOO_LARGE: the
 * image does not fit. The image is not read. */
SERIN_MUST_USE enum serin_error serin_slot_manifest_open(const struct serin_boot *boot,
                                                         const struct serin_trust *trust,
                                                         enum serin_slot slot, uint32_t floor,
                                                         struct serin_manifest *manifest,
                                                         uint8_t id[SERIN_SHA256_SIZE]);

/* The same within `run`, which has proved `trust`; its evidence, from the start, then is
 * SERIN_PROOF_SLOT. */
SERIN_MUST_USE enum serin_error
serin_slot_manifest_prove(const struct serin_boot *boot, const struct serin_trust *trust,
                          enum serin_slot slot, uint32_t floor, struct serin_manifest *manifest,
                          uint8_t id[SERIN_SHA256_SIZE], struct serin_run *run);

/* The same rules for a manifest that is not in a slot yet. */
SERIN_MUST_USE enum serin_error serin_slot_suits(const struct serin_boot *boot,
                                                 enum serin_slot slot, uint32_t floor,
                                                 const struct serin_manifest *manifest);
/* The same within `run`, which has proved the manifest. */
SERIN_MUST_USE enum serin_error serin_slot_suits_prove(const struct serin_boot *boot,
                                                       enum serin_slot slot, uint32_t floor,
                                                       const struct serin_manifest *manifest,
                                                       struct serin_run *run);

/* serin_boot_verify_slot with the trust record at hand. */
SERIN_MUST_USE enum serin_error serin_slot_verify(const struct serin_boot *boot,
                                                  const struct serin_trust *trust,
                                                  enum serin_slot slot, uint32_t floor,
                                                  struct serin_manifest *manifest,
                                                  uint8_t id[SERIN_SHA256_SIZE]);

/* Erases the manifest sectors: the slot does not boot from here on. Also where they read erased: an
 * erase that was cut may leave cells that read so and do not hold what is programmed into them. */
SERIN_MUST_USE enum serin_error serin_slot_invalidate(const struct serin_boot *boot,
                                                      enum serin_slot slot);

/* Erases the journal, also where it reads erased: a download that was broken off must not find its
 * pieces in place when something else has taken their room. */
SERIN_MUST_USE enum serin_error serin_slot_forget(const struct serin_boot *boot,
                                                  enum serin_slot slot);

/* Erases the place of piece `index` of an image, with the whole of a sector that is larger; no-op
 * where no image reaches. */
SERIN_MUST_USE enum serin_error serin_slot_clear_piece(const struct serin_boot *boot,
                                                       enum serin_slot slot, uint32_t index);

/* Whether a piece may have been at work when the power went: no manifest stands, or stood when its
 * erase was cut. One is programmed after all pieces, and erased before any. */
bool serin_slot_unsealed(const struct serin_boot *boot, enum serin_slot slot);

/* Whether the slot bears a valid `confirmed` marker for manifest `id`. */
bool serin_slot_marked(const struct serin_boot *boot, enum serin_slot slot,
                       const uint8_t id[SERIN_SHA256_SIZE]);

/* Programs the marker. SERIN_ERR_NO_SPACE: every marker unit is torn; the boot log alone then says
 * `confirmed`. */
SERIN_MUST_USE enum serin_error serin_slot_mark(const struct serin_boot *boot, enum serin_slot slot,
                                                const uint8_t id[SERIN_SHA256_SIZE]);

void serin_image_check_start(struct serin_image_check *check, const struct serin_boot *boot,
                             enum serin_slot slot, uint32_t image_size);
/* Reads at most `budget` bytes through `buffer`. SERIN_OK: all of the image is read.
 * SERIN_ERR_AGAIN: call again. SERIN_ERR_FLASH. */
SERIN_MUST_USE enum serin_error serin_image_check_step(struct serin_image_check *check,
                                                       const struct serin_boot *boot,
                                                       uint8_t *buffer, size_t buffer_size,
                                                       uint32_t budget);
/* SERIN_ERR_CRC, SERIN_ERR_DIGEST. Call once, after the last step. */
SERIN_MUST_USE enum serin_error serin_image_check_end(struct serin_image_check *check,
                                                      const struct serin_boot *boot,
                                                      const struct serin_manifest *manifest);
/* The same within `run`, which notes size, CRC and digest. */
SERIN_MUST_USE enum serin_error serin_image_check_prove(struct serin_image_check *check,
                                                        const struct serin_boot *boot,
                                                        const struct serin_manifest *manifest,
                                                        struct serin_run *run);

/* Checks the whole image within `run`: that of `slot`, read from flash, or where `choice` is not
 * NULL what will run of that, from the loader's copy if there is one. Errors as above, those of the
 * loader. */
SERIN_APART SERIN_MUST_USE enum serin_error
serin_slot_image_prove(const struct serin_boot *boot, enum serin_slot slot,
                       const struct serin_boot_choice *choice,
                       const struct serin_manifest *manifest, struct serin_run *run);

#endif
