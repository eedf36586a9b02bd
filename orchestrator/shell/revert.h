/*
 * `on_halt: revert`: a rollout was halted, and its policy wants its devices back on the stable
 * release (docs/spec/rollout.md; docs/serind.md, "Going back"). The halt is published first; in the
 * turn after that a staged rollout of the stable release takes its place, or serind says why it
 * cannot, and the halted one stays as it is.
 */
#ifndef SERIND_REVERT_H
#define SERIND_REVERT_H

#include <stdint.h>

struct serind;
struct serind_slot;

/* Every turn, outside of passes: makes the next revert that is due, in a pass of its own. */
void serind_revert_tend(struct serind *serind);

/* Inside a pass: the rollout in `by`, whose members are entered, takes back what the halted one in
 * `slot` did. */
void serind_revert_made(struct serind *serind, struct serind_slot *slot,
                        const struct serind_slot *by);

/* At the start and when a rollout's place is taken: the alarm of one that could not be taken back.
 */
void serind_revert_alarm(struct serind *serind, const struct serind_slot *slot);
void serind_revert_silence(struct serind *serind, const struct serind_slot *slot);

#endif
