/*
 * The bootloader: one decision per reset.
 *
 * All that it works with is constant, so that the linker, which sees the whole program, knows which
 * functions the ports lead to and drops what this board never does.
 */
#include "board.h"
#include "hardware.h"
#include "startup.h"

#include <serin/adapters/wolfcrypt_sp.h>

#include <string.h>

/* ---- vectors ---- */

/* A fault of the bootloader: the note says that it ran, so the next boot knows no better than that
 * something may have been cut. */
static void fault(void)
{
    hw_print("fault\n");
    hw_reset();
}

BOARD_VECTORS static const struct {
    uint32_t *stack;
    board_vector reset, nmi, hard_fault;
} vectors = {board_stack_top, board_reset_handler, fault, fault};

/* ---- the loader: images are copied to RAM, verified and run there ---- */

static uint8_t *image_at(uint32_t offset)
{
    return (uint8_t *)(BOARD_IMAGE_ADDRESS + offset);
}

static enum serin_error loader_begin(void *ctx, const struct serin_manifest *manifest)
{
    (void)ctx;
    if (manifest->load_address != BOARD_IMAGE_ADDRESS) {
        return SERIN_ERR_UNSUPPORTED;
    }
    return manifest->image_size_bytes <= BOARD_IMAGE_SIZE ? SERIN_OK : SERIN_ERR_NO_SPACE;
}

/* Offsets and sizes are those of an image that has room. */
static enum serin_error loader_write(void *ctx, uint32_t offset, const void *data, size_t size)
{
    (void)ctx;
    memcpy(image_at(offset), data, size);
    return SERIN_OK;
}

/* An image that would fault at its first instruction does not boot, and the other slot does: with a
 * broken vector table the processor locks up. */
static enum serin_error loader_end(void *ctx)
{
    (void)ctx;
    const volatile uint32_t *image = (const volatile uint32_t *)BOARD_IMAGE_ADDRESS;
    uint32_t stack = image[0], entry = image[1];
    bool right = stack % 8u == 0 && stack - BOARD_RAM_ADDRESS <= BOARD_RAM_SIZE &&
                 entry % 2u == 1 && entry - BOARD_IMAGE_ADDRESS < BOARD_IMAGE_SIZE;
    return right ? SERIN_OK : SERIN_ERR_UNSUPPORTED;
}

/* `ctx` is where the image lies. Whoever takes it for `out` by a glitch meets the image, and not
 * address 0, where this program is. */
static enum serin_error loader_read(void *ctx, uint32_t offset, void *out, size_t size)
{
    memcpy(out, (const uint8_t *)ctx + offset, size);
    return SERIN_OK;
}

static const struct serin_image_loader_ops loader_ops = {
    .begin = loader_begin, .write = loader_write, .end = loader_end, .read = loader_read};
static const struct serin_image_loader loader = {.ops = &loader_ops,
                                                 .ctx = (void *)BOARD_IMAGE_ADDRESS};

/* ---- the decision ---- */

/* No recovery port: where nothing boots this board has no way to be provisioned anew but its flash
 * file. It says so, and stays. */
static const struct serin_boot boot = {.crypto = &serin_wolfcrypt_sp,
                                       .flash = &board_flash,
                                       .layout = &board_layout,
                                       .root_key = BOARD_ROOT_KEY,
                                       .identity = &board_identity,
                                       .loader = &loader};

static void jump(void *ctx, const struct serin_boot_choice *chosen)
{
    (void)ctx;
    (void)chosen;
    hw_watchdog_start(BOARD_WATCHDOG_MS);
    hw_run(BOARD_IMAGE_ADDRESS);
}

int main(void)
{
    static struct serin_boot_choice choice; /* the stack has better uses */
    enum serin_reset_cause cause = board_reset_cause();
    hw_uart_init();
    if (board_identity_read() != SERIN_OK) {
        hw_print("no identity\n");
    } else if (serin_boot_decide(&boot, cause, &choice, NULL) == SERIN_OK) {
        if (choice.log_failed) {
            hw_print("no boot log\n"); /* it cannot be written: no trial runs */
        }
        board_hand_over(&(struct serin_agent_boot_info){
            .slot = choice.slot, .trial = choice.trial, .cause = cause});
        serin_boot_jump(&choice, jump, NULL);
        hw_reset(); /* the proof did not hold */
    } else {
        hw_print("nothing boots: reflash\n"); /* README.md */
    }
    return 1; /* and stays: a loop of resets would hide it */
}
