/*
 * The LAN9118 (SMSC LAN9118 data sheet, revision 1.5: sections 3.12 and 3.13 the data paths, 5.3
 * the registers).
 *
 *   a frame that goes: command A, command B, then words; the first word begins at byte 0
 *   a frame that came: its status, then words: 2 bytes of pad, the frame, its checksum
 */
#include "lan9118.h"

#define BASE        0x40200000u
#define REG(offset) (*(volatile uint32_t *)(uintptr_t)(BASE + (offset)))

#define RX_DATA      REG(0x00)
#define TX_DATA      REG(0x20)
#define RX_STATUS    REG(0x40)
#define TX_STATUS    REG(0x48)
#define ID_REV       REG(0x50)
#define INT_EN       REG(0x5C)
#define BYTE_TEST    REG(0x64)
#define RX_CFG       REG(0x6C)
#define TX_CFG       REG(0x70)
#define HW_CFG       REG(0x74)
#define RX_FIFO_INF  REG(0x7C)
#define TX_FIFO_INF  REG(0x80)
#define PMT_CTRL     REG(0x84)
#define MAC_CSR_CMD  REG(0xA4)
#define MAC_CSR_DATA REG(0xA8)

#define BYTE_TEST_VALUE   0x87654321u
#define ID_LAN9118        0x0118u
#define PMT_READY         (1u << 0)
#define HW_CFG_RESET      (1u << 0)
#define HW_CFG_STORE      (1u << 20) /* and forward: must be 1 */
#define HW_CFG_TX_FIFO_5K (5u << 16)
#define TX_CFG_ON         (1u << 1)
#define TX_A_FIRST        (1u << 13)
#define TX_A_LAST         (1u << 12)
#define RX_STATUS_BROKEN  (1u << 15)
#define MAC_CSR_BUSY      (1u << 31)
#define MAC_CSR_READ      (1u << 30)

/* Registers of the MAC, behind MAC_CSR_CMD. */
#define MAC_CR             1u
#define MAC_ADDRESS_HIGH   2u
#define MAC_ADDRESS_LOW    3u
#define MAC_MII_ACCESS     6u
#define MAC_MII_DATA       7u
#define MAC_CR_RECEIVE     (1u << 2)
#define MAC_CR_TRANSMIT    (1u << 3)
#define MAC_CR_FULL_DUPLEX (1u << 20)
#define MII_BUSY           (1u << 0)
#define MII_WRITE          (1u << 1)
#define MII_PHY            (1u << 11) /* the internal one has address 1 */

/* Registers of the PHY (IEEE 802.3, clause 22). */
#define PHY_CONTROL        0u
#define PHY_STATUS         1u
#define PHY_AUTO_NEGOTIATE ((1u << 12) | (1u << 9))
#define PHY_STATUS_LINK    (1u << 2)

#define CHECKSUM_SIZE 4u
/* More than any wait takes: reset and PHY need microseconds to a few milliseconds. */
#define PATIENCE 1000000u

static struct {
    uint32_t word; /* bytes that are no whole word yet */
    unsigned held;
} sending;

static bool mac_wait(void)
{
    for (uint32_t turn = 0; turn < PATIENCE; turn++) {
        if ((MAC_CSR_CMD & MAC_CSR_BUSY) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t mac_read(uint32_t which)
{
    MAC_CSR_CMD = MAC_CSR_BUSY | MAC_CSR_READ | which;
    return mac_wait() ? MAC_CSR_DATA : 0;
}

static void mac_write(uint32_t which, uint32_t value)
{
    MAC_CSR_DATA = value;
    MAC_CSR_CMD = MAC_CSR_BUSY | which;
    (void)mac_wait();
}

static bool phy_wait(void)
{
    for (uint32_t turn = 0; turn < PATIENCE / 1000u; turn++) {
        if ((mac_read(MAC_MII_ACCESS) & MII_BUSY) == 0) {
            return true;
        }
    }
    return false;
}

static uint32_t phy_read(uint32_t which)
{
    mac_write(MAC_MII_ACCESS, MII_PHY | which << 6 | MII_BUSY);
    return phy_wait() ? mac_read(MAC_MII_DATA) & 0xFFFFu : 0;
}

static void phy_write(uint32_t which, uint32_t value)
{
    mac_write(MAC_MII_DATA, value);
    mac_write(MAC_MII_ACCESS, MII_PHY | which << 6 | MII_WRITE | MII_BUSY);
    (void)phy_wait();
}

static bool awake(void)
{
    BYTE_TEST = 0; /* any write wakes it */
    for (uint32_t turn = 0; turn < PATIENCE; turn++) {
        if ((PMT_CTRL & PMT_READY) != 0) {
            return BYTE_TEST == BYTE_TEST_VALUE && ID_REV >> 16 == ID_LAN9118;
        }
    }
    return false;
}

static bool reset(void)
{
    HW_CFG = HW_CFG_RESET;
    for (uint32_t turn = 0; turn < PATIENCE; turn++) {
        if ((HW_CFG & HW_CFG_RESET) == 0) {
            return awake();
        }
    }
    return false;
}

bool lan9118_start(uint8_t mac[LAN9118_MAC_SIZE])
{
    if (!awake() || !reset()) {
        return false;
    }
    uint32_t low = mac_read(MAC_ADDRESS_LOW), high = mac_read(MAC_ADDRESS_HIGH);
    for (unsigned i = 0; i < LAN9118_MAC_SIZE; i++) {
        mac[i] = (uint8_t)((i < 4 ? low >> 8 * i : high >> 8 * (i - 4)) & 0xFFu);
    }
    INT_EN = 0;
    HW_CFG = HW_CFG_STORE | HW_CFG_TX_FIFO_5K;
    RX_CFG = LAN9118_PAD << 8;
    phy_write(PHY_CONTROL, PHY_AUTO_NEGOTIATE);
    TX_CFG = TX_CFG_ON;
    mac_write(MAC_CR, MAC_CR_FULL_DUPLEX | MAC_CR_TRANSMIT | MAC_CR_RECEIVE);
    return true;
}

bool lan9118_link(void)
{
    return (phy_read(PHY_STATUS) & PHY_STATUS_LINK) != 0;
}

bool lan9118_send_begin(size_t size)
{
    /* Statuses of what went are of no use here, but their FIFO must not run full. */
    while ((TX_FIFO_INF >> 16 & 0xFFu) != 0) {
        (void)TX_STATUS;
    }
    if ((TX_FIFO_INF & 0xFFFFu) < size + 2u * sizeof(uint32_t)) {
        return false;
    }
    sending.word = 0;
    sending.held = 0;
    TX_DATA = TX_A_FIRST | TX_A_LAST | (uint32_t)size;
    TX_DATA = (uint32_t)size;
    return true;
}

void lan9118_send_part(const uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        sending.word |= (uint32_t)data[i] << 8u * sending.held;
        if (++sending.held == sizeof sending.word) {
            TX_DATA = sending.word;
            sending.word = 0;
            sending.held = 0;
        }
    }
}

void lan9118_send_end(void)
{
    if (sending.held > 0) {
        TX_DATA = sending.word;
    }
}

/* Words of a frame that were not read yet, its checksum's among them. */
static void rest_read(size_t size, size_t read)
{
    const size_t word = sizeof(uint32_t);
    size_t all = (LAN9118_PAD + size + CHECKSUM_SIZE + word - 1) / word;
    for (; read < all; read++) {
        (void)RX_DATA;
    }
}

/* By reading: the controller's own way of skipping (RX_DP_CTRL) loses its place in QEMU. */
void lan9118_drop(size_t size)
{
    rest_read(size, 0);
}

size_t lan9118_next(void)
{
    while ((RX_FIFO_INF >> 16 & 0xFFu) != 0) {
        uint32_t status = RX_STATUS;
        size_t size = status >> 16 & 0x3FFFu;
        size = size > CHECKSUM_SIZE ? size - CHECKSUM_SIZE : 0;
        if ((status & RX_STATUS_BROKEN) == 0 && size > 0) {
            return size;
        }
        lan9118_drop(size);
    }
    return 0;
}

void lan9118_read(uint8_t *out, size_t size)
{
    for (size_t i = 0; i < size; i += sizeof(uint32_t)) {
        uint32_t word = RX_DATA;
        for (size_t j = 0; j < sizeof word && i + j < size; j++) {
            out[i + j] = (uint8_t)(word >> 8 * j & 0xFFu);
        }
    }
}

void lan9118_read_end(size_t size)
{
    rest_read(size, (LAN9118_PAD + size + sizeof(uint32_t) - 1) / sizeof(uint32_t));
}
