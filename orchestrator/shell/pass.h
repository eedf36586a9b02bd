/*
 * The pass: one write transaction around one piece of work, and everything that must happen with it
 * or not at all.
 *
 *   serind_pass_begin ─▶ work … ─▶ serind_pass_end ─▶ commit ─▶ audit ─▶ publish ─▶ ack
 *                                        │
 *                                        └▶ failed: rollouts, orders and retained copies as
 *                                           before, nothing said, nothing sent; alarm "store"
 *
 * Work inside a pass does not stop at a failed store operation: it calls serind_pass_fail and goes
 * on or returns; the end of the pass sees it.
 */
#ifndef SERIND_PASS_H
#define SERIND_PASS_H

#include <serin/error.h>

#include <stdbool.h>

#define SERIND_PASS_RETRY_MS 1000u /* after a pass that failed */

struct serind;

/* Begins. SERIN_ERR_NO_SPACE, SERIN_ERR_IO: there is no pass; the alarm is raised. */
SERIN_MUST_USE enum serin_error serind_pass_begin(struct serind *serind);

/* Makes the pass fail with the first error given to it; SERIN_OK is ignored. Returns whether the
 * pass is still sound. */
bool serind_pass_check(struct serind *serind, enum serin_error error);

/* Makes the directives that the work asked for, commits, then acts; or takes all of it back. The
 * result is that of the commit or the first error of the work. */
SERIN_MUST_USE enum serin_error serind_pass_end(struct serind *serind);

/* Takes all of it back because the work was refused: no alarm. */
void serind_pass_cancel(struct serind *serind);

#endif
