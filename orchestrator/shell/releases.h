/*
 * Releases: bundles taken in, and found again by id, prefix or version.
 */
#ifndef SERIND_RELEASES_H
#define SERIND_RELEASES_H

#include <serin/adapters/policy.h>
#include <serin/host/bundle.h>
#include <serin/orchestrator/store.h>

#include <stdio.h>

struct serind;

/* Largest bundle: header, manifest, piece table and image at their limits. */
#define SERIND_BUNDLE_MAX                                                      \
    (SERIN_BUNDLE_HEADER_SIZE + (uint64_t)SERIN_MANIFEST_MAX +                 \
     (uint64_t)(SERIN_IMAGE_SIZE_MAX / SERIN_PIECE_SIZE) * SERIN_SHA256_SIZE + \
     (uint64_t)(SERIN_IMAGE_SIZE_MAX))

#define SERIND_WHY_MAX 512u

/* How far a device's word may raise the attempt number of a release at once. */
#define SERIND_ATTEMPT_LEAP_MAX 8u

/* Takes a bundle in: verifies all of it with the trust record that lists its key, puts its objects
 * into the depot, then its record into the store, in a pass of its own. `file` is open for reading.
 * SERIN_ERR_EXISTS: the release was known; `record` is filled in all the same. SERIN_ERR_KEY,
 * SERIN_ERR_SIGNATURE and the other errors of serin_bundle_split and serin_bundle_verify; those of
 * depot and store. `why` then says what and what to do. */
SERIN_MUST_USE enum serin_error serind_releases_take(struct serind *serind, int file, uint64_t size,
                                                     struct serin_release_record *record,
                                                     char why[SERIND_WHY_MAX]);

/* Somebody named an attempt at a manifest, inside a pass: a store that is a backup must not give
 * that number out again. One that lies more than `leap_max` above the last known is not believed.
 * SERIN_ERR_NOT_FOUND: no release here; errors of the store. */
SERIN_MUST_USE enum serin_error
serind_releases_attempted(struct serind *serind, const uint8_t manifest_id[SERIN_SHA256_SIZE],
                          uint32_t attempt, uint32_t leap_max);

/* Finds the release that an entry of a policy means; inside a transaction. SERIN_ERR_NOT_FOUND,
 * SERIN_ERR_INVALID (several fit); `why` says so. */
SERIN_MUST_USE enum serin_error serind_releases_find(struct serind *serind, const char *product,
                                                     const struct serin_policy_release *wanted,
                                                     struct serin_release_record *record,
                                                     char why[SERIND_WHY_MAX]);

#endif
