"""What a bucket adds to a video: its visit, the sums of its epoch, its people and its rates.

Compiled rules over single records, called by models/bucket_decision.py for every video of a bucket.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from models import forecast, sketches
from models.bursts import begin
from models.cohorts import AGE_BANDS_H, REACH_BANDS, SIGNALS
from models.compiled import compiled
from models.epoch_evidence import begin_test, end_visit
from models.evidence import Ratios
from models.forecast_features import follow
from models.parameters import HOUR_MS
from models.pushed_acts import Found, find_suspects, forget_acts, is_suspect, leave_out_acts
from models.tallies import NEVER_PUBLISHED
from models.transitions import (
    CROWD,
    OWN_HALF_LIFE_MS,
    WATCH_ACTED,
    begin_visit,
    fade_rates,
    forget_evidence,
    kept,
    smoothed,
)
from models.video_state import NEVER
from models.video_totals import Totals, add_total
from models.vocabulary import ACTION_CODE, ACTIONS, SIGNAL_OF_ACTION, Action

_VIEW: Final = ACTION_CODE[Action.VIEW]
_DELETE: Final = ACTION_CODE[Action.DELETE]
_LIKED: Final = 0
_FAST_IN_SLOW: Final = forecast.SLOW_HALF_LIFE_MS // forecast.FAST_HALF_LIFE_MS
_AGE_BANDS_MS: Final = tuple(hours * HOUR_MS for hours in AGE_BANDS_H)

Records = npt.NDArray[np.void]
Row = Any
"""One record of video_state.ROW, in place."""
Watch = Any
"""One record of video_state.WATCH, in place."""
Entry = Any
"""One record of tallies.SUMMED."""
Pushes = tuple[Found, int, Records]
"""What is known of pushes (pushed_acts.acts_of_known_age), the entry at hand by its place there,
and LEFT_OUT[1], to work in."""
Lengths = tuple[int, int, int, int, int]
"""bucket_ms, epoch_ms, visit_ms, the last bucket to decide, the code of the level's action."""


@compiled
def total(row: Row, entry: Entry, slot: int, totals: Totals) -> None:
    """Count everything, late events too."""
    row.seen_bucket = max(row.seen_bucket, entry.bucket)
    for action in range(len(ACTIONS)):
        add_total(totals, slot, action, entry.counts[action] + entry.late[action])


@compiled
def fade(
    row: Row,
    watch: Watch,
    watched: bool,
    entry: Entry,
    bucket_ms: int,
    decision: Any,  # noqa: ANN401 - a record
) -> None:
    """Move all smoothed rates of a row to the end of the bucket."""
    span_ms = _span_ms(row, entry.bucket, bucket_ms)
    if watched:
        keep = kept(span_ms, OWN_HALF_LIFE_MS)
        for signal in range(SIGNALS):
            watch.own_per_hour[signal] = smoothed(
                watch.own_per_hour[signal], decision.people[signal], span_ms, keep
            )
    activity, progress = np.float64(max(decision.views, 0)), max(decision.progress, 0)
    for signal in range(SIGNALS):
        activity += decision.people[signal]
    fade_rates(row, activity, entry.last_ms, span_ms)
    # One power for two: a half-life is a multiple of the other.
    keep_slow = kept(span_ms, forecast.SLOW_HALF_LIFE_MS)
    keep_fast = keep_slow**_FAST_IN_SLOW
    row.pace_fast_per_hour = smoothed(row.pace_fast_per_hour, progress, span_ms, keep_fast)
    row.pace_slow_per_hour = smoothed(row.pace_slow_per_hour, progress, span_ms, keep_slow)
    row.last_bucket = entry.bucket


@compiled
def _span_ms(row: Row, bucket: int, bucket_ms: int) -> int:
    """Return the time a bucket answers for: since the last visit, or the bucket itself at first.

    Counters arrive pre-counted for hours at a time, so an event's own bucket says little about
    when it happened; the silence before it belongs to the same observation.
    """
    span_ms = bucket_ms
    if row.last_bucket != NEVER:
        span_ms = max(bucket - row.last_bucket, 1) * bucket_ms
    return span_ms


@compiled
def sum_signals(entry: Entry, decision: Any) -> None:  # noqa: ANN401 - a record
    """Sum a bucket's actions by signal, less what was taken back in it."""
    for signal in range(SIGNALS):
        decision.acted[signal] = 0
    for action in range(len(ACTIONS)):
        signal = SIGNAL_OF_ACTION[action]
        if signal >= 0:
            decision.acted[signal] += entry.counts[action]


@compiled
def is_worth_watching(row: Row, entry: Entry, decision: Any) -> bool:  # noqa: ANN401 - a record
    """Tell whether with this entry a video has enough events for evidence to be gathered."""
    for signal in range(SIGNALS):
        if row.acted[signal] + decision.acted[signal] >= WATCH_ACTED:
            return True
    worth: bool = row.views + entry.counts[_VIEW] >= CROWD
    return worth


@compiled
def begin_watch(watch: Watch, row: Row, visit: int) -> None:
    """Begin the second record of a row in a visit, with what had acted before, in place."""
    for signal in range(SIGNALS):
        watch.uncounted[signal] = row.acted[signal]
    watch.known_actors_acted[:] = 0.0
    watch.own_per_hour[:] = 0.0
    watch.people[:] = 0
    for signal in range(SIGNALS):
        begin(watch.bursts[signal])
    forget_acts(watch.recent_acts[0])
    forget_evidence(watch)
    begin_test(watch, visit)


@compiled
def _count(
    row: Row,
    entry: Entry,
    level_action: int,
    decision: Any,  # noqa: ANN401 - a record
) -> None:
    """Count what the bucket brought, in place.

    What takes back more than came in the bucket lowers what came before; nothing is ever below 0.
    """
    if row.first_ms == NEVER:
        row.first_ms = entry.first_ms
    if row.publish_ms == NEVER and entry.publish_ms != NEVER_PUBLISHED:
        row.publish_ms = entry.publish_ms
    decision.views = max(entry.counts[_VIEW], -row.views)
    decision.progress = max(entry.counts[level_action], -row.progress)
    row.last_ms = max(row.last_ms, entry.last_ms)
    for signal in range(SIGNALS):
        decision.acted[signal] = max(decision.acted[signal], -row.acted[signal])
        row.acted[signal] += decision.acted[signal]
    row.views += decision.views
    row.progress += decision.progress
    if entry.removed_by:
        row.deleted = entry.removed_by == _DELETE


@compiled
def visit(
    row: Row,
    watch: Watch,
    watched: bool,
    entry: Entry,
    people: Records,
    lengths: Lengths,
    ratios: Ratios,
    pushes: Pushes,
    decision: Any,  # noqa: ANN401 - a record
) -> None:
    """Count a bucket: in its row, the visit and the sums of the epoch, and its people; in place.

    People count, not clicks: where actors are known, a signal is worth the number of different
    people in the bucket, discounted by how few people stood behind the video's earlier events;
    forty accounts that like a thousand times are not a thousand. Suspects of a push are nobody.
    """
    bucket_ms, epoch_ms, visit_ms, _, level_action = lengths
    before_ms = row.last_ms
    _count(row, entry, level_action, decision)
    span_ms = _span_ms(row, entry.bucket, bucket_ms)
    start_ms = entry.bucket * bucket_ms
    epoch, visit = start_ms // epoch_ms, start_ms // visit_ms
    if watched and (row.visit != visit or row.epoch != epoch):
        end_visit(row, watch, epoch, (bucket_ms, epoch_ms, visit_ms), ratios)
    if row.epoch != epoch:
        _begin_epoch(row, epoch)
    if row.visit != visit:
        row.visit = visit
        row.visit_views = row.visit_hours = row.visit_identified = 0.0
        row.visit_people[:] = 0.0
        row.epoch_visits += 1
        if watched:
            begin_visit(watch)
    left_out = pushes[2][0]
    if watched:
        _meet(watch, entry, people, pushes, start_ms)
    # What was taken back lowers totals; what people do now is never below nothing.
    views, hours = np.float64(max(decision.views, 0)), span_ms / HOUR_MS
    before_views, before_hours = row.visit_views, row.visit_hours
    row.visit_views += views
    row.visit_hours += hours
    row.visit_identified += max(decision.acted[_LIKED], 0)
    row.epoch_exposed += views
    row.epoch_span += hours
    row.epoch_span_squared += row.visit_hours**2 - before_hours**2
    for signal in range(SIGNALS):
        acted = np.float64(max(decision.acted[signal], 0))
        known = np.float64(entry.known[signal])
        different = np.float64(entry.different[signal])
        if watched and known > 0:
            different -= left_out.people[signal]
            watch.uncounted[signal] += left_out.acts[signal]
            watch.known_actors_acted[signal] += known - left_out.acts[signal]
            everyone = sketches.estimate(watch.people[signal])
            different *= min(everyone / max(watch.known_actors_acted[signal], 1.0), 1.0)
        came = max(acted - known, 0.0) + min(different, acted)
        before = row.visit_people[signal]
        now = before + came
        decision.people[signal] = came
        if now == 0.0:
            continue
        row.visit_people[signal] = now
        row.epoch_acted[signal] += came
        row.epoch_acted_squared[signal] += now**2 - before**2
        row.epoch_acted_squared_per_exposed[signal] += now**2 / max(row.visit_views, now, 1.0) - (
            before**2 / max(before_views, before, 1.0)
        )
        row.epoch_acted_times_span[signal] += now * row.visit_hours - before * before_hours
    follow(row, before_ms, entry.last_ms, decision, bucket_ms)


@compiled
def _meet(watch: Watch, entry: Entry, people: Records, pushes: Pushes, start_ms: int) -> None:
    """Take in who acted, but for suspects, who are counted apart; in place."""
    found, at, left_outs = pushes
    suspects = found[3]
    count = find_suspects(watch.recent_acts[0], found, at, start_ms)
    left_out = left_outs[0]
    leave_out_acts(found, at, count, left_out)
    person = entry.person
    while person >= 0:
        one = people[person]
        if is_suspect(suspects, count, one.actor):
            left_out.people[one.signal] += 1
        else:
            sketches.add(watch.people[one.signal], one.actor)
        person = one.next


@compiled
def _begin_epoch(row: Row, epoch: int) -> None:
    row.epoch = epoch
    row.visit = NEVER
    row.epoch_visits = row.epoch_exposed = row.epoch_span = row.epoch_span_squared = 0.0
    row.epoch_acted[:] = 0.0
    row.epoch_acted_squared[:] = 0.0
    row.epoch_acted_squared_per_exposed[:] = 0.0
    row.epoch_acted_times_span[:] = 0.0


@compiled
def bands(row: Row, entry: Entry) -> tuple[int, int]:
    """Return the bands of age and reach (cohorts.age_band, cohorts.reach_band) of a row."""
    born_ms = row.first_ms if row.publish_ms == NEVER else row.publish_ms
    age = reach = 0
    for limit_ms in _AGE_BANDS_MS:
        age += entry.last_ms - born_ms >= limit_ms
    for limit in REACH_BANDS:
        reach += row.views >= limit
    return age, reach
