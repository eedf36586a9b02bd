/* Enrolment (enrol.h). Who speaks for whom is a table of claims and policies. */
#include "enrol.h"

#include "create.h"
#include "fleet.h"
#include "pass.h"
#include "serind.h"

#include <stdio.h>
#include <string.h>

#define REFUSALS_PER_MINUTE 600u /* to devices that speak for themselves */

const char *serind_enrolment_text(enum serin_enrolment enrolment)
{
    switch (enrolment) {
    case SERIN_ENROLMENT_PENDING:
        return "pending";
    case SERIN_ENROLMENT_ENROLLED:
        return "enrolled";
    case SERIN_ENROLMENT_REFUSED:
        return "refused";
    case SERIN_ENROLMENT_INVALID:
    default:
        return "invalid";
    }
}

void serind_enrol_answer(struct serind *serind, const struct serind_item *item, uint64_t number,
                         enum serin_ack_status status, uint32_t retry_s)
{
    const struct serin_ack ack = {
        .incarnation = serind_item_incarnation(item),
        .number = number,
        .status = status,
        .retry_s = retry_s,
    };
    bool own = item->kind == SERIND_ITEM_REPORT && status == SERIN_ACK_STORED &&
               number == item->report.number;
    uint32_t ticket = own ? item->ticket : 0;
    if (ticket != 0) {
        serind_batch_report_stored(serind, ticket);
    }
    serind_outbox_ack(serind, item->broker, item->site, ticket, item->id, &ack);
}

static bool put(struct serind *serind, const struct serin_device_record *record)
{
    return serind_pass_check(serind, serind->store.ops->put_device(serind->store.ctx, record));
}

/* ---- who waits ---- */

/* A pass that fails leaves this as it is: what it was about comes again, and says it anew. */
static void note_pending(struct serind *serind, uint32_t device,
                         const struct serin_device_record *record)
{
    serind->index.list[device].pending = record->enrolment == SERIN_ENROLMENT_PENDING;
}

static bool load(void *arg, const struct serin_device_record *record)
{
    struct serind *serind = arg;
    uint32_t device = serind_index_find(&serind->index, record->id);
    if (device != SERIND_NO_DEVICE) {
        note_pending(serind, device, record);
    }
    return true;
}

enum serin_error serind_enrol_load(struct serind *serind)
{
    return serind->store.ops->each_device(serind->store.ctx, NULL, load, serind);
}

/* ---- turning away ---- */

/* Whether one more refusal is answered: a storm of them must not become our own. */
static bool may_answer(struct serind *serind, const struct serind_item *item)
{
    struct serind_intake *intake = &serind->intake;
    if (item->site != 0) {
        return serind_site_answers(serind, item->site);
    }
    uint32_t minute = (uint32_t)(serind->mono_ms / 60000);
    if (intake->refusal_minute != minute) {
        intake->refusal_minute = minute;
        intake->refusals = 0;
    }
    return intake->refusals++ < REFUSALS_PER_MINUTE;
}

static bool refuse(struct serind *serind, struct serind_item *item)
{
    item->device = SERIND_NO_DEVICE;
    if (!may_answer(serind, item)) {
        return false;
    }
    if (item->kind == SERIND_ITEM_REPORT) {
        serind_enrol_answer(serind, item, 0, SERIN_ACK_REFUSED, SERIND_REFUSED_RETRY_S);
    }
    return true;
}

/* Turned away: nothing of the device is kept, or anybody with a certificate could fill the store.
 */
static void turn_away(struct serind *serind, struct serind_item *item, const char *why)
{
    bool answered = refuse(serind, item);
    if (item->site != 0 ? serind_site_says(serind, item->site) : answered) {
        serind_audit(
            serind,
            &(struct serind_audit_line){.actor = "device", .what = "enrolment", .device = item->id},
            "refused: %s%s%s", why, item->site != 0 ? "; it is behind gateway " : "",
            serind_site_name(serind, item->site));
    }
}

/* ---- rules ---- */

static void reject(struct serind *serind, struct serind_item *item,
                   struct serin_device_record *record)
{
    (void)record;
    turn_away(serind, item, item->site != 0 ? "adoption is 'refuse'" : "enrolment is 'refuse'");
}

/* Whether there is room for one more device, and behind its gateway; if not it is turned away. */
static bool room(struct serind *serind, struct serind_item *item)
{
    if (item->site != 0 &&
        serind_site(serind, item->site)->nodes >= serind->config->gateway_nodes_max) {
        serind_site_crowded(serind, item->site);
        turn_away(serind, item, "gateway_nodes_max is reached");
        return false;
    }
    if (serind_index_add(&serind->index, item->id, &item->device) != SERIN_OK) {
        serind_alarm_raise(serind, "devices", "no room for more than %u devices: raise devices_max",
                           serind->config->devices_max);
        turn_away(serind, item, "devices_max is reached");
        return false;
    }
    return true;
}

static void enrol(struct serind *serind, struct serind_item *item,
                  struct serin_device_record *record, enum serin_enrolment enrolment)
{
    if (!room(serind, item)) {
        return;
    }
    *record = (struct serin_device_record){
        .enrolment = enrolment,
        .cursor = {.incarnation = serind_item_incarnation(item)},
        .redundancy = SERIN_REDUNDANCY_NONE,
        .refused = SERIN_REASON_NONE,
        .first_seen_s = serind_now_s(serind),
    };
    memcpy(record->id, item->id, sizeof record->id);
    memcpy(record->gateway, serind_site_name(serind, item->site),
           strlen(serind_site_name(serind, item->site)) + 1);
    serind_fleet_describe(record, item);
    if (!put(serind, record)) {
        return;
    }
    serind_sites_assign(serind, item->device, item->site);
    serind_audit(
        serind,
        &(struct serind_audit_line){.actor = "device", .what = "enrolment", .device = record->id},
        "%s: %s %s, hardware %u%s%s", serind_enrolment_text(enrolment), record->product,
        record->channel, record->hardware, item->site != 0 ? ", behind gateway " : "",
        record->gateway);
}

static void admit(struct serind *serind, struct serind_item *item,
                  struct serin_device_record *record)
{
    enrol(serind, item, record, SERIN_ENROLMENT_ENROLLED);
}

static void keep_waiting(struct serind *serind, struct serind_item *item,
                         struct serin_device_record *record)
{
    enrol(serind, item, record, SERIN_ENROLMENT_PENDING);
}

static void take(struct serind *serind, struct serind_item *item,
                 struct serin_device_record *record)
{
    (void)serind_pass_check(serind, serind_index_add(&serind->index, record->id, &item->device));
}

/* A gateway speaks for what is not its own. Only the claim is kept. */
static void refuse_claim(struct serind *serind, struct serind_item *item,
                         struct serin_device_record *record)
{
    (void)refuse(serind, item);
    serind_site_claimed(serind, item->site, record);
}

/* A gateway moves its node to a fleet where nobody expects it: enough of them could outvote one. */
static void refuse_fleet(struct serind *serind, struct serind_item *item,
                         struct serin_device_record *record)
{
    (void)refuse(serind, item);
    serind_site_strayed(serind, item->site, record, serind_item_product(item),
                        serind_item_channel(item));
}

/* What its gateway said may have been made up: its account begins anew. */
static void forget_account(struct serin_device_record *record, uint64_t incarnation)
{
    record->cursor = (struct serin_report_cursor){.incarnation = incarnation};
}

/* The device speaks for itself: its own key proves more than a gateway's word, and `enrolment` is
 * about such devices. */
static void release(struct serind *serind, struct serind_item *item,
                    struct serin_device_record *record)
{
    char from[SERIN_ID_MAX + 1];
    memcpy(from, record->gateway, sizeof from);
    take(serind, item, record);
    record->gateway[0] = '\0';
    forget_account(record, serind_item_incarnation(item));
    record->own = (struct serin_report_cursor){.incarnation = 0};
    if (record->enrolment == SERIN_ENROLMENT_PENDING &&
        serind->config->enrolment == SERIN_ENROL_AUTO) {
        record->enrolment = SERIN_ENROLMENT_ENROLLED;
    }
    if (serind->pass_error == SERIN_OK && put(serind, record)) {
        serind_sites_assign(serind, item->device, 0);
        serind_audit(
            serind,
            &(struct serind_audit_line){.actor = "device", .what = "moved", .device = record->id},
            "from gateway %s: it speaks for itself; %s", from,
            serind_enrolment_text(record->enrolment));
    }
}

/* What the device said itself before an operator gave it to a gateway was still on its way. A
 * report of it is stored already. */
static void pass_over(struct serind *serind, struct serind_item *item,
                      struct serin_device_record *record)
{
    item->device = SERIND_NO_DEVICE;
    if (item->kind == SERIND_ITEM_REPORT) {
        serind_enrol_answer(serind, item, record->own.number, SERIN_ACK_STORED, 0);
    }
}

/* ---- who speaks for whom ---- */

enum claim {
    CLAIM_UNKNOWN,  /* nobody knows the device */
    CLAIM_OWN,      /* it is direct and speaks, or its gateway does */
    CLAIM_STRAYED,  /* its gateway speaks, of another product or channel than the node is of */
    CLAIM_ANOTHERS, /* a gateway speaks for a device that is direct or another's */
    CLAIM_OLD,      /* it spoke before an operator made it a gateway's */
    CLAIM_ITSELF,   /* it speaks, and a gateway's it is */
    CLAIM_COUNT
};

typedef void (*rule)(struct serind *serind, struct serind_item *item,
                     struct serin_device_record *record);

/* By `enrolment` for devices that speak for themselves, by `adoption` for nodes of gateways. */
static const rule rules[CLAIM_COUNT][3] = {
    [CLAIM_UNKNOWN] = {[SERIN_ENROL_AUTO] = admit,
                       [SERIN_ENROL_APPROVE] = keep_waiting,
                       [SERIN_ENROL_REFUSE] = reject},
    [CLAIM_OWN] =
        {[SERIN_ENROL_AUTO] = take, [SERIN_ENROL_APPROVE] = take, [SERIN_ENROL_REFUSE] = take},
    [CLAIM_STRAYED] = {[SERIN_ENROL_AUTO] = refuse_fleet,
                       [SERIN_ENROL_APPROVE] = refuse_fleet,
                       [SERIN_ENROL_REFUSE] = refuse_fleet},
    [CLAIM_ANOTHERS] = {[SERIN_ENROL_AUTO] = refuse_claim,
                        [SERIN_ENROL_APPROVE] = refuse_claim,
                        [SERIN_ENROL_REFUSE] = refuse_claim},
    [CLAIM_OLD] = {[SERIN_ENROL_AUTO] = pass_over,
                   [SERIN_ENROL_APPROVE] = pass_over,
                   [SERIN_ENROL_REFUSE] = pass_over},
    [CLAIM_ITSELF] = {[SERIN_ENROL_AUTO] = release,
                      [SERIN_ENROL_APPROVE] = release,
                      [SERIN_ENROL_REFUSE] = release},
};

bool serind_enrol_strays(const struct serind_item *item, const struct serin_device_record *record)
{
    return item->site != 0 && record->cursor.incarnation != 0 &&
           (strcmp(record->product, serind_item_product(item)) != 0 ||
            strcmp(record->channel, serind_item_channel(item)) != 0);
}

/* Whether the item tells no more than was known when the device was given to its gateway. */
static bool is_old(const struct serind_item *item, const struct serin_device_record *record)
{
    uint64_t number =
        item->kind == SERIND_ITEM_REPORT ? item->report.number : item->beat.last_number;
    return record->own.incarnation != 0 &&
           serind_item_incarnation(item) == record->own.incarnation && number <= record->own.number;
}

static enum claim claim_of(const struct serind *serind, const struct serind_item *item,
                           const struct serin_device_record *record)
{
    if (strcmp(record->gateway, serind_site_name(serind, item->site)) == 0) {
        return serind_enrol_strays(item, record) ? CLAIM_STRAYED : CLAIM_OWN;
    }
    if (item->site != 0) {
        return CLAIM_ANOTHERS;
    }
    return is_old(item, record) ? CLAIM_OLD : CLAIM_ITSELF;
}

/* Presence of a node counts where its own gateway tells it; from others it is nothing. */
static void presence(struct serind *serind, struct serind_item *item)
{
    uint32_t device = serind_index_find(&serind->index, item->id);
    struct serin_device_record record;
    item->device = SERIND_NO_DEVICE;
    if (device == SERIND_NO_DEVICE || serind->index.list[device].site != item->site ||
        !serind_index_allow(&serind->index, device, 1, serind->mono_ms,
                            serind->config->report_rate_per_minute)) {
        return;
    }
    serind_index_online(&serind->index, device, item->presence.online);
    enum serin_error error = serind->store.ops->get_device(serind->store.ctx, item->id, &record);
    if (error != SERIN_ERR_NOT_FOUND && serind_pass_check(serind, error) &&
        record.online != item->presence.online) {
        record.online = item->presence.online;
        (void)put(serind, &record);
    }
}

/* The store is asked, not the index, since a device may be in the index only because a pass that
 * enrolled it failed. */
void serind_enrol_identify(struct serind *serind, struct serind_item *item)
{
    struct serin_device_record record;
    item->joins = false;
    if (item->kind == SERIND_ITEM_PRESENCE) {
        presence(serind, item);
        return;
    }
    enum serin_error error = serind->store.ops->get_device(serind->store.ctx, item->id, &record);
    bool unknown = error == SERIN_ERR_NOT_FOUND;
    if (!unknown && !serind_pass_check(serind, error)) {
        return;
    }
    enum claim claim = unknown ? CLAIM_UNKNOWN : claim_of(serind, item, &record);
    rules[claim][item->site == 0 ? serind->config->enrolment : serind->config->adoption](
        serind, item, &record);
    if (serind->pass_error == SERIN_OK && item->device != SERIND_NO_DEVICE) {
        serind_index_online(&serind->index, item->device, true);
        note_pending(serind, item->device, &record);
    }
}

/* ---- operators ---- */

/* Asks a device for its report, on whatever broker it or its gateway is. */
static void ask_anew(struct serind *serind, const struct serin_device_record *record,
                     struct serin_report_cursor account)
{
    const struct serin_ack ack = {
        .incarnation = account.incarnation,
        .number = account.number,
        .status = SERIN_ACK_RESEND,
    };
    for (size_t i = 0; account.incarnation != 0 && i < serind->broker_count; i++) {
        serind_outbox_ack(serind, i, serind_sites_find(serind, record->gateway), 0, record->id,
                          &ack);
    }
}

enum serin_error serind_enrol_decide(struct serind *serind, const char *id,
                                     enum serin_enrolment enrolment,
                                     struct serin_device_record *record)
{
    enum serin_error error = serind->store.ops->get_device(serind->store.ctx, id, record);
    if (error != SERIN_OK || record->enrolment == enrolment) {
        return error;
    }
    record->enrolment = enrolment;
    (void)put(serind, record);
    if (enrolment == SERIN_ENROLMENT_REFUSED) {
        serind_fleet_leave(serind, record);
    }
    serind_audit(
        serind, &(struct serind_audit_line){.actor = "operator", .what = "enrolment", .device = id},
        "%s", serind_enrolment_text(enrolment));
    if (enrolment == SERIN_ENROLMENT_ENROLLED) {
        ask_anew(serind, record, record->cursor);
    }
    return SERIN_OK;
}

/* The site of a gateway that may be given one more node. */
static enum serin_error find_home(struct serind *serind, const char *to, uint32_t *number,
                                  struct serind_refusal *refusal)
{
    *number = serind_sites_find(serind, to);
    if (*number == 0) {
        (void)snprintf(refusal->message, sizeof refusal->message,
                       "there is no gateway %s: it is known once it has spoken", to);
        return SERIN_ERR_NOT_FOUND;
    }
    const struct serind_site *site = serind_site(serind, *number);
    if (site->record.standing != SERIN_GATEWAY_KNOWN) {
        (void)snprintf(refusal->message, sizeof refusal->message,
                       "gateway %s is refused: allow it first", to);
        return SERIN_ERR_STATE;
    }
    if (site->nodes >= serind->config->gateway_nodes_max) {
        (void)snprintf(refusal->message, sizeof refusal->message,
                       "gateway %s has %u nodes already: raise gateway_nodes_max", to, site->nodes);
        return SERIN_ERR_STATE;
    }
    return SERIN_OK;
}

enum serin_error serind_enrol_move(struct serind *serind, const char *id, const char *to,
                                   struct serin_device_record *record,
                                   struct serind_refusal *refusal)
{
    uint32_t device = SERIND_NO_DEVICE;
    uint32_t number = 0;
    enum serin_error error = serind->store.ops->get_device(serind->store.ctx, id, record);
    if (error != SERIN_OK) {
        (void)snprintf(refusal->message, sizeof refusal->message,
                       error == SERIN_ERR_NOT_FOUND ? "there is no device %s"
                                                    : "the record of device %s cannot be read",
                       id);
        return error;
    }
    bool there = strcmp(record->gateway, to) == 0;
    if (there && to[0] == '\0') {
        return SERIN_OK;
    }
    if (there) {
        number = serind_sites_find(serind, to); /* it may have changed its product or channel */
    } else if (to[0] != '\0') {
        error = find_home(serind, to, &number, refusal);
    }
    if (error != SERIN_OK ||
        !serind_pass_check(serind, serind_index_add(&serind->index, id, &device))) {
        return error;
    }
    serind_audit(serind,
                 &(struct serind_audit_line){.actor = "operator", .what = "moved", .device = id},
                 "from %s%s to %s%s", record->gateway[0] != '\0' ? "gateway " : "direct",
                 record->gateway, to[0] != '\0' ? "gateway " : "direct", to);
    if (record->gateway[0] == '\0') {
        record->own = record->cursor; /* its own word; what a gateway told is not kept */
    }
    memcpy(record->gateway, serind_site_name(serind, number),
           strlen(serind_site_name(serind, number)) + 1);
    /* Without a stream, its next word through the gateway says of what product and channel it is.
     */
    const struct serin_report_cursor asked = {.incarnation = record->cursor.incarnation};
    forget_account(record, number != 0 ? 0 : asked.incarnation);
    (void)put(serind, record);
    serind_sites_assign(serind, device, number);
    if (number != 0) {
        serind_site_absolved(serind, number);
    }
    ask_anew(serind, record, asked);
    return SERIN_OK;
}
