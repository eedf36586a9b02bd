/*
 * The order guard (docs/spec/directive.md, section 5; design decision 4): the highest order per
 * directive topic, kept by devices, by the plugin and by serind alike. It only grows.
 */
#ifndef SERIN_ORDER_GUARD_H
#define SERIN_ORDER_GUARD_H

#include <serin/wire.h>

enum serin_order_verdict {
    SERIN_ORDER_NEWER, /* take it; store it first */
    SERIN_ORDER_SAME,  /* already known: harmless */
    SERIN_ORDER_OLDER  /* refuse it */
};

enum serin_order_verdict serin_order_judge(struct serin_order highest, struct serin_order order);

#endif
