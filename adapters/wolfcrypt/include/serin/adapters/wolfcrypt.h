/*
 * The crypto port on wolfCrypt (serin/crypto.h).
 *
 * Where wolfCrypt keeps precomputed points for each thread (as Debian's build does), the first two
 * verifications with a key in a thread take milliseconds and the later ones a fraction of one; up
 * to 1.6 MB are held for it and freed when the thread ends.
 */
#ifndef SERIN_ADAPTERS_WOLFCRYPT_H
#define SERIN_ADAPTERS_WOLFCRYPT_H

#include <serin/crypto.h>

/* Static storage; thread-safe; no set-up needed. */
const struct serin_crypto *serin_wolfcrypt(void);

#endif
