/* What the engine looks up of a device while it walks over members: who speaks for it, what it is,
 * how it is, and with whom it is compared (rollouts.h). */
#include "rollouts.h"

#include "serind.h"

static uint32_t device_site(const void *ctx, uint32_t device)
{
    const struct serind *serind = ctx;
    return serind->index.list[device].site;
}

static const char *site_name(const void *ctx, uint32_t site)
{
    return serind_site_name(ctx, site);
}

static uint32_t site_most(const void *ctx)
{
    const struct serind *serind = ctx;
    return serind->sites.most;
}

static uint16_t device_hardware(const void *ctx, uint32_t device)
{
    const struct serind *serind = ctx;
    return serind->index.list[device].hardware;
}

static uint32_t device_stratum(const void *ctx, uint32_t device)
{
    const struct serind *serind = ctx;
    const struct serind_device *known = &serind->index.list[device];
    return serind_strata_find(&serind->strata, known->site, known->hardware);
}

void serind_slot_attach(struct serind *serind, struct serind_slot *slot)
{
    struct serin_members *members = &slot->members;
    members->site = device_site;
    members->site_name = site_name;
    members->site_most = site_most;
    members->hardware = device_hardware;
    members->sites = serind;
    members->health = serind->index.health;
    members->strata = serind->strata.scratch;
    members->stratum_count = serind->strata.count + 1u;
    members->stratum = serind->strata.scratch != NULL ? device_stratum : NULL;
}
