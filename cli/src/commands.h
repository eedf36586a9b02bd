/*
 * The commands, each in the file of its concern; the table that names them is commands.c.
 */
#ifndef SERIN_CLI_COMMANDS_H
#define SERIN_CLI_COMMANDS_H

#include <serin/cli/cli.h>

#define SERIN_CLI_RUN(name) enum serin_cli_exit serin_cli_run_##name(struct serin_cli *cli)

SERIN_CLI_RUN(pki_init);
SERIN_CLI_RUN(pki_device);
SERIN_CLI_RUN(pki_gateway);
SERIN_CLI_RUN(key_new);
SERIN_CLI_RUN(key_public);
SERIN_CLI_RUN(trust_make);
SERIN_CLI_RUN(trust_show);
SERIN_CLI_RUN(trust_publish);
SERIN_CLI_RUN(pack);
SERIN_CLI_RUN(inspect);
SERIN_CLI_RUN(verify);
SERIN_CLI_RUN(delta_make);
SERIN_CLI_RUN(delta_apply);
SERIN_CLI_RUN(delta_info);
SERIN_CLI_RUN(publish);
SERIN_CLI_RUN(release_list);
SERIN_CLI_RUN(policy_check);
SERIN_CLI_RUN(simulate);
SERIN_CLI_RUN(rollout_create);
SERIN_CLI_RUN(rollout_list);
SERIN_CLI_RUN(rollout_show);
SERIN_CLI_RUN(rollout_watch);
SERIN_CLI_RUN(rollout_command); /* pause, resume, halt, advance, abort */
SERIN_CLI_RUN(device_list);
SERIN_CLI_RUN(device_show);
SERIN_CLI_RUN(device_decide); /* approve, refuse */
SERIN_CLI_RUN(device_move);
SERIN_CLI_RUN(gateway_list);
SERIN_CLI_RUN(gateway_show);
SERIN_CLI_RUN(gateway_decide); /* refuse, allow */
SERIN_CLI_RUN(status);
SERIN_CLI_RUN(audit_list);
SERIN_CLI_RUN(audit_head);
SERIN_CLI_RUN(audit_verify);

#undef SERIN_CLI_RUN

#endif
