"""Flashes in which something must not boot, for skip_sweep.py. Each is what the factory's tool makes of real releases, then changed."""
import hashlib
import struct
import subprocess
import zlib

import p256_cases
from skip_machine import FLASH_SIZE, IMAGE, IMAGE_SIZE

# device/ports/mps2/memory.h and layout.c, docs/spec: identity, bank of the trust region, slots, and what stands in a slot
IDENTITY_SIZE, TRUST_BANKS, TRUST_HEAD, TRUST_BODY = 0x1000, (0x12000, 0x13000), 16, 704
SLOTS, SLOT_SIZE, SLOT_SIGNATURE, SLOT_IMAGE, MANIFEST_BODY = (0x19000, 0x194000), 0x17B000, 528, 0x6000, 512
AGENT_LOG, AGENT_RECORD, AGENT_MAGIC = 0x14000, 1024, 0x414E5253  # device/src/boot_state.h
AREA_KEY_ID, AREA_SIGNATURE = 4, 16  # of a signature area
REFUSED, GOOD = "refused", "good"


def run(*words):
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


def with_crc(data, wanted):
    """The bytes with their last four such that their CRC-32 is the wanted one: it is linear in them."""
    head = data[:-4]
    base = zlib.crc32(head + bytes(4))
    rows = []
    for bit in range(32):
        column, which = zlib.crc32(head + (1 << bit).to_bytes(4, "little")) ^ base, 1 << bit
        for value, mask in rows:
            if column ^ value < column:
                column, which = column ^ value, which ^ mask
        rows = sorted([*rows, (column, which)], reverse=True)
    left, tail = wanted ^ base, 0
    for value, mask in rows:
        if left ^ value < left:
            left, tail = left ^ value, tail ^ mask
    made = head + tail.to_bytes(4, "little")
    assert zlib.crc32(made) == wanted
    return made


class Factory:
    """Owner `own` made the board; `other` is a stranger with keys and releases of the same names."""

    def __init__(self, folder, host, good, forged):
        self.folder, self.host = folder, host
        self.images = {"good": good.ljust(IMAGE_SIZE, b"\0"), "forged": forged.ljust(IMAGE_SIZE, b"\0")}
        for owner in ("own", "other"):
            run(host / "serin", "pki", "init", folder / owner, "--product", "sensor", "--devices", "s-1")

    def bundle(self, owner, image, version, counter):
        (self.folder / "image").write_bytes(self.images[image])
        path = self.folder / f"{owner}-{image}-{version}-{counter}"
        run(self.host / "serin", "pack", "--product", "sensor", "--version", version, "--counter", counter, "--image", self.folder / "image", "--key",
            self.folder / owner / "keys/release.key", "--load-address", hex(IMAGE), "--entry", hex(IMAGE), "-o", path)
        return path

    def flash(self, owner, image, counter=5, staged=None):
        more = ["--staged", self.bundle(owner, staged, "2.0.0", counter)] if staged else []
        run(self.host / "mps2-flash", self.folder / "made", "--id", "s-1", "--product", "sensor", "--channel", "stable", "--root",
            self.folder / owner / "keys/root.pub", "--trust", self.folder / owner / "trust.bin", "--bundle", self.bundle(owner, image, "1.0.0", counter), *more)
        cells = bytearray((self.folder / "made").read_bytes())
        assert len(cells) == FLASH_SIZE
        return cells


def empty(cells, slot):
    cells[slot:slot + SLOT_SIZE] = b"\xff" * SLOT_SIZE


def slot_of(cells, slot):
    return cells[slot:slot + SLOT_SIZE]


def seal(cells, bank):
    """Both checksums of a bank of the trust region, whose record was changed."""
    size = int.from_bytes(cells[bank + 4:bank + 8], "little")
    record = cells[bank + TRUST_HEAD:bank + TRUST_HEAD + size]
    cells[bank + 8:bank + 12] = zlib.crc32(record).to_bytes(4, "little")
    cells[bank + 12:bank + 16] = zlib.crc32(cells[bank:bank + 12]).to_bytes(4, "little")


def signature(factory):
    """Slot A alone, and in its signature one bit is wrong."""
    cells = factory.flash("own", "forged")
    cells[SLOTS[0] + SLOT_SIGNATURE] ^= 4
    empty(cells, SLOTS[1])
    return cells


def stranger(factory):
    """Slot A alone: right in all, but signed by a key that the board does not know."""
    cells = factory.flash("own", "good")
    cells[SLOTS[0]:SLOTS[0] + SLOT_SIZE] = slot_of(factory.flash("other", "forged"), SLOTS[0])
    empty(cells, SLOTS[1])
    return cells


def digest(factory):
    """Slot A alone: a right manifest before another image, whose CRC-32 is that of the manifest."""
    cells = factory.flash("own", "good")
    image = with_crc(factory.images["forged"], zlib.crc32(factory.images["good"]))
    cells[SLOTS[0] + SLOT_IMAGE:SLOTS[0] + SLOT_IMAGE + IMAGE_SIZE] = image
    empty(cells, SLOTS[1])
    return cells


def floor(factory):
    """Slot A alone: rightly signed, with a security counter below the floor of a board that has lived: boot log and agent's log tell of it."""
    cells = factory.flash("own", "good", 5)
    record = struct.pack("<IIHHI", AGENT_MAGIC, 1, 1, 0, 5).ljust(AGENT_RECORD - 4, b"\0")
    cells[AGENT_LOG:AGENT_LOG + AGENT_RECORD] = record + zlib.crc32(record).to_bytes(4, "little")
    cells[SLOTS[0]:SLOTS[0] + SLOT_SIZE] = slot_of(factory.flash("own", "forged", 4), SLOTS[0])
    empty(cells, SLOTS[1])
    return cells


def staged(factory):
    """A good release in A, and on trial in B one whose signature has a wrong bit."""
    cells = factory.flash("own", "good", staged="forged")
    cells[SLOTS[1] + SLOT_SIGNATURE] ^= 4
    return cells


def trust(factory):
    """A trust record and a release of a stranger: all fits together, the record names the board's root key, and that did not sign it."""
    own = factory.flash("own", "good")
    cells = factory.flash("other", "forged")
    cells[:IDENTITY_SIZE] = own[:IDENTITY_SIZE]
    empty(cells, SLOTS[1])
    for bank in TRUST_BANKS:
        at = bank + TRUST_HEAD + TRUST_BODY + AREA_KEY_ID
        cells[at:at + 8] = own[at:at + 8]
        seal(cells, bank)
    return cells


def crafted(factory):
    """Trust record and manifest of the owner's names, each with a signature that would hold if the base point were added wherever the key is, for
    which nobody needs a private key: `adds r4, #220` of signature_holds, skipped in both runs, came to that."""
    def sign(domain, body, nonce):  # with the private key of the base point
        r, s = p256_cases.sign(1, int.from_bytes(hashlib.sha256(domain + bytes(body)).digest(), "big"), nonce)
        return r.to_bytes(32, "big") + (s % p256_cases.N).to_bytes(32, "big")

    cells = factory.flash("own", "forged")
    empty(cells, SLOTS[1])
    cells[SLOTS[0] + SLOT_SIGNATURE:SLOTS[0] + SLOT_SIGNATURE + 64] = sign(b"serin/manifest/1\0", cells[SLOTS[0]:SLOTS[0] + MANIFEST_BODY], 3 << 200)
    for bank in TRUST_BANKS:
        body = bank + TRUST_HEAD
        at = body + TRUST_BODY + AREA_SIGNATURE
        cells[at:at + 64] = sign(b"serin/trust/1\0", cells[body:body + TRUST_BODY], 5 << 200)
        seal(cells, bank)
    return cells


def control(factory):
    """What must not run, rightly signed: a sweep that does not see it run sees nothing."""
    return factory.flash("own", "forged")


SCENES = [(signature, REFUSED), (stranger, REFUSED), (digest, REFUSED), (floor, REFUSED), (staged, GOOD), (trust, REFUSED), (crafted, REFUSED)]
