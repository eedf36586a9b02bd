/*
 * The options of each command that has some of its own.
 */
#ifndef SERIN_CLI_OPTIONS_H
#define SERIN_CLI_OPTIONS_H

#include <serin/cli/args.h>

extern const struct serin_cli_option serin_cli_options_pki_init[];
extern const struct serin_cli_option serin_cli_options_pki_device[];
extern const struct serin_cli_option serin_cli_options_key_public[];
extern const struct serin_cli_option serin_cli_options_trust_make[];
extern const struct serin_cli_option serin_cli_options_trust_show[];
extern const struct serin_cli_option serin_cli_options_pack[];
extern const struct serin_cli_option serin_cli_options_verify[];
extern const struct serin_cli_option serin_cli_options_delta_make[];
extern const struct serin_cli_option serin_cli_options_delta_apply[];
extern const struct serin_cli_option serin_cli_options_policy_check[];
extern const struct serin_cli_option serin_cli_options_rollout_create[];
extern const struct serin_cli_option serin_cli_options_simulate[];
extern const struct serin_cli_option serin_cli_options_reason[];
extern const struct serin_cli_option serin_cli_options_device_list[];
extern const struct serin_cli_option serin_cli_options_device_decide[];
extern const struct serin_cli_option serin_cli_options_device_move[];
extern const struct serin_cli_option serin_cli_options_audit_list[];
extern const struct serin_cli_option serin_cli_options_audit_verify[];

#endif
