/*
 * The table of the codec port, as far as an agent uses it. In a file of its own, so that a board
 * that takes this one links nothing of the other.
 */
#include <serin/ports/nanopb.h>

#include "codecs.h"

const struct serin_codec *serin_nanopb_agent(void)
{
    static const struct serin_codec codec = {
        .decode_envelope = serin_npb_decode_envelope,
        .decode_directive = serin_npb_decode_directive,
        .decode_trust_payload = serin_npb_decode_trust_payload,
        .encode_report = serin_npb_encode_report,
        .decode_ack = serin_npb_decode_ack,
        .encode_beat = serin_npb_encode_beat,
        .encode_get = serin_npb_encode_get,
        .decode_block = serin_npb_decode_block,
        .decode_hold = serin_npb_decode_hold,
    };
    return &codec;
}
