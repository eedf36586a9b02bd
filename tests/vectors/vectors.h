/*
 * Makes the golden vectors of the signed formats: manifest, trust record, bundle, and everything
 * that must be refused.
 */
#ifndef SERIN_VECTORS_VECTORS_H
#define SERIN_VECTORS_VECTORS_H

#include <serin/codec.h>

/* Takes one finished vector; `name` is its path below v1/. */
typedef void vector_sink(void *arg, const char *name, const void *data, size_t size);

/* Makes every vector with the keys of the folder `keys` (root.key, release.key, director.key) and
 * hands them to `sink` in a fixed order. False: a key could not be read, or wolfCrypt failed. */
bool vectors_make(const struct serin_crypto *crypto, const struct serin_codec *codec,
                  const char *keys, vector_sink *sink, void *arg);

#endif
