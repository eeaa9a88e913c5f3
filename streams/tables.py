"""Faust tables whose rows live in columns: Faust recovers them, the steps hold them.

A table never assigns keys: rows are written behind, once per checkpoint, in the transaction of
their partition (streams/stateful.py). What is overridden of `faust.Table` (faust/tables/base.py):

- `persisted_offset`: none, recovery always begins at the beginning; nothing is kept on disk.
- `on_rebalance`: forgets how far an earlier recovery had come, for the steps begin empty.
- `on_changelog_event`: sees to it that no chunk is missing. Faust clears the changelog's queue
  when its flow resumes.
- `apply_changelog_batch`: loads the steps. Faust only logs what goes wrong here; we end the worker.
- `on_recovery_completed`: checks that recovery is complete before anything is processed.

And of `faust.tables.TableManager` (faust/tables/manager.py): `on_start`, without its wait of one
second for tables that might yet be added; ours are all there.
"""

from collections.abc import Iterable
from typing import Any, Final

import faust
from faust.tables.manager import TableManager

from streams.ending import ending_worker
from streams.stateful import StatefulPartitions, end_unrecovered

RECOVERY_BUFFER_CHUNKS: Final = 8
"""Chunks of the changelog that Faust collects before it hands them over: enough to amortise the
call, few enough to be at most 8 MB. Not 1: Faust then keeps reading the changelog for good
(faust/tables/recovery.py, `recovery_buffer_size == 1`)."""


class ChunkSchema(faust.Schema):  # type: ignore[misc] # Faust is read as untyped
    """Leaves the chunk of a message as it is; there is no key."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> None:  # noqa: ANN401 - Faust's types
        """Return nothing: a chunk has many keys."""

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:  # noqa: ANN401 - Faust's types
        """Return the chunk."""
        del app
        return message.value


class PromptTableManager(TableManager):  # type: ignore[misc] # Faust is read as untyped
    """Begins at once."""

    async def on_start(self) -> None:
        """Register the tables and begin to wait for partitions to recover."""
        if not self.should_stop:
            await self._update_channels()
            await self.recovery.start()


class ChangelogTable(faust.Table):  # type: ignore[misc] # Faust is read as untyped
    """The table of one stateful agent."""

    host: StatefulPartitions

    def persisted_offset(self, tp: Any) -> int | None:  # noqa: ANN401 - Faust's type
        """Return None: nothing is kept on disk."""
        del tp
        return None

    async def on_rebalance(
        self,
        assigned: set[Any],
        revoked: set[Any],
        newly_assigned: set[Any],
        generation_id: int = 0,
    ) -> None:
        """Let the coming recovery begin at the beginning."""
        del assigned, revoked, newly_assigned, generation_id
        offsets = self.app.tables.recovery.active_offsets
        for tp in [tp for tp in offsets if tp.topic == self.host.changelog]:
            del offsets[tp]

    async def on_changelog_event(self, event: Any) -> None:  # noqa: ANN401 - Faust's type
        """Seek back when chunks are missing before this one."""
        tp = event.message.tp
        # Faust hands events of partitions it does not know to whichever table came before.
        if tp.topic != self.host.changelog:
            return
        with ending_worker("recovery"):
            missing = self.host.changelog_gap(tp.partition, event.value)
            if missing is not None:
                self.app.tables.recovery.active_offsets[tp] = missing - 1
                await self.app.consumer.seek(tp, missing)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        """Load chunks."""
        with ending_worker("loading the changelog"):
            for event in batch:
                if event.message.topic == self.host.changelog:
                    self.host.load(event.message.partition, event.value)

    async def on_recovery_completed(self, active_tps: set[Any], standby_tps: set[Any]) -> None:
        """End the worker when the recovery of this assignment is not complete.

        Faust calls this also for a recovery that another rebalance has overtaken.
        """
        del active_tps, standby_tps
        recovery = self.app.tables.recovery
        if recovery._generation_id == self.app.consumer_generation_id:  # noqa: SLF001 - no other way
            end_unrecovered([self.host])
