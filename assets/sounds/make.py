#!/usr/bin/env python3
"""Makes the four verdict sounds beside it. Standard library only; the same bytes every time.

A gate is loud and staff look at the guest, so the sounds differ in pitch, in rhythm and in direction at once:

  admit   two quick rising notes, high and clear          (0.26 s)
  refuse  two long low buzzes, the second lower           (0.52 s)
  review  three even notes in the middle, like a question (0.45 s)
  fault   fast alternating high-low alarm                 (0.60 s)

Strong harmonics around 1 to 4 kHz, where ears and small speakers are best; every note has short ramps, so nothing clicks.
"""

import math
import struct
import wave
from pathlib import Path

RATE = 44_100
PEAK = 0.85


def note(frequency, seconds, harmonics, ramp=0.006, decay=0.0):
    count = int(RATE * seconds)
    total = sum(weight for _, weight in harmonics)
    out = []
    for i in range(count):
        t = i / RATE
        value = sum(weight * math.sin(2 * math.pi * frequency * multiple * t) for multiple, weight in harmonics) / total
        envelope = min(1.0, t / ramp, (seconds - t) / ramp) * math.exp(-decay * t)
        out.append(value * max(0.0, envelope))
    return out


def rest(seconds):
    return [0.0] * int(RATE * seconds)


BELL = [(1, 1.0), (2, 0.45), (3, 0.18)]
BUZZ = [(1, 1.0), (2, 0.7), (3, 0.6), (4, 0.5), (5, 0.45), (7, 0.35), (9, 0.25)]
HORN = [(1, 1.0), (2, 0.6), (3, 0.35), (4, 0.15)]
ALARM = [(1, 1.0), (3, 0.5), (5, 0.3)]

SOUNDS = {
    "admit": note(1568, 0.08, BELL) + rest(0.02) + note(2349, 0.16, BELL, decay=6.0),
    "refuse": note(294, 0.20, BUZZ) + rest(0.08) + note(220, 0.24, BUZZ),
    "review": (note(784, 0.10, HORN) + rest(0.075)) * 2 + note(784, 0.10, HORN),
    "fault": (note(1976, 0.075, ALARM) + note(988, 0.075, ALARM)) * 4,
}


def write(path, samples):
    loudest = max(abs(s) for s in samples)
    frames = b"".join(struct.pack("<h", round(s / loudest * PEAK * 32767)) for s in samples)
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(frames)


def main():
    here = Path(__file__).resolve().parent
    for name, samples in SOUNDS.items():
        write(here / f"{name}.wav", samples)
        print(f"{name}.wav {len(samples) / RATE:.2f} s")


if __name__ == "__main__":
    main()
