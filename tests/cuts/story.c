/* The story of a life: its chapters, and when each is over (goods.h, life.h). */
#include "life.h"

#include "agent_internal.h"

#include <string.h>

#define LINGER_MS  30000u
#define TURN_STEPS 200u /* that a first offer stands where nothing else ends it */

const struct cuts_chapter cuts_story[CUTS_CHAPTERS] = {
    {.name = "update", /* a rotation adds the key that signed it */
     .trust = 2,
     .bad_trust = 3,
     .offer = {.stable = 1, .candidate = 2, .attempt = 1},
     .app = CUTS_GOOD,
     .end = SERIN_STATE_CONFIRMED,
     .running = 2,
     .floor = 1,
     .trusts = 2},
    {.name = "commit",
     .offer = {.stable = 2},
     .running = 2,
     .floor = 2,
     .mirrored = true,
     .trusts = 2},
    {.name = "crash",
     .like_another = true,
     .offer = {.stable = 2, .candidate = 3, .attempt = 1},
     .app = CUTS_CRASH,
     .end = SERIN_STATE_ROLLED_BACK,
     .reason = SERIN_REASON_CRASH,
     .running = 2,
     .floor = 2,
     .mirrored = true,
     .trusts = 2},
    {.name = "hang", /* and a piece that rots before the image is verified */
     .offer = {.stable = 2, .candidate = 3, .attempt = 2},
     .rot = CUTS_ROT_PIECE,
     .app = CUTS_HANG,
     .end = SERIN_STATE_ROLLED_BACK,
     .reason = SERIN_REASON_WATCHDOG,
     .running = 2,
     .floor = 2,
     .mirrored = true,
     .trusts = 2},
    {.name = "silent",
     .like_another = true,
     .offer = {.stable = 2, .candidate = 3, .attempt = 3},
     .app = CUTS_SILENT,
     .end = SERIN_STATE_ROLLED_BACK,
     .reason = SERIN_REASON_NOT_CONFIRMED,
     .running = 2,
     .floor = 2,
     .mirrored = true,
     .trusts = 2},
    {.name = "rot-trial", /* and two pieces that arrive damaged */
     .offer = {.stable = 2, .candidate = 4, .attempt = 1},
     .spoiled = 6,
     .rot = CUTS_ROT_TRIAL,
     .end = SERIN_STATE_ROLLED_BACK,
     .reason = SERIN_REASON_BOOT_VERIFY,
     .running = 2,
     .floor = 2,
     .mirrored = true,
     .trusts = 2},
    {.name = "rot-active",
     .rot = CUTS_ROT_ACTIVE,
     .running = 2,
     .floor = 2,
     .mirrored = true,
     .trusts = 2},
    {.name = "retire-key", .trust = 4, .running = 2, .floor = 2, .mirrored = true, .trusts = 4},
    {.name = "last", /* in the place of a download that is given up */
     .first = {.stable = 2, .candidate = 4, .attempt = 2},
     .restart = true,
     .offer = {.stable = 2, .candidate = 5, .attempt = 1},
     .app = CUTS_GOOD,
     .end = SERIN_STATE_CONFIRMED,
     .running = 5,
     .floor = 2,
     .trusts = 4},
    {.name = "last-commit",
     .offer = {.stable = 5},
     .running = 5,
     .floor = 5,
     .mirrored = true,
     .trusts = 4},
};

static const struct cuts_chapter *chapter_of(const struct cuts_life *life)
{
    return &cuts_story[life->chapter];
}

enum cuts_app cuts_story_app(const struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    unsigned runs = cuts_release_of_id(life->goods, life->choice.manifest_id);
    return runs != 0 && runs == chapter->offer.candidate ? chapter->app : CUTS_GOOD;
}

const struct cuts_offer *cuts_story_offer(const struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    return life->seen.turned ? &chapter->offer : &chapter->first;
}

bool cuts_story_spoils(struct cuts_life *life, unsigned release, uint32_t index)
{
    uint32_t bit = (uint32_t)1 << index;
    bool spoils = release == chapter_of(life)->offer.candidate &&
                  (chapter_of(life)->spoiled & ~life->seen.spoiled & bit) != 0;
    life->seen.spoiled |= spoils ? bit : 0;
    return spoils;
}

/* Flips one bit in the first piece of the image in `slot`. */
static void let_rot(struct cuts_life *life, enum serin_slot slot)
{
    uint32_t address = life->layout.slot[slot - 1].address + life->map.image_offset + 3000u;
    serin_flash_emulator_rot(life->emulator, address, 0x10);
    life->seen.rotted = true;
}

/* What runs rots while the device is off. */
static void rot_active(struct cuts_life *life)
{
    let_rot(life, life->choice.slot);
    life->seen.rotten = (unsigned)life->choice.slot;
    cuts_life_reset(life, SERIN_RESET_POWER, true);
}

/* From here on the chapter's own offer stands. */
static void turn(struct cuts_life *life)
{
    life->seen.turned = true;
    life->seen.journaled = life->seen.doubtful = 0;
    if (chapter_of(life)->offer.stable != 0) {
        cuts_server_publish(life, CUTS_TOPIC_DIRECTIVE, &life->goods->directives[life->chapter]);
    }
}

void cuts_story_begin(struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    struct cuts_seen *seen = &life->seen;
    life->chapter_steps = 0;
    life->lingering = false;
    seen->trial = seen->rotted = seen->bad_trust_sent = seen->turned = seen->restarted = false;
    seen->rotten_piece = false;
    seen->spoiled = 0;
    seen->trial_boots = 0;
    seen->trial_ms = seen->image_bytes = 0;
    seen->journaled = seen->doubtful = 0;
    life->chapter_cuts = life->cuts;
    if (chapter->trust != 0) {
        cuts_server_publish(life, CUTS_TOPIC_TRUST, &life->goods->trusts[chapter->trust - 1u]);
    }
    if (chapter->first.stable != 0) {
        cuts_server_publish(life, CUTS_TOPIC_DIRECTIVE, &life->goods->firsts[life->chapter]);
    } else {
        turn(life);
    }
    /* After harm the other slot may not hold what could take over yet. */
    bool spare = !life->harmed || (life->agent.redundancy == SERIN_REDUNDANCY_MIRRORED &&
                                   cuts_judge_spare(life, life->choice.slot));
    if (chapter->rot == CUTS_ROT_ACTIVE && spare) {
        rot_active(life);
    }
}

static bool attempt_ended(const struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    if (chapter->end == SERIN_STATE_INVALID) {
        return true;
    }
    const struct cuts_release *release = &life->goods->releases[chapter->offer.candidate - 1u];
    return serin_attempt_is(&life->agent, release->id, chapter->offer.attempt) &&
           serin_attempt_state(&life->agent) == chapter->end &&
           life->agent.record.acked == life->agent.record.number;
}

/* Whether what a chapter after the trouble offers has got in; the mirrored one is the last, where
 * the trust record that an older release stood against must be taken, too. */
static bool got_in(const struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    const struct serin_agent *agent = &life->agent;
    bool settled = agent->running.floor == chapter->floor && agent->have_trust &&
                   agent->trust.version == chapter->trusts &&
                   agent->redundancy == SERIN_REDUNDANCY_MIRRORED;
    return agent->running.version.minor == chapter->running && (!chapter->mirrored || settled);
}

static bool ended(const struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    const struct serin_agent *agent = &life->agent;
    if (life->harmed) {
        return life->mode == CUTS_RUNNING && !life->reset_asked && life->queue_count == 0 &&
               life->now_ms >= CUTS_SETTLE_MS && (!life->choice.trial || agent->confirmed) &&
               (life->chapter < life->calm || got_in(life));
    }
    return life->mode == CUTS_RUNNING && !life->reset_asked && life->queue_count == 0 &&
           agent->running.version.minor == chapter->running &&
           agent->running.floor == chapter->floor && agent->confirmed && agent->have_trust &&
           agent->trust.version == chapter->trusts &&
           (!chapter->mirrored || agent->redundancy == SERIN_REDUNDANCY_MIRRORED) &&
           attempt_ended(life);
}

/* The end holds: the power goes, half a minute passes, and nothing is fetched or tried again. */
static void linger(struct cuts_life *life)
{
    if (!life->lingering) {
        if (!life->harmed) {
            cuts_judge_end(life);
        }
        life->lingering = true;
        life->linger_ms = LINGER_MS;
        life->idle_gets = life->gets;
        cuts_life_reset(life, SERIN_RESET_POWER, true);
        return;
    }
    if (life->now_ms < life->linger_ms) {
        return;
    }
    if (!life->harmed && life->gets != life->idle_gets &&
        chapter_of(life)->end == SERIN_STATE_ROLLED_BACK) {
        cuts_fail(life, "what failed is fetched again", "%s", chapter_of(life)->name);
    }
    if (life->chapter == life->last) {
        life->mode = CUTS_OVER;
        return;
    }
    life->chapter++;
    cuts_story_begin(life);
}

/* The slot that is armed for its trial and has not booted yet; NONE: there is none. */
static enum serin_slot armed_slot(const struct cuts_life *life)
{
    struct serin_boot_state state;
    bool armed = life->mode == CUTS_OFF && serin_boot_read(&life->boot, &state) == SERIN_OK &&
                 state.phase == SERIN_BOOT_STAGED;
    return armed ? state.trial : SERIN_SLOT_NONE;
}

/* Takes the first offer back, and crashes in the download that follows: the power stays, so what
 * was torn before may still read as it did. */
static void disturb_download(struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    struct cuts_seen *seen = &life->seen;
    if (!seen->turned && (life->cuts > life->chapter_cuts || life->chapter_steps >= TURN_STEPS ||
                          (cuts_judge_journaled(life) & 2u) != 0)) {
        turn(life);
        return;
    }
    if (!chapter->restart) {
        return;
    }
    const struct cuts_release *release = &life->goods->releases[chapter->offer.candidate - 1u];
    if (seen->turned && !seen->restarted && life->mode == CUTS_RUNNING &&
        life->agent.download.prepared &&
        serin_attempt_is(&life->agent, release->id, chapter->offer.attempt)) {
        seen->restarted = true;
        cuts_life_reset(life, SERIN_RESET_CRASH, false);
    }
}

/* What waits for its trial rots. A boot record that was torn may read as none here and as one in
 * the bootloader: the trial that began so rots between two of its boots. */
static void rot_trial(struct cuts_life *life)
{
    enum serin_slot slot = armed_slot(life);
    bool begun = life->mode == CUTS_RUNNING && life->choice.trial && !life->agent.confirmed;
    if (slot == SERIN_SLOT_NONE && begun) {
        slot = life->choice.slot;
        cuts_life_reset(life, SERIN_RESET_POWER, true);
    }
    if (slot != SERIN_SLOT_NONE) {
        let_rot(life, slot);
        life->seen.rotten = (unsigned)slot;
        life->seen.rotten_piece = true; /* where a cut leads back into the download */
    }
}

void cuts_story_disturb(struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    struct cuts_seen *seen = &life->seen;
    if (chapter->rot == CUTS_ROT_TRIAL && !seen->rotted) {
        rot_trial(life);
    }
    if (chapter->rot == CUTS_ROT_PIECE && !seen->rotted &&
        (cuts_judge_journaled(life) & 3u) == 3u) {
        let_rot(life, serin_agent_spare(&life->agent));
        seen->rotten_piece = true;
    }
    disturb_download(life);
    if (chapter->bad_trust != 0 && !seen->bad_trust_sent && life->mode == CUTS_RUNNING &&
        serin_attempt_state(&life->agent) == SERIN_STATE_TRIAL) {
        seen->bad_trust_sent = true;
        cuts_server_publish(life, CUTS_TOPIC_TRUST, &life->goods->trusts[chapter->bad_trust - 1u]);
    }
}

void cuts_story_step(struct cuts_life *life)
{
    if (ended(life)) {
        linger(life);
    }
}
