/* What the last batches held (sent.h): a ring of them. */
#include <serin/assert.h>
#include <serin/gateway/sent.h>

size_t serin_sent_batches_for(uint32_t nodes_max)
{
    size_t full = ((size_t)nodes_max + SERIN_BATCH_ITEMS_MAX - 1u) / SERIN_BATCH_ITEMS_MAX;
    if (full < SERIN_SENT_BATCHES_MIN) {
        return SERIN_SENT_BATCHES_MIN;
    }
    return full < SERIN_SENT_BATCHES_MAX ? full : SERIN_SENT_BATCHES_MAX;
}

void serin_sent_init(struct serin_sent *sent, struct serin_sent_batch *batches, size_t batches_max)
{
    SERIN_ASSERT(batches_max >= 1);
    *sent = (struct serin_sent){.batches = batches, .batches_max = batches_max};
    for (size_t i = 0; i < batches_max; i++) {
        batches[i].number = 0;
        batches[i].count = 0;
    }
}

void serin_sent_note(struct serin_sent *sent, const struct serin_relay *relay,
                     const struct serin_relay_item *items, size_t count, uint64_t number,
                     uint32_t crc32)
{
    SERIN_ASSERT(number >= 1 && count <= SERIN_BATCH_ITEMS_MAX);
    struct serin_sent_batch *batch = &sent->batches[sent->next];
    size_t reports = 0;
    for (size_t i = 0; i < count; i++) {
        if (items[i].kind == SERIN_BATCH_REPORT) {
            const struct serin_relay_node *node = &relay->nodes[items[i].node];
            batch->reports[reports++] = (struct serin_sent_report){
                .node = items[i].node, .incarnation = node->incarnation, .number = node->number};
        }
    }
    if (reports == 0) {
        return;
    }
    batch->number = number;
    batch->crc32 = crc32;
    batch->count = reports;
    sent->next = (sent->next + 1u) % sent->batches_max;
}

void serin_sent_forget(struct serin_sent *sent, uint32_t node)
{
    for (size_t i = 0; i < sent->batches_max; i++) {
        struct serin_sent_batch *batch = &sent->batches[i];
        for (size_t j = 0; j < batch->count; j++) {
            if (batch->reports[j].node == node) {
                batch->reports[j].node = SERIN_RELAY_NONE;
            }
        }
    }
}

const struct serin_sent_batch *serin_sent_take(struct serin_sent *sent, uint64_t number,
                                               uint32_t crc32)
{
    for (size_t i = 0; i < sent->batches_max && number != 0; i++) {
        struct serin_sent_batch *batch = &sent->batches[i];
        if (batch->number == number && batch->crc32 == crc32) {
            batch->number = 0;
            return batch;
        }
    }
    return NULL;
}
