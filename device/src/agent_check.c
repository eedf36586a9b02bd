/* What stands in a slot, as the agent may believe it: a manifest under the trust record and the
 * floor of now, and the image, which is read back in slices. */
#include "agent_internal.h"

#include <serin/piece.h>

#define SLICE (64u * 1024u) /* bytes of an image that are read back in one step */

enum serin_error serin_check_manifest(const struct serin_agent *agent, enum serin_slot slot,
                                      struct serin_manifest *manifest, uint8_t *id)
{
    return agent->have_trust ? serin_slot_manifest_open(agent->config->boot, &agent->trust, slot,
                                                        agent->running.floor, manifest, id)
                             : SERIN_ERR_KEY;
}

/* Reads on. SERIN_ERR_AGAIN: there is more. */
static enum serin_error read_on(struct serin_agent *agent, enum serin_slot slot,
                                const struct serin_manifest *manifest)
{
    const struct serin_boot *boot = agent->config->boot;
    if (!agent->checking) {
        serin_image_check_start(&agent->check, boot, slot, manifest->image_size_bytes);
    }
    enum serin_error error = serin_image_check_step(&agent->check, boot, agent->config->scratch,
                                                    SERIN_PIECE_SIZE, SLICE);
    agent->checking = error == SERIN_ERR_AGAIN;
    return error;
}

enum serin_error serin_check_image(struct serin_agent *agent, enum serin_slot slot,
                                   const struct serin_manifest *manifest)
{
    enum serin_error error = read_on(agent, slot, manifest);
    return error == SERIN_OK ? serin_image_check_end(&agent->check, agent->config->boot, manifest)
                             : error;
}

enum serin_error serin_check_slot(struct serin_agent *agent, enum serin_slot slot,
                                  enum serin_slot of, struct serin_manifest *manifest)
{
    enum serin_error error =
        agent->checking ? SERIN_OK : serin_check_manifest(agent, of, manifest, NULL);
    if (error == SERIN_OK) {
        error = read_on(agent, slot, manifest);
    }
    if (error == SERIN_OK) {
        /* The key that signed it may have been retired since. */
        error = serin_check_manifest(agent, of, manifest, NULL);
    }
    return error == SERIN_OK ? serin_image_check_end(&agent->check, agent->config->boot, manifest)
                             : error;
}
