/*
 * The crypto port of a bootloader: SHA-256 and P-256 verification on wolfCrypt's single-precision
 * code alone, a third of the size of serin/adapters/wolfcrypt.h, without heap and without anything
 * that is not needed to verify.
 *
 * Compiled into a board's build beside wolfCrypt's own sha256.c and sp_c32.c; docs/porting.md has
 * the settings.
 */
#ifndef SERIN_ADAPTERS_WOLFCRYPT_SP_H
#define SERIN_ADAPTERS_WOLFCRYPT_SP_H

#include <serin/crypto.h>

/* The port; its `random` is NULL: a bootloader draws nothing. Static storage. */
const struct serin_crypto *serin_wolfcrypt_sp(void);

#endif
