/* What the tests' variant of serin-sensor has a say in (sensor_faulty.c). */
#ifndef MPS2_SENSOR_H
#define MPS2_SENSOR_H

#include <stdbool.h>
#include <stdint.h>

/* Whether the product works, having published `measured` values since the boot: asked in each turn,
 * and what confirms a release. */
bool sensor_works(uint32_t measured);

/* Where a test may take the power: the `fault_point` of the agent's platform. The product has none.
 */
void sensor_fault_point(void *ctx, const char *name);

#endif
