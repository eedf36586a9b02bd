/*
 * Randomness for a board without a generator: 32 bytes that the factory drew for this device, and a
 * count of boots that is durable before it is used, so that no two boots draw the same.
 *
 *   serin_boot_count_next    once per boot, first of all
 *   serin_seed_init          with what it gave
 *   serin_seed_fill          whatever a generator would be asked for
 *
 * It is as good as the seed is secret: who reads it from the flash knows every session's keys, past
 * ones too. A board with a TRNG uses that, and none of this. One thread.
 */
#ifndef SERIN_PORTS_SEED_H
#define SERIN_PORTS_SEED_H

#include <serin/crypto.h>
#include <serin/device/flash.h>

#define SERIN_SEED_SIZE 32u

/* Raises the count that is kept in the two sectors of `flash` from `address` on (equal ones, of
 * `flash->sector_size`), and tells it: 1 at the first boot. It is durable, and read back, when this
 * returns. A cut at any moment costs numbers, and gives none twice. SERIN_ERR_FLASH: it could be
 * written nowhere; there is no randomness then. */
SERIN_MUST_USE enum serin_error serin_boot_count_next(const struct serin_flash *flash,
                                                      uint32_t address, uint32_t *count);

struct serin_seed {
    const struct serin_crypto *crypto;
    uint64_t drawn; /* blocks, this boot */
    uint32_t boot;
    uint8_t secret[SERIN_SEED_SIZE];
};

/* `crypto` gives SHA-256, and stays; `secret` is copied. */
void serin_seed_init(struct serin_seed *seed, const struct serin_crypto *crypto,
                     const uint8_t secret[SERIN_SEED_SIZE], uint32_t boot);

/* Block n of a boot is SHA-256("serin seed" ‖ secret ‖ boot, 4 ‖ n, 8), numbers little-endian; each
 * call begins with a new one. */
void serin_seed_fill(struct serin_seed *seed, void *out, size_t size);

#endif
