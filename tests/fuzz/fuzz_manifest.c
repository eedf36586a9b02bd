/* The manifest and its signature area: what decodes encodes back to the same bytes, and its fields
 * are in their bounds. */
#include "fuzz.h"

#include <serin/manifest.h>

#include <string.h>

static void try_version(struct serin_version version)
{
    char text[SERIN_VERSION_TEXT_SIZE];
    struct serin_version back;
    serin_version_format(version, text);
    SERIN_ASSERT(serin_version_parse(text, &back) == SERIN_OK);
    SERIN_ASSERT(serin_version_compare(version, back) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct serin_manifest manifest;
    struct serin_signature_area area;
    if (serin_signature_area_decode(data, size, SERIN_MANIFEST_BODY_SIZE, &area) == SERIN_OK) {
        SERIN_ASSERT(size == SERIN_MANIFEST_SIZE_P256);
        SERIN_ASSERT(area.signature + area.signature_size == data + size);
    }
    if (serin_manifest_decode(data, size, &manifest) == SERIN_OK) {
        uint8_t body[SERIN_MANIFEST_BODY_SIZE];
        SERIN_ASSERT(serin_manifest_check(&manifest, NULL) == SERIN_OK);
        SERIN_ASSERT(serin_manifest_encode(&manifest, body) == SERIN_OK);
        SERIN_ASSERT(memcmp(body, data, sizeof body) == 0);
        try_version(manifest.version);
    }
    return 0;
}
