"""Define the colours: the same thing has the same colour in all figures, pages and MLflow's charts.

The colour of a cause stands in its row in `diagnosis/rules/`, the colours of other outcomes in `diagnosis/causes.py`.
All colours suit colour-blind readers.
"""

from collections.abc import Sequence
from typing import Final

# Okabe & Ito 2008: outcomes of replicas, classes, effects.
BLUE, ORANGE, GREEN, VERMILION = "#0072B2", "#E69F00", "#009E73", "#D55E00"
SKY, PURPLE, BLACK, GREY = "#56B4E9", "#CC79A7", "#000000", "#888888"
YELLOW = "#F0E442"
# Other causes, a hue for each family: brown for data, olive for model, violet for inference, indigo for optimisation,
# teal for what happens around the model.
DARK_BROWN, RUST, BROWN, OCHRE, SAND = "#543005", "#7F3B08", "#A6611A", "#C99A4B", "#DFC27D"
UMBER, CREAM = "#7A5C58", "#F3E3C3"
DARK_OLIVE, OLIVE, KHAKI = "#4D4A00", "#8A8400", "#BDB76B"
VIOLET, LAVENDER, PLUM = "#7F3C8D", "#B9A5DD", "#4A1942"
INDIGO, PALE_BLUE, IRIS, SLATE = "#3B0F70", "#A8DCF7", "#5B5BD6", "#6E84A3"
DARK_TEAL, TEAL, SEA, AQUA, MINT, PINE = "#003B3B", "#0F6B6B", "#2E9C95", "#79CFC6", "#BFEBE3", "#49756B"
NAVY, FOREST = "#1B3A6B", "#0B5D1E"  # signals through time
DARK_GREY = "#555555"  # for notes in a figure: dark enough for text
LIGHT_GREY = "#BBBBBB"  # the background of a heat map: visible in cells without a value
# From class 0 through undecided to class 1: the classes' colours, paler, so that points stand out.
PROBABILITIES: Final = ("#6FA9D2", "#F7F7F7", "#F2C14E")

LIGHT: Final = (
    ORANGE,
    PURPLE,
    SKY,
    YELLOW,
    OCHRE,
    SAND,
    CREAM,
    KHAKI,
    LAVENDER,
    PALE_BLUE,
    AQUA,
    MINT,
)  # text on these is black
CLASSES: Final = (BLUE, ORANGE)
EFFECTS: Final = {"helps": BLUE, "harms": VERMILION, "undecided": GREY, "reference": BLACK}

# Paul Tol's "muted" (2021), for variants: it shares no colour with the outcomes.
VARIANTS: Final = (
    *("#332288", "#CC6677", "#117733", "#DDCC77", "#88CCEE", "#882255", "#44AA99"),
    *("#999933", "#AA4499"),
)


def of_variants(names: Sequence[str]) -> dict[str, str]:
    """Return a colour for each variant, by its position in `names`; from the tenth variant on, colours repeat."""
    return {name: VARIANTS[place % len(VARIANTS)] for place, name in enumerate(names)}


def shade(colour: str, number: int) -> str:
    """Return a shade of a variant's colour for its run `number` (from 0): lighter, darker, far lighter, and again."""
    target, weight = ((255, 0.45), (0, 0.4), (255, 0.7))[number % 3]
    channels = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return "#" + "".join(f"{round(each + weight * (target - each)):02X}" for each in channels)
