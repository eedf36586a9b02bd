/*
 * Fault points: kills the process at a named passage, as a power cut would
 * (serin/adapters/fault.h).
 *
 * The plan is read from the environment at each passage: a passage is rare next to what it guards
 * (a flash write, a commit), and nothing has to be set up before the first one. Passages are
 * counted per name, with an atomic counter for each entry of the plan, so that threads may pass at
 * the same time.
 */
#include <serin/adapters/fault.h>

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define FAULT_PLAN_MAX 16

/* How often each entry of the plan was passed, by its position in SERIN_FAULT. */
static atomic_ulong fault_passed[FAULT_PLAN_MAX];

void serin_fault_point(const char *name)
{
    const char *entry = getenv("SERIN_FAULT");
    size_t name_size = strlen(name);
    for (int i = 0; entry != NULL && i < FAULT_PLAN_MAX; i++) {
        if (strncmp(entry, name, name_size) == 0 && entry[name_size] == ':') {
            unsigned long passage = strtoul(entry + name_size + 1, NULL, 10);
            if (atomic_fetch_add(&fault_passed[i], 1) + 1 == passage) {
                (void)raise(SIGKILL);
            }
        }
        entry = strchr(entry, ',');
        entry = entry != NULL ? entry + 1 : NULL;
    }
}
