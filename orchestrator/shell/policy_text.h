/* A policy in one line, for the audit log: what a rollout was allowed to do. */
#ifndef SERIND_POLICY_TEXT_H
#define SERIND_POLICY_TEXT_H

#include <serin/orchestrator/policy.h>

#define SERIND_POLICY_TEXT_SIZE 1024u

void serind_policy_text(const struct serin_policy *policy, char text[SERIND_POLICY_TEXT_SIZE]);

#endif
