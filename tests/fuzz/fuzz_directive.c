/*
 * The directive: its envelope, and its body with no signature in the way. What decodes agrees with
 * itself, encodes again, and asks something sensible of every device.
 */
#include "fuzz.h"

#include <serin/adapters/protobufc.h>
#include <serin/directive.h>

#include <string.h>

static void try_wishes(const struct serin_directive *directive)
{
    const uint64_t ranks[] = {0, directive->threshold, UINT64_MAX};
    const uint16_t hardware[] = {0, 1, directive->stable.offers[0].hw_max, UINT16_MAX};
    for (size_t i = 0; i < sizeof ranks / sizeof ranks[0]; i++) {
        for (size_t j = 0; j < sizeof hardware / sizeof hardware[0]; j++) {
            struct serin_wish wish = serin_directive_wish(directive, ranks[i], hardware[j]);
            SERIN_ASSERT((wish.kind == SERIN_WISH_NOTHING) == (wish.offer == NULL));
            SERIN_ASSERT(wish.offer == NULL ||
                         (wish.attempt >= 1 && wish.offer->hw_min <= hardware[j] &&
                          wish.offer->hw_max >= hardware[j]));
        }
    }
}

static void try_body(const uint8_t *body, size_t size)
{
    const struct serin_codec *codec = serin_protobufc();
    struct serin_directive directive;
    struct serin_directive back;
    uint8_t again[SERIN_DIRECTIVE_MAX];
    size_t again_size = 0;
    memset(&directive, 0, sizeof directive);
    if (codec->decode_directive(body, size, &directive) != SERIN_OK) {
        return;
    }
    SERIN_ASSERT(serin_directive_check(&directive, NULL) == SERIN_OK);
    SERIN_ASSERT(codec->encode_directive(&directive, again, sizeof again, &again_size) == SERIN_OK);
    SERIN_ASSERT(codec->decode_directive(again, again_size, &back) == SERIN_OK);
    SERIN_ASSERT(serin_order_compare(directive.order, back.order) == 0);
    try_wishes(&directive);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct serin_envelope envelope;
    if (serin_protobufc()->decode_envelope(data, size, &envelope) == SERIN_OK) {
        SERIN_ASSERT(envelope.body >= data &&
                     envelope.body_size <= size - (size_t)(envelope.body - data));
        try_body(envelope.body, envelope.body_size);
    }
    try_body(data, size);
    return 0;
}
