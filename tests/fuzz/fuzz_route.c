/* The route table: what decodes encodes back to the same bytes, and what a device finds in it in
 * place is the best of what was decoded. */
#include "fuzz.h"

#include <serin/route.h>

#include <string.h>

/* The size of the smallest route that fits; UINT32_MAX: none. */
static uint32_t smallest(const struct serin_routes *routes, uint8_t target, uint8_t base,
                         uint32_t takes)
{
    uint32_t size = UINT32_MAX;
    for (size_t i = 0; i < routes->route_count; i++) {
        const struct serin_route *route = &routes->routes[i];
        if (route->target == target &&
            (route->base == base || route->base == SERIN_ROUTE_NO_BASE) &&
            (takes & 1u << route->backend) != 0 && route->size_bytes < size) {
            size = route->size_bytes;
        }
    }
    return size;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct serin_routes routes;
    if (serin_routes_decode(data, size, &routes) != SERIN_OK) {
        return 0;
    }
    uint8_t bytes[SERIN_ROUTES_SIZE_MAX];
    size_t again = 0;
    SERIN_ASSERT(serin_routes_encode(&routes, bytes, &again) == SERIN_OK);
    SERIN_ASSERT(again == size && memcmp(bytes, data, size) == 0);
    for (size_t target = 0; target < routes.target_count; target++) {
        for (size_t base = 0; base <= routes.base_count; base++) {
            bool none = base == routes.base_count;
            struct serin_route route;
            uint8_t index = none ? SERIN_ROUTE_NO_BASE : (uint8_t)base;
            for (uint32_t takes = 0; takes <= SERIN_TAKES_KNOWN; takes += 2u) {
                uint32_t expected = smallest(&routes, (uint8_t)target, index, takes);
                bool found = serin_routes_find(data, size, routes.targets[target],
                                               none ? NULL : routes.bases[base], takes, UINT32_MAX,
                                               &route) == SERIN_OK;
                SERIN_ASSERT(found == (expected != UINT32_MAX));
                SERIN_ASSERT(!found || route.size_bytes == expected);
            }
        }
    }
    return 0;
}
