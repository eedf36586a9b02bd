/*
 * The values behind the golden vectors of v1/, and their description as JSON. Generator and check
 * share them: the generator writes the files once, the check proves that the code still makes the
 * same bytes of the same values.
 */
#ifndef SERIN_VECTORS_SAMPLES_H
#define SERIN_VECTORS_SAMPLES_H

#include "sign.h"

#include <serin/piece.h>
#include <serin/trust.h>
#include <serin/wire.h>

#define SAMPLE_IMAGE_SIZE  10000u
#define SAMPLE_PIECES_SIZE 96u /* three pieces */
#define SAMPLE_TEXT_MAX    4096u

/* The image of the sample release: byte i is 7 i + i / 256, modulo 256. */
void sample_image(uint8_t image[SAMPLE_IMAGE_SIZE]);

/* Its piece table. */
void sample_pieces(const struct serin_crypto *crypto, uint8_t pieces[SAMPLE_PIECES_SIZE]);

void sample_manifest(const struct serin_crypto *crypto, struct serin_manifest *manifest);

void sample_trust(const struct vector_key *release, const struct vector_key *director,
                  struct serin_trust *trust);

/* A channel's directive that rolls the sample manifest out to a cohort. */
void sample_directive(const struct serin_crypto *crypto, struct serin_directive *directive);

/* The largest directives that the rules allow: a channel's, and a targeted one. */
void sample_largest_directive(bool targeted, struct serin_directive *directive);

/* Expected fields as JSON, one a line, for implementations in other languages. */
void sample_manifest_json(const struct serin_crypto *crypto, const struct serin_manifest *manifest,
                          const struct serin_signature_area *area, char text[SAMPLE_TEXT_MAX]);
void sample_trust_json(const struct serin_trust *trust, const struct serin_signature_area *area,
                       char text[SAMPLE_TEXT_MAX]);

#endif
