"""How each fate of a replica, `learned` or a cause, is shown: one colour and one wording everywhere."""

from pipeline.diagnosis.causes import LEARNED
from pipeline.plots.style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION

# Dead in warm colours.
FATE_COLOURS = {
    LEARNED: BLUE,
    "exploding": BLACK,
    "born_dead": VERMILION,
    "died_in_training": ORANGE,
    "saturated": PURPLE,
    "vanishing": GREEN,
    "slow": SKY,
    "stuck": GREY,
}


def spelled(fate: str) -> str:
    """ "born_dead" -> "born dead"."""
    return fate.replace("_", " ")
