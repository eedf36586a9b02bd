/*
 * serin-sensor as no release should be: one word of its image, which the tests write there before
 * they pack it, says how it fails. Linked in place of what is weak in sensor.c.
 */
#include "sensor.h"

enum sensor_fault {
    FAULT_NONE = 0,
    FAULT_CRASHES = 3,        /* v3: a hard fault in its first turn */
    FAULT_HANGS = 4,          /* v4: no interrupt ends it, so that the watchdog must */
    FAULT_NEVER_CONFIRMS = 5, /* v5: it runs, but never says that it works */
};

/* Found by its name in the linked program. */
extern const uint32_t sensor_fault;
const uint32_t sensor_fault = FAULT_NONE;

bool sensor_works(uint32_t measured)
{
    switch (*(const volatile uint32_t *)&sensor_fault) { /* not what the compiler saw */
    case FAULT_CRASHES:
        __asm__ volatile("udf #0");
        break;
    case FAULT_HANGS:
        __asm__ volatile("cpsid i");
        for (;;) {
        }
    case FAULT_NEVER_CONFIRMS:
        return false;
    default:
        break;
    }
    return measured >= 2;
}

/* A debugger stops here, and reads the name by the rules of calls, so the compiler must keep them.
 */
__attribute__((noipa)) void sensor_fault_point(void *ctx, const char *name)
{
    (void)ctx;
    (void)name;
    __asm__ volatile("");
}
