/* The bootloader: one decision per reset. */
#include "board.h"
#include "hardware.h"
#include "startup.h"

#include <serin/adapters/wolfcrypt_sp.h>

/* Static, as the stack has better uses. */
static struct serin_boot boot;
static struct serin_boot_choice choice;

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

/* ---- the image ---- */

/* An image that would fault at its first instruction does not boot, and the other slot does: with a
 * broken vector table the processor locks up. */
static enum serin_error vectors_check(void *ctx)
{
    (void)ctx;
    const volatile uint32_t *image = (const volatile uint32_t *)BOARD_IMAGE_ADDRESS;
    uint32_t stack = image[0], entry = image[1];
    bool right = stack % 8u == 0 && stack - BOARD_RAM_ADDRESS <= BOARD_RAM_SIZE &&
                 entry % 2u == 1 && entry - BOARD_IMAGE_ADDRESS < BOARD_IMAGE_SIZE;
    return right ? SERIN_OK : SERIN_ERR_UNSUPPORTED;
}

static void jump(void *ctx, const struct serin_boot_choice *chosen)
{
    (void)ctx;
    (void)chosen;
    hw_watchdog_start(BOARD_WATCHDOG_MS);
    hw_run(BOARD_IMAGE_ADDRESS);
}

/* ---- recovery ---- */

/* Says so, and stays: the power must be cycled. A board with a service port would provision anew
 * from here (serin_boot_provision_anew). */
static enum serin_error nothing_boots(void *ctx, const struct serin_recovery_account *account)
{
    (void)ctx;
    hw_print("nothing boots: A ");
    hw_print_hex(account->slots[0]);
    hw_print(" B ");
    hw_print_hex(account->slots[1]);
    hw_print(" trust ");
    hw_print_hex(account->trust);
    hw_print("\n");
    return SERIN_ERR_NOT_FOUND;
}

int main(void)
{
    static struct serin_ram_loader ram = {.memory = (uint8_t *)BOARD_IMAGE_ADDRESS,
                                          .size = BOARD_IMAGE_SIZE,
                                          .load_address = BOARD_IMAGE_ADDRESS};
    static const struct serin_recovery_ops recovery_ops = {.nothing_boots = nothing_boots};
    static const struct serin_recovery recovery = {.ops = &recovery_ops};
    struct serin_image_loader_ops loader_ops = serin_ram_loader_ops;
    struct serin_image_loader loader = {.ops = &loader_ops, .ctx = &ram};
    enum serin_reset_cause cause = board_reset_cause();

    hw_uart_init();
    loader_ops.end = vectors_check;
    if (board_open(serin_wolfcrypt_sp(), &boot) != SERIN_OK) {
        hw_print("no identity\n");
        return 1; /* it comes from the line */
    }
    boot.loader = &loader;
    boot.recovery = &recovery;
    if (serin_boot_select(&boot, cause, &choice) == SERIN_OK) {
        if (choice.log_failed) {
            hw_print("boot log\n"); /* it cannot be written: no trial runs */
        }
        board_hand_over(&(struct serin_agent_boot_info){
            .slot = choice.slot, .trial = choice.trial, .cause = cause});
        serin_boot_jump(&choice, jump, NULL);
        hw_reset(); /* the proof did not hold */
    }
    return 1;
}
