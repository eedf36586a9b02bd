/* The crypto port on wolfCrypt (serin/crypto.h). */
#ifndef SERIN_ADAPTERS_WOLFCRYPT_H
#define SERIN_ADAPTERS_WOLFCRYPT_H

#include <serin/crypto.h>

/* Static storage; thread-safe; no set-up needed. */
const struct serin_crypto *serin_wolfcrypt(void);

#endif
