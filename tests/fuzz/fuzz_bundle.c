/* The bundle: its parts lie inside it, in order and without gaps, and verifying never reads past
 * them. */
#include "fuzz.h"

#include <serin/adapters/wolfcrypt.h>
#include <serin/host/bundle.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct serin_bundle bundle;
    if (serin_bundle_split(data, size, &bundle) != SERIN_OK) {
        return 0;
    }
    SERIN_ASSERT(bundle.manifest == data + SERIN_BUNDLE_HEADER_SIZE);
    SERIN_ASSERT(bundle.pieces == bundle.manifest + bundle.manifest_size);
    SERIN_ASSERT(bundle.image == bundle.pieces + bundle.pieces_size);
    SERIN_ASSERT(bundle.image + bundle.image_size == data + size);

    struct serin_manifest manifest;
    uint8_t id[SERIN_SHA256_SIZE];
    const char *what = NULL;
    if (serin_bundle_verify(serin_wolfcrypt(), NULL, &bundle, &manifest, id, &what) == SERIN_OK) {
        SERIN_ASSERT(manifest.image_size_bytes == bundle.image_size);
        SERIN_ASSERT(serin_piece_table_size(manifest.image_size_bytes) == bundle.pieces_size);
    }
    return 0;
}
