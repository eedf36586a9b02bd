/*
 * The walk through an old image: which instructions refer to where, by examples (those of Thumb as
 * an assembler makes them, the others by their manuals), and how each reads when that moves.
 */
#include "check_main.h"

#include <serin/bytes.h>
#include <serin/delta_form.h>

#include <string.h>

#define AT 0x1000u /* where each example stands */

/* An instruction, where it goes from AT, and how it goes 64 bytes further. */
struct example {
    const char *what;
    enum serin_delta_arch arch;
    enum serin_delta_kind kind;
    uint32_t size, word, target, further;
};

#define THUMB  SERIN_DELTA_ARCH_THUMB
#define XTENSA SERIN_DELTA_ARCH_XTENSA
#define RISCV  SERIN_DELTA_ARCH_RISCV

static const struct example examples[] = {
    {"bl +0x100", THUMB, SERIN_DELTA_FAR, 4, 0xf87ef000u, AT + 0x100, 0xf89ef000u},
    {"bl -0x100", THUMB, SERIN_DELTA_FAR, 4, 0xff7ef7ffu, AT - 0x100, 0xff9ef7ffu},
    {"b.w +0x1000", THUMB, SERIN_DELTA_FAR, 4, 0xbffef000u, AT + 0x1000, 0xb81ef001u},
    {"bne.w +0x200", THUMB, SERIN_DELTA_NEAR, 4, 0x80fef040u, AT + 0x200, 0x811ef040u},
    {"beq +0x20", THUMB, SERIN_DELTA_NEAR, 2, 0xd00eu, AT + 0x20, 0xd02eu},
    {"beq -0x20", THUMB, SERIN_DELTA_NEAR, 2, 0xd0eeu, AT - 0x20, 0xd00eu},
    {"b +0x40", THUMB, SERIN_DELTA_NEAR, 2, 0xe01eu, AT + 0x40, 0xe03eu},
    {"cbz r3, +0x10", THUMB, SERIN_DELTA_NEAR, 2, 0xb133u, AT + 0x10, 0xb333u},
    {"ldr r2, [pc, #16]", THUMB, SERIN_DELTA_NEAR, 2, 0x4a04u, AT + 20, 0x4a14u},
    {"adr r1, +0x20", THUMB, SERIN_DELTA_NEAR, 2, 0xa107u, AT + 0x20, 0xa117u},
    {"ldr.w r8, [pc, #300]", THUMB, SERIN_DELTA_NEAR, 4, 0x812cf8dfu, AT + 304, 0x816cf8dfu},
    {"vldr s15, [pc, #32]", THUMB, SERIN_DELTA_NEAR, 4, 0x7a08eddfu, AT + 36, 0x7a18eddfu},
    {"call0 +0x104", XTENSA, SERIN_DELTA_FAR, 3, 0x001005u, AT + 0x104, 0x001405u},
    {"call0 -0x1fc", XTENSA, SERIN_DELTA_FAR, 3, 0xffe005u, AT - 0x1fc, 0xffe405u},
    {"l32r a2, -0x40", XTENSA, SERIN_DELTA_FAR, 3, 0xfff021u, AT - 0x40, 0x000021u},
    {"j +0x44", XTENSA, SERIN_DELTA_NEAR, 3, 0x001006u, AT + 0x44, 0x002006u},
    {"beqz a2, +0x14", XTENSA, SERIN_DELTA_NEAR, 3, 0x010216u, AT + 0x14, 0x050216u},
    {"beqi a2, 1, +0x14", XTENSA, SERIN_DELTA_NEAR, 3, 0x101226u, AT + 0x14, 0x501226u},
    {"bltui a2, 2, +0x14", XTENSA, SERIN_DELTA_NEAR, 3, 0x1022b6u, AT + 0x14, 0x5022b6u},
    {"beq a2, a3, +0x14", XTENSA, SERIN_DELTA_NEAR, 3, 0x101237u, AT + 0x14, 0x501237u},
    {"beqz.n a2, +0x14", XTENSA, SERIN_DELTA_NEAR, 2, 0x029cu, AT + 0x14, 0u},
    {"jal ra, +0x100", RISCV, SERIN_DELTA_FAR, 4, 0x100000efu, AT + 0x100, 0x140000efu},
    {"jal ra, -0x100", RISCV, SERIN_DELTA_FAR, 4, 0xf01ff0efu, AT - 0x100, 0xf41ff0efu},
    {"beq a0, a1, +0x20", RISCV, SERIN_DELTA_NEAR, 4, 0x02b50063u, AT + 0x20, 0x06b50063u},
    {"c.j +0x20", RISCV, SERIN_DELTA_NEAR, 2, 0xa005u, AT + 0x20, 0xa085u},
    {"c.beqz a0, +0x20", RISCV, SERIN_DELTA_NEAR, 2, 0xc105u, AT + 0x20, 0xc125u},
};

START_TEST(forms_go_where_they_should)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *e = &examples[i];
        struct serin_delta_item item = {0};
        ck_assert_msg(serin_delta_form_find(e->arch, e->size, e->word, &item), "%s", e->what);
        ck_assert_msg(item.kind == e->kind, "%s: kind %d", e->what, (int)item.kind);
        uint32_t target = serin_delta_form_get(item.form, e->word, AT);
        ck_assert_msg(target == e->target, "%s: 0x%x", e->what, target);
        uint32_t word = e->word;
        ck_assert_msg(serin_delta_form_put(item.form, &word, target, AT), "%s", e->what);
        ck_assert_msg(word == e->word, "%s: 0x%x", e->what, word);
        bool told = serin_delta_form_put(item.form, &word, target + 64, AT);
        /* An L32R never looks ahead, and a BEQZ.N not that far. */
        ck_assert_msg(told == (e->further != 0 && e->further != 0x21u), "%s", e->what);
        ck_assert_msg(!told || word == e->further, "%s: 0x%x", e->what, word);
    }
}
END_TEST

START_TEST(what_a_form_cannot_tell_it_refuses)
{
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++) {
        const struct example *e = &examples[i];
        struct serin_delta_item item = {0};
        uint32_t word = e->word;
        ck_assert(serin_delta_form_find(e->arch, e->size, e->word, &item));
        ck_assert_msg(!serin_delta_form_put(item.form, &word, AT + 0x08000000u, AT), "%s", e->what);
        ck_assert_msg(!serin_delta_form_put(item.form, &word, AT - 0x08000000u, AT), "%s", e->what);
    }
}
END_TEST

/* ---- items ---- */

static const struct serin_delta_break offsets[] = {{0x2000, 0x40}, {0x3000, 0}};
static const struct serin_delta_break words[] = {{0x08002000, 0x40}, {0x08003000, 0}};

static struct serin_delta_walk walk_of(enum serin_delta_arch arch, uint32_t from, uint32_t to)
{
    struct serin_delta_walk walk = {.arch = arch,
                                    .relative = {.breaks = offsets, .count = 2},
                                    .absolute = {.breaks = words, .count = 2}};
    serin_delta_walk_start(&walk, from, to);
    return walk;
}

/* Little-endian numbers one behind the other: at most 32 bytes. */
static uint32_t lay(uint8_t *bytes, const uint32_t *numbers, const uint8_t *sizes, size_t count)
{
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        serin_delta_word_put(bytes + at, sizes[i], numbers[i]);
        at += sizes[i];
    }
    return at;
}

START_TEST(maps_move_what_lies_between_their_breakpoints)
{
    struct serin_delta_map map = {.breaks = offsets, .count = 2};
    struct serin_delta_map none = {.count = 0};
    ck_assert_uint_eq(serin_delta_map_add(&map, 0x1fff), 0);
    ck_assert_uint_eq(serin_delta_map_add(&map, 0x2000), 0x40);
    ck_assert_uint_eq(serin_delta_map_add(&map, 0x2fff), 0x40);
    ck_assert_uint_eq(serin_delta_map_add(&map, 0x3000), 0);
    ck_assert_uint_eq(serin_delta_map_add(&none, 0x2000), 0);
}
END_TEST

START_TEST(a_call_follows_what_it_calls)
{
    uint8_t bytes[32] = {0};
    uint32_t word = 0xd000f000u; /* bl */
    struct serin_delta_item item;
    struct serin_delta_walk walk = walk_of(THUMB, 0x1000, 0x1010);
    ck_assert(serin_delta_form_find(THUMB, 4, word, &item));
    ck_assert(serin_delta_form_put(item.form, &word, 0x2100, 0x1000));
    serin_put_le32(bytes, word);
    serin_delta_walk_item(&walk, bytes, sizeof bytes, 0x1000, 0x1010, &item);
    ck_assert(item.kind == SERIN_DELTA_FAR && item.size == 4 && item.moved);
    ck_assert_uint_eq(item.value, 0x2100);
    ck_assert_uint_eq(serin_delta_form_get(item.form, serin_get_le32(item.predicted), 0x1010),
                      0x2140);
}
END_TEST

START_TEST(an_aligned_word_is_an_address_where_the_map_moves_it)
{
    uint8_t bytes[32] = {0};
    struct serin_delta_item item;
    for (unsigned arch = 0; arch < SERIN_DELTA_ARCH_COUNT; arch++) {
        struct serin_delta_walk walk = walk_of((enum serin_delta_arch)arch, 0x1000, 0x1000);
        serin_put_le32(bytes, 0x08002100);
        serin_delta_walk_item(&walk, bytes, sizeof bytes, 0x1000, 0x1000, &item);
        ck_assert(item.kind == SERIN_DELTA_WORD && item.moved);
        ck_assert_uint_eq(serin_get_le32(item.predicted), 0x08002140);
        serin_delta_walk_item(&walk, bytes, sizeof bytes, 0x1002, 0x1002, &item);
        ck_assert_int_ne(item.kind, SERIN_DELTA_WORD);
        serin_put_le32(bytes, 0x08003100);
        serin_delta_walk_item(&walk, bytes, sizeof bytes, 0x1000, 0x1000, &item);
        ck_assert_int_ne(item.kind, SERIN_DELTA_WORD);
        serin_delta_walk_item(&walk, bytes, 1, 0x1000, 0x1000, &item);
        ck_assert(item.kind == SERIN_DELTA_PLAIN && item.size == 1);
    }
}
END_TEST

START_TEST(two_halves_of_an_address_move_together)
{
    /* lui a0, 0x8003; sw a1, -0x800(a0); lw a0, -0x7fc(a0); then a0 is no upper half any more. */
    static const uint32_t numbers[] = {0x08003537, 0x80b52023, 0x80452503, 0x00452503};
    static const uint8_t sizes[] = {4, 4, 4, 4};
    static const enum serin_delta_kind kinds[] = {SERIN_DELTA_UPPER, SERIN_DELTA_LOWER,
                                                  SERIN_DELTA_LOWER, SERIN_DELTA_PLAIN};
    static const uint32_t after[] = {0x08003537, 0x84b52023, 0x84452503, 0x00452503};
    uint8_t bytes[48] = {0};
    struct serin_delta_walk walk = walk_of(RISCV, 0x1000, 0x1000);
    (void)lay(bytes, numbers, sizes, 4);
    for (uint32_t i = 0; i < 4; i++) {
        struct serin_delta_item item;
        serin_delta_walk_item(&walk, bytes + (size_t)4 * i, 32, 0x1000 + 4 * i, 0x1000 + 4 * i,
                              &item);
        ck_assert_msg(item.kind == kinds[i], "%u: %d", i, (int)item.kind);
        ck_assert_msg(serin_get_le32(item.predicted) == after[i], "%u: %x", i,
                      serin_get_le32(item.predicted));
        serin_delta_walk_done(&walk, &item, 0x1000 + 4 * i, 0x1000 + 4 * i, item.predicted);
    }
}
END_TEST

START_TEST(an_upper_half_is_rounded_with_its_lower_one)
{
    /* auipc a0, 2; addi a0, a0, -0x40 at 0x1000: 0x2fc0, which moves over the next 0x800. */
    static const struct serin_delta_break far[] = {{0x2000, 0x900}};
    static const uint32_t numbers[] = {0x00002517, 0xfc050513};
    static const uint8_t sizes[] = {4, 4};
    uint8_t bytes[40] = {0};
    struct serin_delta_item item;
    struct serin_delta_walk walk = {.arch = RISCV, .relative = {.breaks = far, .count = 1}};
    (void)lay(bytes, numbers, sizes, 2);
    serin_delta_walk_start(&walk, 0x1000, 0x1000);
    serin_delta_walk_item(&walk, bytes, 32, 0x1000, 0x1000, &item);
    ck_assert(item.kind == SERIN_DELTA_UPPER && serin_delta_walk_relative(&walk, &item));
    ck_assert_uint_eq(serin_get_le32(item.predicted), 0x00003517);
    serin_delta_walk_done(&walk, &item, 0x1000, 0x1000, item.predicted);
    serin_delta_walk_item(&walk, bytes + 4, 32, 0x1004, 0x1004, &item);
    ck_assert(item.kind == SERIN_DELTA_LOWER && serin_delta_walk_relative(&walk, &item));
    ck_assert_uint_eq(serin_get_le32(item.predicted), 0x8c050513); /* 0x4000 - 0x740 = 0x38c0 */
}
END_TEST

START_TEST(a_branch_back_follows_what_the_last_copies_say)
{
    uint8_t bytes[32] = {0};
    struct serin_delta_item item;
    struct serin_delta_walk walk = walk_of(THUMB, 0x1000, 0x1000);
    serin_put_le16(bytes, 0xd0ee); /* beq -0x20 */
    serin_delta_walk_item(&walk, bytes, sizeof bytes, 0x1000, 0x1000, &item);
    serin_delta_walk_done(&walk, &item, 0x1000, 0x1000, item.predicted);
    /* Six bytes were inserted behind that, and the branch to it stands 0x20 bytes on. */
    serin_delta_walk_start(&walk, 0x1002, 0x1008);
    serin_delta_walk_item(&walk, bytes, sizeof bytes, 0x1020, 0x1026, &item);
    ck_assert(item.kind == SERIN_DELTA_NEAR && item.moved);
    ck_assert_uint_eq(serin_get_le16(item.predicted), 0xd0eb);
    /* One to the end of what was copied there, where nothing was, stays; so does one far off. */
    serin_delta_walk_start(&walk, 0x1004, 0x100c);
    serin_delta_walk_item(&walk, bytes, sizeof bytes, 0x1022, 0x102a, &item);
    ck_assert(item.kind == SERIN_DELTA_NEAR && !item.moved);
    serin_put_le16(bytes, 0xd080);
    serin_delta_walk_item(&walk, bytes, sizeof bytes, 0x1020, 0x1026, &item);
    ck_assert(item.kind == SERIN_DELTA_NEAR && !item.moved);
}
END_TEST

START_TEST(a_pool_behind_a_return_is_no_code)
{
    /* ret.n; two bytes that fill up the word; an address; call0. As code the address would be of
     * two and three bytes, and hide the call. */
    static const uint32_t numbers[] = {0xf00d, 0, 0x40203d1c, 0x001005};
    static const uint8_t sizes[] = {2, 2, 4, 3};
    static const uint32_t cuts[] = {2, 1, 1, 4, 3};
    uint8_t bytes[64] = {0};
    struct serin_delta_walk walk = walk_of(XTENSA, 0x1000, 0x1000);
    uint32_t at = 0;
    (void)lay(bytes, numbers, sizes, 4);
    for (size_t i = 0; i < 5; i++) {
        struct serin_delta_item item;
        serin_delta_walk_item(&walk, bytes + at, 32, 0x1000 + at, 0x1000 + at, &item);
        ck_assert_msg(item.size == cuts[i], "%zu: %u", i, item.size);
        ck_assert(item.kind == (i == 4 ? SERIN_DELTA_FAR : SERIN_DELTA_PLAIN));
        serin_delta_walk_done(&walk, &item, 0x1000 + at, 0x1000 + at, item.predicted);
        at += item.size;
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {forms_go_where_they_should,
                                  what_a_form_cannot_tell_it_refuses,
                                  maps_move_what_lies_between_their_breakpoints,
                                  a_call_follows_what_it_calls,
                                  an_aligned_word_is_an_address_where_the_map_moves_it,
                                  two_halves_of_an_address_move_together,
                                  an_upper_half_is_rounded_with_its_lower_one,
                                  a_branch_back_follows_what_the_last_copies_say,
                                  a_pool_behind_a_return_is_no_code,
                                  NULL};
    return check_run("delta_walk", tests);
}
