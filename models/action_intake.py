"""The step of `guidance`: actions that people took in, checked; `video-stages` out.

`hotspots` decides in the order of one log, `video-stages`; an action gets its place in it here,
once and for all. Everything after that is a function of that log.
"""

from collections import Counter
from typing import Final

from models.events import DecodingLimits, RejectedEventError, RejectReason
from models.guidance_actions import GUIDANCE_ACTIONS, encode_action, validate_action
from models.stages import VIDEO_STAGES
from models.steps import Chunk, Cut, Output

REJECTED: Final = "engagement-rejected"
"""Logical name of the topic that takes what is refused."""


class ActionIntakeStep:
    """The step of the one partition of `guidance-actions`; a models.steps.PartitionStep.

    It keeps nothing: who tells an action twice is found out by `hotspots`.

    Args:
        partition: The partition.
        limits: Bounds within which an action is accepted.
    """

    def __init__(self, partition: int, limits: DecodingLimits) -> None:
        self.partition = partition
        self._accepted = 0
        self._rejects: Counter[RejectReason] = Counter()
        self._limits = limits
        self._outputs: list[Output] = []

    @property
    def held(self) -> bool:
        """It waits for nobody."""
        return False

    @property
    def awaited(self) -> bool:
        """Whether there are actions to be told."""
        return bool(self._outputs)

    @property
    def urgent(self) -> bool:
        """Nobody stands still for want of an action."""
        return False

    def load(self, key: bytes, value: bytes | None) -> None:
        """Refuse: it keeps nothing that could be loaded.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f"unknown key {key!r} with {len(value or b'')} bytes")

    def recovered(self) -> None:
        """There is nothing to recover."""

    def process(self, chunk: Chunk) -> None:
        """Check each message; tell it, or refuse it with the reason."""
        columns = (chunk.offsets, chunk.values, chunk.append_ms)
        for offset, value, append_ms in zip(*columns, strict=True):
            try:
                action = validate_action(
                    value, latest_ms=append_ms + self._limits.max_ahead_ms, limits=self._limits
                )
            except RejectedEventError as error:
                self._reject(offset, value, error)
                continue
            self._accepted += 1
            self._outputs.append(Output(VIDEO_STAGES, 0, None, encode_action(action)))

    def _reject(self, offset: int, value: bytes | None, error: RejectedEventError) -> None:
        self._rejects[error.reason] += 1
        headers = (
            ("reason", error.reason.value.encode()),
            ("detail", error.detail.encode(errors="replace")),
            ("source_topic", GUIDANCE_ACTIONS.encode()),
            ("source_partition", str(self.partition).encode()),
            ("source_offset", str(offset).encode()),
        )
        key = f"{GUIDANCE_ACTIONS}:{self.partition}:{offset}".encode()
        self._outputs.append(Output(REJECTED, 0, key, value, headers))

    def take_counts(self) -> tuple[int, Counter[RejectReason]]:
        """Return how many were accepted since the last call, and refused, by reason."""
        counts = self._accepted, self._rejects
        self._accepted, self._rejects = 0, Counter()
        return counts

    def learn(self, key: bytes, value: bytes | None) -> None:
        """Ignore what was learned: nothing is decided here."""

    def cut(self) -> Cut:
        """Return the outputs made since the last cut."""
        outputs, self._outputs = self._outputs, []
        return Cut([], outputs)
