"""Sample code of spinstack's rehearsal (BSD-3-Clause), standing in for DESI's desimodel."""

from __future__ import annotations

# The arms of a spectrograph, from blue to near infrared, and a colour to draw each in.
ARMS = ("b", "r", "z")
ARM_COLOURS = {"b": "#2a6fbb", "r": "#c0392b", "z": "#7a3e9d"}

# What a fibre looks at, by the letter in the header of a sample image.
TARGETS = {"S": "sky", "T": "standard star", "G": "galaxy", "Q": "quasar"}
