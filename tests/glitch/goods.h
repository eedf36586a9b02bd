/*
 * What the scenes are made of: keys, signed releases, trust records and directives, and devices
 * that hold them. Signatures are made with the test keys of the golden vectors, and verified once:
 * a verdict of a child is remembered for the next ones.
 */
#ifndef SERIN_TESTS_GOODS_H
#define SERIN_TESTS_GOODS_H

#include "scene.h"

#include <serin/wire.h>

#define GOODS_GOOD_FILL 0x02
#define GOODS_BAD_FILL  0x66

/* `stranger` and `stranger_root` are in no trust record. */
struct goods_keys {
    struct vector_key root, release, director, stranger, stranger_root;
};
extern struct goods_keys goods_keys;

struct goods_release {
    uint8_t image[SCENE_IMAGE_SIZE];
    uint8_t manifest[SERIN_MANIFEST_SIZE_P256];
};

/* Reads the keys of `vectors`, and makes those of strangers. False: it cannot. */
bool goods_open(const char *vectors);
/* Forgets the verdicts. */
void goods_forget(void);
/* Ends the program with a word where a scene cannot be made. */
void goods_must(enum serin_error error);

/* A release whose image is made of `fill`, signed by `key`; `named` is the key that its signature
 * names. */
void goods_release(struct goods_release *release, uint8_t fill, uint32_t counter,
                   const char *product, const struct vector_key *key,
                   const struct vector_key *named);
/* A trust record with that release key and the director's, signed by `root`. */
void goods_trust(uint8_t record[SERIN_TRUST_SIZE_P256], uint32_t version,
                 const struct vector_key *release, const struct vector_key *root);
/* A directive as it comes; returns its size. */
size_t goods_directive(const struct serin_directive *directive, const struct vector_key *key,
                       const struct vector_key *named, uint8_t payload[SERIN_DIRECTIVE_MAX]);

/* A device that runs release 2, which is good, in both slots. */
struct scene *goods_device(void);
/* Puts a release into a slot, or into both, as if it had been confirmed there. */
void goods_put(struct scene *scene, enum serin_slot slot, const struct goods_release *release);
void goods_put_in_both(struct scene *scene, const struct goods_release *release);

#endif
