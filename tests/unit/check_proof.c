/*
 * Evidence and verdicts: only the right checks in the right order, each without a difference, end
 * at the expected value, in both runs; and the constants are far apart.
 */
#include "check_main.h"

#include <serin/bytes.h>
#include <serin/proof.h>

#include <string.h>

static unsigned weight(uint32_t word)
{
    unsigned bits = 0;
    for (; word != 0; word &= word - 1) {
        bits++;
    }
    return bits;
}

START_TEST(verdicts_are_far_apart)
{
    static const uint32_t words[] = {SERIN_VERDICT_VALID, SERIN_VERDICT_INVALID,
                                     SERIN_VERDICT_UNDECIDED, 0};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < i; j++) {
            /* Half of the bits, and so half of them from each other's complement. */
            ck_assert_uint_eq(weight(words[i] ^ words[j]), 16);
        }
    }
}
END_TEST

static const uint32_t steps[] = {
    SERIN_STEP_TRUST_KEY,
    SERIN_STEP_TRUST_SIGNATURE,
    SERIN_STEP_TRUST_CONTENT,
    SERIN_STEP_TRUST_PRODUCT,
    SERIN_STEP_MANIFEST_KEY,
    SERIN_STEP_MANIFEST_SIGNATURE,
    SERIN_STEP_MANIFEST_CONTENT,
    SERIN_STEP_MANIFEST_PRODUCT,
    SERIN_STEP_SUITS,
    SERIN_STEP_FLOOR,
    SERIN_STEP_IMAGE_SIZE,
    SERIN_STEP_IMAGE_CRC,
    SERIN_STEP_IMAGE_DIGEST,
    SERIN_STEP_CHOICE,
    SERIN_STEP_DIRECTIVE_KEY,
    SERIN_STEP_DIRECTIVE_SIGNATURE,
    SERIN_STEP_DIRECTIVE_CONTENT,
};
#define STEPS (sizeof steps / sizeof steps[0])

START_TEST(steps_are_far_apart)
{
    for (size_t i = 0; i < STEPS; i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_uint_ge(weight(steps[i] ^ steps[j]), 8);
        }
    }
}
END_TEST

/* The evidence of the trust record's steps with step `wrong` noted as `difference`, left out
 * (`skip`), or made twice. */
static uint32_t walk(uint32_t mask, size_t wrong, uint32_t difference, unsigned times)
{
    struct serin_run run;
    memset(&run, 0xa5, sizeof run);
    serin_run_start(&run, mask);
    for (size_t i = 0; i < 3; i++) {
        for (unsigned time = 0; time < (i == wrong ? times : 1u); time++) {
            serin_run_note(&run, steps[i], i == wrong ? difference : 0);
        }
    }
    return run.evidence;
}

START_TEST(only_the_whole_way_proves)
{
    struct serin_proof proof = {.first = walk(SERIN_RUN_FIRST, 3, 0, 1),
                                .second = walk(SERIN_RUN_SECOND, 3, 0, 1)};
    ck_assert(serin_proof_first(&proof, SERIN_PROOF_TRUST));
    ck_assert(serin_proof_second(&proof, SERIN_PROOF_TRUST));
    ck_assert_uint_eq(proof.first ^ proof.second, UINT32_MAX);
    for (size_t wrong = 0; wrong < 3; wrong++) {
        for (unsigned bit = 0; bit < 32; bit++) {
            proof.first = walk(SERIN_RUN_FIRST, wrong, 1u << bit, 1);
            proof.second = walk(SERIN_RUN_SECOND, wrong, 1u << bit, 1);
            ck_assert(!serin_proof_first(&proof, SERIN_PROOF_TRUST));
            ck_assert(!serin_proof_second(&proof, SERIN_PROOF_TRUST));
        }
        for (unsigned times = 0; times <= 2; times += 2) {
            proof.first = walk(SERIN_RUN_FIRST, wrong, 0, times);
            proof.second = walk(SERIN_RUN_SECOND, wrong, 0, times);
            ck_assert(!serin_proof_first(&proof, SERIN_PROOF_TRUST));
            ck_assert(!serin_proof_second(&proof, SERIN_PROOF_TRUST));
        }
    }
    /* Neither nothing, nor the one half in place of the other. */
    proof = (struct serin_proof){.first = 0};
    ck_assert(!serin_proof_first(&proof, SERIN_PROOF_TRUST));
    ck_assert(!serin_proof_second(&proof, SERIN_PROOF_TRUST));
    proof.first = walk(SERIN_RUN_SECOND, 3, 0, 1);
    proof.second = walk(SERIN_RUN_FIRST, 3, 0, 1);
    ck_assert(!serin_proof_first(&proof, SERIN_PROOF_TRUST));
    ck_assert(!serin_proof_second(&proof, SERIN_PROOF_TRUST));
}
END_TEST

START_TEST(a_difference_is_seen_in_every_bit)
{
    uint8_t a[32], b[32];
    memset(a, 0x3c, sizeof a);
    memcpy(b, a, sizeof b);
    ck_assert_uint_eq(serin_difference(a, b, sizeof a), 0);
    ck_assert_uint_eq(serin_difference(a, b, 0), 0);
    for (unsigned bit = 0; bit < 8 * sizeof a; bit++) {
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        ck_assert_uint_ne(serin_difference(a, b, sizeof a), 0);
        b[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {verdicts_are_far_apart, steps_are_far_apart,
                                  only_the_whole_way_proves, a_difference_is_seen_in_every_bit,
                                  NULL};
    return check_run("proof", tests);
}
