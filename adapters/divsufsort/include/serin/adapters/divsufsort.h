/*
 * The delta encoder's port for sorted suffixes (serin/host/delta.h), on libdivsufsort. Any thread;
 * nothing is kept between calls.
 */
#ifndef SERIN_ADAPTERS_DIVSUFSORT_H
#define SERIN_ADAPTERS_DIVSUFSORT_H

#include <serin/host/delta.h>

extern const struct serin_suffixes serin_divsufsort;

#endif
