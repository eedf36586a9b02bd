/*
 * The silicon of the example board: what a real board has in registers, here in memory. A port
 * replaces this file by the vendor's drivers; the others show what to build on them.
 *
 * A small microcontroller: 512 KiB of flash with ECC words, RAM of which a part keeps its content
 * over resets, a watchdog that nobody can stop, and a register that tells why it was reset.
 */
#ifndef SERIN_EXAMPLE_HARDWARE_H
#define SERIN_EXAMPLE_HARDWARE_H

#include <serin/emulator/flash_emulator.h>

#define HW_FLASH_SIZE (512u * 1024u)
#define HW_FLASH_PAGE 2048u          /* what is erased at once */
#define HW_FLASH_WORD 8u             /* an ECC word: programmed whole, once between two erases */
#define HW_IMAGE_RAM  (216u * 1024u) /* room for the largest image that a slot takes */
#define HW_RETAINED   16u

/* Bits of the reset register; several at a time, and none of them cleared by a reset. */
#define HW_RESET_POWER    1u
#define HW_RESET_PIN      2u
#define HW_RESET_SOFTWARE 4u
#define HW_RESET_WATCHDOG 8u

struct hardware {
    struct serin_flash_emulator *flash;
    uint8_t image_ram[HW_IMAGE_RAM];
    uint8_t retained[HW_RETAINED]; /* no-init RAM: lost with the power alone */
    uint32_t reset_register;
    uint64_t uptime_ms;       /* since the last reset */
    uint32_t watchdog_ms;     /* its period; 0: it does not run */
    uint64_t watchdog_due_ms; /* when it resets */
    bool halted;              /* a reset is under way: nothing runs any more */
    const uint8_t *program;   /* what the processor runs from; NULL: the bootloader */
    bool lamp;                /* the red one */
    const char *printed;      /* the last line on the serial line; NULL: none since the reset */
};

/* A factory-new part: all erased. SERIN_ERR_MEMORY. */
SERIN_MUST_USE enum serin_error hw_open(struct hardware *hw, uint64_t seed);
void hw_close(struct hardware *hw);

/* The power comes, or comes back: RAM holds noise. */
void hw_power_on(struct hardware *hw);
/* Lets time pass; the watchdog may bite. */
void hw_pass(struct hardware *hw, uint32_t ms);
/* What every reset does: the bootloader runs next. */
void hw_reset(struct hardware *hw, uint32_t flag);

/* A line on the serial line. `text` is a constant. */
void hw_print(struct hardware *hw, const char *text);

/* The flash controller, as vendors write its driver: 0, or -1. A read of a word that its ECC cannot
 * correct fails: a real driver catches the fault that the processor takes there. */
int hw_flash_read(struct hardware *hw, uint32_t address, void *out, uint32_t size);
int hw_flash_write(struct hardware *hw, uint32_t address, const void *words, uint32_t size);
int hw_flash_erase_page(struct hardware *hw, uint32_t address);

void hw_watchdog_start(struct hardware *hw, uint32_t period_ms); /* until the next reset */
void hw_watchdog_feed(struct hardware *hw);

#endif
