"""The cohort that serves until a platform has shown enough of itself, measured on public data.

Measured with this program's own cohort learning, memory fading off, on the development halves of
two public sets of Bilibili counters: every upload that matched a keyword (13,000 videos, summer
2024), and the popular list (8,600 videos, autumn 2023). Of each cell the set with more
video-epochs is taken: uploads below 100,000 views, the popular list above. Uploads were watched
beyond three days only once they had drawn attention, so their oldest age repeats the one before.
Rows are ages (6, 24, 72 hours), columns reaches (1,000, 10,000, 100,000, 1,000,000 views).

Dislikes are not public there: exclusion is the 95 % point of dislikes per view between the
measured 90 % (0.0024) and 99 % (0.010) of YouTube's trending list of 2017, and its events per
hour are those of identification times the ratio of the medians there (0.0007 to 0.027).
"""

from typing import Any, Final

_IDENTIFICATION: Final = [
    [0.094, 0.126, 0.073, 0.079, 0.066],
    [0.081, 0.103, 0.084, 0.071, 0.066],
    [0.086, 0.115, 0.110, 0.070, 0.065],
    [0.086, 0.115, 0.110, 0.072, 0.065],
]
_EXCLUSION: Final = [[0.0040] * 5] * 4
_INTERACTION: Final = [
    [0.0061, 0.0058, 0.0041, 0.0050, 0.0050],
    [0.0061, 0.0058, 0.0046, 0.0040, 0.0037],
    [0.0061, 0.0058, 0.0046, 0.0034, 0.0021],
    [0.0061, 0.0058, 0.0046, 0.0027, 0.0020],
]
_DIFFUSION: Final = [
    [0.0016, 0.0016, 0.0026, 0.0024, 0.0024],
    [0.0016, 0.0016, 0.0035, 0.0024, 0.0026],
    [0.0016, 0.0016, 0.0061, 0.0027, 0.0021],
    [0.0016, 0.0016, 0.0061, 0.0033, 0.0023],
]

SHIPPED_COHORT: Final[dict[str, Any]] = {
    "propensity": [_IDENTIFICATION, _EXCLUSION, _INTERACTION, _DIFFUSION],
    "scarcity": [
        [0.0027, 0.0100, 0.0260, 0.0199, 0.0104],
        [0.0027, 0.0100, 0.0290, 0.0241, 0.0104],
        [0.0027, 0.0122, 0.0154, 0.0262, 0.0202],
        [0.0027, 0.0122, 0.0154, 0.0261, 0.0214],
    ],
    # 1 / rho - 1 with the 75 % point of rho between observations of one upload: 0.0192
    # (identification), 0.0050 (interaction), 0.0044 (diffusion); exclusion takes the widest.
    "concentration": [51.0, 51.0, 199.0, 226.0],
    "intensity": [
        [606.0, 1301.0, 1233.0, 396.0],
        [16.0, 34.0, 32.0, 10.0],
        [31.0, 43.0, 24.0, 24.0],
        [20.0, 38.0, 33.0, 33.0],
    ],
    # The 75 % point of 1 / r was 0.706 over 699 six-hour stretches of five-minute counts of
    # tweets, outside their labelled windows.
    "shape": [1.42, 1.42, 1.42, 1.42],
    "rhythm": [1.0] * 24,
    "videos": 0,
}
