"""Words: how much room words take in a picture, how they are cut and stay different, and fonts that have their letters."""

import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate, pairwise, takewhile

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
LETTER_WIDTH = 0.51  # of the size of letters; a wide one, as Chinese has them, counts as two letters
NAME_LETTERS = 64  # of a name; longer ones are cut short
HALF, FEW = 0.5, 0.25  # of the letters that are kept, behind a cut in the middle
COMMON_LETTERS = 6  # at most, of a beginning that all share, where it is left out in the middle of a word
UNFIT_FONTS = ("last resort", "lastresort", "color")  # boxes for every letter; pictures of letters, which draw no outlines


# ---------------------------------------------------------------- room


def count_letters(width: float, *, size: float) -> int:
    """About how many letters of a size in points stand on a width in inches."""
    return int(width * 72 / (LETTER_WIDTH * size))


def width_of_words(words: str, *, size: float) -> float:
    """About how many inches words of a size in points are wide."""
    return LETTER_WIDTH * size * letters_of(words) / 72


def letters_of(words: str) -> int:
    """The room that words take, in letters: a wide one and an ellipsis take two, an accent that stands on another none."""
    return len(words) if words.isascii() else sum(map(_room, words))


def _room(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if letter == ELLIPSIS or unicodedata.east_asian_width(letter) in "WF" else 1


def wrap_lines(lines: Iterable[str], *, width: float) -> list[str]:
    """A caption's sentences as lines of a width in inches."""
    return [part for line in lines for part in textwrap.wrap(line, count_letters(width, size=8.0))]


# ---------------------------------------------------------------- cutting short


def fit_words(words: str, *, width: float, size: float) -> str:
    """Words that stand on a width in inches, with an ellipsis where some are left out."""
    return shorten(words, count_letters(width, size=size))


def shorten(words: str, letters: int = NAME_LETTERS, *, tail: int = 0) -> str:
    """Words of at most so many letters, with an ellipsis where some are left out: before the last ``tail`` letters."""
    if letters_of(words) <= letters:
        return words
    end = _beginning(words[::-1], tail)[::-1]
    return _beginning(words, letters - _room(ELLIPSIS) - tail).rstrip() + ELLIPSIS + end.lstrip()


def _beginning(words: str, letters: int) -> str:
    """The longest beginning that takes the room of at most so many letters."""
    most = max(letters, 0) if words.isascii() else sum(room <= letters for room in accumulate(map(_room, words)))
    return words[:most]


def shorten_apart(words: Sequence[str], letters: Sequence[int]) -> list[str]:
    """Each of several words on as many letters as there is room for, so that different ones look different if they can.

    The end is left out; where what is left could be another of the words, the middle, or what they all begin with: the first
    of these ways that leaves the most of them different.
    """
    short = [shorten(each, room) for each, room in zip(words, letters, strict=True)]
    for group in _confusable(words, short):
        rooms = [letters[number] for number in group]
        for number, shown in zip(group, _tell_apart([words[number] for number in group], rooms), strict=True):
            short[number] = shown
    return short


def _confusable(words: Sequence[str], short: Sequence[str]) -> Iterator[list[int]]:
    """The numbers of words of which one, as far as it is shown, begins like the next one in the order of the alphabet."""
    order = sorted(range(len(words)), key=lambda number: (words[number], -len(short[number])))
    starts = [0]
    for at, (one, other) in enumerate(pairwise(order), start=1):
        if not any(_could_be(short[a], words[a], words[b]) for a, b in ((one, other), (other, one))):
            starts.append(at)
    for start, end in pairwise([*starts, len(order)]):
        group = order[start:end]
        if group and words[group[0]] != words[group[-1]]:
            yield group


def _could_be(shown: str, words: str, other: str) -> bool:
    """Whether words are the other ones, or are cut to a beginning of them."""
    return words == other or (shown != words and other.startswith(shown.removesuffix(ELLIPSIS)))


def _tell_apart(group: Sequence[str], letters: Sequence[int]) -> list[str]:
    """Words that begin alike, cut in the way that leaves the most of them different where there is the least room."""
    common = "".join(
        letter for letter, _ in takewhile(lambda pair: pair[0] == pair[1], zip(min(group), max(group), strict=False))
    )
    left_out = max(common.rfind(" ") + 1, len(common) - COMMON_LETTERS, 0)
    ways = [(HALF, 0), (HALF, left_out), (1 - FEW, 0), (FEW, 0)]
    least = min(letters)
    share, left_out = max(ways, key=lambda way: len({_cut(each, least, *way) for each in group}))
    return [_cut(each, room, share, left_out) for each, room in zip(group, letters, strict=True)]


def _cut(words: str, letters: int, share: float, left_out: int) -> str:
    """Words without their beginning, of so many letters, and their middle, before a share of the letters that are kept."""
    if letters_of(words) <= letters:
        return words
    start = ELLIPSIS if left_out else ""
    room = letters - letters_of(start)
    return start + shorten(words[left_out:], room, tail=int(share * (room - _room(ELLIPSIS))))


# ---------------------------------------------------------------- fonts


def lacking_letters(words: Iterable[str]) -> set[str]:
    """The letters of some words that no font has which matplotlib is set to."""
    from matplotlib import rcParams
    from matplotlib.font_manager import FontProperties, findfont

    letters = {letter for word in words for letter in word if letter.isprintable() and letter not in " \N{NO-BREAK SPACE}"}
    for family in rcParams["font.family"] if letters else ():
        letters -= _letters_in(findfont(FontProperties(family=[family])))
    return letters


def find_fonts(letters: set[str]) -> list[str]:
    """Installed families that have some letters, the one with the most of them first; those that none has are left."""
    fonts, families = _installed_fonts() if letters else {}, []
    while fonts:
        family = max(fonts, key=lambda name: len(letters & _letters_in(fonts[name])))
        found = letters & _letters_in(fonts.pop(family))
        if not found:
            break
        families.append(family)
        letters = letters - found
    return families


def _installed_fonts() -> dict[str, str]:
    """The file of each installed family, in the order of their names: the one nearest to upright and of usual weight."""
    from matplotlib.font_manager import fontManager

    entries = sorted(
        fontManager.ttflist, key=lambda font: (font.name, font.style != "normal", abs(int(font.weight) - 400), font.fname)
    )
    fit = [font for font in reversed(entries) if not any(part in font.name.lower() for part in UNFIT_FONTS)]
    return dict(reversed({font.name: font.fname for font in fit}.items()))


@cache
def _letters_in(path: str) -> frozenset[str]:
    """The letters that a font has an outline for; none if it cannot be read or drawn in any size."""
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        return frozenset(map(chr, font.get_charmap())) if font.scalable else frozenset()
    except (OSError, RuntimeError):
        return frozenset()


def tell_boxes(words: Iterable[str]) -> str | None:
    """What a caption says of letters that no installed font has; None where there are none."""
    letters = sorted(lacking_letters(words))
    if not letters:
        return None
    first = f"U+{ord(letters[0]):04X} ({unicodedata.name(letters[0], 'without a name').lower()})"
    if len(letters) == 1:
        return f"A box stands for {first}: no installed font has it. Install a font of its script."
    description = f"{len(letters):,} letters, {first} among them"
    return f"Boxes stand for {description}: no installed font has them. Install one of their script."
