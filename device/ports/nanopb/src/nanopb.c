/*
 * The table of the codec port, whole.
 */
#include <serin/ports/nanopb.h>

#include "codecs.h"

const struct serin_codec *serin_nanopb(void)
{
    static const struct serin_codec codec = {
        .encode_envelope = serin_npb_encode_envelope,
        .decode_envelope = serin_npb_decode_envelope,
        .encode_directive = serin_npb_encode_directive,
        .decode_directive = serin_npb_decode_directive,
        .encode_trust_payload = serin_npb_encode_trust_payload,
        .decode_trust_payload = serin_npb_decode_trust_payload,
        .encode_report = serin_npb_encode_report,
        .decode_report = serin_npb_decode_report,
        .encode_ack = serin_npb_encode_ack,
        .decode_ack = serin_npb_decode_ack,
        .encode_beat = serin_npb_encode_beat,
        .decode_beat = serin_npb_decode_beat,
        .encode_get = serin_npb_encode_get,
        .decode_get = serin_npb_decode_get,
        .encode_block = serin_npb_encode_block,
        .decode_block = serin_npb_decode_block,
        .encode_hold = serin_npb_encode_hold,
        .decode_hold = serin_npb_decode_hold,
        .encode_presence = serin_npb_encode_presence,
        .decode_presence = serin_npb_decode_presence,
    };
    return &codec;
}
