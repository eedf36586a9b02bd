/* The rules, judged by eyes of the harness's own (life.h). */
#include "life.h"

#include "agent_internal.h"
#include "flash_io.h"
#include "journal.h"
#include "trust_region.h"

#include <string.h>

#define BOOTS_A_CUT 2u
#define AGAIN_A_CUT ((uint64_t)SERIN_PIECE_SIZE) /* the piece at work */
#define UNLOGGED_MS 10000u /* of the window, that a reset may lose: docs/spec/boot.md, 4 */
#define MESSAGE_MS                                                                \
    1u /* that each message takes: a full queue may stand before the window's end \
        */

static const struct cuts_chapter *chapter_of(const struct cuts_life *life)
{
    return &cuts_story[life->chapter];
}

/* Whether the retained directive offers a release. In trouble one that could not be stored is taken
 * with a later connection, also in the next chapter. */
static bool still_offered(const struct cuts_life *life, unsigned minor)
{
    unsigned chapter = life->chapter;
    while (chapter > 0 && cuts_story[chapter].offer.stable == 0) {
        chapter--;
    }
    const struct cuts_offer *offer = &cuts_story[chapter].offer;
    return life->calm != CUTS_CHAPTERS && life->harmed &&
           (minor == offer->stable || minor == offer->candidate);
}

/* What may run without a trial: what ran before the chapter, and what it ends with. */
static bool may_run(const struct cuts_life *life, unsigned minor)
{
    unsigned before = life->chapter == 0 ? 1u : cuts_story[life->chapter - 1u].running;
    if (life->harmed && (minor == chapter_of(life)->offer.candidate ||
                         minor == chapter_of(life)->first.candidate)) {
        return true; /* the last resort */
    }
    if (life->calm != CUTS_CHAPTERS && minor == 1) {
        return true; /* trouble may have kept every other release out so far */
    }
    if (still_offered(life, minor)) {
        return true; /* confirmed, or the last resort */
    }
    if (life->recoveries > 0) {
        return true; /* a device made anew takes what is still retained */
    }
    return minor == before || minor == chapter_of(life)->running;
}

/* ---- slots ---- */

static void look(const struct cuts_life *life, enum serin_slot slot, uint32_t offset, void *out,
                 size_t size)
{
    uint32_t address = life->layout.slot[slot - 1].address + offset;
    serin_flash_emulator_peek(life->emulator, address, out, size);
}

/* The release whose manifest stands in a slot; 0: none. */
static unsigned release_in(const struct cuts_life *life, enum serin_slot slot)
{
    uint8_t bytes[SERIN_MANIFEST_SIZE_P256];
    look(life, slot, life->map.manifest_offset, bytes, sizeof bytes);
    return cuts_release_of_manifest(life->goods, bytes);
}

static bool image_whole(const struct cuts_life *life, enum serin_slot slot, unsigned minor)
{
    const struct cuts_release *release = &life->goods->releases[minor - 1u];
    uint8_t part[1024];
    uint32_t size = release->manifest.image_size_bytes;
    for (uint32_t at = 0; at < size; at += sizeof part) {
        uint32_t count = size - at < sizeof part ? size - at : (uint32_t)sizeof part;
        look(life, slot, life->map.image_offset + at, part, count);
        if (memcmp(part, release->image + at, count) != 0) {
            return false;
        }
    }
    return true;
}

/* Both hold nothing, or a whole release; but for the one that the story let rot. */
static void judge_slots(struct cuts_life *life)
{
    for (enum serin_slot slot = SERIN_SLOT_A; slot <= SERIN_SLOT_B; slot++) {
        unsigned minor = release_in(life, slot);
        bool whole = minor == 0 || image_whole(life, slot, minor);
        if (whole) {
            life->seen.rotten = life->seen.rotten == (unsigned)slot ? 0 : life->seen.rotten;
        } else if (life->seen.rotten != (unsigned)slot && life->harmed_slot != slot) {
            cuts_fail(life, "a slot is valid for what it does not hold", "slot %c, release %u",
                      slot == SERIN_SLOT_A ? 'A' : 'B', minor);
        }
    }
}

bool cuts_judge_spare(const struct cuts_life *life, enum serin_slot slot)
{
    enum serin_slot other = slot == SERIN_SLOT_A ? SERIN_SLOT_B : SERIN_SLOT_A;
    unsigned minor = release_in(life, other);
    return minor != 0 && minor >= life->seen.floor && image_whole(life, other, minor) &&
           life->seen.rotten != (unsigned)other && may_run(life, minor);
}

/* ---- the boot state ---- */

static void judge_floor(struct cuts_life *life)
{
    struct serin_boot_state state;
    bool lost = life->event == CUTS_EVENT_ROT_BOOT_LOG && life->struck;
    if (serin_boot_read(&life->boot, &state) != SERIN_OK && !lost) {
        cuts_fail(life, "the boot log is lost", "%s", chapter_of(life)->name);
        return;
    }
    if (state.floor < life->seen.floor) {
        cuts_fail(life, "the floor fell", "from %u to %u", life->seen.floor, state.floor);
    }
    if (state.floor > chapter_of(life)->floor) {
        cuts_fail(life, "the floor rose before anybody allowed it", "%u", state.floor);
    }
    life->seen.floor = state.floor;
}

static void judge_trial(struct cuts_life *life, unsigned minor)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    bool other = minor != chapter->offer.candidate &&
                 (life->recoveries > 0 || still_offered(life, minor) ||
                  (cuts_is_harmed(life) && minor == chapter->first.candidate));
    if (other) {
        return; /* still retained; or the first offer, of which harm hid that it was far enough */
    }
    if (minor != chapter->offer.candidate) {
        cuts_fail(life, "what nobody offers runs on trial", "release %u", minor);
        return;
    }
    if (life->lingering && !cuts_is_harmed(life)) {
        cuts_fail(life, "a trial that ended is tried again", "release %u", minor);
    }
    life->seen.trial = true;
    life->seen.trial_boots++;
    if (life->seen.trial_boots > life->choice.manifest.confirm_tries) {
        cuts_fail(life, "an unconfirmed image boots more often than it may", "%u times",
                  life->seen.trial_boots);
    }
}

void cuts_judge_standing(const struct cuts_life *life, struct cuts_standing *standing)
{
    struct serin_boot_state state;
    *standing = (struct cuts_standing){.confirmed = 0};
    bool cells = life->harm_armed && life->calm == CUTS_CHAPTERS; /* what reads may not be right */
    if (cells || life->doubts > 0 || serin_boot_read(&life->boot, &state) != SERIN_OK) {
        return;
    }
    if (state.active != SERIN_SLOT_NONE && state.active_confirmed) {
        unsigned minor = release_in(life, state.active);
        standing->confirmed = minor != 0 && image_whole(life, state.active, minor) ? minor : 0;
    }
    if (state.trial != SERIN_SLOT_NONE && state.last_reason == SERIN_REASON_INVALID) {
        unsigned minor = release_in(life, state.trial);
        standing->trial = minor != 0 && image_whole(life, state.trial, minor) ? minor : 0;
    }
}

/* Whether one reading of the boot that came wrong decided for good: what is sound gives way, or
 * fails its trial unproved. */
static void judge_glances(struct cuts_life *life, const struct cuts_standing *before,
                          unsigned minor)
{
    struct serin_boot_state state;
    if (life->dim) {
        return;
    }
    if (before->confirmed != 0 && !life->choice.trial && minor != before->confirmed &&
        minor != before->trial) {
        cuts_fail(life, "what is confirmed and sound gives way", "release %u to %u",
                  before->confirmed, minor);
    }
    if (before->trial != 0 && !life->choice.trial &&
        serin_boot_read(&life->boot, &state) == SERIN_OK && state.phase == SERIN_BOOT_STEADY &&
        state.last_reason == SERIN_REASON_BOOT_VERIFY) {
        cuts_fail(life, "a sound image fails its trial unproved", "release %u", before->trial);
    }
}

void cuts_judge_boot(struct cuts_life *life, const struct cuts_standing *before)
{
    unsigned minor = cuts_release_of_id(life->goods, life->choice.manifest_id);
    if (minor == 0 || release_in(life, life->choice.slot) != minor ||
        !image_whole(life, life->choice.slot, minor)) {
        cuts_fail(life, "what boots is no whole release", "slot %u", (unsigned)life->choice.slot);
        return;
    }
    const uint8_t *copy = cuts_life_copy(life);
    const struct cuts_release *release = &life->goods->releases[minor - 1u];
    if (copy != NULL && memcmp(copy, release->image, release->manifest.image_size_bytes) != 0) {
        cuts_fail(life, "what runs is not what was verified", "release %u", minor);
    }
    if (life->choice.manifest.security_counter < life->seen.floor) {
        cuts_fail(life, "what boots is below the floor", "release %u, floor %u", minor,
                  life->seen.floor);
    }
    if (life->choice.trial) {
        judge_trial(life, minor);
    } else if (!may_run(life, minor)) {
        cuts_fail(life, "what was never confirmed runs without a trial", "release %u", minor);
    }
    judge_glances(life, before, minor);
    judge_slots(life);
    judge_floor(life);
}

/* ---- the journal ---- */

/* The journal of the chapter's download; false where none is under way. */
static bool find_journal(const struct cuts_life *life, struct serin_journal *journal)
{
    const struct serin_attempt_report *attempt = serin_attempt_current(&life->agent);
    enum serin_state state = serin_attempt_state(&life->agent);
    unsigned candidate = cuts_story_offer(life)->candidate;
    if (candidate == 0 || (state != SERIN_STATE_DOWNLOADING && state != SERIN_STATE_VERIFYING) ||
        cuts_release_of_id(life->goods, attempt->manifest_id) != candidate) {
        return false;
    }
    enum serin_slot slot = serin_agent_spare(&life->agent);
    *journal = (struct serin_journal){.flash = life->boot.flash,
                                      .address = life->layout.slot[slot - 1].address +
                                                 life->map.journal_offset,
                                      .stride = life->map.journal_stride,
                                      .size = life->map.journal_size,
                                      .manifest_id = attempt->manifest_id,
                                      .attempt = attempt->attempt,
                                      .generation = life->agent.record.journal_generation,
                                      .base = life->agent.record.journal_base};
    return true;
}

/* Whether piece `index` stands in the slot that does not run, or with `spared` in the spare sector,
 * from which a rewriting that was cut brings it back. */
static bool piece_stands(const struct cuts_life *life, const struct cuts_release *release,
                         uint32_t index, bool spared)
{
    uint8_t piece[SERIN_PIECE_SIZE];
    const struct serin_flash *flash = life->boot.flash;
    const uint8_t *expected = release->image + (size_t)index * SERIN_PIECE_SIZE;
    uint32_t size = serin_piece_size(release->manifest.image_size_bytes, index);
    uint32_t address = life->layout.slot[serin_agent_spare(&life->agent) - 1].address +
                       life->map.image_offset + index * SERIN_PIECE_SIZE;
    serin_flash_emulator_peek(life->emulator, address, piece, size);
    if (memcmp(piece, expected, size) == 0 || !spared) {
        return memcmp(piece, expected, size) == 0;
    }
    struct serin_region sector = serin_flash_sector(flash, address);
    uint32_t spare =
        serin_flash_border_from(flash, life->layout.scratch.address + SERIN_SCRATCH_RECORD_SIZE);
    if (sector.size <= SERIN_PIECE_SIZE) {
        return false;
    }
    serin_flash_emulator_peek(life->emulator, spare + (address - sector.address), piece, size);
    return memcmp(piece, expected, size) == 0;
}

/* The pieces whose cells the story let rot, and that were not written since: a bit each. */
static uint32_t rotten_pieces(struct cuts_life *life)
{
    const struct cuts_release *release =
        &life->goods->releases[cuts_story_offer(life)->candidate - 1u];
    if (life->seen.rotten_piece && piece_stands(life, release, 0, false)) {
        life->seen.rotten_piece = false;
    }
    return life->seen.rotten_piece ? 1u : 0;
}

/* A bit for each piece that stands in the journal; each of `sure` must hold what the server has. */
static uint32_t judge_pieces(struct cuts_life *life, const struct serin_journal *journal,
                             uint32_t sure, bool spared)
{
    const struct cuts_release *release =
        &life->goods->releases[cuts_story_offer(life)->candidate - 1u];
    uint32_t size = release->manifest.image_size_bytes;
    uint32_t pieces = 0;
    for (uint32_t index = 0; index < serin_piece_count(size); index++) {
        if (!serin_journal_has(journal, SERIN_JOURNAL_FIRST_PIECE + index, NULL)) {
            continue;
        }
        pieces |= 1u << index;
        if ((sure >> index & 1u) != 0 && !piece_stands(life, release, index, spared)) {
            cuts_fail(life, "a piece stands in the journal and is not in place", "%u", index);
        }
    }
    return pieces;
}

uint32_t cuts_judge_journaled(const struct cuts_life *life)
{
    struct serin_journal journal;
    if (life->mode != CUTS_RUNNING || !find_journal(life, &journal)) {
        return 0;
    }
    uint32_t pieces = 0;
    for (uint32_t index = 0; index < 32u; index++) {
        bool has = serin_journal_has(&journal, SERIN_JOURNAL_FIRST_PIECE + index, NULL);
        pieces |= has ? (uint32_t)1 << index : 0;
    }
    return pieces;
}

/* Those that are not known to be durable, up to the one behind the last that shows. */
static uint32_t find_doubtful(uint32_t durable, uint32_t shown)
{
    uint32_t all = 1;
    for (uint32_t rest = durable | shown; rest != 0; rest >>= 1u) {
        all = all << 1u | 1u;
    }
    return all & ~durable;
}

/* An entry that the power may have gone in is doubtful: it may read now so, now so, and its piece
 * be written again. */
static void judge_journal(struct cuts_life *life, bool after_boot)
{
    struct serin_journal journal;
    struct cuts_seen *seen = &life->seen;
    if (cuts_is_harmed(life) || !find_journal(life, &journal)) {
        return;
    }
    uint32_t sure = ~seen->doubtful & ~rotten_pieces(life);
    /* Until the download goes on in this boot, a rewriting that was cut may be under way. */
    bool spared = after_boot || !life->agent.download.prepared;
    uint32_t pieces = judge_pieces(life, &journal, sure, spared);
    if (journal.generation != 0 && journal.base == 0) {
        seen->journaled &= pieces; /* verification failed: every piece is looked at afresh */
    }
    if ((seen->journaled & ~pieces) != 0) {
        cuts_fail(life, "a journaled piece is lost", "pieces %#x", seen->journaled & ~pieces);
    }
    if (after_boot) {
        seen->doubtful |= find_doubtful(seen->journaled, pieces);
    }
    seen->journaled |= pieces & ~seen->doubtful;
}

void cuts_judge_served(struct cuts_life *life, unsigned release, uint32_t offset, uint32_t size)
{
    struct serin_journal journal;
    uint32_t index = offset / SERIN_PIECE_SIZE;
    bool offered = release == chapter_of(life)->offer.candidate ||
                   release == chapter_of(life)->first.candidate || still_offered(life, release);
    if (!offered && life->recoveries == 0) {
        cuts_fail(life, "what nobody offers is fetched", "release %u", release);
    } else if (!cuts_is_harmed(life) && find_journal(life, &journal) &&
               ((life->seen.doubtful | rotten_pieces(life)) >> index & 1u) == 0 &&
               serin_journal_has(&journal, SERIN_JOURNAL_FIRST_PIECE + index, NULL)) {
        cuts_fail(life, "a piece that stands in the journal is fetched", "%u", index);
    }
    life->seen.image_bytes += size;
}

/* ---- when ---- */

/* The version of the trust record; 0: there is none. In trouble that passes the agent may not see
 * for a moment what stands there, so the flash is asked. */
static uint32_t trust_version(const struct cuts_life *life)
{
    struct serin_trust trust;
    if (life->calm == CUTS_CHAPTERS) {
        return life->agent.have_trust ? life->agent.trust.version : 0;
    }
    return serin_trust_region_read(&life->boot, &trust) == SERIN_OK ? trust.version : 0;
}

void cuts_judge_agent(struct cuts_life *life)
{
    uint32_t version = trust_version(life);
    if (version == 0 || version < life->seen.trust) {
        cuts_fail(life, "the trust record fell", "from version %u to %u", life->seen.trust,
                  version);
    }
    judge_journal(life, true);
}

void cuts_judge_step(struct cuts_life *life)
{
    if (life->mode != CUTS_RUNNING) {
        return;
    }
    judge_floor(life);
    judge_journal(life, false);
    life->seen.trust = trust_version(life);
}

void cuts_judge_time(struct cuts_life *life)
{
    unsigned candidate = chapter_of(life)->offer.candidate;
    if (life->seen.trial_boots == 0 || candidate == 0) {
        return;
    }
    const struct serin_manifest *manifest = &life->goods->releases[candidate - 1u].manifest;
    /* Where the log is lost while it runs, or does not read at the window's end, the agent tries to
     * write its end that long. */
    bool lost = (life->event == CUTS_EVENT_ROT_BOOT_LOG && life->struck) ||
                (life->calm != CUTS_CHAPTERS && life->harmed);
    uint64_t bound_ms = (lost ? UNLOGGED_MS : 0) + (uint64_t)manifest->confirm_window_s * 1000u +
                        (uint64_t)(life->seen.trial_boots - 1u) * UNLOGGED_MS;
    if (life->seen.trial_ms > bound_ms + (uint64_t)MESSAGE_MS * CUTS_QUEUE) {
        cuts_fail(life, "an unconfirmed image runs longer than it may", "%llu ms in %u boots",
                  (unsigned long long)life->seen.trial_ms, life->seen.trial_boots);
    }
}

/* A power cut uses up a try: the last one may end a trial that would have ended otherwise. */
static void judge_account(struct cuts_life *life)
{
    const struct cuts_chapter *chapter = chapter_of(life);
    const struct serin_attempt_report *attempt = serin_attempt_current(&life->agent);
    if (chapter->end == SERIN_STATE_INVALID || attempt == NULL) {
        return;
    }
    bool cut = life->cuts > life->chapter_cuts;
    enum serin_reason reason = attempt->transitions[attempt->transition_count - 1u].reason;
    if (chapter->end == SERIN_STATE_ROLLED_BACK && reason != chapter->reason &&
        !(cut && reason == SERIN_REASON_POWER) &&
        !(life->crashes > 0 && reason == SERIN_REASON_CRASH)) {
        cuts_fail(life, "an attempt ended for another reason", "%s", serin_reason_word(reason));
    }
    if (chapter->rot == CUTS_ROT_NONE && !life->seen.trial) {
        cuts_fail(life, "an attempt ended without a trial", "%s", chapter->name);
    }
}

void cuts_judge_end(struct cuts_life *life)
{
    judge_account(life);
    if (life->uncut == NULL) {
        return;
    }
    const struct cuts_uncut *uncut = &life->uncut[life->chapter];
    if (life->boots > uncut->boots + BOOTS_A_CUT * (life->cuts + life->crashes)) {
        cuts_fail(life, "it takes too many boots to settle", "%u, uncut %u", life->boots,
                  uncut->boots);
    }
    uint64_t again = life->seen.image_bytes > uncut->image_bytes
                         ? life->seen.image_bytes - uncut->image_bytes
                         : 0;
    life->seen.again_bytes += again;
    uint64_t most = (life->cuts - life->chapter_cuts + life->crashes) * AGAIN_A_CUT;
    /* An entry that reads now so, now so, makes the piece behind it suspect as well. */
    most += (uint64_t)life->doubts * SERIN_PIECE_SIZE;
    if (chapter_of(life)->first.stable != 0) {
        /* What a download that was given up has left is no promise: the piece that the power went
         * in is erased, with the whole sector that it stands in (docs/spec/flash.md, section 5). */
        most +=
            life->geometry->sector > SERIN_PIECE_SIZE ? 2u * SERIN_PIECE_SIZE : SERIN_PIECE_SIZE;
    }
    if (again > most) {
        cuts_fail(life, "too much is fetched again", "%llu bytes", (unsigned long long)again);
    }
}
