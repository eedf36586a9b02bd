/*
 * The table of the codec port.
 */
#include <serin/adapters/protobufc.h>

#include "codecs.h"

const struct serin_codec *serin_protobufc(void)
{
    static const struct serin_codec codec = {
        .encode_envelope = serin_pbc_encode_envelope,
        .decode_envelope = serin_pbc_decode_envelope,
        .encode_directive = serin_pbc_encode_directive,
        .decode_directive = serin_pbc_decode_directive,
        .encode_trust_payload = serin_pbc_encode_trust_payload,
        .decode_trust_payload = serin_pbc_decode_trust_payload,
        .encode_report = serin_pbc_encode_report,
        .decode_report = serin_pbc_decode_report,
        .encode_ack = serin_pbc_encode_ack,
        .decode_ack = serin_pbc_decode_ack,
        .encode_beat = serin_pbc_encode_beat,
        .decode_beat = serin_pbc_decode_beat,
        .encode_get = serin_pbc_encode_get,
        .decode_get = serin_pbc_decode_get,
        .encode_block = serin_pbc_encode_block,
        .decode_block = serin_pbc_decode_block,
        .encode_hold = serin_pbc_encode_hold,
        .decode_hold = serin_pbc_decode_hold,
        .encode_presence = serin_pbc_encode_presence,
        .decode_presence = serin_pbc_decode_presence,
    };
    return &codec;
}
