#!/usr/bin/env python3
"""Writes the application's page of a flash (credentials.c has its picture): the broker, the device's key for TLS, its seed.

    credentials.py FLASH --broker 10.0.2.2:8883 --name localhost --ca CA.pem --certificate DEVICE.pem --key DEVICE.key

FLASH is the file behind the board's 16 MiB; it is made, erased, where it is missing. The seed is drawn anew.
"""
import argparse
import ipaddress
import pathlib
import secrets
import struct
import subprocess
import zlib

FLASH_SIZE = 16 << 20
PAGE_OFFSET, PAGE_SIZE, COUNT_SIZE = 0x1000, 0x1000, 0x2000
NAME_SIZE, SEED_SIZE = 64, 32


def openssl(*arguments):
    result = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"openssl {arguments[2]}: {result.stderr.decode().strip()}")
    return result.stdout


def der(kind, path):
    """A certificate (kind x509), or a key in the form of RFC 5915 (kind ec), whatever form the file has."""
    return openssl(kind, "-in", path, "-outform", "DER")


def page(arguments, seed):
    host, port = arguments.broker.rsplit(":", 1)
    parts = [der("x509", arguments.ca), der("x509", arguments.certificate), der("ec", arguments.key)]
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
    if openssl("x509", "-in", arguments.certificate, "-noout", "-pubkey") != openssl("ec", "-in", arguments.key, "-pubout"):
        raise SystemExit(f"{arguments.key} is not the key of {arguments.certificate}")
    if not arguments.flash.exists():
        arguments.flash.write_bytes(b"\xff" * FLASH_SIZE)
    with arguments.flash.open("r+b") as flash:
        flash.seek(PAGE_OFFSET)
        flash.write(page(arguments, secrets.token_bytes(SEED_SIZE)))
        flash.write(b"\xff" * COUNT_SIZE)


if __name__ == "__main__":
    main()
