"""Interruptions at every point where the interpreter looks for signals, one after another."""

from __future__ import annotations

import ctypes
import dis
import signal
import sys
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import llmfast

PACKAGE = str(Path(llmfast.__file__).parent)

#: Where the interpreter looks for signals: as a call returns, as a function begins, as a loop goes on.
_LOOKS = ("CALL", "JUMP_BACKWARD", "RESUME")

# Called by the interpreter as a function that traces; in Python's own code the signal would be met before it is traced.
_interrupt = ctypes.pythonapi.PyErr_SetInterrupt
_interrupt.argtypes, _interrupt.restype = [ctypes.py_object] * 3, None


class Interruption:
    """A signal that comes at the `nth` point in the code of `files`, whose handler raises `error`."""

    def __init__(self, nth, error, files):
        self.nth, self.error = nth, error
        self.files = {str(Path(PACKAGE, name)) for name in files}
        self.seen = 0
        #: Whether there were so many points, and whether the handler ran.
        self.came = self.was_raised = False

    @contextmanager
    def around(self):
        """Have it come while this block runs."""
        tracer, handler = sys.gettrace(), signal.signal(signal.SIGINT, self._handle)
        try:
            sys.settrace(self._begin)
            yield
        finally:
            # Met here if it came last of all.
            try:
                sys.settrace(tracer)
            finally:
                signal.signal(signal.SIGINT, handler)

    def _handle(self, *_):
        sys.settrace(None)
        self.was_raised = True
        raise self.error

    def _begin(self, frame, event, argument):
        if self.came or frame.f_code.co_filename not in self.files:
            return None
        frame.f_trace_opcodes, frame.f_trace_lines, looks = True, False, _looks(frame.f_code)

        def step(frame, event, argument):
            if event == "opcode" and frame.f_lasti in looks and not self.came:
                self.seen += 1
                if self.seen == self.nth:
                    self.came = True
                    # Nothing in Python traces from now on: the signal would be met there, where no other would be.
                    caller = frame.f_back
                    while caller is not None:
                        caller.f_trace = None
                        caller = caller.f_back
                    return _interrupt
            return step

        return step


@cache
def _looks(code):
    return {each.offset for each in dis.get_instructions(code) if each.opname.startswith(_LOOKS)}


def each_interruption(error, *files, step=1):
    """Yield an interruption at each point of what runs `around` them, until there was one that it did not get to."""
    nth = 1
    while True:
        interruption = Interruption(nth, error, files)
        yield interruption
        if not interruption.came:
            return
        nth += step
