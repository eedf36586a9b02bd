/*
 * Devices whose flash holds what must not boot, or whose agent hears what it must not obey: each is
 * one thing that a verification is there for, and everything else about it is right.
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

/* What is tried: one scene is open at a time, as each child copies what the parent has in memory.
 */
struct scene_trial {
    struct scene *(*make)(void); /* closed with scene_close */
    struct glitch_trial trial;   /* its ctx is the scene */
};
extern const struct scene_trial boot_trials[], agent_trials[];
extern const size_t boot_trial_count, agent_trial_count;

/* Whether a bank of the trust region holds that record. */
bool scene_holds_trust(const struct scene *scene, const uint8_t record[SERIN_TRUST_SIZE_P256]);

void scene_close(struct scene *scene);

#endif
