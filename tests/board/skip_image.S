/*
 * The image that must not run, for skip_sweep.py: whoever comes to any of its instructions, by whatever way, says so on the UART. It runs from
 * any address, also from the flash, needs no stack, no data and nothing of the bootloader, and is what serin pack takes: vectors at its start.
 */
    .syntax unified
    .cpu cortex-m3
    .thumb

    .word 0x20100000 /* a stack that a bootloader takes */
    .rept 15
    .word 0x20200041 /* the reset, and every fault: the first instruction behind the vectors */
    .endr
    .rept 256
    nop
    .endr
    movw r0, #0x4000 /* the UART */
    movt r0, #0x4000
    movs r1, #217
    str r1, [r0, #16]
    movs r1, #1
    str r1, [r0, #8]
    adr r2, text
next:
    ldrb r3, [r2], #1
    cbz r3, stay
full:
    ldr r1, [r0, #4]
    lsls r1, r1, #31
    bmi full
    str r3, [r0]
    b next
stay:
    b stay
    .align 2
text:
    .asciz "UNVERIFIED\n"
    .align 2
