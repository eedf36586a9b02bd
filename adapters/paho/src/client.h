/*
 * Inside the MQTT adapter: the client, its connection (link) and its event queue.
 *
 * Two kinds of threads meet here. Paho's threads call back with Paho's global mutex held, and take
 * `mutex` inside. The owner's thread therefore never calls Paho while it holds `mutex`; it alone
 * makes and destroys links. Everything below `mutex` in the structure is guarded by it.
 */
#ifndef SERIN_PAHO_CLIENT_H
#define SERIN_PAHO_CLIENT_H

#include <serin/adapters/mqtt.h>

#include <MQTTAsync.h>
#include <pthread.h>

#define SERIN_MQTT_QUEUE_FACTOR 4u /* hard limit of each lane's messages, in queue_max */

/*
 *   IDLE ─START▶ WAITING ─DIAL▶ CONNECTING ─ACCEPTED▶ SUBSCRIBING ─SUBSCRIBED▶ UP
 *                   ▲                │                    │                    │
 *                   └───── LOST · RESTART ────────────────┴────────────────────┘
 */
enum link_state {
    LINK_IDLE,
    LINK_WAITING,
    LINK_CONNECTING,
    LINK_SUBSCRIBING,
    LINK_UP,
    LINK_STATES
};
enum link_event {
    LINK_START,
    LINK_DIAL,
    LINK_ACCEPTED,
    LINK_SUBSCRIBED,
    LINK_LOST,
    LINK_RESTART,
    LINK_EVENTS
};

/* SUBSCRIBE packets for followed filters: so many under way, of so many filters each. */
#define FOLLOW_PACKETS    4u
#define FOLLOW_PACKET_MAX 64u

/*
 *   NEW ─WANT▶ DUE ─SEND▶ ASKED ─GRANT▶ STANDING
 *               ▲           ├─REFUSE▶ REFUSED │
 *               └─ DIAL · WANT ───────┴───────┘
 */
enum follow_state {
    FOLLOW_NEW,
    FOLLOW_DUE,      /* to be asked for, in the order of the queue */
    FOLLOW_ASKED,    /* in a packet under way */
    FOLLOW_STANDING, /* the broker granted it */
    FOLLOW_REFUSED,  /* the broker did not */
    FOLLOW_STATES
};

struct followed {
    enum follow_state state;
    int qos;
    struct followed *previous, *next; /* of what is DUE */
    char filter[];
};

/* What is followed; guarded by the mutex, changed by the owner alone. */
struct follows {
    struct followed **list; /* by filter, ascending */
    size_t count, capacity;
    struct followed *due_head, *due_tail;
    size_t due, standing;
};

/* A packet that waits for its answer; count 0: free. */
struct follow_packet {
    struct link *link;
    size_t count;
    struct followed *filters[FOLLOW_PACKET_MAX]; /* NULL: let go meanwhile */
};

/* One connection, from dialling to its end. Callbacks of a link that is no longer the client's are
 * ignored; they end for good when its Paho client is destroyed. */
struct link {
    struct serin_mqtt *mqtt;
    MQTTAsync handle;
    bool closed;        /* the goodbye is said; guarded by the mutex, as are those below */
    char tls_error[96]; /* the last thing that TLS said */
    struct follow_packet packets[FOLLOW_PACKETS];
};

struct queue_node {
    struct queue_node *next;
    struct serin_mqtt_event event;
};

/* Two queues in one: what is in the first lane is told before anything of the second. A topic keeps
 * to its lane, so its messages are told in the order in which they came. */
enum queue_lane {
    LANE_FIRST, /* DELIVERED, REFUSED, and messages that carry orders */
    LANE_OTHER, /* all other messages */
    LANES
};

struct queue {
    struct queue_node *head, *tail;
    size_t messages; /* without DELIVERED and REFUSED, which have bounds of their own */
    size_t bytes;    /* that these cost */
};

struct filter {
    char *text;
    int qos;
};

struct serin_mqtt {
    /* Constant after open, or the owner's alone. */
    char *uri, *client_id, *ca_file, *cert_file, *key_file, *will_topic;
    uint8_t *will_payload;
    size_t will_size;
    uint32_t keep_alive_s, reconnect_min_ms, reconnect_max_ms;
    bool clean_session;
    size_t queue_max, bytes_max;
    size_t filter_count;
    struct filter filters[SERIN_MQTT_FILTERS_MAX];
    int poll_fd;  /* epoll over the two below: what the owner polls */
    int event_fd; /* readable exactly while the queue has something to give */
    int timer_fd; /* readable when it is time to dial */

    pthread_mutex_t mutex;
    pthread_cond_t closed; /* some link's goodbye is said; on the monotonic clock */
    enum link_state state;
    struct link *link;   /* NULL before the first dial */
    bool drop;           /* the link still has a connection, which the owner must close */
    bool tell_connected; /* told before any message, */
    bool tell_lost;      /* and after the last: the next dial waits until the owner has heard it */
    char why[128];       /* of tell_lost */
    unsigned failures;   /* attempts that failed and connections that did not last, in a row */
    uint64_t up_since_ms;
    unsigned in_flight; /* publishes that Paho has not written (QoS 0) or seen delivered (QoS 1) */
    unsigned untold;    /* DELIVERED that wait in the queue */
    uint64_t dropped;
    struct queue lanes[LANES];
    struct follows follows;
    bool readable; /* what event_fd shows */
};

/* ---- queue.c; with the mutex held ---- */

/* The lane of messages on a topic. */
enum queue_lane queue_lane(const char *topic);
/* Bytes that a message costs in the queue. */
size_t queue_cost(const char *topic, size_t payload_size);
/* Appends an event to its lane; takes over topic and payload. False: memory is exhausted, nothing
 * is taken. */
bool queue_push(struct serin_mqtt *mqtt, const struct serin_mqtt_event *event);
/* Takes what is to be told next: CONNECTED, the queue lane by lane, DISCONNECTED. False: nothing
 * now. */
bool queue_pop(struct serin_mqtt *mqtt, struct serin_mqtt_event *event);
void queue_clear(struct serin_mqtt *mqtt);
/* Brings event_fd in line with what there is to tell; after each change of it. */
void queue_refresh(struct serin_mqtt *mqtt);

/* ---- link.c ---- */

/* Makes the next state of `event` the state; false and no change where the table has none. The one
 * place that changes the state. With the mutex held. */
bool link_change(struct serin_mqtt *mqtt, enum link_event event);
/* Ends the connection from either side: state, backoff, what the owner is told. With the mutex
 * held; false where there was none. `drop`: the connection is still open and the owner must close
 * it. */
bool link_lose(struct serin_mqtt *mqtt, const char *why, bool drop);
/* Dials: a new Paho client takes the place of the last. Owner only, without the mutex, in WAITING.
 */
void link_dial(struct serin_mqtt *mqtt);
/* Closes the connection of a lost link, without waiting. Owner only, without the mutex. */
void link_drop(struct serin_mqtt *mqtt);
/* Frees the link for good; may wait up to a second for what is being written. Owner only, without
 * the mutex. */
void link_free(struct link *link);
/* Locks the client of a callback's link; NULL and not locked where the link is no longer its own.
 */
struct serin_mqtt *link_enter(struct link *link);
void link_leave(struct serin_mqtt *mqtt);
/* Arms the timer; 0: at once. */
void link_wait(struct serin_mqtt *mqtt, uint32_t delay_ms);
/* Paho's callbacks for one publish: `context` is the link. */
void link_on_written(void *context, MQTTAsync_successData *data);
void link_on_delivered(void *context, MQTTAsync_successData *data);
void link_on_unsent(void *context, MQTTAsync_failureData *data);

/* ---- follow.c ---- */

/* Makes all that is followed due, on a connection that stands anew. With the mutex held. */
void follow_renew(struct serin_mqtt *mqtt);
/* Whether follow_send would send. With the mutex held. */
bool follow_ready(struct serin_mqtt *mqtt);
/* Asks the broker for what is due, as far as there is room. Owner only, without the mutex. */
void follow_send(struct serin_mqtt *mqtt);
/* Frees the list; no callback may come any more. */
void follow_free(struct follows *follows);

/* ---- threads.c ---- */

/* Waits, at most a second, until Paho's threads are gone. Only where no client is left. */
void threads_await(void);

#endif
