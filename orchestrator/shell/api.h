/*
 * The HTTP API (docs/spec/http-api.md): a table of routes, and what the handlers share.
 */
#ifndef SERIND_API_H
#define SERIND_API_H

#include "create.h"
#include "serind.h"

#include <serin/adapters/json.h>

/* One request on its way through a handler. */
struct serind_call {
    struct serind *serind;
    const struct serin_http_request *request;
    char argument[2][SERIN_ID_MAX + 1]; /* what the path's {…} stand for */
    unsigned status;
    struct serin_json *answer; /* owned; NULL until answered */
};

/* Every handler ends with one of these. */
void serind_answer(struct serind_call *call, unsigned status, struct serin_json *answer);
void serind_fail(struct serind_call *call, enum serin_error error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void serind_fail_refusal(struct serind_call *call, enum serin_error error,
                         const struct serind_refusal *refusal);

/* Begins a read transaction; where that fails the call is answered and false is returned. */
bool serind_read_begin(struct serind_call *call);
void serind_read_end(struct serind_call *call);

/* A whole number from the query, 0 .. `max`; `otherwise` where it is not given. False: something
 * else stands there, and the call is answered. */
bool serind_query_number(struct serind_call *call, const char *name, uint64_t max,
                         uint64_t otherwise, uint64_t *number);

/* 'after', a valid name where it is given, and 'limit', 1 .. `max` and 100 where it is not. False:
 * as above. */
bool serind_query_page(struct serind_call *call, uint64_t max, uint64_t *limit);

/* Puts "devices" and "next" into `object`: the devices that the query asks for, of the gateway
 * `site` where that is not 0. False: the call is answered. (api_fleet.c) */
bool serind_devices_page(struct serind_call *call, uint32_t site, struct serin_json *object);

/* The handlers, by file. */
void serind_get_status(struct serind_call *call); /* api_fleet.c */
void serind_get_audit(struct serind_call *call);
void serind_get_audit_head(struct serind_call *call);
void serind_get_devices(struct serind_call *call);
void serind_get_device(struct serind_call *call);
void serind_post_device(struct serind_call *call);
void serind_get_gateways(struct serind_call *call); /* api_gateways.c */
void serind_get_gateway(struct serind_call *call);
void serind_post_gateway(struct serind_call *call);
void serind_post_move(struct serind_call *call);
void serind_put_bundle(struct serind_call *call); /* api_releases.c */
void serind_get_releases(struct serind_call *call);
void serind_get_stable(struct serind_call *call);
void serind_get_trust(struct serind_call *call);
void serind_put_trust(struct serind_call *call);
void serind_post_rollout(struct serind_call *call); /* api_rollouts.c */
void serind_get_rollouts(struct serind_call *call);
void serind_get_rollout(struct serind_call *call);
void serind_post_rollout_verb(struct serind_call *call);

/* The objects of the API (api_json.c); the reads of releases happen inside the caller's
 * transaction. */
struct serin_json *serind_release_json(const struct serin_release_record *record);
struct serin_json *serind_device_json(struct serind *serind,
                                      const struct serin_device_record *record);
struct serin_json *serind_attempt_json(struct serind *serind,
                                       const struct serin_attempt_record *record);
/* `slot` has the rollout with its members; NULL: they are not at hand. */
struct serin_json *serind_rollout_json(struct serind *serind, const struct serin_rollout *rollout,
                                       struct serind_slot *slot, uint32_t population);
struct serin_json *serind_offers_json(struct serind *serind, const struct serin_offer *offers,
                                      size_t count);

/* Whether serind can reach the device of the index: it is online, and so is who speaks for it. */
bool serind_device_reachable(const struct serind *serind, uint32_t device);

/* The state that the API shows for a device. */
enum serin_state serind_device_state(struct serind *serind,
                                     const struct serin_device_record *record);

/* The handler for the HTTP server. */
struct serin_http_handler serind_api_handler(struct serind *serind);

#endif
