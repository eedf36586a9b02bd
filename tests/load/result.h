/*
 * The result of a run, for people or as JSON (README.md describes each member).
 */
#ifndef SERIN_LOAD_RESULT_H
#define SERIN_LOAD_RESULT_H

#include "fleet.h"

/* Prints it on stdout. SERIN_ERR_MEMORY; SERIN_ERR_IO: stdout does not take it. */
SERIN_MUST_USE enum serin_error load_result_print(const struct load_fleet *fleet, bool json);

#endif
