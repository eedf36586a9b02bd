/* Signed time, leases, and the site's own halt (hold.h). */
#include <serin/gateway/hold.h>

#include <serin/assert.h>

#include <string.h>

/* What is not listed leaves the state as it is. */
static const enum serin_hold_state transitions[SERIN_HOLD_STATE_COUNT][SERIN_HOLD_INPUT_COUNT] = {
    [SERIN_HOLD_OPEN] =
        {[SERIN_HOLD_EXPIRED] = SERIN_HOLD_LEASE, [SERIN_HOLD_EXCEEDED] = SERIN_HOLD_SITE},
    [SERIN_HOLD_LEASE] =
        {[SERIN_HOLD_LEASED] = SERIN_HOLD_OPEN, [SERIN_HOLD_EXCEEDED] = SERIN_HOLD_SITE},
    /* To LEASE first: whether a lease runs is the next input's to say. */
    [SERIN_HOLD_SITE] = {[SERIN_HOLD_RELIEVED] = SERIN_HOLD_LEASE},
};

enum serin_hold_state serin_hold_next(enum serin_hold_state state, enum serin_hold_input input)
{
    SERIN_ASSERT(state > SERIN_HOLD_INVALID && state < SERIN_HOLD_STATE_COUNT);
    SERIN_ASSERT(input > SERIN_HOLD_INPUT_INVALID && input < SERIN_HOLD_INPUT_COUNT);
    return transitions[state][input];
}

/* ---- time ---- */

static uint64_t at_most(uint64_t value, uint64_t limit)
{
    return value < limit ? value : limit;
}

uint64_t serin_hold_now_s(const struct serin_hold_book *book, uint64_t now_ms)
{
    if (book->signed_s == 0) {
        return 0;
    }
    uint64_t since_ms = now_ms > book->signed_at_ms ? now_ms - book->signed_at_ms : 0;
    return at_most(book->signed_s + since_ms / 1000u, SERIN_TIME_MAX_S);
}

void serin_hold_heard(struct serin_hold_book *book, uint64_t signed_s, uint64_t at_ms)
{
    if (signed_s > serin_hold_now_s(book, at_ms)) {
        book->signed_s = at_most(signed_s, SERIN_TIME_MAX_S);
        book->signed_at_ms = at_ms;
    }
}

static uint64_t left_s(const struct serin_hold_book *book, uint64_t now_ms, uint64_t end_s)
{
    uint64_t now_s = serin_hold_now_s(book, now_ms);
    return end_s > now_s ? end_s - now_s : 0;
}

/* ---- fleets ---- */

size_t serin_hold_find(const struct serin_hold_book *book, const char *product, const char *channel)
{
    size_t i = 0;
    while (i < book->fleet_count && (strcmp(book->fleets[i].product, product) != 0 ||
                                     strcmp(book->fleets[i].channel, channel) != 0)) {
        i++;
    }
    return i;
}

static size_t find_product(const struct serin_hold_book *book, const char *name)
{
    size_t i = 0;
    while (i < book->product_count && strcmp(book->products[i].name, name) != 0) {
        i++;
    }
    return i;
}

bool serin_hold_same_attempt(const struct serin_release *release,
                             const uint8_t manifest_id[SERIN_SHA256_SIZE], uint32_t attempt)
{
    for (size_t i = 0; i < release->offer_count; i++) {
        if (release->attempt == attempt &&
            memcmp(release->offers[i].manifest_id, manifest_id, SERIN_SHA256_SIZE) == 0) {
            return true;
        }
    }
    return false;
}

/* Whether more nodes failed the candidate than the directive allows. */
static bool exceeded(const struct serin_hold_fleet *fleet)
{
    return fleet->candidate.offer_count > 0 && fleet->failures_max > 0 &&
           fleet->failures > fleet->failures_max;
}

static void take_channel(struct serin_hold_fleet *fleet, const struct serin_hold_event *event)
{
    const struct serin_directive *directive = event->directive;
    if (fleet->known && serin_order_compare(directive->order, fleet->order) <= 0) {
        return; /* known */
    }
    fleet->known = true;
    fleet->order = directive->order;
    fleet->lease_end_s = event->this_boot ? directive->issued_s + directive->lease_s : 0;
    fleet->candidate = directive->candidate;
    if (directive->candidate_state == SERIN_CANDIDATE_HALTED) {
        fleet->candidate.offer_count = 0; /* it is halted: the site need not do it once more */
    }
    fleet->failures = fleet->candidate.offer_count > 0 ? event->failures : 0;
    fleet->failures_max = directive->site_failures_max;
    fleet->halted = exceeded(fleet); /* a directive of higher order may relieve */
}

static void take_directive(struct serin_hold_book *book, uint64_t now_ms,
                           const struct serin_hold_event *event)
{
    const struct serin_directive *directive = event->directive;
    serin_hold_heard(book, directive->issued_s, event->this_boot ? event->taken_ms : now_ms);
    if (directive->device_id[0] != '\0') {
        size_t product = find_product(book, directive->product);
        uint64_t end_s = directive->issued_s + directive->lease_s;
        if (product < book->product_count && event->this_boot &&
            end_s > book->products[product].targeted_end_s) {
            book->products[product].targeted_end_s = end_s;
        }
        return;
    }
    size_t fleet = serin_hold_find(book, directive->product, directive->channel);
    if (fleet < book->fleet_count) {
        take_channel(&book->fleets[fleet], event);
    }
}

static void take_failures(struct serin_hold_fleet *fleet, uint32_t failures)
{
    fleet->failures = fleet->candidate.offer_count > 0 ? failures : 0;
    fleet->halted = fleet->halted || exceeded(fleet);
}

/* ---- products ---- */

/* The end of the longest lease of a product. */
static uint64_t lease_end_s(const struct serin_hold_book *book, const char *product)
{
    size_t at = find_product(book, product);
    uint64_t end_s = book->products[at].targeted_end_s;
    for (size_t i = 0; i < book->fleet_count; i++) {
        if (strcmp(book->fleets[i].product, product) == 0 && book->fleets[i].lease_end_s > end_s) {
            end_s = book->fleets[i].lease_end_s;
        }
    }
    return end_s;
}

static const struct serin_hold_fleet *halted_fleet(const struct serin_hold_book *book,
                                                   const char *product)
{
    for (size_t i = 0; i < book->fleet_count; i++) {
        if (book->fleets[i].halted && strcmp(book->fleets[i].product, product) == 0) {
            return &book->fleets[i];
        }
    }
    return NULL;
}

/* The only place that changes a product's state. */
static void input(const struct serin_hold_book *book, struct serin_hold_product *product,
                  enum serin_hold_input what, uint64_t now_ms)
{
    enum serin_hold_state next = serin_hold_next(product->state, what);
    if (next == SERIN_HOLD_INVALID) {
        return;
    }
    product->state = next;
    product->since_s = next == SERIN_HOLD_OPEN ? 0 : serin_hold_now_s(book, now_ms);
    product->owed = true;
}

static void bring_up(struct serin_hold_book *book, struct serin_hold_product *product,
                     uint64_t now_ms)
{
    uint64_t end_s = lease_end_s(book, product->name);
    bool halted = halted_fleet(book, product->name) != NULL;
    if (product->state == SERIN_HOLD_SITE && !halted) {
        input(book, product, SERIN_HOLD_RELIEVED, now_ms);
    }
    bool leased = left_s(book, now_ms, end_s) > 0;
    input(book, product, leased ? SERIN_HOLD_LEASED : SERIN_HOLD_EXPIRED, now_ms);
    if (halted) {
        input(book, product, SERIN_HOLD_EXCEEDED, now_ms);
    }
    if (end_s != product->told_end_s || now_ms - product->told_ms >= SERIN_HOLD_EVERY_MS) {
        product->owed = true;
    }
}

/* ---- in and out ---- */

void serin_hold_init(struct serin_hold_book *book)
{
    memset(book, 0, sizeof *book);
}

enum serin_error serin_hold_serve(struct serin_hold_book *book, const char *product,
                                  const char *channel)
{
    if (book->fleet_count == SERIN_GW_FLEETS_MAX) {
        return SERIN_ERR_TOO_LARGE;
    }
    if (!serin_product_valid(product, strlen(product)) ||
        !serin_channel_valid(channel, strlen(channel))) {
        return SERIN_ERR_INVALID;
    }
    if (serin_hold_find(book, product, channel) < book->fleet_count) {
        return SERIN_ERR_EXISTS;
    }
    struct serin_hold_fleet *fleet = &book->fleets[book->fleet_count++];
    memcpy(fleet->product, product, strlen(product) + 1);
    memcpy(fleet->channel, channel, strlen(channel) + 1);
    if (find_product(book, product) == book->product_count) {
        struct serin_hold_product *made = &book->products[book->product_count++];
        memcpy(made->name, product, strlen(product) + 1);
        made->state = SERIN_HOLD_LEASE;
        made->owed = true;
    }
    return SERIN_OK;
}

void serin_hold_step(struct serin_hold_book *book, uint64_t now_ms,
                     const struct serin_hold_event *event)
{
    SERIN_ASSERT(event->kind > SERIN_HOLD_EVENT_INVALID && event->kind < SERIN_HOLD_EVENT_COUNT);
    if (event->kind == SERIN_HOLD_DIRECTIVE) {
        take_directive(book, now_ms, event);
    } else if (event->kind == SERIN_HOLD_FAILURES) {
        SERIN_ASSERT(event->fleet < book->fleet_count);
        take_failures(&book->fleets[event->fleet], event->failures);
    }
    for (size_t i = 0; i < book->product_count; i++) {
        bring_up(book, &book->products[i], now_ms);
        if (event->kind == SERIN_HOLD_CONNECTED) {
            book->products[i].owed = true;
        }
    }
}

void serin_hold_value(const struct serin_hold_book *book, uint64_t now_ms, size_t product,
                      struct serin_hold *out)
{
    static const enum serin_reason reasons[SERIN_HOLD_STATE_COUNT] = {
        [SERIN_HOLD_OPEN] = SERIN_REASON_NONE,
        [SERIN_HOLD_LEASE] = SERIN_REASON_LEASE,
        [SERIN_HOLD_SITE] = SERIN_REASON_SITE,
    };
    SERIN_ASSERT(product < book->product_count);
    const struct serin_hold_product *at = &book->products[product];
    *out = (struct serin_hold){
        .held = at->state != SERIN_HOLD_OPEN,
        .lease_left_s =
            (uint32_t)at_most(left_s(book, now_ms, lease_end_s(book, at->name)), UINT32_MAX),
        .time_s = serin_hold_now_s(book, now_ms),
        .reason = reasons[at->state],
    };
}

void serin_hold_told(struct serin_hold_book *book, uint64_t now_ms, size_t product)
{
    SERIN_ASSERT(product < book->product_count);
    struct serin_hold_product *at = &book->products[product];
    at->owed = false;
    at->told_ms = now_ms;
    at->told_end_s = lease_end_s(book, at->name);
}

uint64_t serin_hold_deadline_ms(const struct serin_hold_book *book)
{
    uint64_t deadline_ms = UINT64_MAX;
    for (size_t i = 0; i < book->product_count; i++) {
        const struct serin_hold_product *product = &book->products[i];
        if (!product->owed) {
            deadline_ms = at_most(deadline_ms, product->told_ms + SERIN_HOLD_EVERY_MS);
        }
        uint64_t end_s = lease_end_s(book, product->name);
        if (product->state == SERIN_HOLD_OPEN && end_s > book->signed_s) {
            deadline_ms =
                at_most(deadline_ms, book->signed_at_ms + (end_s - book->signed_s) * 1000u);
        }
    }
    return deadline_ms;
}

void serin_hold_status(const struct serin_hold_book *book, uint64_t now_ms, size_t fleet,
                       struct serin_gw_fleet *out)
{
    static const enum serin_hold_cause causes[SERIN_HOLD_STATE_COUNT] = {
        [SERIN_HOLD_OPEN] = SERIN_HOLD_CAUSE_NONE,
        [SERIN_HOLD_LEASE] = SERIN_HOLD_CAUSE_LEASE,
        [SERIN_HOLD_SITE] = SERIN_HOLD_CAUSE_FAILURES,
    };
    SERIN_ASSERT(fleet < book->fleet_count);
    const struct serin_hold_fleet *at = &book->fleets[fleet];
    const struct serin_hold_product *product = &book->products[find_product(book, at->product)];
    /* Another channel's halt holds this one too: it is that candidate that failed. */
    const struct serin_hold_fleet *cause = at->halted ? at : halted_fleet(book, at->product);
    out->lease_left_s = (uint32_t)at_most(left_s(book, now_ms, at->lease_end_s), UINT32_MAX);
    out->hold = causes[product->state];
    out->failures = at->failures;
    out->failures_max = at->failures_max;
    out->held_since_s = product->since_s;
    memset(out->manifest_id, 0, sizeof out->manifest_id);
    if (cause != NULL && product->state == SERIN_HOLD_SITE) {
        memcpy(out->manifest_id, cause->candidate.offers[0].manifest_id, sizeof out->manifest_id);
    }
}
