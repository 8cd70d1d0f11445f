"""Which General MIDI programs make up each of NSynth's eleven instrument families, and why.

NSynth (Engel et al. 2017) names families, not programs; its sounds come from sample libraries of
single instruments. A program is in a family where what the General MIDI standard asks for is
plainly that kind of instrument; in doubt it is in none. Numbers count from 0, as in a file.
"""

from collections.abc import Mapping

FAMILIES: Mapping[str, tuple[int, ...]] = {
    # Plucked, slapped and synthetic basses: NSynth has them under one name too.
    "bass": tuple(range(32, 40)),
    # Trumpet, trombone, tuba, muted trumpet, French horn, brass section. Not the two synthetic
    # ones (62, 63): in NSynth almost all brass is acoustic.
    "brass": tuple(range(56, 62)),
    # The whole group of pipes: whatever sounds by air against an edge, without a reed.
    "flute": tuple(range(72, 80)),
    # Not 31, harmonics: it sounds an octave or more above the key.
    "guitar": tuple(range(24, 31)),
    # Pianos, electric pianos, harpsichord, clavinet.
    "keyboard": tuple(range(0, 8)),
    # Bars and tubes under a mallet. Not music box (10), which is plucked, nor dulcimer (15), whose
    # strings make it a relative of the piano.
    "mallet": (8, 9, 11, 12, 13, 14),
    # Drawbar, percussive, rock, church and reed organ. Not accordions and harmonica (21 to 23):
    # free reeds, which NSynth has in no family of their own.
    "organ": tuple(range(16, 21)),
    # Saxophones, oboe, English horn, bassoon, clarinet.
    "reed": tuple(range(64, 72)),
    # Bowed strings, alone and together, tremolo and pizzicato. Not harp (46, sounds like a
    # guitar), timpani (47, a drum), synthetic strings (50, 51).
    "string": (40, 41, 42, 43, 44, 45, 48, 49),
    # All leads but "voice" (85), which imitates a voice.
    "synth_lead": (80, 81, 82, 83, 84, 86, 87),
    # Choir, voice, synthetic voice, and the choir among the pads: the only four of the standard.
    "vocal": (52, 53, 54, 91),
}

# Programs of TimGM6mb or csound's bank that play one and the same recordings, found by the largest
# cross-correlation of their notes (above 0.93 at three of nine keys, usually above 0.99). They go
# to the same split, or dev would hold what was trained on.
SAME_RECORDINGS: tuple[frozenset[int], ...] = (
    frozenset({0, 1}),
    frozenset({40, 41}),
    frozenset({44, 48, 49}),
    frozenset({72, 74, 78, 79}),
)


def groups_of_recordings(programs: tuple[int, ...]) -> list[tuple[int, ...]]:
    """A family's programs in groups that share no recording, in order of their lowest program."""
    groups: list[tuple[int, ...]] = []
    for program in programs:
        if not any(program in group for group in groups):
            alike = next((own for own in SAME_RECORDINGS if program in own), frozenset({program}))
            groups.append(tuple(p for p in programs if p in alike))
    return groups
