/*
 * Proofs that a single glitch does not forge (docs/spec/signing.md, section 6; docs/adr/0015).
 *
 * A glitch in supply or clock makes a processor skip an instruction, take a branch that it should
 * not, or read a wrong value. Where one `if` stands between a forged image and the jump, one glitch
 * is enough. So what matters is checked in two runs, each of which does all of the work again:
 *
 *   evidence = START
 *   after each check:   evidence = evidence * ODD + (step ^ difference)      difference 0: it held
 *
 * A check leaves its trace in the evidence whether or not the branch behind it was taken: only the
 * right checks in the right order, each without a difference, end at the expected value. The first
 * run keeps its evidence plain, the second one complemented, and so do the verdicts of the crypto
 * port that each is given; what is kept is the pair. Who acts on it compares both, each with a
 * branch of its own, at the place where the bytes are used.
 *
 * Against: one fault in one of the runs, in one of the comparisons, or anywhere between. Not
 * against two faults that are timed to each other, nor against who can write to memory.
 */
#ifndef SERIN_PROOF_H
#define SERIN_PROOF_H

#include <stdbool.h>
#include <stdint.h>

/* Verdicts of the crypto port: neither 0, 1 nor all ones, and half of the bits away from each other
 * and from each other's complement, so that no register holds one by chance. */
#define SERIN_VERDICT_VALID     0x3ca5965au
#define SERIN_VERDICT_INVALID   0x5ef2e04cu
#define SERIN_VERDICT_UNDECIDED 0x69965a3cu

/* What a run gives its verdicts and evidence back through. */
#define SERIN_RUN_FIRST  0x00000000u
#define SERIN_RUN_SECOND 0xffffffffu

struct serin_run {
    uint32_t mask;     /* SERIN_RUN_FIRST or SERIN_RUN_SECOND */
    uint32_t evidence; /* masked */
};

/* What both runs found. All zero proves nothing. */
struct serin_proof {
    uint32_t first;  /* the first run's evidence */
    uint32_t second; /* the second run's, complemented */
};

/* The checks, in their order. */
#define SERIN_STEP_TRUST_KEY           0x1d872b41u /* the signature names the root key */
#define SERIN_STEP_TRUST_SIGNATURE     0x2e9a47c3u
#define SERIN_STEP_TRUST_CONTENT       0x4b5e8d15u
#define SERIN_STEP_TRUST_PRODUCT       0x57c1a3e9u /* it is the device's */
#define SERIN_STEP_MANIFEST_KEY        0x6a3f1597u /* a release key of the trust record */
#define SERIN_STEP_MANIFEST_SIGNATURE  0x78d2e46bu
#define SERIN_STEP_MANIFEST_CONTENT    0x836b59adu
#define SERIN_STEP_MANIFEST_PRODUCT    0x95e4b27fu /* it is the trust record's */
#define SERIN_STEP_SUITS               0xa11b6ed3u /* device, slot, room */
#define SERIN_STEP_FLOOR               0xb4d78c25u
#define SERIN_STEP_IMAGE_SIZE          0xc93a71f7u /* all of it was read */
#define SERIN_STEP_IMAGE_CRC           0xd2c59e0bu
#define SERIN_STEP_IMAGE_DIGEST        0xe70f4339u
#define SERIN_STEP_CHOICE              0xf8b2d56du /* what is handed over is what was checked */
#define SERIN_STEP_DIRECTIVE_KEY       0x0f69ca53u /* a director key of the trust record */
#define SERIN_STEP_DIRECTIVE_SIGNATURE 0x31c7f68fu
#define SERIN_STEP_DIRECTIVE_CONTENT   0x44ae1d71u
#define SERIN_STEP_DIRECTIVE_ADDRESS   0x6b90d3a7u /* it is this device's */
#define SERIN_STEP_DIRECTIVE_ORDER     0x9d06e85bu /* none that is newer was obeyed */

#define SERIN_PROOF_START 0x5eed1e55u
#define SERIN_PROOF_ODD   0x9e3779b1u

/* The evidence after one more check that held. */
#define SERIN_PROOF_AFTER(evidence, step) ((uint32_t)((evidence)*SERIN_PROOF_ODD + (step)))

/* The evidence after a trust record, a manifest, a directive that was opened, from `evidence` on.
 */
#define SERIN_PROOF_TRUST_AFTER(evidence)                                                    \
    SERIN_PROOF_AFTER(SERIN_PROOF_AFTER(SERIN_PROOF_AFTER((evidence), SERIN_STEP_TRUST_KEY), \
                                        SERIN_STEP_TRUST_SIGNATURE),                         \
                      SERIN_STEP_TRUST_CONTENT)
#define SERIN_PROOF_MANIFEST_AFTER(evidence)                                          \
    SERIN_PROOF_AFTER(                                                                \
        SERIN_PROOF_AFTER(                                                            \
            SERIN_PROOF_AFTER(SERIN_PROOF_AFTER((evidence), SERIN_STEP_MANIFEST_KEY), \
                              SERIN_STEP_MANIFEST_SIGNATURE),                         \
            SERIN_STEP_MANIFEST_CONTENT),                                             \
        SERIN_STEP_MANIFEST_PRODUCT)
#define SERIN_PROOF_DIRECTIVE_AFTER(evidence)                                                    \
    SERIN_PROOF_AFTER(SERIN_PROOF_AFTER(SERIN_PROOF_AFTER((evidence), SERIN_STEP_DIRECTIVE_KEY), \
                                        SERIN_STEP_DIRECTIVE_SIGNATURE),                         \
                      SERIN_STEP_DIRECTIVE_CONTENT)

/* The whole proofs of serin_trust_open_twice and its kin. */
#define SERIN_PROOF_TRUST     SERIN_PROOF_TRUST_AFTER(SERIN_PROOF_START)
#define SERIN_PROOF_MANIFEST  SERIN_PROOF_MANIFEST_AFTER(SERIN_PROOF_START)
#define SERIN_PROOF_DIRECTIVE SERIN_PROOF_DIRECTIVE_AFTER(SERIN_PROOF_START)

/* What an agent asks beside: before it obeys a directive, and before it takes a manifest. */
#define SERIN_PROOF_OBEY                                                                      \
    SERIN_PROOF_AFTER(SERIN_PROOF_AFTER(SERIN_PROOF_DIRECTIVE, SERIN_STEP_DIRECTIVE_ADDRESS), \
                      SERIN_STEP_DIRECTIVE_ORDER)
#define SERIN_PROOF_OFFER \
    SERIN_PROOF_AFTER(SERIN_PROOF_AFTER(SERIN_PROOF_MANIFEST, SERIN_STEP_SUITS), SERIN_STEP_FLOOR)

/* Starts a run: SERIN_RUN_FIRST or SERIN_RUN_SECOND. */
void serin_run_start(struct serin_run *run, uint32_t mask);

/* Notes a check: 0 where it held, any other value where it did not. */
void serin_run_note(struct serin_run *run, uint32_t step, uint32_t difference);

/* Makes the compiler forget what it knows of a variable, so that a check stays which only a glitch
 * lets fail. A compiler without this syntax may leave such a check out; nothing else changes. */
#if defined(__GNUC__)
#define SERIN_OPAQUE(variable) __asm__("" : "+r"(variable))
#else
#define SERIN_OPAQUE(variable) ((void)(variable))
#endif

/* 0 where both runs of bytes are equal, else below 2^24, as `size` is below 2^16. Takes the same
 * time wherever they differ. No one instruction of it that is skipped, each time, makes digests
 * equal that are not. */
uint32_t serin_difference(const void *a, const void *b, uint32_t size);

/* Whether the first, the second run found `expected`. Ask both, each with an `if` of its own. Read
 * through a volatile pointer: nothing that the compiler knows of the value may stand for it, and
 * the two comparisons cannot become one. */
static inline bool serin_proof_first(const struct serin_proof *proof, uint32_t expected)
{
    return *(const volatile uint32_t *)&proof->first == expected;
}

static inline bool serin_proof_second(const struct serin_proof *proof, uint32_t expected)
{
    return *(const volatile uint32_t *)&proof->second == (uint32_t)~expected;
}

#endif
