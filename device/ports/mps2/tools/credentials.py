#!/usr/bin/env python3
"""Writes the application's page of a flash (credentials.c has its picture): the broker, the device's key for TLS, its seed.

    credentials.py FLASH --broker 10.0.2.2:8883 --name localhost --ca CA.pem --certificate DEVICE.pem --key DEVICE.key

FLASH is the file behind the board's 16 MiB; it is made, erased, where it is missing. The seed is drawn anew.
"""
import argparse
import base64
import ipaddress
import pathlib
import re
import secrets
import struct
import zlib

FLASH_SIZE = 16 << 20
PAGE_OFFSET, PAGE_SIZE, COUNT_SIZE = 0x1000, 0x1000, 0x2000
NAME_SIZE, SEED_SIZE = 64, 32


def der(path):
    """The first object of a PEM file that is a certificate or an EC key in RFC 5915 (openssl ec, serin pki)."""
    text = path.read_text()
    match = re.search(r"-----BEGIN (CERTIFICATE|EC PRIVATE KEY)-----(.*?)-----END", text, re.S)
    if match is None:
        raise SystemExit(f"{path}: no certificate, and no key in RFC 5915 (try: openssl ec -in {path})")
    return base64.b64decode(match.group(2))


def page(arguments, seed):
    host, port = arguments.broker.rsplit(":", 1)
    parts = [der(path) for path in (arguments.ca, arguments.certificate, arguments.key)]
    name = arguments.name.encode()
    if len(name) >= NAME_SIZE:
        raise SystemExit("the server's name is too long")
    head = b"SERINTLS" + ipaddress.IPv4Address(host).packed
    head += struct.pack("<4H", int(port), *(len(part) for part in parts))
    body = (head + name.ljust(NAME_SIZE, b"\0") + seed + b"".join(parts)).ljust(PAGE_SIZE - 4, b"\xff")
    if len(body) > PAGE_SIZE - 4:
        raise SystemExit("certificates and key are too large for their sector")
    return body + struct.pack("<I", zlib.crc32(body))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("flash", type=pathlib.Path)
    parser.add_argument("--broker", required=True, help="ADDRESS:PORT, IPv4")
    parser.add_argument("--name", required=True, help="the DNS name in the broker's certificate")
    for part in ("ca", "certificate", "key"):
        parser.add_argument(f"--{part}", type=pathlib.Path, required=True)
    arguments = parser.parse_args()
    if not arguments.flash.exists():
        arguments.flash.write_bytes(b"\xff" * FLASH_SIZE)
    with arguments.flash.open("r+b") as flash:
        flash.seek(PAGE_OFFSET)
        flash.write(page(arguments, secrets.token_bytes(SEED_SIZE)))
        flash.write(b"\xff" * COUNT_SIZE)


if __name__ == "__main__":
    main()
