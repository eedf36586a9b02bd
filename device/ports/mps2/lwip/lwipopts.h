/*
 * lwIP on this board: no operating system, raw API, IPv4, TCP, DHCP. What is not here is lwIP's
 * default (lwip/opt.h).
 */
#ifndef MPS2_LWIPOPTS_H
#define MPS2_LWIPOPTS_H

#define NO_SYS                     1
#define SYS_LIGHTWEIGHT_PROT       0 /* no interrupt calls lwIP */
#define LWIP_NETCONN               0
#define LWIP_SOCKET                0
#define LWIP_STATS                 0
#define LWIP_NOASSERT              1 /* 10 KB of text; network.c and the ports check what they get */
#define LWIP_IPV4                  1
#define LWIP_IPV6                  0
#define LWIP_ICMP                  1
#define LWIP_RAW                   0
#define LWIP_UDP                   1
#define LWIP_DHCP                  1
#define DHCP_DOES_ARP_CHECK        0 /* the server of a site knows its addresses */
#define IP_FRAG                    0
#define IP_REASSEMBLY              0
#define ARP_QUEUEING               0
#define LWIP_SINGLE_NETIF          1
#define LWIP_NETIF_LINK_CALLBACK   0
#define LWIP_NETIF_STATUS_CALLBACK 0
#define ETH_PAD_SIZE               2 /* what the controller leaves before a frame */

/* The heap of what is sent: two segments, their headers, DHCP. TLS has one of its own. */
#define MEM_ALIGNMENT 4
#define MEM_SIZE      8192

/* The window: 8 segments. With 12 the controller's receive FIFO of 10 KiB overflows, and the
 * connection stalls. What is received waits in the pool: a window of it, and what else comes. */
#define TCP_MSS                 1460
#define TCP_WND                 (8 * TCP_MSS)
#define TCP_SND_BUF             (2 * TCP_MSS)
#define TCP_SND_QUEUELEN        16
#define TCP_QUEUE_OOSEQ         1
#define TCP_LISTEN_BACKLOG      0
#define MEMP_NUM_TCP_PCB        3 /* the one that is open, and those that still close */
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_TCP_SEG        TCP_SND_QUEUELEN
#define MEMP_NUM_UDP_PCB        1
#define PBUF_POOL_BUFSIZE       512
#define PBUF_POOL_SIZE          32

#endif
