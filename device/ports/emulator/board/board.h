/*
 * The example board of docs/porting.md: a port of the bootloader and the agent, complete and
 * small, on the flash emulator. To be copied.
 *
 *   hardware     the silicon; a real board has it, with its vendor's drivers
 *   board        what bootloader, application and factory share: map, flash port, identity
 *   reset        why it was reset, and what the bootloader hands over
 *   bootloader   decides, loads, starts the watchdog, jumps
 *   application  the agent, its link, confirmation
 *   factory      identity, then provisioning
 *
 *   0            30 KiB     32 KiB                                                512 KiB
 *   ┌────────────┬──────────┬─────────────────────────────────────────────────────┐
 *   │ bootloader │ identity │ Serin's regions: 480 KiB, addressed from 0 there    │
 *   └────────────┴──────────┴─────────────────────────────────────────────────────┘
 */
#ifndef SERIN_EXAMPLE_BOARD_H
#define SERIN_EXAMPLE_BOARD_H

#include "hardware.h"

#include <serin/codec.h>
#include <serin/device/agent_state.h>
#include <serin/piece.h>

#define BOARD_IDENTITY_ADDRESS (30u * 1024u)
#define BOARD_SERIN_ADDRESS    (32u * 1024u)
#define BOARD_SERIN_SIZE       (HW_FLASH_SIZE - BOARD_SERIN_ADDRESS)
#define BOARD_IMAGE_ADDRESS    0x20008000u /* where images are linked to run */
#define BOARD_WATCHDOG_MS      8000u
#define BOARD_BOOTLOADER       1u /* version of the bootloader; manifests may ask for one */

/* ---- messages of the MQTT client ---- */

#define BOARD_BLOCK_SIZE  1024u
#define BOARD_MESSAGE_MAX 1200u /* a block with what is around it, and every other message */
#define BOARD_INBOX       8u

struct board_message {
    struct serin_topic topic;
    bool retained;
    size_t size;
    uint8_t payload[BOARD_MESSAGE_MAX];
};

/* What the application asks of the MQTT client. */
struct board_client {
    /* Sends; false: no room, later. */
    bool (*publish)(void *ctx, const char *topic, int qos, const uint8_t *payload, size_t size);
    void (*subscribe)(void *ctx, const char *filter, int qos);
    void *ctx;
};

/* ---- the board ---- */

/* What the factory burns in: who the device is, and whom it trusts in the end. */
struct board_identity {
    struct serin_identity identity;
    uint8_t root_key[SERIN_P256_PUBLIC_SIZE];
};

struct application {
    struct serin_boot boot;
    struct serin_agent_config config;
    _Alignas(max_align_t) struct serin_agent agent;
    uint8_t scratch[SERIN_PIECE_SIZE];
    struct board_message inbox[BOARD_INBOX];
    size_t inbox_first, inbox_count;
    bool reset_asked, confirmed;
    bool healthy; /* what the self-test of the product found */
};

/* On a real board these are its static variables. */
struct board {
    struct hardware hw;
    const struct serin_crypto *crypto; /* wolfCrypt, with the board's entropy */
    const struct serin_codec *codec;   /* adapters/protobufc, or one of the board's own */
    const struct board_client *client;
    const struct factory_input *service; /* of a tool on the serial line; NULL: nobody is there */
    struct serin_flash flash;
    struct board_identity burnt;
    struct application app;
};

/* Why the application resets the board: kept in no-init RAM for the bootloader. */
enum board_farewell { BOARD_FAREWELL_REQUESTED = 1, BOARD_FAREWELL_CRASHED };

/* The flash port over the controller; then what is burnt in, and all of it as boot code wants it.
 * SERIN_ERR_NOT_FOUND: no identity, a board that comes from the line. */
SERIN_MUST_USE enum serin_error board_open(struct board *board, struct serin_boot *boot);
extern const struct serin_layout board_layout;

SERIN_MUST_USE enum serin_error board_identity_write(struct board *board,
                                                     const struct board_identity *burnt);

/* Why the board was reset; asks the register, and clears it. */
enum serin_reset_cause board_reset_cause(struct board *board);
/* Resets, and tells the next boot why. */
void board_farewell(struct board *board, enum board_farewell why);

/* What the bootloader hands over to the agent, through no-init RAM. */
void board_hand_over(struct board *board, const struct serin_agent_boot_info *info);
SERIN_MUST_USE bool board_take_over(struct board *board, struct serin_agent_boot_info *info);

/* ---- bootloader.c, application.c, factory.c ---- */

void bootloader_main(struct board *board);

/* The application's main: the start, then one pass of its loop after another. */
void application_start(struct board *board);
void application_pass(struct board *board);
void application_connected(struct board *board, bool connected);
/* A message of the MQTT client. One too many is dropped: the agent asks again. */
void application_message(struct board *board, const char *topic, bool retained,
                         const uint8_t *payload, size_t size);

struct factory_input {
    struct board_identity burnt;
    const uint8_t *trust;
    size_t trust_size;
    const uint8_t *manifest;
    size_t manifest_size;
    const uint8_t *image;
    size_t image_size;
};
/* SERIN_OK: the device may leave the line. */
SERIN_MUST_USE enum serin_error factory_provision(struct board *board,
                                                  const struct factory_input *input);
/* For a device on which nothing boots: its identity stays, and its floor and trust version, which
 * `account` tells, are not gone below. */
SERIN_MUST_USE enum serin_error factory_provision_anew(struct board *board,
                                                       const struct serin_recovery_account *account,
                                                       const struct factory_input *input);

#endif
