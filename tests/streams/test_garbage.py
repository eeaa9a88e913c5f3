"""What stays is set aside, and what becomes garbage afterwards is found."""

import subprocess
import sys

PROGRAM = """
import gc, weakref
from streams.garbage import OBJECTS_BETWEEN_SEARCHES, put_off_searches, set_aside_what_stays

class Ring:
    def __init__(self):
        self.me = self

put_off_searches()
assert not gc.isenabled()
before = weakref.ref(Ring())
stays = Ring()
set_aside_what_stays()
assert before() is None, "garbage of the start was set aside"
assert gc.get_freeze_count() > 0 and not any(one is stays for one in gc.get_objects())
after = weakref.ref(Ring())
kept = [[] for _ in range(2 * OBJECTS_BETWEEN_SEARCHES)]
assert after() is None, "nothing was searched any more"
"""


def test_what_stays_is_set_aside_and_new_garbage_is_found() -> None:
    """In a process of its own: the collector is one for all."""
    subprocess.run([sys.executable, "-c", PROGRAM], check=True)
