/* Sites: the table, and the books of a pass (sites.h). */
#include "sites.h"

#include "fleet.h"
#include "pass.h"
#include "serind.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void serind_sites_init(struct serind *serind)
{
    serind->sites = (struct serind_sites){.changed = false};
    serind_index_init(&serind->sites.ids, SERIND_SITES_MAX);
}

void serind_sites_free(struct serind *serind)
{
    struct serind_sites *sites = &serind->sites;
    for (uint32_t i = 0; i < sites->ids.count; i++) {
        free(sites->list[i]);
    }
    free(sites->list);
    free(sites->moves);
    serind_index_free(&sites->ids);
    *sites = (struct serind_sites){.changed = false};
}

/* ---- the table ---- */

uint32_t serind_sites_find(const struct serind *serind, const char *id)
{
    uint32_t at = serind_index_find(&serind->sites.ids, id);
    return at != SERIND_NO_DEVICE ? at + 1 : 0;
}

struct serind_site *serind_site(const struct serind *serind, uint32_t number)
{
    assert(number >= 1 && number <= serind->sites.ids.count);
    return serind->sites.list[number - 1];
}

const char *serind_site_name(const struct serind *serind, uint32_t number)
{
    return number != 0 ? serind_site(serind, number)->record.id : "";
}

/* Room for one more in the list; its id comes into the index last, so that both stay in step. */
static enum serin_error grow(struct serind_sites *sites)
{
    if (sites->ids.count < sites->capacity) {
        return SERIN_OK;
    }
    uint32_t capacity = sites->capacity == 0 ? 16 : sites->capacity * 2;
    struct serind_site **list = realloc(sites->list, capacity * sizeof(struct serind_site *));
    if (list == NULL) {
        return SERIN_ERR_MEMORY;
    }
    sites->list = list;
    sites->capacity = capacity;
    return SERIN_OK;
}

static enum serin_error add(struct serind *serind, const char *id, uint32_t *number)
{
    struct serind_sites *sites = &serind->sites;
    enum serin_error error = grow(sites);
    struct serind_site *site = error == SERIN_OK ? calloc(1, sizeof *site) : NULL;
    if (site == NULL) {
        return SERIN_ERR_MEMORY;
    }
    uint32_t at = 0;
    error = serind_index_add(&sites->ids, id, &at);
    if (error != SERIN_OK) {
        free(site);
        return error;
    }
    assert(at == sites->ids.count - 1);
    site->record.standing = SERIN_GATEWAY_KNOWN;
    site->record.first_seen_s = serind_now_s(serind);
    memcpy(site->record.id, sites->ids.list[at].id, sizeof site->record.id);
    sites->list[at] = site;
    *number = at + 1;
    return SERIN_OK;
}

uint32_t serind_sites_make(struct serind *serind, const char *id)
{
    uint32_t number = serind_sites_find(serind, id);
    if (number != 0) {
        return number;
    }
    if (add(serind, id, &number) != SERIN_OK) {
        serind_alarm_raise(serind, "gateways", "no room for more than %u gateways",
                           serind->sites.ids.count);
        return 0;
    }
    serind_audit(serind, &(struct serind_audit_line){.actor = "gateway", .what = "gateway"},
                 "gateway %s is heard of for the first time", id);
    serind_site_changed(serind, number);
    return number;
}

void serind_site_changed(struct serind *serind, uint32_t number)
{
    struct serind_sites *sites = &serind->sites;
    serind_site(serind, number)->changed = true;
    if (!sites->changed) {
        sites->changed = true;
        sites->changed_at_ms = serind->mono_ms;
    }
}

/* ---- loading ---- */

struct loading {
    struct serind *serind;
    enum serin_error error;
};

static bool load(void *arg, const struct serin_gateway_record *record)
{
    struct loading *loading = arg;
    uint32_t number = 0;
    loading->error = add(loading->serind, record->id, &number);
    if (loading->error == SERIN_OK) {
        serind_site(loading->serind, number)->record = *record;
    }
    return loading->error == SERIN_OK;
}

enum serin_error serind_sites_load(struct serind *serind)
{
    struct loading loading = {.serind = serind};
    enum serin_error error = serind->store.ops->each_gateway(serind->store.ctx, load, &loading);
    if (error != SERIN_OK || loading.error != SERIN_OK) {
        return error != SERIN_OK ? error : loading.error;
    }
    for (uint32_t number = 1; number <= serind->sites.ids.count; number++) {
        serind_site_alarms(serind, number);
    }
    return SERIN_OK;
}

/* ---- who speaks for whom ---- */

/* Remembers where a device was; while devices are loaded there is no pass, and nothing to undo. */
static bool note_move(struct serind *serind, uint32_t device)
{
    struct serind_sites *sites = &serind->sites;
    if (!serind->in_pass) {
        return true;
    }
    if (sites->move_count == sites->move_capacity) {
        size_t capacity = sites->move_capacity == 0 ? 64 : sites->move_capacity * 2;
        struct serind_move *moves = realloc(sites->moves, capacity * sizeof *moves);
        if (moves == NULL) {
            return serind_pass_check(serind, SERIN_ERR_MEMORY);
        }
        sites->moves = moves;
        sites->move_capacity = capacity;
    }
    sites->moves[sites->move_count++] =
        (struct serind_move){.device = device, .from = serind->index.list[device].site};
    return true;
}

static void set_site(struct serind *serind, uint32_t device, uint32_t number)
{
    uint32_t *site = &serind->index.list[device].site;
    if (*site != 0) {
        serind_site(serind, *site)->nodes--;
    }
    *site = number;
    if (number != 0) {
        uint32_t nodes = ++serind_site(serind, number)->nodes;
        serind->sites.most = nodes > serind->sites.most ? nodes : serind->sites.most;
    }
}

void serind_sites_assign(struct serind *serind, uint32_t device, uint32_t number)
{
    if (serind->index.list[device].site != number && note_move(serind, device)) {
        set_site(serind, device, number);
        serind_strata_note(&serind->strata, number, serind->index.list[device].hardware);
    }
}

/* ---- operators ---- */

/* Its nodes are not heard any more, and that says nothing of a release: without this those that
 * accepted one would time out, as failures. */
static void withdraw_nodes(struct serind *serind, uint32_t number)
{
    for (uint32_t i = 0; i < serind->index.count && serind->pass_error == SERIN_OK; i++) {
        struct serin_device_record record;
        if (serind->index.list[i].site != number) {
            continue;
        }
        enum serin_error error =
            serind->store.ops->get_device(serind->store.ctx, serind->index.list[i].id, &record);
        if (error != SERIN_ERR_NOT_FOUND && serind_pass_check(serind, error)) {
            serind_fleet_leave(serind, &record);
        }
    }
}

void serind_site_decide(struct serind *serind, uint32_t number,
                        enum serin_gateway_standing standing)
{
    assert(serind->in_pass && serind->sites.decided == 0);
    struct serind_site *site = serind_site(serind, number);
    if (site->record.standing == standing) {
        return;
    }
    serind->sites.decided = number;
    serind->sites.decided_before = site->record.standing;
    site->record.standing = standing;
    serind_site_changed(serind, number);
    serind_audit(serind, &(struct serind_audit_line){.actor = "operator", .what = "gateway"},
                 "gateway %s is %s", site->record.id,
                 standing == SERIN_GATEWAY_REFUSED ? "refused: nothing of it is heard any more"
                                                   : "allowed to speak for its nodes again");
    if (standing == SERIN_GATEWAY_REFUSED) {
        withdraw_nodes(serind, number);
    }
}

/* ---- the books of a pass ---- */

bool serind_sites_due(const struct serind *serind)
{
    return serind->sites.changed &&
           serind->mono_ms - serind->sites.changed_at_ms >= SERIND_BEAT_WAIT_MS;
}

void serind_sites_store(struct serind *serind)
{
    struct serind_sites *sites = &serind->sites;
    for (uint32_t i = 0; sites->changed && i < sites->ids.count; i++) {
        const struct serind_site *site = sites->list[i];
        if (site->changed) {
            (void)serind_pass_check(
                serind, serind->store.ops->put_gateway(serind->store.ctx, &site->record));
        }
    }
}

/* A refused gateway is silent from the commit on, its alarms with it. */
static void settle_decision(struct serind *serind)
{
    uint32_t number = serind->sites.decided;
    if (number != 0 && serind_site(serind, number)->record.standing == SERIN_GATEWAY_REFUSED) {
        serind_site_silence(serind, number);
    }
    serind->sites.decided = 0;
}

void serind_sites_keep(struct serind *serind)
{
    struct serind_sites *sites = &serind->sites;
    for (uint32_t i = 0; sites->changed && i < sites->ids.count; i++) {
        sites->list[i]->changed = false;
    }
    sites->changed = false;
    sites->move_count = 0;
    settle_decision(serind);
}

void serind_sites_undo(struct serind *serind)
{
    struct serind_sites *sites = &serind->sites;
    while (sites->move_count > 0) {
        const struct serind_move *move = &sites->moves[--sites->move_count];
        set_site(serind, move->device, move->from);
    }
    if (sites->decided != 0) {
        serind_site(serind, sites->decided)->record.standing = sites->decided_before;
        sites->decided = 0;
    }
    /* What could not be stored waits for the next pass, and does not ask for one at once. */
    sites->changed_at_ms = serind->mono_ms;
}
