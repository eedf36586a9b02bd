/* The pass (pass.h). */
#include "pass.h"

#include "serind.h"

#include <serin/adapters/fault.h>
#include <serin/adapters/log.h>

#include <assert.h>

#define ALARM_KEY         "store"
#define FILLING_KEY       "store:filling"
#define FILLING_PERCENT   80u
#define FILLING_OVER_LESS 5u /* it is over this much below, so that it does not come and go */

static void alarm(struct serind *serind, enum serin_error error)
{
    if (error == SERIN_ERR_NO_SPACE) {
        serind_alarm_raise(serind, ALARM_KEY,
                           "the store is full: make room on its disk or raise store_size, nothing "
                           "is acknowledged until then");
    } else {
        serind_alarm_raise(serind, ALARM_KEY, "the store failed: %s; nothing is acknowledged",
                           serin_error_text(error));
    }
}

enum serin_error serind_pass_begin(struct serind *serind)
{
    assert(!serind->in_pass);
    enum serin_error error = serind->store.ops->begin(serind->store.ctx, true);
    if (error != SERIN_OK) {
        alarm(serind, error);
        return error;
    }
    serind->in_pass = true;
    serind->pass_reports = false;
    serind->pass_number++;
    serind->pass_error = SERIN_OK;
    serind->meta_before = serind->meta;
    serind_audit_mark(serind);
    serind_publisher_learn(serind);
    return SERIN_OK;
}

bool serind_pass_check(struct serind *serind, enum serin_error error)
{
    assert(serind->in_pass);
    if (serind->pass_error == SERIN_OK) {
        serind->pass_error = error;
    }
    return serind->pass_error == SERIN_OK;
}

/* Everything in memory as it was before the pass. */
static void take_back(struct serind *serind)
{
    serind->meta = serind->meta_before;
    serind->in_pass = false;
    serind_rollouts_undo(serind);
    serind_sites_undo(serind);
    serind_publisher_undo(serind);
    serind_outbox_undo(serind);
    serind_audit_drop(serind);
}

void serind_pass_cancel(struct serind *serind)
{
    assert(serind->in_pass);
    serind->store.ops->abort(serind->store.ctx);
    take_back(serind);
}

/* Says in time that the store fills: when it is full nothing is acknowledged any more. */
static void watch_filling(struct serind *serind)
{
    uint64_t used = 0;
    uint64_t percent_bytes = serind->config->store_size_bytes / 100;
    if (serind->store.ops->used_bytes(serind->store.ctx, &used) != SERIN_OK) {
        return; /* the commit will say what is wrong */
    }
    if (used >= FILLING_PERCENT * percent_bytes) {
        serind_alarm_raise(serind, FILLING_KEY,
                           "the store is filled to more than %u %% of store_size: raise it",
                           FILLING_PERCENT);
    } else if (used < (FILLING_PERCENT - FILLING_OVER_LESS) * percent_bytes) {
        serind_alarm_clear(serind, FILLING_KEY);
    }
}

/* Stores what the work left to the end, and commits. */
static enum serin_error commit(struct serind *serind)
{
    serind_publisher_store(serind);
    serind_rollouts_store(serind);
    serind_sites_store(serind);
    serind_audit_put_head(serind);
    if (serind->pass_error == SERIN_OK) {
        (void)serind_pass_check(serind,
                                serind->store.ops->put_meta(serind->store.ctx, &serind->meta));
    }
    if (serind->pass_error != SERIN_OK) {
        serind->store.ops->abort(serind->store.ctx);
        return serind->pass_error;
    }
    watch_filling(serind);
    SERIN_FAULT_POINT("serind.commit.before");
    if (serind->pass_reports) {
        SERIN_FAULT_POINT("serind.report.before_commit");
    }
    return serind->store.ops->commit(serind->store.ctx);
}

enum serin_error serind_pass_end(struct serind *serind)
{
    assert(serind->in_pass);
    enum serin_error error = commit(serind);
    if (error != SERIN_OK) {
        take_back(serind);
        alarm(serind, error);
        return error;
    }
    SERIN_FAULT_POINT("serind.commit.after");
    if (serind->pass_reports) {
        SERIN_FAULT_POINT("serind.report.after_commit");
    }
    serind->in_pass = false;
    serind_alarm_clear(serind, ALARM_KEY);
    serind_rollouts_keep(serind);
    serind_sites_keep(serind);
    serind_audit_flush(serind);
    serind_publisher_keep(serind);
    serind_outbox_keep(serind);
    serind_outbox_send(serind);
    return SERIN_OK;
}
