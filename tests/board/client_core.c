/*
 * A program that uses the client core as a board's image does, for tests/board/budget.py to link
 * and weigh: it is never run. What is no part of the core (codec, link, crypto, flash driver, the
 * application) is declared here and defined nowhere, so that the linker keeps what the agent
 * reaches and nothing of those.
 */
#include <serin/device/agent_state.h>

extern const struct serin_boot board_boot; /* its layout and identity, flash and crypto port */
extern const struct serin_codec board_codec;
extern const struct serin_link_ops board_link;
extern const struct serin_platform_ops board_platform;

/* What the bootloader handed over; the next event, and when it happened; the board's client and its
 * watchdog. */
void board_boot_info(struct serin_agent_boot_info *info);
uint64_t board_next(struct serin_agent_event *event, const char **topic);
void board_subscribe(const char *topic, int qos);
void board_publish(const char *topic);
void board_wait(uint64_t deadline_ms, bool may_feed);

void start(void);

static struct serin_agent agent;
static uint8_t scratch[4096]; /* the one block buffer beside which the RAM is counted */

static const struct serin_agent_config config = {.boot = &board_boot,
                                                 .codec = &board_codec,
                                                 .link = &board_link,
                                                 .platform = &board_platform,
                                                 .block_size = 1024,
                                                 .window_blocks = 4,
                                                 .beat_interval_s = 3600,
                                                 .report_retry_min_ms = 5000,
                                                 .report_retry_max_ms = 3600000,
                                                 .block_timeout_ms = 10000,
                                                 .confirm_needs_directive = true,
                                                 .scratch = scratch,
                                                 .scratch_size = sizeof scratch};

/* What a link does with topics (device/ports/mqtt). */
static bool receive(const char *name, struct serin_agent_event *event)
{
    struct serin_topic topic;
    char answer[SERIN_TOPIC_MAX];
    if (serin_topic_parse(name, &topic) != SERIN_OK) {
        return false;
    }
    event->topic = topic.kind;
    serin_topic_device(SERIN_TOPIC_DEV_GET, topic.id, answer);
    board_publish(answer);
    return true;
}

static void subscribe(void)
{
    char topic[SERIN_TOPIC_MAX];
    int qos;
    for (size_t n = 0; serin_agent_subscription(&agent, n, topic, &qos); n++) {
        board_subscribe(topic, qos);
    }
}

void start(void)
{
    struct serin_agent_boot_info info;
    board_boot_info(&info);
    if (serin_agent_init(&agent, &config, &info, 0) != SERIN_OK) {
        return;
    }
    for (;;) {
        struct serin_agent_event event;
        const char *topic;
        uint64_t now_ms = board_next(&event, &topic);
        if (event.kind == SERIN_AGENT_MESSAGE && !receive(topic, &event)) {
            continue;
        }
        if (event.kind == SERIN_AGENT_CONNECTED) {
            subscribe();
        }
        (void)serin_agent_step(&agent, now_ms, &event);
        board_wait(serin_agent_deadline_ms(&agent), serin_agent_may_feed(&agent, now_ms));
    }
}
