/*
 * Ports that remember, against the real ones: every answer is the same, and the real ones were
 * asked once.
 */
#include <memo.h>

#include <serin/adapters/keys.h>
#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/signed.h>

#include "check_main.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES 5000u

static uint32_t dice(uint32_t range)
{
    static uint32_t state = 2463534242u;
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state % range;
}

static enum serin_error sevens(void *ctx, void *out, size_t size)
{
    *(unsigned *)ctx += 1u;
    memset(out, 7, size);
    return SERIN_OK;
}

static unsigned random_calls;
static struct sim_memo *memo;
static const struct serin_crypto *crypto;

static void setup(void)
{
    ck_assert_int_eq(sim_memo_open(&memo, serin_wolfcrypt(), serin_protobufc(),
                                   serin_protobufc_site(), sevens, &random_calls),
                     SERIN_OK);
    crypto = sim_memo_crypto(memo);
}

static void teardown(void)
{
    ck_assert(!sim_memo_failed(memo));
    sim_memo_close(memo);
}

static struct sim_memo_figures figures(void)
{
    struct sim_memo_figures now;
    sim_memo_look(memo, &now);
    return now;
}

/* The digest, taken in runs of random sizes: none, small and large. */
static void digest_in_runs(const uint8_t *data, size_t size, uint8_t digest[SERIN_SHA256_SIZE])
{
    struct serin_sha256 sha;
    crypto->ops->sha256_init(crypto->ctx, &sha);
    for (size_t at = 0; at < size;) {
        size_t part = dice(dice(2) == 0 ? 40u : 1500u);
        part = part < size - at ? part : size - at;
        crypto->ops->sha256_update(crypto->ctx, &sha, data + at, part);
        at += part;
    }
    crypto->ops->sha256_final(crypto->ctx, &sha, digest);
}

START_TEST(digests_are_the_real_ones)
{
    static uint8_t data[BYTES];
    uint8_t mine[SERIN_SHA256_SIZE], real[SERIN_SHA256_SIZE];
    setup();
    for (size_t i = 0; i < BYTES; i++) {
        data[i] = (uint8_t)dice(256);
    }
    for (unsigned i = 0; i < 3000u; i++) {
        size_t from = dice(4), size = dice(i % 3u == 0 ? 300u : BYTES - 4u);
        data[from + dice((uint32_t)size + 1u)] ^=
            (uint8_t)(i % 2u); /* half of them change a byte */
        digest_in_runs(data + from, size, mine);
        serin_sha256_of(serin_wolfcrypt(), data + from, size, real);
        ck_assert_mem_eq(mine, real, sizeof mine);
    }
    teardown();
}
END_TEST

/* Caught: what was asked last is taken for what is asked, where the sizes agree. */
START_TEST(short_digests_are_of_their_bytes)
{
    uint8_t data[216], mine[SERIN_SHA256_SIZE], real[SERIN_SHA256_SIZE];
    setup();
    memset(data, 7, sizeof data);
    for (unsigned i = 0; i < 4000u; i++) { /* again what was asked, or one bit off, or neither */
        size_t size = sizeof data - dice(3);
        size_t at = dice(2) == 0 ? size - 1u : 0;
        data[at] ^= (uint8_t)(dice(2) << dice(3));
        digest_in_runs(data, size, mine);
        serin_sha256_of(serin_wolfcrypt(), data, size, real);
        ck_assert_mem_eq(mine, real, sizeof mine);
    }
    teardown();
}
END_TEST

START_TEST(equal_bytes_are_hashed_once)
{
    static uint8_t image[BYTES];
    uint8_t first[SERIN_SHA256_SIZE], again[SERIN_SHA256_SIZE];
    setup();
    memset(image, 3, sizeof image);
    serin_sha256_of(crypto, image, sizeof image, first);
    ck_assert_uint_eq(figures().hashed_bytes, sizeof image);
    for (unsigned i = 0; i < 10u; i++) {
        serin_sha256_of(crypto, image, sizeof image, again);
        ck_assert_mem_eq(first, again, sizeof first);
    }
    ck_assert_uint_eq(figures().hashed_bytes, sizeof image);
    image[BYTES - 1u] ^= 1u;
    serin_sha256_of(crypto, image, sizeof image, again);
    ck_assert_mem_ne(first, again, sizeof first);
    ck_assert_uint_eq(figures().hashed_bytes, 2u * sizeof image);
    teardown();
}
END_TEST

START_TEST(signatures_are_verified_once_each)
{
    struct serin_key_signer *key = NULL;
    const uint8_t number[32] = {[31] = 9};
    uint8_t public_key[SERIN_P256_PUBLIC_SIZE], signature[SERIN_P256_SIGNATURE_SIZE];
    uint8_t digest[SERIN_SHA256_SIZE] = {1, 2, 3};
    setup();
    ck_assert_int_eq(serin_key_signer_of(&key, number), SERIN_OK);
    struct serin_signer signer = serin_key_signer_port(key);
    ck_assert_int_eq(signer.ops->public_key(signer.ctx, public_key), SERIN_OK);
    ck_assert_int_eq(signer.ops->sign(signer.ctx, digest, signature), SERIN_OK);
    for (unsigned round = 0; round < 3u; round++) {
        ck_assert_int_eq(serin_p256_verify(crypto, public_key, digest, signature), SERIN_OK);
        for (unsigned i = 0; i < 3u; i++) { /* one bit of each of the three is another question */
            uint8_t *const parts[] = {public_key, digest, signature};
            parts[i][5] ^= 0x10u;
            ck_assert_int_ne(serin_p256_verify(crypto, public_key, digest, signature), SERIN_OK);
            parts[i][5] ^= 0x10u;
        }
    }
    ck_assert_uint_eq(figures().verifications, 12u);
    ck_assert_uint_eq(figures().remembered, 8u);
    serin_key_signer_close(key);
    teardown();
}
END_TEST

START_TEST(decodings_point_into_the_payload_at_hand)
{
    static uint8_t payloads[12][SERIN_DIRECTIVE_MAX];
    size_t sizes[12];
    setup();
    const struct serin_codec *codec = sim_memo_codec(memo);
    for (uint8_t i = 0; i < 12u; i++) { /* more than are remembered */
        uint8_t body[40];
        memset(body, i, sizeof body);
        const struct serin_envelope envelope = {.body = body, .body_size = 30u + i % 4u};
        ck_assert_int_eq(
            codec->encode_envelope(&envelope, payloads[i], SERIN_DIRECTIVE_MAX, &sizes[i]),
            SERIN_OK);
    }
    for (unsigned i = 0; i < 2000u; i++) {
        uint8_t copy[SERIN_DIRECTIVE_MAX];
        uint32_t n = dice(i % 2u == 0 ? 2u : 12u);
        struct serin_envelope envelope;
        memcpy(copy, payloads[n], sizes[n]);
        ck_assert_int_eq(codec->decode_envelope(copy, sizes[n], &envelope), SERIN_OK);
        ck_assert(envelope.body > copy && envelope.body + envelope.body_size <= copy + sizes[n]);
        ck_assert_uint_eq(envelope.body_size, 30u + n % 4u);
        ck_assert_uint_eq(envelope.body[envelope.body_size - 1u], n);
    }
    teardown();
}
END_TEST

START_TEST(what_does_not_decode_never_does)
{
    setup();
    const struct serin_codec *codec = sim_memo_codec(memo);
    const struct serin_hold hold = {
        .held = true, .lease_left_s = 60, .time_s = 1000, .reason = SERIN_REASON_SITE};
    uint8_t payload[SERIN_HOLD_MAX];
    struct serin_hold told;
    size_t size = 0;
    ck_assert_int_eq(codec->encode_hold(&hold, payload, sizeof payload, &size), SERIN_OK);
    for (unsigned i = 0; i < 10u; i++) {
        ck_assert_int_eq(codec->decode_hold(payload, size, &told), SERIN_OK);
        ck_assert(told.held && told.lease_left_s == 60 && told.time_s == 1000);
        ck_assert_int_ne(codec->decode_hold(payload, size - 1u, &told), SERIN_OK);
        ck_assert_int_ne(codec->decode_hold(payload, 0, &told), SERIN_OK);
    }
    teardown();
}
END_TEST

static struct serin_beat some_beat(uint32_t number)
{
    struct serin_beat beat = {.hardware = (uint16_t)(1u + dice(9)),
                              .incarnation = 1u + dice(1000),
                              .last_number = dice(5),
                              .running = {.version = {1, 2, 3}, .slot = (uint8_t)(1u + dice(2))},
                              .uptime_s = number,
                              .redundancy = SERIN_REDUNDANCY_NONE,
                              .channel_order = {.epoch = 1, .sequence = dice(100)},
                              .interval_s = 3600,
                              .refused = SERIN_REASON_NONE,
                              .counter_count = dice(3)};
    (void)snprintf(beat.device_id, sizeof beat.device_id, "d%u", number % 50u);
    (void)snprintf(beat.product, sizeof beat.product, "lamp");
    (void)snprintf(beat.channel, sizeof beat.channel, "stable");
    for (uint32_t i = 0; i < beat.counter_count; i++) {
        beat.counters[i] = (struct serin_counter){.id = 1u + i, .value = dice(70000)};
    }
    return beat;
}

static unsigned decoded; /* by the real codec */

static enum serin_error decode_counted(const uint8_t *data, size_t size, struct serin_beat *value)
{
    decoded++;
    return serin_protobufc()->decode_beat(data, size, value);
}

/* Caught: what stands in the place of a hash is taken for it. */
START_TEST(beats_say_what_the_real_codec_says)
{
    static uint8_t said[5000][SERIN_BEAT_MAX];
    static size_t sizes[5000];
    struct serin_codec counted = *serin_protobufc();
    counted.decode_beat = decode_counted;
    ck_assert_int_eq(sim_memo_open(&memo, serin_wolfcrypt(), &counted, serin_protobufc_site(),
                                   sevens, &random_calls),
                     SERIN_OK);
    const struct serin_codec *codec = sim_memo_codec(memo);
    decoded = 0;
    for (uint32_t i = 0; i < 5000u; i++) {
        struct serin_beat beat = some_beat(i), told, real;
        ck_assert_int_eq(codec->encode_beat(&beat, said[i], SERIN_BEAT_MAX, &sizes[i]), SERIN_OK);
        uint32_t back = dice(8) == 0 ? dice(i + 1u) : dice(i < 900u ? i + 1u : 900u);
        const uint8_t *bytes = said[i - back];
        ck_assert_int_eq(codec->decode_beat(bytes, sizes[i - back], &told), SERIN_OK);
        ck_assert_int_eq(serin_protobufc()->decode_beat(bytes, sizes[i - back], &real), SERIN_OK);
        ck_assert_str_eq(told.device_id, real.device_id);
        ck_assert_uint_eq(told.uptime_s, i - back);
        ck_assert_uint_eq(told.counter_count, real.counter_count);
        ck_assert_mem_eq(told.counters, real.counters,
                         real.counter_count * sizeof real.counters[0]);
    }
    ck_assert_uint_gt(decoded, 5000u / 64u); /* some all the same, and those that are forgotten */
    ck_assert_uint_lt(decoded, 1000u);
    teardown();
}
END_TEST

/* Caught: a damaged beat is taken for the one that it was. */
START_TEST(a_damaged_beat_is_the_real_codecs)
{
    setup();
    const struct serin_codec *codec = sim_memo_codec(memo);
    for (uint32_t i = 0; i < 500u; i++) {
        struct serin_beat beat = some_beat(i), told, real;
        uint8_t bytes[SERIN_BEAT_MAX];
        size_t size = 0;
        ck_assert_int_eq(codec->encode_beat(&beat, bytes, sizeof bytes, &size), SERIN_OK);
        bytes[dice((uint32_t)size)] ^= (uint8_t)(1u << dice(8));
        size -= dice(2);
        enum serin_error error = serin_protobufc()->decode_beat(bytes, size, &real);
        ck_assert_int_eq(codec->decode_beat(bytes, size, &told), error);
        if (error == SERIN_OK) {
            ck_assert_uint_eq(told.uptime_s, real.uptime_s);
            ck_assert_str_eq(told.device_id, real.device_id);
        }
    }
    teardown();
}
END_TEST

static unsigned encoded; /* by the real codec */

static enum serin_error encode_counted(const struct serin_beat *value, uint8_t *out,
                                       size_t capacity, size_t *size)
{
    encoded++;
    return serin_protobufc()->encode_beat(value, out, capacity, size);
}

/* A beat of a fleet in which much is the same, and whatever a fast way might get wrong is not. */
static struct serin_beat fleet_beat(void)
{
    static const uint64_t numbers[] = {0, 1, 127, 128, 16384, UINT32_MAX, UINT64_MAX};
    struct serin_beat beat = some_beat(dice(1000));
    beat.hardware = 1;
    beat.incarnation = dice(20) == 0 ? 0 : numbers[1u + dice(6)];
    beat.last_number = numbers[dice(7)];
    beat.acked_number = numbers[dice(7)];
    beat.uptime_s = numbers[dice(7)];
    beat.channel_order.sequence = dice(2);
    beat.running.floor = dice(2);
    beat.running.manifest_id[31] = (uint8_t)dice(2);
    if (beat.counter_count > 0) {
        beat.counters[0].id = dice(20) == 0 ? dice(2) * UINT32_MAX : 1u;
        beat.counters[0].value = numbers[dice(7)];
    }
    if (dice(20) == 0) { /* out of bounds */
        beat.device_id[dice(2)] = '/';
    }
    return beat;
}

/* Caught: a number that is not said, a field too many, a bound that kin do not share. */
START_TEST(beats_are_said_as_the_real_codec_says_them)
{
    struct serin_codec counted = *serin_protobufc();
    unsigned refused = 0;
    counted.encode_beat = encode_counted;
    ck_assert_int_eq(sim_memo_open(&memo, serin_wolfcrypt(), &counted, serin_protobufc_site(),
                                   sevens, &random_calls),
                     SERIN_OK);
    const struct serin_codec *codec = sim_memo_codec(memo);
    encoded = 0;
    for (uint32_t i = 0; i < 20000u; i++) {
        struct serin_beat beat = fleet_beat();
        uint8_t said[SERIN_BEAT_MAX], real[SERIN_BEAT_MAX];
        size_t said_size = 0, real_size = 0;
        enum serin_error error =
            serin_protobufc()->encode_beat(&beat, real, sizeof real, &real_size);
        ck_assert_int_eq(codec->encode_beat(&beat, said, sizeof said, &said_size), error);
        refused += error != SERIN_OK ? 1u : 0u;
        if (error == SERIN_OK) {
            ck_assert_uint_eq(said_size, real_size);
            ck_assert_mem_eq(said, real, real_size);
        }
    }
    ck_assert_uint_gt(refused, 500u);
    ck_assert_uint_gt(encoded, refused + 20000u / 70u); /* some all the same */
    ck_assert_uint_lt(encoded, 19000u);
    teardown();
}
END_TEST

static enum serin_error encode_wrong(const struct serin_beat *value, uint8_t *out, size_t capacity,
                                     size_t *size)
{
    enum serin_error error = serin_protobufc()->encode_beat(value, out, capacity, size);
    out[*size - 1u] ^= value->uptime_s > 100u ? 1u : 0u;
    return error;
}

static void say_many(const struct serin_codec *codec, struct serin_beat *beat)
{
    uint8_t bytes[SERIN_BEAT_MAX];
    size_t size = 0;
    for (unsigned i = 0; i < 65u; i++) {
        beat->uptime_s = i * 3600u;
        if (codec->encode_beat(beat, bytes, sizeof bytes, &size) != SERIN_OK) {
            return;
        }
    }
}

static enum serin_error decode_wrong(const uint8_t *data, size_t size, struct serin_beat *value)
{
    enum serin_error error = serin_protobufc()->decode_beat(data, size, value);
    value->own_order.sequence++;
    return error;
}

/* A codec that does not give back what it was given. */
START_TEST(a_codec_that_disagrees_is_found)
{
    struct serin_codec wrong = *serin_protobufc();
    int status = 0;
    wrong.decode_beat = decode_wrong;
    ck_assert_int_eq(sim_memo_open(&memo, serin_wolfcrypt(), &wrong, serin_protobufc_site(), sevens,
                                   &random_calls),
                     SERIN_OK);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        const struct serin_codec *codec = sim_memo_codec(memo);
        struct serin_beat beat = some_beat(1);
        uint8_t bytes[SERIN_BEAT_MAX];
        size_t size = 0;
        bool well = freopen("/dev/null", "w", stderr) != NULL &&
                    codec->encode_beat(&beat, bytes, sizeof bytes, &size) == SERIN_OK;
        for (unsigned i = 0; well && i < 64u; i++) {
            well = codec->decode_beat(bytes, size, &beat) == SERIN_OK;
        }
        _exit(0); /* it was not found */
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP));
    sim_memo_close(memo);
}
END_TEST

/* A codec that would have said it otherwise. */
START_TEST(a_codec_that_would_say_otherwise_is_found)
{
    struct serin_codec wrong = *serin_protobufc();
    int status = 0;
    wrong.encode_beat = encode_wrong;
    ck_assert_int_eq(sim_memo_open(&memo, serin_wolfcrypt(), &wrong, serin_protobufc_site(), sevens,
                                   &random_calls),
                     SERIN_OK);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct serin_beat beat = some_beat(1);
        if (freopen("/dev/null", "w", stderr) != NULL) {
            say_many(sim_memo_codec(memo), &beat);
        }
        _exit(0); /* it was not found */
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && (WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP));
    sim_memo_close(memo);
}
END_TEST

START_TEST(random_bytes_are_the_simulations)
{
    uint8_t bytes[3] = {0};
    setup();
    ck_assert_int_eq(crypto->ops->random(crypto->ctx, bytes, sizeof bytes), SERIN_OK);
    ck_assert_uint_eq(bytes[2], 7);
    ck_assert_uint_eq(random_calls, 1);
    teardown();
}
END_TEST

int main(void)
{
    const TTest *const list[] = {digests_are_the_real_ones,
                                 short_digests_are_of_their_bytes,
                                 equal_bytes_are_hashed_once,
                                 signatures_are_verified_once_each,
                                 decodings_point_into_the_payload_at_hand,
                                 what_does_not_decode_never_does,
                                 beats_say_what_the_real_codec_says,
                                 a_damaged_beat_is_the_real_codecs,
                                 a_codec_that_disagrees_is_found,
                                 beats_are_said_as_the_real_codec_says_them,
                                 a_codec_that_would_say_otherwise_is_found,
                                 random_bytes_are_the_simulations,
                                 NULL};
    return check_run("sim memo", list);
}
