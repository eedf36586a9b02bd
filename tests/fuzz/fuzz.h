/*
 * A fuzz target: one function that must survive every input. What must hold of an accepted input is
 * asserted, so that a parser that accepts too much is found as surely as one that crashes.
 */
#ifndef SERIN_FUZZ_H
#define SERIN_FUZZ_H

#include <serin/assert.h>

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
