/* Signed once: releases, trust records, directives (goods.h). */
#include "goods.h"

#include "test_keys.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/host/bundle.h>
#include <serin/piece.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CREATED_S  1767225600u
#define FIRST_SIZE 5000u /* two pieces */
#define NEXT_SIZE  8500u /* three, the last one short */

static bool failed(const char *what, enum serin_error error)
{
    (void)fprintf(stderr, "cannot make %s: %s\n", what, serin_error_text(error));
    return false;
}

static void fill_manifest(struct serin_manifest *manifest, uint16_t minor)
{
    (void)snprintf(manifest->vendor, sizeof manifest->vendor, "serin");
    (void)snprintf(manifest->product, sizeof manifest->product, "pump");
    (void)snprintf(manifest->component, sizeof manifest->component, "main");
    (void)snprintf(manifest->channels[0], sizeof manifest->channels[0], "stable");
    manifest->hw_min = 1;
    manifest->hw_max = 3;
    manifest->version = (struct serin_version){.major = 1, .minor = minor};
    manifest->security_counter = minor;
    manifest->slot_mask = SERIN_SLOT_MASK_A | SERIN_SLOT_MASK_B;
    manifest->confirm_window_s = 60;
    manifest->confirm_tries = 3;
    manifest->created_s = CREATED_S;
}

/* The second release and all after it are signed by the key that the second trust record brings. */
static bool make_release(struct cuts_goods *goods, uint16_t minor)
{
    struct cuts_release *release = &goods->releases[minor - 1u];
    uint32_t size = minor == 1 ? FIRST_SIZE : NEXT_SIZE;
    const struct serin_signer *signer =
        &test_keys[minor == 1 ? TEST_RELEASE : TEST_STRANGER].signer;
    release->table_size = serin_piece_table_size(size);
    release->image = malloc(size);
    release->table = malloc(release->table_size);
    if (release->image == NULL || release->table == NULL) {
        return failed("a release", SERIN_ERR_MEMORY);
    }
    uint32_t x = 12345u + minor;
    for (uint32_t i = 0; i < size; i++) {
        x = x * 1664525u + 1013904223u;
        release->image[i] = (uint8_t)(x >> 24);
    }
    if (minor == 3) { /* its middle piece is in place already, as the mirror of 2 left it */
        memcpy(release->image + SERIN_PIECE_SIZE, goods->releases[1].image + SERIN_PIECE_SIZE,
               SERIN_PIECE_SIZE);
    } else if (minor == 5) { /* all but its end is in place where 4 was downloaded before */
        memcpy(release->image, goods->releases[3].image, (size_t)2 * SERIN_PIECE_SIZE);
    }
    fill_manifest(&release->manifest, minor);
    uint8_t *prefix;
    size_t prefix_size;
    enum serin_error error = serin_bundle_build(serin_wolfcrypt(), signer, &release->manifest,
                                                release->image, size, &prefix, &prefix_size, NULL);
    if (error == SERIN_OK) {
        memcpy(release->table, prefix + prefix_size - release->table_size, release->table_size);
        free(prefix);
        error = serin_manifest_seal(serin_wolfcrypt(), signer, &release->manifest,
                                    release->manifest_bytes, NULL);
    }
    serin_manifest_id(serin_wolfcrypt(), release->manifest_bytes, release->id);
    return error == SERIN_OK || failed("a release", error);
}

/* The first key alone; both; the first alone again, which must be refused while what runs is of the
 * second; the second alone, which retires the first. */
static bool make_trust(struct cuts_goods *goods, uint32_t version)
{
    struct serin_trust trust;
    test_trust(&trust, "pump");
    trust.version = version;
    if (version == 2) {
        test_trust_add(&trust, SERIN_KEY_ROLE_RELEASE, TEST_STRANGER);
    } else if (version == 4) {
        memset(trust.keys, 0, sizeof trust.keys);
        trust.key_count = 0;
        test_trust_add(&trust, SERIN_KEY_ROLE_RELEASE, TEST_STRANGER);
        test_trust_add(&trust, SERIN_KEY_ROLE_DIRECTOR, TEST_DIRECTOR);
    }
    uint8_t *record = goods->trust_records[version - 1u];
    enum serin_error error =
        serin_trust_seal(serin_wolfcrypt(), &test_keys[TEST_ROOT].signer, &trust, record);
    if (error == SERIN_OK) {
        struct serin_trust_payload value = {.record = record, .record_size = SERIN_TRUST_SIZE_P256};
        struct cuts_message *message = &goods->trusts[version - 1u];
        error = serin_protobufc()->encode_trust_payload(&value, message->bytes,
                                                        sizeof message->bytes, &message->size);
    }
    return error == SERIN_OK || failed("a trust record", error);
}

static void fill_offer(const struct cuts_goods *goods, unsigned minor, uint32_t attempt,
                       uint32_t flags, struct serin_release *out)
{
    if (minor == 0) {
        return;
    }
    out->offer_count = 1;
    out->offers[0].hw_min = 1;
    out->offers[0].hw_max = 3;
    memcpy(out->offers[0].manifest_id, goods->releases[minor - 1u].id, SERIN_SHA256_SIZE);
    out->attempt = attempt;
    out->flags = flags;
}

/* The stable release may be committed where the chapter ends with its counter as the floor. */
static bool make_directive(const struct cuts_goods *goods, unsigned chapter,
                           const struct cuts_offer *offer, struct cuts_message *message)
{
    if (offer->stable == 0) {
        return true;
    }
    bool commit = cuts_story[chapter].floor >= offer->stable && offer->stable > 1;
    struct serin_directive directive;
    memset(&directive, 0, sizeof directive);
    (void)snprintf(directive.product, sizeof directive.product, "pump");
    (void)snprintf(directive.channel, sizeof directive.channel, "stable");
    directive.order = (struct serin_order){.epoch = 1, .sequence = 2u * chapter + 1u};
    directive.order.sequence += offer == &cuts_story[chapter].offer ? 1u : 0u;
    directive.issued_s = CREATED_S;
    directive.lease_s = 30u * 3600u;
    directive.candidate_state =
        offer->candidate != 0 ? SERIN_CANDIDATE_ROLLING : SERIN_CANDIDATE_NONE;
    directive.threshold = offer->candidate != 0 ? SERIN_COHORT_EVERYONE : 0;
    memset(directive.salt, offer->candidate != 0 ? 7 : 0, sizeof directive.salt);
    fill_offer(goods, offer->stable, 1, commit ? SERIN_RELEASE_COMMIT : 0, &directive.stable);
    fill_offer(goods, offer->candidate, offer->attempt, 0, &directive.candidate);
    const char *field = NULL;
    enum serin_error error =
        serin_directive_seal(serin_wolfcrypt(), serin_protobufc(), &test_keys[TEST_DIRECTOR].signer,
                             &directive, message->bytes, &message->size, &field);
    return error == SERIN_OK || failed("a directive", error);
}

bool cuts_goods_make(struct cuts_goods *goods)
{
    memset(goods, 0, sizeof *goods);
    test_keys_open();
    memcpy(goods->root_key, test_keys[TEST_ROOT].public_key, sizeof goods->root_key);
    for (uint16_t minor = 1; minor <= CUTS_RELEASES; minor++) {
        if (!make_release(goods, minor)) {
            return false;
        }
    }
    for (uint32_t version = 1; version <= CUTS_TRUSTS; version++) {
        if (!make_trust(goods, version)) {
            return false;
        }
    }
    for (unsigned chapter = 0; chapter < CUTS_CHAPTERS; chapter++) {
        if (!make_directive(goods, chapter, &cuts_story[chapter].first, &goods->firsts[chapter]) ||
            !make_directive(goods, chapter, &cuts_story[chapter].offer,
                            &goods->directives[chapter])) {
            return false;
        }
    }
    return true;
}

void cuts_goods_free(struct cuts_goods *goods)
{
    for (size_t i = 0; i < CUTS_RELEASES; i++) {
        free(goods->releases[i].image);
        free(goods->releases[i].table);
    }
    test_keys_close();
}

unsigned cuts_release_of_id(const struct cuts_goods *goods, const uint8_t *id)
{
    for (unsigned minor = 1; minor <= CUTS_RELEASES; minor++) {
        if (memcmp(goods->releases[minor - 1u].id, id, SERIN_SHA256_SIZE) == 0) {
            return minor;
        }
    }
    return 0;
}

unsigned cuts_release_of_manifest(const struct cuts_goods *goods, const uint8_t *bytes)
{
    for (unsigned minor = 1; minor <= CUTS_RELEASES; minor++) {
        if (memcmp(goods->releases[minor - 1u].manifest_bytes, bytes, SERIN_MANIFEST_SIZE_P256) ==
            0) {
            return minor;
        }
    }
    return 0;
}
