/*
 * The agent: the device's side of Serin, pure (docs/spec/states.md; docs/spec/directive.md;
 * docs/spec/report.md).
 *
 *   serin_agent_init    once per boot, in memory that the caller gives
 *   serin_agent_step    for every event; works through its ports; bounded work per call
 *
 * No heap, no threads, no clock; one agent belongs to one thread, and to no interrupt. `now_ms` is
 * the time since boot, in all of its 64 bits; pass it with each step. It never runs backwards: a
 * step that goes back is a programmer's error, and asserts. A board whose tick has 32 bits would
 * after 49.7 days, and extends it (docs/porting.md, section 5). Call TICK at
 * serin_agent_deadline_ms at the latest.
 */
#ifndef SERIN_DEVICE_AGENT_H
#define SERIN_DEVICE_AGENT_H

#include <serin/codec.h>
#include <serin/device/boot.h>
#include <serin/directive.h>
#include <serin/topic.h>

/* The link port: what the agent asks of the MQTT client. Calls are made from within
 * serin_agent_step only and must not call back into the agent. */
struct serin_link_ops {
    /* Queues a publish on serin_topic_device(kind, the device's id) (QoS 1 for report, 0 for beat
     * and get; never retained). `payload` is the caller's and is copied: at most SERIN_REPORT_MAX
     * bytes, SERIN_BEAT_MAX, SERIN_GET_MAX. SERIN_ERR_AGAIN: no room now; the agent tries again
     * later. Nothing is called while it is told to be disconnected. */
    enum serin_error (*publish)(void *ctx, enum serin_topic_kind kind, const uint8_t *payload,
                                size_t size);
};

/* The platform port: what only the board can do. Calls are made from within serin_agent_init and
 * serin_agent_step only, and must not call back into the agent. */
struct serin_platform_ops {
    /* Asks for a reset after this step returns (a new image is staged, or a trial is over). The
     * board resets soon, and tells the next boot SERIN_RESET_REQUESTED; until then the agent may be
     * stepped, and starts nothing new. */
    void (*reset)(void *ctx);
    /* Feeds the watchdog, for one more period of it (see below). May be NULL: there is none, or the
     * board feeds it itself, by serin_agent_may_feed. */
    void (*feed)(void *ctx);
    /* Unix seconds, or 0 where the board has no clock. */
    uint64_t (*unix_time_s)(void *ctx);
    /* Told of each transition when it is durable. May be NULL. */
    void (*transition)(void *ctx, const struct serin_attempt_report *attempt);
    /* One line for the log, without newline. May be NULL. Never called, as the next one is, where
     * device/src is compiled with SERIN_AGENT_QUIET. */
    void (*log)(void *ctx, const char *line);
    /* Fault points of the tests: called by name at chosen places. May be NULL. */
    void (*fault_point)(void *ctx, const char *name);
    /* The application's own health counters for the beat (SERIN_COUNTER_APPLICATION and above; each
     * only grows within a boot): writes up to `max`, returns how many. One of Serin's ids stands in
     * the agent's place, for a board that counts it better. The agent's own six get what is left of
     * SERIN_BEAT_COUNTERS_MAX: who takes all of them leaves the gates of the server blind to
     * crashes. May be NULL. */
    size_t (*counters)(void *ctx, struct serin_counter *out, size_t max);
};

/* What it points to must outlive the agent, and stay as it is. */
struct serin_agent_config {
    const struct serin_boot *boot; /* with crypto, flash, layout, root key, identity */
    const struct serin_codec *codec;
    const struct serin_link_ops *link;
    void *link_ctx;
    const struct serin_platform_ops *platform;
    void *platform_ctx;
    /* SERIN_BLOCK_DATA_MIN .. SERIN_BLOCK_DATA_MAX; a multiple of the flash's write unit, so that
     * blocks are programmed as they come. */
    uint32_t block_size;
    uint32_t window_blocks;       /* blocks per request; ≥ 1 */
    uint32_t beat_interval_s;     /* 1 .. 604800 */
    uint32_t report_retry_min_ms; /* 5 s by default; ≥ 1 */
    uint32_t report_retry_max_ms; /* 1 h by default; the jitter is full between the two */
    uint32_t block_timeout_ms;    /* ask again when a window makes no progress for so long */
    bool confirm_needs_directive; /* `confirm` only after a directive verified since boot */
    bool auto_confirm; /* the agent confirms by itself as soon as it may (no application) */
    uint8_t *scratch; /* one block buffer for flash copies: ≥ SERIN_PIECE_SIZE bytes, exclusive */
    size_t scratch_size;
};

enum serin_agent_event_kind {
    /* A connection stands, each time, and all topics of serin_agent_subscription are subscribed to,
     * or asked for: what is retained there may come before or after. */
    SERIN_AGENT_CONNECTED = 1,
    SERIN_AGENT_DISCONNECTED,
    SERIN_AGENT_MESSAGE, /* what serin_topic_parse made of its topic, and payload */
    SERIN_AGENT_TICK,    /* time has passed */
    /* The application says that it is healthy. The step returns SERIN_OK: confirmed, or nothing to
     * confirm; SERIN_ERR_STATE: not allowed yet, say it again later, nothing is remembered;
     * SERIN_ERR_FLASH: not durable, say it again. */
    SERIN_AGENT_CONFIRM,
    /* The application, or the launcher, reports bad health: `reason`, `detail`. A trial is
     * abandoned and a reset asked for; a confirmed attempt becomes regressed; both are counted in
     * beats. SERIN_ERR_FLASH: the log does not take it yet. A trial is over all the same: nothing
     * confirms it, the watchdog is not fed any more, and the agent asks for the reset within 10 s.
     */
    SERIN_AGENT_UNHEALTHY
};

struct serin_agent_event {
    enum serin_agent_event_kind kind;
    enum serin_topic_kind topic; /* MESSAGE */
    bool retained;               /* MESSAGE */
    const uint8_t *payload;      /* MESSAGE; needed during the step alone */
    size_t payload_size;      /* at most block_size + 128, or SERIN_TRUST_PAYLOAD_MAX, is of use */
    enum serin_reason reason; /* UNHEALTHY */
    uint32_t detail;
};

/* Opaque, but of known size, so that the caller can place it: the definition is in
 * serin/device/agent_state.h and is nobody else's business. */
struct serin_agent;
size_t serin_agent_size(void);

/* What the bootloader handed over, of its struct serin_boot_choice and to serin_boot_select. A
 * board passes it through memory that is not initialised at the start, or registers; an image that
 * finds none was not started by the bootloader, and must reset. */
struct serin_agent_boot_info {
    enum serin_slot slot; /* A or B */
    bool trial;
    /* Of this boot. A steady one's is told, not recorded: a crash or a watchdog counts in this
     * boot's beats. The boot log keeps the cause that ended a trial. */
    enum serin_reset_cause cause;
};

/* Prepares `agent` (serin_agent_size() bytes, aligned as max_align_t) and reads its stores.
 * `now_ms` is the uptime: a trial's window runs from here on; a trial of which the boot log does
 * not tell by now, nor at the first step, has none, and ends there. An empty agent log is started
 * (new incarnation). SERIN_ERR_LAYOUT; SERIN_ERR_CONFIG: a value is out of its range, or the
 * identity is not one; SERIN_ERR_CRYPTO: no random incarnation to be had. After an error the agent
 * must not be stepped. A log that cannot be written is no error, nor is one that cannot be read:
 * what runs goes on, and the agent tries again each second. Until its log takes a first record it
 * begins nothing, confirms nothing and tells nobody of itself. A log that cannot be read counts as
 * lost, and is erased, after the third reading, a second apart; a directive that comes until then
 * is not lost. */
SERIN_MUST_USE enum serin_error serin_agent_init(struct serin_agent *agent,
                                                 const struct serin_agent_config *config,
                                                 const struct serin_agent_boot_info *info,
                                                 uint64_t now_ms);

/* Handles one event. SERIN_OK, or the error of the event itself (a refused directive, a confirm
 * that is not allowed yet: SERIN_ERR_STATE); the agent's state is consistent in every case. */
enum serin_error serin_agent_step(struct serin_agent *agent, uint64_t now_ms,
                                  const struct serin_agent_event *event);

/* When the next TICK is due, in ms since boot. */
uint64_t serin_agent_deadline_ms(const struct serin_agent *agent);

/* The same without the idle tick that a board gets once in a while: before then nothing follows
 * from time alone, so that who holds many agents need not wake those that wait. UINT64_MAX: nothing
 * but an event changes anything. */
uint64_t serin_agent_next_ms(const struct serin_agent *agent);

/*
 * The watchdog (design decision 19). An image that hangs, or whose agent is not stepped any more,
 * ends by it; so the bootloader starts it before it jumps, nobody can stop it, and only the agent
 * feeds it, through the platform port:
 *
 *   as serin_agent_init begins, as it ends, and at the end of each serin_agent_step, the last two
 *   only where serin_agent_may_feed.
 *
 * Never from an interrupt, a timer or another thread: those go on where the image hangs. A period
 * holds the longest work between two feeds, which serin_agent_work_max bounds, together with the
 * longest time in which the board calls neither TICK nor another event; so a board calls TICK at
 * least twice a period, whatever serin_agent_deadline_ms says. The reset that the watchdog brings
 * is told to serin_boot_select as SERIN_RESET_WATCHDOG.
 */

/* Whether the watchdog may be fed. False from the end of the confirmation window of a trial that
 * is not confirmed, and once a trial was abandoned: the next step abandons it and asks for a reset;
 * should neither happen, the watchdog resets. A board that feeds by itself asks after each step,
 * feeds only then, and goes on stepping where it may not. */
bool serin_agent_may_feed(const struct serin_agent *agent, uint64_t now_ms);

/* The most that happens between two feeds, in any order, as bytes and counts that a board
 * multiplies with the figures of its parts: (docs/porting.md has the sum). */
struct serin_agent_work {
    uint32_t read_bytes;    /* from flash */
    uint32_t hashed_bytes;  /* SHA-256; as many at most go through CRC32 */
    uint32_t program_bytes; /* in whole write units */
    uint32_t erase_bytes;   /* in whole sectors */
    uint32_t verifications; /* of P-256 signatures, each run counted */
};

/* The bounds for this flash, layout and block size: of serin_agent_step, and of serin_agent_init
 * where `init`; also while a log or the trust region does not read. The config is one that
 * serin_agent_init takes. */
void serin_agent_work_max(const struct serin_agent_config *config, bool init,
                          struct serin_agent_work *work);

/* The n-th topic filter to subscribe to (QoS 1 but for blocks: 0) into `text` of SERIN_TOPIC_MAX
 * bytes; false past the last. */
bool serin_agent_subscription(const struct serin_agent *agent, size_t n, char *text, int *qos);

/* A view for status commands. */
struct serin_agent_view {
    enum serin_state state; /* of the current attempt, IDLE if none */
    enum serin_reason reason;
    struct serin_running running;
    uint64_t incarnation, report_number, acked_number;
    uint32_t image_size, bytes_done; /* of the download */
    uint64_t bytes_fetched;
    struct serin_order channel_order, own_order;
    bool trial;
    bool directive_seen; /* verified one since boot */
};
void serin_agent_inspect(const struct serin_agent *agent, struct serin_agent_view *view);

#endif
