/*
 * The board's randomness: it has no generator, so what it draws comes from the factory's seed and a
 * count of boots (serin/ports/seed.h). A board with a TRNG implements board_seed and board_random
 * by that, and leaves random.c out.
 */
#ifndef MPS2_RANDOM_H
#define MPS2_RANDOM_H

#include <serin/ports/seed.h>

/* Once, before anything draws. SERIN_ERR_FLASH: the count of boots cannot be raised. */
SERIN_MUST_USE enum serin_error board_random_start(const struct serin_crypto *crypto,
                                                   const uint8_t secret[SERIN_SEED_SIZE]);

/* The count of this boot; 0 before board_random_start. */
uint32_t board_boots(void);

/* For wolfCrypt's generator (CUSTOM_RAND_GENERATE_SEED); 0, or -1 before board_random_start. */
int board_seed(unsigned char *out, unsigned int size);

/* For lwIP (LWIP_RAND). */
uint32_t board_random(void);

#endif
