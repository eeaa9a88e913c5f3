"""SplitMix64 by plain arithmetic, for what models/comment_sample.py mixes many at a time."""


def mixed(number: int) -> int:
    """Mix one number of 64 bits."""
    number = (number + 0x9E37_79B9_7F4A_7C15) % 2**64
    number = (number ^ (number >> 30)) * 0xBF58_476D_1CE4_E5B9 % 2**64
    number = (number ^ (number >> 27)) * 0x94D0_49BB_1331_11EB % 2**64
    return number ^ (number >> 31)
