"""Work ahead: an iterator runs in a thread of its own while what it gave before is being worked on.

Pays where libraries let others run (decoders, detectors, networks). Order is kept, little is held, errors come across
as they were raised, and no thread outlives its loop.
"""

import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_MOST_BYTES = 25 * 2**20  # of frames that wait between two stages: four of 1080p, one of 4K
_MOST_FRAMES = 4


def frames_that_fit(width: int, height: int) -> int:
    """How many frames of this size in px may be held at once between two stages."""
    return max(1, min(_MOST_FRAMES, _MOST_BYTES // (width * height * 3)))


def frames_ahead(width: int, height: int) -> int:
    """How many frames of this size in px may wait between two stages; 0, no thread, where there is one core only."""
    return frames_that_fit(width, height) if len(os.sched_getaffinity(0)) > 1 else 0


@contextmanager
def ahead(items: Iterable[T], depth: int) -> Iterator[Iterator[T]]:
    """The items in their order, made in a thread of its own, at most `depth` waiting; 0: made when asked for.

    What the iterator raises is raised where its item was due: the same exception, its traceback kept. However the
    block is left, the iterator was closed by whoever ran it and the thread has ended: it finishes the item that it is
    at, and begins no other.
    """
    source = _generator(items)
    if not depth:
        with closing(source):
            yield source
        return
    work = _Ahead(source, depth)
    try:
        work.start()
        yield work.taken()
    finally:
        work.stop()


def mapped(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """`function` of every item; unlike `map` it closes what it reads from when it is closed itself."""
    with closing(_generator(items)) as source:
        for item in source:
            yield function(item)


def _generator(items: Iterable[T]) -> Generator[T, None, None]:
    """The items; closing it closes the iterator below, too."""
    source = iter(items)
    try:
        yield from source
    finally:
        close = getattr(source, "close", None)
        if close is not None:
            close()


class _Ahead(Generic[T]):
    """The thread and what it shares with the loop: a queue of what was made, another of the room that is left.

    `SimpleQueue` takes or leaves an item whole, also when a signal's handler raises in the middle of waiting; a
    condition or a bounded queue may be left locked.
    """

    def __init__(self, source: Generator[T, None, None], depth: int) -> None:
        self._source = source
        self._made: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
        self._room: SimpleQueue[None] = SimpleQueue()
        for _ in range(depth):
            self._room.put(None)
        self._end: SimpleQueue[None] = SimpleQueue()
        self._stopped = self._ended = False
        # a daemon, so that the interpreter can end even if a library in it hangs after a second signal
        self._thread = threading.Thread(target=self._run, name="ahead", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def taken(self) -> Iterator[T]:
        while True:
            made = self._made.get()
            if made is None:
                return
            if isinstance(made, BaseException):
                raise made
            self._room.put(None)
            yield made[0]
            del made  # or this frame would be held until the next one was made

    def stop(self) -> None:
        """Ends the thread after the item it is at, and waits for that, whatever signals come meanwhile.

        A thread that worked on could use what its loop closes, and fill what the vault has wiped.
        """
        held: BaseException | None = None
        while self._thread.ident is not None:  # not where a signal came before it was started
            try:
                self._stopped = True
                self._room.put(None)
                while not self._ended:  # Python's own `join` takes a thread for ended when a signal interrupts it
                    with suppress(Empty):
                        self._end.get(timeout=1)
                self._thread.join()
                break
            except BaseException as signalled:
                held = held or signalled
        if held is not None:
            raise held

    def _run(self) -> None:
        ended: BaseException | None = None
        try:
            with closing(self._source):
                self._room.get()
                for item in self._source:
                    if self._stopped:
                        break
                    self._made.put((item,))
                    del item
                    self._room.get()
                    if self._stopped:
                        break
        except BaseException as error:  # also what would end a thread without a word: the loop has to know
            ended = error
        self._made.put(ended)
        self._ended = True
        self._end.put(None)
