/* Evidence that grows with each check, plain in the first run and complemented in the second. */
#include <serin/proof.h>

#include <stddef.h>

void serin_run_start(struct serin_run *run, uint32_t mask)
{
    run->mask = mask;
    run->evidence = SERIN_PROOF_START ^ mask;
}

void serin_run_note(struct serin_run *run, uint32_t step, uint32_t difference)
{
    uint32_t evidence = run->evidence ^ run->mask;
    run->evidence = SERIN_PROOF_AFTER(evidence, step ^ difference) ^ run->mask;
}

uint32_t serin_difference(const void *a, const void *b, uint32_t size)
{
    const volatile uint8_t *left = a;
    const volatile uint8_t *right = b;
    uint32_t bits = 0; /* two sums of what differs: either alone tells, where the other is deaf */
    uint32_t sum = 0;  /* does not wrap: size is below 2^16 */
    uint32_t compared = 0;
    while (compared < size) {
        uint32_t difference = (uint32_t)(left[compared] ^ right[compared]);
        bits |= difference;
        sum += difference;
        compared++;
        /* Else the compiler knows what is asked below, and asks nothing. */
        SERIN_OPAQUE(compared);
    }
    /* A loop that was left early has compared too little, and that is a difference, too. */
    return bits | sum | (compared ^ size);
}
