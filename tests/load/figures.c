/* Figures of a run (figures.h). */
#include "figures.h"

#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint64_t rank(const uint64_t *values, size_t count, size_t percent)
{
    return values[(count * percent + 99u) / 100u - 1u];
}

void load_spread_of(uint64_t *values, size_t count, struct load_spread *spread)
{
    *spread = (struct load_spread){.count = count};
    if (count == 0) {
        return;
    }
    qsort(values, count, sizeof *values, compare);
    spread->min = values[0];
    spread->p50 = rank(values, count, 50);
    spread->p90 = rank(values, count, 90);
    spread->p99 = rank(values, count, 99);
    spread->max = values[count - 1];
}

static bool same_version(const struct serin_version *a, const struct serin_version *b)
{
    return a->major == b->major && a->minor == b->minor && a->patch == b->patch;
}

bool load_account_done(const struct load_account *account, const struct serin_version *until)
{
    if (until == NULL) {
        return account->state == SERIN_STATE_CONFIRMED;
    }
    return !account->trial && !account->broken && same_version(&account->running, until);
}

bool load_account_failed(const struct load_account *account)
{
    return account->broken || account->state == SERIN_STATE_FAILED ||
           account->state == SERIN_STATE_REJECTED || account->state == SERIN_STATE_ROLLED_BACK;
}
