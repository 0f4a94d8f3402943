"""Mutations: a small input becomes one that nobody wrote, by a seed and a number."""

import random
import struct

TOKENS = [
    *(b",", b";", b"\t", b"|", b" ", b"\n", b"\r", b"\r\n", b'"', b"'", b"\\", b"#", b"%", b"\x00", b"\xff", b"\xef\xbb\xbf"),
    *(
        b"\xff\xfe",
        b"\xfe\xff",
        b"(",
        b")",
        b"((((((((",
        b"[",
        b"]",
        b"{",
        b"}",
        b"<",
        b">",
        b"&",
        b"&amp;",
        b"&#0;",
        b":",
        b"=",
    ),
    *(
        b"nan",
        b"NaN",
        b"inf",
        b"-inf",
        b"1e999",
        b"-1",
        b"0",
        b"99999999999999999999",
        b"1e308",
        b"-0",
        b"1_0",
        b"0x10",
        b"1,5",
    ),
    *(
        b"name",
        b"label",
        b"child",
        b"parent",
        b"length",
        b"None",
        b"null",
        b"true",
        b"sep=;",
        b"#NEXUS\n",
        b"END;",
        b"TREE t = ",
    ),
    *(
        b"<!DOCTYPE a [<!ENTITY b 'c'>]>",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"\xed\xa0\x80",
        b"\xc3\x28",
        "\u2028é".encode(),
        b"\x85",
    ),
    *(b"PK\x03\x04", b"\x1f\x8b", b"\x93NUMPY", b"PAR1", b"ARROW1", b"'descr': 'O'", b"'shape': (-1,)", b"(10000000000, 3)"),
    *(struct.pack("<I", number) for number in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF)),
    *(struct.pack("<q", number) for number in (-1, 1 << 40, (1 << 63) - 1)),
]
MOST = 6  # mutations of one input


def mutate(content: bytes, other: bytes, chance: random.Random) -> bytes:
    """An input with some mutations; ``other`` is one of the same reader, whose parts may come in."""
    data = bytearray(content)
    for _ in range(chance.choice((0, 1, 1, 1, 2, 2, 3, MOST))):
        _one(data, other, chance)
    return bytes(data)


def _one(data: bytearray, other: bytes, chance: random.Random) -> None:
    at = chance.randrange(len(data) + 1)
    until = min(len(data), at + chance.choice((1, 1, 2, 4, 8, 64)))
    kind = chance.randrange(10)
    if kind == 0 and at < len(data):
        data[at] ^= 1 << chance.randrange(8)
    elif kind == 1 and at < len(data):
        data[at] = chance.randrange(256)
    elif kind in (2, 3):
        data[at:at] = chance.choice(TOKENS)
    elif kind == 4:
        data[at:until] = chance.choice(TOKENS)
    elif kind == 5:
        del data[at:until]
    elif kind == 6:
        data[at:at] = data[at:until] * chance.choice((1, 2, 10, 1000))
    elif kind == 7:
        del data[at:]
    elif kind == 8:
        begin = chance.randrange(len(other) + 1)
        data[at:until] = other[begin : begin + chance.choice((4, 16, 64, 1024))]
    elif kind == 9 and until > at:
        data[at:until] = bytes(chance.randrange(256) for _ in range(until - at))
