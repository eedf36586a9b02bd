/* lwIP's network interface on the LAN9118, and its clock. */
#include "network.h"

#include "hardware.h"
#include "lan9118.h"

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/sys.h>
#include <lwip/timeouts.h>

#include <string.h>

#define FRAME_MAX        1514u
#define LINK_INTERVAL_MS 500u
/* Frames a turn: the loop has other work, too. */
#define FRAMES_A_TURN 16

static struct netif interface;
static uint32_t link_asked_ms;

u32_t sys_now(void)
{
    return hw_time_ms();
}

static err_t frame_send(struct netif *netif, struct pbuf *frame)
{
    (void)netif;
    size_t pad = ETH_PAD_SIZE;
    if (!lan9118_send_begin(frame->tot_len - pad)) {
        return ERR_MEM; /* TCP sends it again */
    }
    for (const struct pbuf *part = frame; part != NULL; part = part->next) {
        lan9118_send_part((const uint8_t *)part->payload + pad, part->len - pad);
        pad = 0;
    }
    lan9118_send_end();
    return ERR_OK;
}

static void frame_receive(size_t size)
{
    struct pbuf *frame =
        size <= FRAME_MAX ? pbuf_alloc(PBUF_RAW, (u16_t)(size + LAN9118_PAD), PBUF_POOL) : NULL;
    if (frame == NULL) {
        lan9118_drop(size);
        return;
    }
    for (struct pbuf *part = frame; part != NULL; part = part->next) {
        lan9118_read(part->payload, part->len);
    }
    lan9118_read_end(size);
    if (interface.input(frame, &interface) != ERR_OK) {
        pbuf_free(frame);
    }
}

static err_t interface_init(struct netif *netif)
{
    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->hwaddr_len = LAN9118_MAC_SIZE;
    netif->mtu = FRAME_MAX - SIZEOF_ETH_HDR + ETH_PAD_SIZE;
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET;
    netif->output = etharp_output;
    netif->linkoutput = frame_send;
    return lan9118_start(netif->hwaddr) ? ERR_OK : ERR_IF;
}

bool board_network_start(void)
{
    /* Parts of a frame are read in whole words, and so must buffers be. */
    _Static_assert(PBUF_POOL_BUFSIZE % 4 == 0 && LAN9118_PAD == ETH_PAD_SIZE, "words");
    lwip_init();
    if (netif_add_noaddr(&interface, NULL, interface_init, netif_input) == NULL) {
        return false;
    }
    netif_set_default(&interface);
    netif_set_up(&interface);
    link_asked_ms = hw_time_ms() - LINK_INTERVAL_MS;
    return dhcp_start(&interface) == ERR_OK;
}

static void link_ask(void)
{
    if (hw_time_ms() - link_asked_ms < LINK_INTERVAL_MS) {
        return;
    }
    link_asked_ms = hw_time_ms();
    if (lan9118_link()) {
        netif_set_link_up(&interface); /* nothing happens where it was up */
    } else {
        netif_set_link_down(&interface);
    }
}

void board_network_poll(void)
{
    link_ask();
    for (int i = 0; i < FRAMES_A_TURN; i++) {
        size_t size = lan9118_next();
        if (size == 0) {
            break;
        }
        frame_receive(size);
    }
    sys_check_timeouts();
}

void board_network_wait(void)
{
    __asm__ volatile("wfi");
}

bool board_network_up(void)
{
    return netif_is_link_up(&interface) && dhcp_supplied_address(&interface) != 0;
}
