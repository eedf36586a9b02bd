/*
 * The crypto port of a bootloader: SHA-256 and P-256 verification on wolfCrypt's single-precision
 * code alone, a third of the size of serin/adapters/wolfcrypt.h, without heap and without anything
 * that is not needed to verify.
 *
 * Compiled into a board's build beside wolfCrypt's sha256.c; it includes sp_c32.c itself.
 * docs/porting.md has the settings.
 */
#ifndef SERIN_ADAPTERS_WOLFCRYPT_SP_H
#define SERIN_ADAPTERS_WOLFCRYPT_SP_H

#include <serin/crypto.h>

/* The port; its `random` is NULL: a bootloader draws nothing. A constant, so that a bootloader that
 * is linked as a whole calls it directly.
 *
 * The second run verifies a signature that is known to hold, too, and takes twice as long: an
 * instruction that never executes in either run makes that one fail.
 *
 * Its verification is exact but for two keys that nobody has: the base point and its negative,
 * whose private keys are 1 and n - 1, verify nothing. */
extern const struct serin_crypto serin_wolfcrypt_sp;

#endif
