/*
 * The fleet: nodes in one thread, around one epoll descriptor and one queue of deadlines.
 */
#ifndef SERIN_LOAD_FLEET_H
#define SERIN_LOAD_FLEET_H

#include "node.h"

/* Where the fleet stands, for the line of progress and for the end. */
struct load_tally {
    uint32_t awake, connected, accepted, held, done, failed, acked;
    uint64_t bytes_fetched;
};

struct load_fleet; /* opaque */

/* Makes the nodes. Complains. The fleet is closed in any case (NULL is fine). */
enum load_exit load_fleet_open(struct load_fleet **fleet, const struct load_options *options,
                               const struct load_factory *factory);
void load_fleet_close(struct load_fleet *fleet);

/* Runs it to its end: --until, --timeout, SIGINT or SIGTERM. Shows progress where stderr is a
 * terminal. FAILED: not every node got there. */
enum load_exit load_fleet_run(struct load_fleet *fleet);

/* What stands at the end. */
const struct load_shared *load_fleet_shared(const struct load_fleet *fleet);
const struct load_node *load_fleet_node(const struct load_fleet *fleet, uint32_t index);
void load_fleet_tally(const struct load_fleet *fleet, struct load_tally *tally);
uint64_t load_fleet_elapsed_ms(const struct load_fleet *fleet);

#endif
