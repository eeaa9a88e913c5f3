"""What compiled code tells of a transition (models/transitions.py), in words and figures."""

from dataclasses import dataclass, field

from models.cohorts import DRIFT
from models.transitions import BURST, COLLAPSE, ENTRY, REASONS, ROUTES, STATES, Reason, Told
from models.vocabulary import JUNCTURE_INTO, Route, Signal, Stage, State


@dataclass(frozen=True, slots=True)
class Transition:
    """One thing that happened to one video.

    `row` is its index among the decisions of its report; `figures` what it was decided on.
    """

    row: int
    time_ms: int
    stage: Stage
    state: State
    route: Route
    episode: int
    reason: Reason
    signal: Signal | None = None
    juncture: str | None = None
    figures: dict[str, float | str] = field(default_factory=dict)


def transition_of(told: Told, log_c: float, version: str) -> Transition:
    """Return what compiled code told, in words.

    Args:
        told: One record of TOLD.
        log_c: Logarithm of the evidence that was asked for.
        version: Name of the cohort version that the nulls came from.
    """
    f = told["figures"].tolist()
    stage, signal, juncture = Stage(int(told["stage"])), None, None
    figures: dict[str, float | str]
    if told["kind"] == ENTRY:
        people, views, hours, null_per_exposure, null_per_hour, reach = f[:6]
        signal = Signal(int(told["signal"]))
        juncture = JUNCTURE_INTO[stage].value
        figures = {
            "people": round(people, 1),
            "exposures": round(views, 1),
            "hours": round(hours, 3),
            "per_exposure": round(people / max(views, people, 1.0), 5),
            "null_per_exposure": round(null_per_exposure * DRIFT, 5),
            "per_hour": round(people / hours, 1),
            "null_per_hour": round(null_per_hour, 1),
            "reach": reach,
        }
        figures |= _evidence_figures(REASONS[told["reason"]], f[6:])
        figures |= {"log_threshold": round(log_c, 2), "cohort_version": version}
    elif told["kind"] == BURST:
        signal = Signal(int(told["signal"]))
        figures = {"last_hour": round(f[0], 1), "hour_of_the_day": round(f[1], 2)}
        figures |= {"return_days": round(f[2], 1), "return_days_asked": f[3]}
    else:
        figures = {
            "activity_per_hour": round(f[0], 2),
            "peak_per_hour": round(f[1], 2),
            "collapse_share": COLLAPSE,
        }
    return Transition(
        row=int(told["decision"]),
        time_ms=int(told["time_ms"]),
        stage=stage,
        state=STATES[told["state"]],
        route=ROUTES[told["route"]],
        episode=int(told["episode"]),
        reason=REASONS[told["reason"]],
        signal=signal,
        juncture=juncture,
        figures=figures,
    )


def _evidence_figures(reason: Reason, evidence: list[float]) -> dict[str, float | str]:
    """Return what a stage was entered on, in words, and how much of it earlier visits brought.

    The counts told are those of the visit at hand. An e-detector keeps what the visits before it
    showed, so that the response of this one alone may lie below its null: what it was shown by is
    told beside it.
    """
    response, response_earlier, intensity, intensity_earlier = (round(one, 2) for one in evidence)
    figures: dict[str, float | str] = {"log_evidence": intensity}
    if reason is Reason.RESPONSE_AND_INTENSITY:
        figures = {
            "log_evidence": min(response, intensity),
            "log_evidence_per_exposure": response,
            "earlier_log_evidence_per_exposure": response_earlier,
        }
    return figures | {
        "log_evidence_per_hour": intensity,
        "earlier_log_evidence_per_hour": intensity_earlier,
    }
