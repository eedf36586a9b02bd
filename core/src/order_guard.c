/* The order guard: compares, and judges against the highest order seen. */
#include <serin/order_guard.h>

#include <serin/directive.h>

static int compare(uint32_t a, uint32_t b)
{
    return a < b ? -1 : a > b;
}

int serin_order_compare(struct serin_order a, struct serin_order b)
{
    int epochs = compare(a.epoch, b.epoch);
    return epochs != 0 ? epochs : compare(a.sequence, b.sequence);
}

enum serin_order_verdict serin_order_judge(struct serin_order highest, struct serin_order order)
{
    int comparison = serin_order_compare(order, highest);
    if (comparison > 0) {
        return SERIN_ORDER_NEWER;
    }
    return comparison == 0 ? SERIN_ORDER_SAME : SERIN_ORDER_OLDER;
}
