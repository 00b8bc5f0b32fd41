"""What may happen to a file: bytes that change, and ends that are missing."""

PATTERNS = (0x01, 0x80, 0xFF)


def damaged(content, rng, changes):
    """Yield a description and the damaged content, about `changes` times, spread over the whole file."""
    step = max(1, len(content) // changes)
    for place in range(rng.randrange(step), len(content), step):
        pattern = rng.choice(PATTERNS)
        yield f"byte {place} ^ {pattern:#x}", flipped(content, place, pattern)
    for size in (0, 1, len(content) // 2, len(content) - 1):
        yield f"the first {size} bytes", content[:size]
    start = rng.randrange(len(content))
    yield f"zeros from {start} on", content[:start] + bytes(len(content) - start)
    yield "twice", content + content


def flipped(content, place, pattern):
    return content[:place] + bytes([content[place] ^ pattern]) + content[place + 1 :]
