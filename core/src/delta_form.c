/*
 * The forms of the instructions that tell an address as a distance (docs/spec/delta.md, section 3).
 * Sources: Arm v7-M Architecture Reference Manual (DDI 0403, A5 and A7.7); Xtensa Instruction Set
 * Architecture Reference Manual (chapter 6); The RISC-V Instruction Set Manual, volume I (RV32I and
 * C).
 */
#include <serin/delta_form.h>

#define FIELDS_MAX 8u
/* `width` bits from `low` of the instruction are bits from `place` of the distance. */
#define FIELD(low, width, place) ((uint16_t)((low) | (width) << 5 | (place) << 10))

#define THUMB  SERIN_DELTA_ARCH_THUMB
#define XTENSA SERIN_DELTA_ARCH_XTENSA
#define RISCV  SERIN_DELTA_ARCH_RISCV

/* How the bits of a distance above its highest field are told. */
enum form_sign {
    FORWARD,  /* zeros */
    BACKWARD, /* ones */
    SIGNED,   /* as its highest bit */
    BRANCHING /* so too; while that is zero, bits 22 and 23 are inverted (BL, encodings J1 and J2)
               */
};

struct form {
    uint32_t mask, match; /* an instruction is of this form when its bits under `mask` are these */
    uint8_t arch, kind, size;
    uint8_t sign, bits;     /* of the distance */
    uint8_t ahead, aligned; /* the distance counts from so many bytes on; from a whole word */
    uint16_t fields[FIELDS_MAX];
};

static const struct form forms[] = {
    [SERIN_DELTA_FORM_LOWER] =
        {1, 0, RISCV, SERIN_DELTA_LOWER, 0, SIGNED, 12, 0, 0, {FIELD(20, 12, 0)}},
    [SERIN_DELTA_FORM_LOWER_STORE] =
        {1, 0, RISCV, SERIN_DELTA_LOWER, 0, SIGNED, 12, 0, 0, {FIELD(7, 5, 0), FIELD(25, 7, 5)}},
    /* Thumb: BL and B.W, B<c>.W; then B<c>, B, CBZ and CBNZ, LDR and ADR from the pool, LDR.W, VLDR
     */
    {0x9000f800u,
     0x9000f000u,
     THUMB,
     SERIN_DELTA_FAR,
     4,
     BRANCHING,
     25,
     4,
     0,
     {FIELD(16, 11, 1), FIELD(0, 10, 12), FIELD(27, 1, 22), FIELD(29, 1, 23), FIELD(10, 1, 24)}},
    {0xd000f800u,
     0x8000f000u,
     THUMB,
     SERIN_DELTA_NEAR,
     4,
     SIGNED,
     21,
     4,
     0,
     {FIELD(16, 11, 1), FIELD(0, 6, 12), FIELD(29, 1, 18), FIELD(27, 1, 19), FIELD(10, 1, 20)}},
    {0xf000u, 0xd000u, THUMB, SERIN_DELTA_NEAR, 2, SIGNED, 9, 4, 0, {FIELD(0, 8, 1)}},
    {0xf800u, 0xe000u, THUMB, SERIN_DELTA_NEAR, 2, SIGNED, 12, 4, 0, {FIELD(0, 11, 1)}},
    {0xf500u,
     0xb100u,
     THUMB,
     SERIN_DELTA_NEAR,
     2,
     FORWARD,
     7,
     4,
     0,
     {FIELD(3, 5, 1), FIELD(9, 1, 6)}},
    {0xf800u, 0x4800u, THUMB, SERIN_DELTA_NEAR, 2, FORWARD, 10, 4, 1, {FIELD(0, 8, 2)}},
    {0xf800u, 0xa000u, THUMB, SERIN_DELTA_NEAR, 2, FORWARD, 10, 4, 1, {FIELD(0, 8, 2)}},
    {0x0000ffffu, 0x0000f8dfu, THUMB, SERIN_DELTA_NEAR, 4, FORWARD, 12, 4, 1, {FIELD(16, 12, 0)}},
    {0x0e00ffbfu, 0x0a00ed9fu, THUMB, SERIN_DELTA_NEAR, 4, FORWARD, 10, 4, 1, {FIELD(16, 8, 2)}},
    /* Xtensa: CALLn, L32R; then J, BRI12, BRI8 twice, those of op0 = 7, BEQZ.N and BNEZ.N */
    {0x0fu, 0x05u, XTENSA, SERIN_DELTA_FAR, 3, SIGNED, 20, 4, 1, {FIELD(6, 18, 2)}},
    {0x0fu, 0x01u, XTENSA, SERIN_DELTA_FAR, 3, BACKWARD, 18, 3, 1, {FIELD(8, 16, 2)}},
    {0x3fu, 0x06u, XTENSA, SERIN_DELTA_NEAR, 3, SIGNED, 18, 4, 0, {FIELD(6, 18, 0)}},
    {0x3fu, 0x16u, XTENSA, SERIN_DELTA_NEAR, 3, SIGNED, 12, 4, 0, {FIELD(12, 12, 0)}},
    {0x3fu, 0x26u, XTENSA, SERIN_DELTA_NEAR, 3, SIGNED, 8, 4, 0, {FIELD(16, 8, 0)}},
    {0xbfu, 0xb6u, XTENSA, SERIN_DELTA_NEAR, 3, SIGNED, 8, 4, 0, {FIELD(16, 8, 0)}},
    {0x0fu, 0x07u, XTENSA, SERIN_DELTA_NEAR, 3, SIGNED, 8, 4, 0, {FIELD(16, 8, 0)}},
    {0x8fu,
     0x8cu,
     XTENSA,
     SERIN_DELTA_NEAR,
     2,
     FORWARD,
     6,
     4,
     0,
     {FIELD(12, 4, 0), FIELD(4, 2, 4)}},
    /* RISC-V: JAL; then branches, C.J and C.JAL, C.BEQZ and C.BNEZ */
    {0x7fu,
     0x6fu,
     RISCV,
     SERIN_DELTA_FAR,
     4,
     SIGNED,
     21,
     0,
     0,
     {FIELD(21, 10, 1), FIELD(20, 1, 11), FIELD(12, 8, 12), FIELD(31, 1, 20)}},
    {0x7fu,
     0x63u,
     RISCV,
     SERIN_DELTA_NEAR,
     4,
     SIGNED,
     13,
     0,
     0,
     {FIELD(8, 4, 1), FIELD(25, 6, 5), FIELD(7, 1, 11), FIELD(31, 1, 12)}},
    {0x6003u,
     0x2001u,
     RISCV,
     SERIN_DELTA_NEAR,
     2,
     SIGNED,
     12,
     0,
     0,
     {FIELD(3, 3, 1), FIELD(11, 1, 4), FIELD(2, 1, 5), FIELD(7, 1, 6), FIELD(6, 1, 7),
      FIELD(9, 2, 8), FIELD(8, 1, 10), FIELD(12, 1, 11)}},
    {0xc003u,
     0xc001u,
     RISCV,
     SERIN_DELTA_NEAR,
     2,
     SIGNED,
     9,
     0,
     0,
     {FIELD(3, 2, 1), FIELD(10, 2, 3), FIELD(2, 1, 5), FIELD(5, 2, 6), FIELD(12, 1, 8)}},
};

uint32_t serin_delta_word_get(const uint8_t *bytes, uint32_t size)
{
    uint32_t word = 0;
    while (size-- > 0) {
        word = word << 8 | bytes[size];
    }
    return word;
}

void serin_delta_word_put(uint8_t *bytes, uint32_t size, uint32_t word)
{
    for (uint32_t i = 0; i < size; i++, word >>= 8) {
        bytes[i] = (uint8_t)word;
    }
}

bool serin_delta_form_find(enum serin_delta_arch arch, uint32_t size, uint32_t word,
                           struct serin_delta_item *item)
{
    for (uint32_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (forms[i].arch == arch && forms[i].size == size &&
            (word & forms[i].mask) == forms[i].match) {
            item->form = i;
            item->kind = (enum serin_delta_kind)forms[i].kind;
            return true;
        }
    }
    return false;
}

static uint32_t origin(const struct form *form, uint32_t at)
{
    return (at + form->ahead) & ~(form->aligned != 0 ? 3u : 0u);
}

/* Where the bits of a BL are inverted, before and after alike. */
static uint32_t inverted(const struct form *form, uint32_t distance)
{
    bool plus = form->sign == BRANCHING && (distance >> 24 & 1u) == 0;
    return plus ? distance ^ 3u << 22 : distance;
}

uint32_t serin_delta_form_get(uint32_t form, uint32_t word, uint32_t at)
{
    const struct form *f = &forms[form];
    uint32_t distance = 0;
    for (unsigned i = 0; i < FIELDS_MAX && f->fields[i] != 0; i++) {
        uint32_t ones = (1u << (f->fields[i] >> 5 & 31u)) - 1u;
        distance |= (word >> (f->fields[i] & 31u) & ones) << (f->fields[i] >> 10);
    }
    distance = inverted(f, distance);
    bool negative = f->sign == BACKWARD || (f->sign != FORWARD && distance >> (f->bits - 1) != 0);
    return origin(f, at) + (negative ? distance | ~0u << f->bits : distance);
}

bool serin_delta_form_put(uint32_t form, uint32_t *word, uint32_t value, uint32_t at)
{
    const struct form *f = &forms[form];
    uint32_t distance = inverted(f, value - origin(f, at));
    for (unsigned i = 0; i < FIELDS_MAX && f->fields[i] != 0; i++) {
        uint32_t low = f->fields[i] & 31u;
        uint32_t ones = (1u << (f->fields[i] >> 5 & 31u)) - 1u;
        *word = (*word & ~(ones << low)) | (distance >> (f->fields[i] >> 10) & ones) << low;
    }
    /* What does not fit reads otherwise. */
    return serin_delta_form_get(form, *word, at) == value;
}
