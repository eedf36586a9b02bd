/*
 * The proof of what is about to boot (serin/proof.h; docs/spec/boot.md, section 9).
 */
#ifndef SERIN_DEVICE_SRC_BOOT_PROVE_H
#define SERIN_DEVICE_SRC_BOOT_PROVE_H

#include <serin/device/boot.h>

/* Verifies `slot` against `floor`, loads its image where there is a loader, and verifies all of it
 * again from the choice that came of it, with a floor that it looks up itself. Fills in slot,
 * image, manifest, its id and the proof. Errors as serin_boot_verify_slot, and of the loader; then
 * the proof does not hold. SERIN_ERR_AGAIN: the first run held and the second did not. */
SERIN_MUST_USE enum serin_error serin_boot_prove(const struct serin_boot *boot,
                                                 enum serin_slot slot, uint32_t floor,
                                                 struct serin_boot_choice *choice);

#endif
