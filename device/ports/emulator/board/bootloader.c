/* The bootloader of the example board: one decision per reset. */
#include "board.h"

#include <string.h>

/* Nothing boots: light the lamp, say so, and take what a service tool brings, if it is there. The
 * board stays here until then; the watchdog does not run yet. */
static enum serin_error nothing_boots(void *ctx, const struct serin_recovery_account *account)
{
    struct board *board = ctx;
    board->hw.lamp = true;
    hw_print(&board->hw, "nothing boots"); /* and why: a real one prints the account */
    if (board->service == NULL) {
        return SERIN_ERR_NOT_FOUND;
    }
    enum serin_error error = factory_provision_anew(board, account, board->service);
    board->hw.lamp = error != SERIN_OK;
    return error;
}

static const struct serin_recovery_ops recovery_ops = {.nothing_boots = nothing_boots};

/* Called by serin_boot_jump alone, once both runs have proved the choice. On a Cortex-M the last
 * two lines are: set VTOR to the image, load the stack pointer from its first word, branch to its
 * second. */
static void jump(void *ctx, const struct serin_boot_choice *choice)
{
    struct board *board = ctx;
    (void)choice;
    hw_watchdog_start(&board->hw, BOARD_WATCHDOG_MS);
    board->hw.program = board->hw.image_ram;
}

void bootloader_main(struct board *board)
{
    struct serin_ram_loader ram = {.memory = board->hw.image_ram,
                                   .size = sizeof board->hw.image_ram,
                                   .load_address = BOARD_IMAGE_ADDRESS};
    const struct serin_image_loader loader = {.ops = &serin_ram_loader_ops, .ctx = &ram};
    const struct serin_recovery recovery = {.ops = &recovery_ops, .ctx = board};
    struct serin_boot boot;
    struct serin_boot_choice choice;
    enum serin_reset_cause cause = board_reset_cause(board);

    board->hw.halted = false;
    if (board_open(board, &boot) != SERIN_OK) {
        board->hw.lamp = true; /* it comes from the line, and has no identity yet */
        return;
    }
    boot.loader = &loader;
    boot.recovery = &recovery;
    if (serin_boot_select(&boot, cause, &choice) == SERIN_OK) {
        if (choice.log_failed) {
            hw_print(&board->hw, "the boot log cannot be written: no trial runs");
        }
        board_hand_over(board, &(struct serin_agent_boot_info){
                                   .slot = choice.slot, .trial = choice.trial, .cause = cause});
        serin_boot_jump(&choice, jump, board);
        if (board->hw.program == NULL) { /* on silicon no question: a jump does not return */
            hw_reset(&board->hw, HW_RESET_SOFTWARE); /* the proof did not hold */
        }
    }
}
