/*
 * What can be known of a configuration without starting: whether its addresses can be used and its
 * files hold what they should. `serind --check` says it, and a start asks first, so that nothing is
 * made before all of it holds.
 */
#ifndef SERIND_CONFIG_CHECK_H
#define SERIND_CONFIG_CHECK_H

#include "start.h"

/* Opens nothing for writing. SERIN_ERR_CONFIG: `why` names the key, the file and what is wrong.
 * SERIN_ERR_KEY and SERIN_ERR_SIGNATURE: a trust record that no root key of the configuration
 * signed. */
SERIN_MUST_USE enum serin_error serind_check(const struct serin_serind_config *config,
                                             char why[SERIND_START_WHY_MAX]);

#endif
