#!/usr/bin/env python3
"""Writes the application's page of a flash (credentials.c has its picture): the broker, the device's key for TLS, its seed.

    credentials.py FLASH --broker 10.0.2.2:8883 --name localhost --ca CA.pem --certificate DEVICE.pem --key DEVICE.key

FLASH is the file behind the board's 16 MiB, which mps2-flash has made: that comes first, as it begins with an erased one. Where FLASH is
missing it is made, erased. The seed is drawn anew. The broker's address is one that the board reaches: 10.0.2.2 is the loopback of the host of QEMU.
The board looks up no names and has no clock, so an address is all that it can use, and no certificate expires for it.
"""
import argparse
import ipaddress
import pathlib
import re
import secrets
import struct
import subprocess
import zlib

FLASH_SIZE = 16 << 20
ID_SIZE = 64  # the identity begins with it (identity.c)
PAGE_OFFSET, PAGE_SIZE, COUNT_SIZE = 0x1000, 0x1000, 0x2000
NAME_SIZE, SEED_SIZE = 64, 32


def openssl(*arguments):
    result = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
    if result.returncode != 0:
        why = result.stderr.decode(errors="replace").strip().splitlines() or ["it failed"]
        raise SystemExit(f"credentials.py: openssl {arguments[0]} on {arguments[2]}: {why[0]}")
    return result.stdout


def der(kind, path):
    """A certificate (kind x509), or a key in the form of RFC 5915 (kind ec), whatever form the file has."""
    return openssl(kind, "-in", path, "-outform", "DER")


def broker(text):
    """(address, port) of 10.0.2.2:8883."""
    host, _, port = text.rpartition(":")
    try:
        address = ipaddress.IPv4Address(host)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{text}' is not ADDRESS:PORT; the board looks up no names, so ADDRESS is IPv4, "
                                         "and the host of QEMU is 10.0.2.2") from None
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise argparse.ArgumentTypeError(f"'{text}' is not ADDRESS:PORT: a port is 1 to 65535")
    return address, int(port)


def whose(flash, certificate):
    """The broker knows a device by its certificate, and serind by its reports: both must be the same."""
    subject = openssl("x509", "-in", certificate, "-noout", "-subject", "-nameopt", "RFC2253").decode()
    name = re.search(r"(?:^subject=|,)CN=([^,\n]*)", subject)
    name = name.group(1) if name else ""
    burnt = flash[:ID_SIZE].rstrip(b"\0")
    if burnt.strip(b"\xff") and burnt.decode(errors="replace") != name:
        raise SystemExit(f"credentials.py: the flash is {burnt.decode(errors='replace')}'s, and {certificate} is {name}'s")


def page(arguments, seed):
    address, port = arguments.broker
    parts = [der("x509", arguments.ca), der("x509", arguments.certificate), der("ec", arguments.key)]
    name = arguments.name.encode()
    if len(name) >= NAME_SIZE:
        raise SystemExit(f"credentials.py: --name has more than {NAME_SIZE - 1} characters")
    head = b"SERINTLS" + address.packed
    head += struct.pack("<4H", port, *(len(part) for part in parts))
    body = (head + name.ljust(NAME_SIZE, b"\0") + seed + b"".join(parts)).ljust(PAGE_SIZE - 4, b"\xff")
    if len(body) > PAGE_SIZE - 4:
        raise SystemExit("credentials.py: certificates and key are too large for their sector")
    return body + struct.pack("<I", zlib.crc32(body))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flash", type=pathlib.Path)
    parser.add_argument("--broker", type=broker, required=True, help="ADDRESS:PORT, IPv4; 10.0.2.2 is the host of QEMU")
    parser.add_argument("--name", required=True, help="the DNS name in the broker's certificate")
    for part in ("ca", "certificate", "key"):
        parser.add_argument(f"--{part}", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if openssl("x509", "-in", arguments.certificate, "-noout", "-pubkey") != openssl("ec", "-in", arguments.key, "-pubout"):
        raise SystemExit(f"credentials.py: {arguments.key} is not the key of {arguments.certificate}")
    if not arguments.flash.exists():
        arguments.flash.write_bytes(b"\xff" * FLASH_SIZE)
    if arguments.flash.stat().st_size != FLASH_SIZE:
        raise SystemExit(f"credentials.py: {arguments.flash} is no flash of this board: it has not {FLASH_SIZE} bytes")
    whose(arguments.flash.read_bytes(), arguments.certificate)
    with arguments.flash.open("r+b") as flash:
        flash.seek(PAGE_OFFSET)
        flash.write(page(arguments, secrets.token_bytes(SEED_SIZE)))
        flash.write(b"\xff" * COUNT_SIZE)


if __name__ == "__main__":
    main()
