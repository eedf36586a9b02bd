#include "delta_images.h"

#include <serin/bytes.h>
#include <serin/delta_form.h>

#define FUNCTIONS 24u
#define BASE      0x08000000u /* where the image runs */
#define TABLE     96u         /* bytes of data at the end */

/* An image in the making: where its functions begin, and what is written so far. */
struct maker {
    uint8_t *bytes;
    uint32_t at;
    uint32_t starts[FUNCTIONS];
    enum serin_delta_arch arch;
};

uint32_t delta_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* A call of 3 or 4 bytes, made of a bare one by the decoder's own table of forms, which
 * check_delta_walk.c holds against the manuals. */
static void put_call(struct maker *m, uint32_t target)
{
    static const uint32_t bare[SERIN_DELTA_ARCH_COUNT] = {[SERIN_DELTA_ARCH_THUMB] = 0xd000f000u,
                                                          [SERIN_DELTA_ARCH_XTENSA] = 0x05u,
                                                          [SERIN_DELTA_ARCH_RISCV] = 0xefu};
    uint32_t size = m->arch == SERIN_DELTA_ARCH_XTENSA ? 3 : 4;
    uint32_t word = m->arch == SERIN_DELTA_ARCH_NONE ? 0 : bare[m->arch];
    struct serin_delta_item item;
    if (m->arch != SERIN_DELTA_ARCH_NONE && serin_delta_form_find(m->arch, size, word, &item)) {
        (void)serin_delta_form_put(item.form, &word, target, m->at);
    }
    serin_delta_word_put(m->bytes + m->at, size, word);
    m->at += size;
}

/* An instruction that refers to nothing. */
static void put_plain(struct maker *m, uint32_t random)
{
    if (m->arch == SERIN_DELTA_ARCH_XTENSA) {
        serin_delta_word_put(m->bytes + m->at, 3, (random & 0xffff00u) | 0x20u | (random & 0x10u));
        m->at += 3;
        return;
    }
    uint32_t word = m->arch == SERIN_DELTA_ARCH_THUMB ? 0x2000u | (random & 0x1fffu)
                                                      : 0x4001u | (random & 0x1f7cu);
    serin_put_le16(m->bytes + m->at, (uint16_t)word);
    m->at += 2;
}

static void put_upper_and_lower(struct maker *m, uint32_t address)
{
    uint32_t lower = address & 0xfffu;
    uint32_t upper = (address + 0x800u) & 0xfffff000u;
    serin_put_le32(m->bytes + m->at, upper | 10u << 7 | 0x37u);
    serin_put_le32(m->bytes + m->at + 4, lower << 20 | 10u << 15 | 10u << 7 | 0x13u);
    m->at += 8;
}

/* A function: a pool of two addresses, plain instructions, calls. `more`: so many more plain ones.
 */
static void put_function(struct maker *m, uint32_t number, uint32_t seed, uint32_t more)
{
    uint32_t state = seed * 977u + number * 31337u + 1;
    uint32_t length = 20 + delta_random(&state) % 16;
    while ((m->at & 3u) != 0) {
        m->bytes[m->at++] = 0;
    }
    for (uint32_t i = 0; i < 2; i++) {
        serin_put_le32(m->bytes + m->at, BASE + m->starts[delta_random(&state) % FUNCTIONS]);
        m->at += 4;
    }
    m->starts[number] = m->at;
    for (uint32_t i = 0; i < length; i++) {
        uint32_t random = delta_random(&state);
        for (uint32_t k = 0; i == 5 && k < more; k++) {
            put_plain(m, random + k * 4099u);
        }
        if (random % 5 == 0) {
            put_call(m, m->starts[random / 5 % FUNCTIONS] & ~3u);
        } else if (random % 11 == 0 && m->arch == SERIN_DELTA_ARCH_RISCV) {
            put_upper_and_lower(m, BASE + m->starts[random / 11 % FUNCTIONS]);
        } else {
            put_plain(m, random >> 8);
        }
    }
}

/* Twice, as the first time tells where the functions begin. */
static uint32_t make(enum serin_delta_arch arch, uint32_t seed, bool later, uint8_t *bytes)
{
    struct maker m = {.bytes = bytes, .arch = arch};
    for (unsigned pass = 0; pass < 2; pass++) {
        m.at = 0;
        for (uint32_t i = 0; i < FUNCTIONS; i++) {
            put_function(&m, i, later && i == 9 ? seed + 1 : seed, later && i == 2 ? 6 : 0);
        }
    }
    uint32_t state = seed + 7;
    for (uint32_t i = 0; i < TABLE; i++) {
        bytes[m.at++] = (uint8_t)(delta_random(&state) + (later && i % 40 == 3));
    }
    return m.at;
}

void delta_images(enum serin_delta_arch arch, uint32_t seed, struct delta_pair *pair)
{
    pair->old_size = make(arch, seed, false, pair->old);
    pair->new_size = make(arch, seed, true, pair->new);
}
