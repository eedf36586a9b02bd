/*
 * Where everything lies on the board: for C and, through the preprocessor, for both linker scripts.
 *
 *   0x00000000  the bootloader's code, 16 KiB of the code memory
 *   0x20000000  the note, 64 bytes: kept over resets, by no start-up code touched
 *   0x20000100  the bootloader's data and stack
 *   0x20004000  the image's data, heap and stack
 *   0x20200000  the image itself, copied here and verified here
 *   0x21000000  16 MiB that a file backs, used as a flash by rules that flash.c imposes:
 *
 *   0x21000000  4 KiB   ┌───────────────────────────────────┐
 *                       │ identity and root key             │  factory; bootloader and image read
 *   0x21001000  60 KiB  ├───────────────────────────────────┤
 *                       │ the application's own             │  factory: key of TLS, seed, broker
 *   0x21010000  3 MiB   ├───────────────────────────────────┤
 *                       │ Serin's regions, addressed from 0 │
 *                       └───────────────────────────────────┘
 */
#ifndef MPS2_MEMORY_H
#define MPS2_MEMORY_H

#define BOARD_CODE_ADDRESS 0x00000000
#define BOARD_CODE_SIZE    0x00004000

#define BOARD_NOTE_ADDRESS     0x20000000
#define BOARD_NOTE_SIZE        0x00000040
#define BOARD_BOOT_RAM_ADDRESS 0x20000100
#define BOARD_BOOT_RAM_SIZE    0x00003f00
#define BOARD_RAM_ADDRESS      0x20004000
#define BOARD_RAM_SIZE         0x001fc000
#define BOARD_IMAGE_ADDRESS    0x20200000
#define BOARD_IMAGE_SIZE       0x00200000

#define BOARD_FLASH_ADDRESS    0x21000000
#define BOARD_FLASH_SIZE       0x01000000
#define BOARD_FLASH_SECTOR     0x00001000
#define BOARD_FLASH_WORD       4 /* programmed whole, once between two erases */
#define BOARD_IDENTITY_OFFSET  0x00000000
#define BOARD_APPLICATION      0x00001000 /* offset in the flash */
#define BOARD_APPLICATION_SIZE 0x0000f000
#define BOARD_CREDENTIALS      0x00000000 /* in the application's part: a sector */
#define BOARD_BOOT_COUNT       0x00001000 /* two */
#define BOARD_SERIN_OFFSET     0x00010000
#define BOARD_SERIN_SIZE       0x00300000

#endif
