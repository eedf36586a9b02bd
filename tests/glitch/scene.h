/*
 * Devices whose flash holds what must not boot: each is one thing that a verification is there for,
 * and everything else about it is right.
 */
#ifndef SERIN_TESTS_SCENE_H
#define SERIN_TESTS_SCENE_H

#include "glitch.h"
#include "sign.h"

#include <serin/emulator/flash_emulator.h>
#include <serin/trust.h>

#include <serin/device/boot.h>

#define SCENE_IMAGE_SIZE 200u

struct scene {
    struct serin_flash_emulator *emulator;
    struct serin_layout layout;
    struct serin_boot boot;
    uint8_t ram[SCENE_IMAGE_SIZE];
    struct serin_ram_loader ram_loader;
    struct serin_image_loader loader;
    uint8_t
        record[SERIN_TRUST_SIZE_P256]; /* a forged trust record, for those that are offered it */
    enum serin_slot good;              /* the slot that may boot; NONE: none may */
};

/* Reads the keys of `vectors`, and makes those of strangers. False: it cannot. */
bool scene_open(const char *vectors);

#define SCENES_MAX 16u
/* The trials, each with a scene of its own. Returns how many; 0: one could not be made. */
size_t scene_trials(struct glitch_trial trials[SCENES_MAX]);

#endif
