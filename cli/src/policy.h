/*
 * `serin policy check`: what a policy comes to (policy.c), and how it is shown (policy_view.c).
 */
#ifndef SERIN_CLI_POLICY_H
#define SERIN_CLI_POLICY_H

#include <serin/adapters/policy.h>
#include <serin/cli/cli.h>
#include <serin/orchestrator/engine.h>

/* What the engine makes of an image with which every device fails, one after the other. */
struct serin_cli_rehearsal {
    enum serin_rollout_state state;  /* in which it ends: halted, or held in AWAITING */
    uint32_t failed, offered;        /* until then */
    char why[SERIN_ROLLOUT_WHY_MAX]; /* of that */
};

struct serin_cli_policy {
    const struct serin_policy_file *file;
    uint32_t successes; /* without a failure, after which the test accepts a stage */
    uint32_t devices;   /* of the fleet; 0: not given, and what follows is not known */
    uint32_t sizes[SERIN_STAGES_MAX];
    struct serin_cli_rehearsal by_test, by_all; /* with the gates off; with all that is asked for */
};

/* Reads a policy file; the caller closes it. Complains. */
enum serin_cli_exit serin_cli_policy_read(const struct serin_cli *cli, const char *path,
                                          struct serin_policy_file *file);

/* As the YAML that it would be if every default stood in it, with what else is known as comments:
 * the result is a policy again. */
void serin_cli_policy_print(const struct serin_cli *cli, const struct serin_cli_policy *policy);
void serin_cli_policy_print_json(const struct serin_cli *cli,
                                 const struct serin_cli_policy *policy);

/* Devices of a stage that were in none before it. */
uint32_t serin_cli_policy_new(const struct serin_cli_policy *policy, size_t stage);

#endif
