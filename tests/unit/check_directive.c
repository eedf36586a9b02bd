/* Directives: every bound, how fields agree, who opens and whom they address, and every wish. */
#include "check_main.h"

#include "samples.h"

#include <serin/adapters/protobufc.h>
#include <serin/adapters/wolfcrypt.h>
#include <serin/directive.h>

#include <string.h>

static struct serin_directive directive;

/* A valid channel's directive with a stable release and a rolling candidate, fresh. */
static void reset(void)
{
    memset(&directive, 0, sizeof directive);
    sample_directive(serin_wolfcrypt(), &directive);
    directive.stable = directive.candidate;
    directive.stable.offers[0].manifest_id[0] ^= 0xff;
    directive.stable.attempt = 4;
    directive.stable.flags = SERIN_RELEASE_REVERT;
    ck_assert_int_eq(serin_directive_check(&directive, NULL), SERIN_OK);
}

/* Expects the directive as it is now to be refused for `name`, then begins afresh. */
static void expect_wrong(const char *name)
{
    const char *field = "";
    ck_assert_int_eq(serin_directive_check(&directive, &field), SERIN_ERR_INVALID);
    ck_assert_str_eq(field, name);
    ck_assert_int_eq(serin_directive_check(&directive, NULL), SERIN_ERR_INVALID);
    reset();
}

static void expect_right(void)
{
    const char *field = "none";
    enum serin_error error = serin_directive_check(&directive, &field);
    ck_assert_msg(error == SERIN_OK, "refused for %s", field);
    reset();
}

START_TEST(the_head_has_its_bounds)
{
    reset();
    directive.product[0] = '\0';
    expect_wrong("product");
    memset(directive.product, 'p', sizeof directive.product);
    expect_wrong("product");
    strcpy(directive.channel, "a/b");
    expect_wrong("channel");
    strcpy(directive.device_id, "d 1");
    expect_wrong("device_id");
    memset(directive.device_id, 'd', sizeof directive.device_id);
    expect_wrong("device_id");
    directive.order.sequence = 0;
    expect_wrong("order");
    directive.order.epoch = 0;
    expect_right();
    directive.issued_s = SERIN_TIME_MAX_S;
    expect_right();
    directive.issued_s = SERIN_TIME_MAX_S + 1;
    expect_wrong("issued_s");
    directive.issued_s = UINT64_MAX;
    expect_wrong("issued_s");
    directive.lease_s = SERIN_LEASE_MIN_S;
    expect_right();
    directive.lease_s = SERIN_LEASE_MIN_S - 1;
    expect_wrong("lease_s");
    directive.lease_s = SERIN_LEASE_MAX_S;
    expect_right();
    directive.lease_s = SERIN_LEASE_MAX_S + 1;
    expect_wrong("lease_s");
    directive.flags = SERIN_DIRECTIVE_FLAGS_KNOWN;
    expect_right();
    directive.flags = SERIN_DIRECTIVE_FLAGS_KNOWN + 1;
    expect_wrong("flags");
    directive.spread_s = SERIN_SPREAD_MAX_S;
    expect_right();
    directive.spread_s = SERIN_SPREAD_MAX_S + 1;
    expect_wrong("spread_s");
    for (int bit = 0; bit < 32; bit++) {
        directive.required_features = 1u << bit;
        ck_assert_int_eq(serin_directive_check(&directive, NULL), SERIN_ERR_FEATURE);
    }
}
END_TEST

/* Both releases follow the same rules. */
static void try_release(struct serin_release *release, const char *name)
{
    release->attempt = 0;
    expect_wrong(name);
    release->flags = SERIN_RELEASE_FLAGS_KNOWN;
    expect_right();
    release->flags = SERIN_RELEASE_FLAGS_KNOWN + 1;
    expect_wrong(name);
    release->offer_count = SERIN_DIRECTIVE_OFFERS_MAX + 1;
    expect_wrong(name);
    release->offers[0].hw_min = 0;
    expect_wrong(name);
    release->offers[0].hw_max = 0;
    expect_wrong(name);
    memset(release->offers[0].manifest_id, 0, SERIN_SHA256_SIZE);
    expect_wrong(name);

    const struct {
        uint16_t min, max;
        bool overlaps; /* 1..3, the first offer */
    } seconds[] = {{3, 3, true},  {1, 1, true},           {2, 2, true},         {1, 9, true},
                   {4, 4, false}, {4, UINT16_MAX, false}, {3, UINT16_MAX, true}};
    for (size_t i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
        release->offer_count = 2;
        release->offers[1] = (struct serin_offer){seconds[i].min, seconds[i].max, {1}};
        if (seconds[i].overlaps) {
            expect_wrong(name);
        } else {
            expect_right();
        }
    }
}

START_TEST(releases_have_their_bounds)
{
    reset();
    try_release(&directive.stable, "stable");
    try_release(&directive.candidate, "candidate");
    directive.stable.offer_count = 0; /* attempt and flags stay behind */
    expect_wrong("stable");
    directive.stable.offer_count = 0;
    directive.stable.attempt = 0; /* the flags stay behind */
    expect_wrong("stable");
    directive.stable.offer_count = 0;
    directive.stable.flags = 0; /* the attempt stays behind */
    expect_wrong("stable");
    memset(&directive.stable, 0, sizeof directive.stable);
    expect_right();
}
END_TEST

static void drop_candidate(void)
{
    memset(&directive.candidate, 0, sizeof directive.candidate);
    memset(directive.salt, 0, sizeof directive.salt);
    directive.threshold = 0;
    directive.candidate_state = SERIN_CANDIDATE_NONE;
}

START_TEST(fields_agree_with_each_other)
{
    reset();
    for (int state = -1; state <= 6; state++) {
        bool right = state >= SERIN_CANDIDATE_ROLLING && state <= SERIN_CANDIDATE_HALTED;
        directive.candidate_state = (enum serin_candidate_state)state;
        if (right) {
            expect_right();
        } else {
            expect_wrong("candidate_state");
        }
        drop_candidate();
        directive.candidate_state = (enum serin_candidate_state)state;
        if (state == SERIN_CANDIDATE_NONE) {
            expect_right();
        } else {
            expect_wrong("candidate_state");
        }
    }
    drop_candidate();
    directive.salt[15] = 1;
    expect_wrong("salt");
    drop_candidate();
    directive.threshold = 1;
    expect_wrong("threshold");

    strcpy(directive.device_id, "d-1");
    expect_wrong("threshold");
    strcpy(directive.device_id, "d-1");
    directive.threshold = SERIN_COHORT_EVERYONE;
    expect_right();
    strcpy(directive.device_id, "d-1");
    drop_candidate();
    expect_right();
    strcpy(directive.device_id, "d-1");
    drop_candidate();
    directive.site_failures_max = 1;
    expect_wrong("site_failures_max");
}
END_TEST

/* ---- opening ---- */

static struct vector_key release_key, director_key;
static struct serin_trust trust;

static void make_trust(void)
{
    uint8_t scalar[32] = {0};
    scalar[31] = 2;
    ck_assert(vector_key_set(serin_wolfcrypt(), scalar, &release_key));
    scalar[31] = 3;
    ck_assert(vector_key_set(serin_wolfcrypt(), scalar, &director_key));
    sample_trust(&release_key, &director_key, &trust);
}

/* Signs `body` as a directive of `key`. */
static size_t seal(const struct vector_key *key, const uint8_t *body, size_t body_size,
                   uint8_t payload[SERIN_DIRECTIVE_MAX])
{
    uint8_t digest[SERIN_SHA256_SIZE];
    size_t size = 0;
    struct serin_envelope envelope = {.body = body, .body_size = body_size};
    serin_signed_digest(serin_wolfcrypt(), SERIN_SIGNED_DIRECTIVE, body, body_size, digest);
    ck_assert(vector_sign_digest(key, digest, envelope.signature));
    memcpy(envelope.key_id, key->key_id, sizeof key->key_id);
    ck_assert_int_eq(
        serin_protobufc()->encode_envelope(&envelope, payload, SERIN_DIRECTIVE_MAX, &size),
        SERIN_OK);
    return size;
}

static size_t seal_directive(const struct vector_key *key, uint8_t payload[SERIN_DIRECTIVE_MAX])
{
    uint8_t body[SERIN_DIRECTIVE_MAX];
    size_t size = 0;
    ck_assert_int_eq(serin_protobufc()->encode_directive(&directive, body, sizeof body, &size),
                     SERIN_OK);
    return seal(key, body, size, payload);
}

static enum serin_error open_payload(const uint8_t *payload, size_t size,
                                     struct serin_directive *out)
{
    return serin_directive_open(serin_wolfcrypt(), serin_protobufc(), &trust, payload, size, out);
}

START_TEST(the_directors_signature_opens)
{
    uint8_t payload[SERIN_DIRECTIVE_MAX + 1];
    struct serin_directive back;
    reset();
    make_trust();
    size_t size = seal_directive(&director_key, payload);
    ck_assert_int_eq(open_payload(payload, size, &back), SERIN_OK);
    ck_assert_int_eq(serin_order_compare(back.order, directive.order), 0);
    ck_assert_mem_eq(back.salt, directive.salt, sizeof back.salt);
    ck_assert_uint_eq(back.threshold, directive.threshold);
    for (size_t cut = 0; cut < size; cut++) {
        ck_assert_int_ne(open_payload(payload, cut, &back), SERIN_OK);
    }
    ck_assert_int_eq(open_payload(payload, sizeof payload, &back), SERIN_ERR_TOO_LARGE);

    size = seal_directive(&release_key, payload);
    ck_assert_int_eq(open_payload(payload, size, &back), SERIN_ERR_KEY);
    strcpy(directive.product, "fan");
    size = seal_directive(&director_key, payload);
    ck_assert_int_eq(open_payload(payload, size, &back), SERIN_ERR_PRODUCT);
}
END_TEST

/* What a later version may send, by adding bytes to a body: the last of a field counts. */
START_TEST(growth_is_refused_or_skipped_as_specified)
{
    const struct {
        const char *bytes;
        size_t size;
        enum serin_error expected;
    } additions[] = {
        {"\x90\x03\x01", 3, SERIN_OK},          /* field 50: may be ignored */
        {"\x10\x01", 2, SERIN_ERR_FEATURE},     /* required_features */
        {"\x08\x02", 2, SERIN_ERR_VERSION},     /* version */
        {"\x48\x02", 2, SERIN_ERR_INVALID},     /* a flag that is not known */
        {"\x60\x05", 2, SERIN_ERR_INVALID},     /* a candidate state that is not known */
        {"\x60\x00", 2, SERIN_ERR_INVALID},     /* none at all */
        {"\x6a\x01\x01", 3, SERIN_ERR_INVALID}, /* a salt of one byte */
        {"\x80\x01", 2, SERIN_ERR_FORMAT},      /* a tag without its value */
    };
    make_trust();
    for (size_t i = 0; i < sizeof additions / sizeof additions[0]; i++) {
        uint8_t body[SERIN_DIRECTIVE_MAX];
        uint8_t payload[SERIN_DIRECTIVE_MAX];
        struct serin_directive back;
        size_t body_size = 0;
        reset();
        ck_assert_int_eq(
            serin_protobufc()->encode_directive(&directive, body, sizeof body, &body_size),
            SERIN_OK);
        memcpy(body + body_size, additions[i].bytes, additions[i].size);
        size_t size = seal(&director_key, body, body_size + additions[i].size, payload);
        enum serin_error error = open_payload(payload, size, &back);
        ck_assert_msg(error == additions[i].expected, "addition %zu: %s", i,
                      serin_error_name(error));
    }
}
END_TEST

START_TEST(nothing_is_parsed_before_the_signature_holds)
{
    const uint8_t garbage[] = {0xff, 0xff, 0xff};
    uint8_t payload[SERIN_DIRECTIVE_MAX];
    struct serin_directive back;
    make_trust();
    size_t size = seal(&director_key, garbage, sizeof garbage, payload);
    ck_assert_int_eq(open_payload(payload, size, &back), SERIN_ERR_FORMAT);
    payload[size - 1] ^= 1;
    ck_assert_int_eq(open_payload(payload, size, &back), SERIN_ERR_SIGNATURE);
}
END_TEST

START_TEST(the_largest_directives_fit)
{
    make_trust();
    for (int targeted = 0; targeted <= 1; targeted++) {
        uint8_t payload[SERIN_DIRECTIVE_MAX];
        struct serin_directive back;
        sample_largest_directive(targeted != 0, &directive);
        ck_assert_int_eq(serin_directive_check(&directive, NULL), SERIN_OK);
        strcpy(trust.product, directive.product);
        size_t size = seal_directive(&director_key, payload);
        ck_assert_uint_le(size, SERIN_DIRECTIVE_MAX);
        ck_assert_uint_eq(size, targeted != 0 ? 509 : 450); /* docs/spec/directive.md, section 3 */
        ck_assert_int_eq(open_payload(payload, size, &back), SERIN_OK);
        ck_assert_uint_eq(back.stable.offer_count, 2);
        ck_assert_uint_eq(back.candidate.attempt, UINT32_MAX);
        ck_assert(back.has_route_table);
    }
}
END_TEST

START_TEST(it_addresses_its_own_devices)
{
    const struct serin_identity device = {
        .device_id = "d-1", .product = "lamp", .channel = "stable", .hardware = 2};
    struct serin_identity other = device;
    reset();
    ck_assert_int_eq(serin_directive_addressed(&directive, false, &device), SERIN_OK);
    ck_assert_int_eq(serin_directive_addressed(&directive, true, &device), SERIN_ERR_DEVICE);
    strcpy(other.product, "fan");
    ck_assert_int_eq(serin_directive_addressed(&directive, false, &other), SERIN_ERR_PRODUCT);
    other = device;
    strcpy(other.channel, "beta");
    ck_assert_int_eq(serin_directive_addressed(&directive, false, &other), SERIN_ERR_CHANNEL);

    strcpy(directive.device_id, "d-1");
    ck_assert_int_eq(serin_directive_addressed(&directive, true, &device), SERIN_OK);
    ck_assert_int_eq(serin_directive_addressed(&directive, false, &device), SERIN_ERR_DEVICE);
    strcpy(directive.device_id, "d-10");
    ck_assert_int_eq(serin_directive_addressed(&directive, true, &device), SERIN_ERR_DEVICE);
}
END_TEST

/* ---- wishes ---- */

START_TEST(offers_go_by_hardware)
{
    const struct serin_release release = {
        .offer_count = 2, .offers = {{1, 3, {1}}, {5, 5, {2}}}, .attempt = 1};
    const int expected[] = {-1, 0, 0, 0, -1, 1, -1};
    for (uint16_t hardware = 0; hardware < 7; hardware++) {
        const struct serin_offer *offer = serin_release_offer(&release, hardware);
        if (expected[hardware] < 0) {
            ck_assert_ptr_null(offer);
        } else {
            ck_assert_ptr_eq(offer, &release.offers[expected[hardware]]);
        }
    }
    const struct serin_release none = {0};
    ck_assert_ptr_null(serin_release_offer(&none, 1));
}
END_TEST

START_TEST(every_wish)
{
    const enum serin_wish_kind of_members[] = {[SERIN_CANDIDATE_ROLLING] = SERIN_WISH_CANDIDATE,
                                               [SERIN_CANDIDATE_PAUSED] = SERIN_WISH_WAIT,
                                               [SERIN_CANDIDATE_HALTED] = SERIN_WISH_STOP};
    reset();
    for (int state = SERIN_CANDIDATE_ROLLING; state <= SERIN_CANDIDATE_HALTED; state++) {
        directive.candidate_state = (enum serin_candidate_state)state;
        const uint64_t ranks[] = {0, directive.threshold, directive.threshold + 1, UINT64_MAX};
        for (size_t i = 0; i < 4; i++) {
            bool member = i < 2;
            struct serin_wish wish = serin_directive_wish(&directive, ranks[i], 3);
            const struct serin_release *release = member ? &directive.candidate : &directive.stable;
            ck_assert_int_eq(wish.kind, member ? of_members[state] : SERIN_WISH_STABLE);
            ck_assert_ptr_eq(wish.offer, &release->offers[0]);
            ck_assert_uint_eq(wish.attempt, release->attempt);
            ck_assert_uint_eq(wish.flags, release->flags);

            wish = serin_directive_wish(&directive, ranks[i], 4); /* no offer for it */
            ck_assert_int_eq(wish.kind, SERIN_WISH_NOTHING);
            ck_assert_ptr_null(wish.offer);
        }
    }
}
END_TEST

START_TEST(a_member_without_an_offer_follows_stable)
{
    reset();
    directive.stable.offers[0].hw_max = 9;
    struct serin_wish wish = serin_directive_wish(&directive, 0, 9);
    ck_assert_int_eq(wish.kind, SERIN_WISH_STABLE);
    ck_assert_ptr_eq(wish.offer, &directive.stable.offers[0]);

    drop_candidate(); /* threshold 0: a device of rank 0 is no member of nothing */
    wish = serin_directive_wish(&directive, 0, 2);
    ck_assert_int_eq(wish.kind, SERIN_WISH_STABLE);
    memset(&directive.stable, 0, sizeof directive.stable);
    wish = serin_directive_wish(&directive, 0, 2);
    ck_assert_int_eq(wish.kind, SERIN_WISH_NOTHING);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {the_head_has_its_bounds,
                                  releases_have_their_bounds,
                                  fields_agree_with_each_other,
                                  the_directors_signature_opens,
                                  growth_is_refused_or_skipped_as_specified,
                                  nothing_is_parsed_before_the_signature_holds,
                                  the_largest_directives_fit,
                                  it_addresses_its_own_devices,
                                  offers_go_by_hardware,
                                  every_wish,
                                  a_member_without_an_offer_follows_stable,
                                  NULL};
    return check_run("directive", tests);
}
