"""A client for many requests at once, in one thread: it shares the machine with the server that it
measures, so what it does for a token is a few operations.

    loop = Loop()
    loop.start(Call(port, wire.request_bytes(...), on_end=...))
    loop.run(seconds=60)

Times are those of time.monotonic(). Linux only (epoll).
"""
import heapq
import itertools
import json
import select
import socket
import struct
import time

from . import wire

BUFFER = 16 << 10


class Stuck(Exception):
    """Nothing ended in the time that was given."""


class Call:
    """One request on a connection of its own, and what came of it.

    sent       when it began to connect
    first      when the first text came, else None
    arrivals   when text came: one time for each read, however many events it held
    pieces     events with text
    ended      when the answer was whole, or what went wrong was known
    problem    why there is no whole answer, else ""
    `on_text(call)` runs after each arrival; `gone` is set when this side broke it off.
    """
    pace = 0  # bytes a second; 0: as fast as they come

    def __init__(self, port, payload, on_end=None, on_text=None, tag=None):
        self.port, self.payload, self.tag = port, payload, tag
        self.on_end, self.on_text = on_end, on_text
        self.sent = self.first = self.ended = self.head_at = None
        self.arrivals, self.pieces, self.problem, self.gone = [], 0, "", False
        self.head, self.body, self.events, self.kept = wire.Head(), None, None, []
        self.usage_event, self.error_event, self.done_event = b"", b"", False
        self.socket, self.loop, self.received = None, None, 0

    # ---- what is asked of it afterwards

    @property
    def status(self):
        return self.head.status

    @property
    def ok(self):
        return self.status == 200 and not self.problem and not self.gone and not self.error_event

    def text(self):
        return b"".join(self.kept).decode("utf-8", "replace")

    def json(self):
        return json.loads(b"".join(self.kept) or b"null")

    def usage(self):
        """Of the stream's last chunk or of the whole answer; {} where it was not told."""
        if self.usage_event:
            return json.loads(self.usage_event).get("usage") or {}
        if self.kept and self.status == 200:
            return self.json().get("usage") or {}
        return {}

    def told(self):
        """Why it is not ok, as a sentence."""
        said = self.error_event or b"".join(self.kept)
        return self.problem or f"{self.status} {said[:200].decode('utf-8', 'replace')}"

    # ---- what the loop does with it

    def open(self, loop):
        self.loop, self.sent = loop, time.monotonic()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.configure(self.socket)
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", self.port))
        return self.socket.fileno()

    def configure(self, sock):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def writable(self):
        """True once all is sent."""
        try:
            count = self.socket.send(self.payload)
        except BlockingIOError:
            return False
        except OSError as error:
            return self.finish(f"could not send: {error}")
        self.payload = self.payload[count:]
        return not self.payload

    def readable(self, size=BUFFER):
        """Reads once; True when the call has ended."""
        try:
            data = self.socket.recv(size)
        except BlockingIOError:
            return False
        except OSError as error:
            return self.finish(f"reset: {error}")
        self.received += len(data)
        try:
            if not data:
                whole = self.body is not None and isinstance(self.body, wire.UntilClosed)
                return self.finish("" if whole else "the connection closed before its end")
            self.take(data)
        except wire.Malformed as error:
            return self.finish(str(error))
        return self.body is not None and self.body.done and self.finish("")

    def take(self, data):
        now = time.monotonic()
        if self.body is None:
            data = self.head.feed(data)
            if data is None:
                return
            self.head_at = now
            self.body = wire.body_of(self.head)
            kind = self.head.headers.get("content-type", "")
            self.events = wire.Events() if "event-stream" in kind else (
                wire.Lines() if "ndjson" in kind else None)
        data = self.body.feed(data)
        if self.events is None:
            self.kept.append(data)
        elif data:
            self.take_events(self.events.feed(data), now)

    def take_events(self, events, now):
        before = self.pieces
        for event in events:
            if wire.has_text(event):
                self.pieces += 1
            if b'"usage":{' in event:
                self.usage_event = event
            elif event.startswith(b'{"error"'):
                self.error_event = event
            elif event == b"[DONE]" or b'"done":true' in event:
                self.done_event = True
        if self.pieces > before:
            self.arrivals.append(now)
            if self.first is None:
                self.first = now
            if self.on_text:
                self.on_text(self)

    def finish(self, problem):
        if self.ended is None:
            self.ended = time.monotonic()
            if not problem and self.events is not None and self.status == 200 and \
                    not self.done_event:
                problem = "the stream ended without its last event"
            self.problem = problem
            self.close()
        return True

    def close(self):
        if self.socket is not None:
            self.loop.forget(self)
            self.socket.close()
            self.socket = None

    def abandon(self, reset=False):
        """This side goes away, with a reset or in order."""
        if self.ended is None:
            self.gone, self.ended = True, time.monotonic()
            if reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                       struct.pack("ii", 1, 0))
            self.close()
            if self.on_end:
                self.on_end(self)


class Drain(Call):
    """Reads as fast as it can and looks at nothing but the end."""

    def take(self, data):
        if self.body is None:
            super().take(data)
        elif self.body.feed(data) and self.first is None:
            self.first = time.monotonic()

    def finish(self, problem):
        self.done_event = True
        return super().finish(problem)


class Slow(Drain):
    """Reads `pace` bytes a second, with a small receive buffer."""

    def __init__(self, port, payload, pace, buffer, on_end=None, tag=None):
        super().__init__(port, payload, on_end, tag=tag)
        self.pace, self.buffer = pace, buffer

    def configure(self, sock):
        super().configure(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.buffer)


class Loop:
    """Runs calls and timers until there are none."""

    def __init__(self):
        self.poll = select.epoll()
        self.calls, self.timers, self.order = {}, [], itertools.count()
        self.open_calls = 0

    def start(self, call):
        number = call.open(self)
        self.calls[number] = call
        self.open_calls += 1
        self.poll.register(number, select.EPOLLOUT)
        return call

    def after(self, seconds, action):
        when = time.monotonic() + seconds
        heapq.heappush(self.timers, (when, next(self.order), action))

    def forget(self, call):
        number = call.socket.fileno()
        if self.calls.pop(number, None) is not None:
            self.open_calls -= 1
            if not call.pace or call.payload:
                self.poll.unregister(number)

    def run(self, seconds=600, until=None):
        """Until nothing is left to do, or until() is true; Stuck after `seconds`."""
        deadline = time.monotonic() + seconds
        while (self.calls or self.timers) and not (until and until()):
            now = time.monotonic()
            if now > deadline:
                raise Stuck(f"{self.open_calls} requests did not end within {seconds} s")
            while self.timers and self.timers[0][0] <= now:
                heapq.heappop(self.timers)[2]()
            wait = min([deadline] + [t[0] for t in self.timers[:1]]) - now
            for number, event in self.poll.poll(max(0.0, min(wait, 1.0))):
                call = self.calls.get(number)
                if call is not None:
                    self.turn(number, call, event)

    def turn(self, number, call, event):
        if call.payload:
            if not call.writable():
                return
            if call.ended is None:
                if call.pace:
                    self.poll.unregister(number)
                    self.after(number % 10 / 10, lambda: self.sip(call))
                else:
                    self.poll.modify(number, select.EPOLLIN)
                return
        elif not event & ~select.EPOLLOUT or not call.readable():
            return
        if call.on_end:
            call.on_end(call)

    def sip(self, call):
        """One second's bytes of a slow reader."""
        if call.ended is None:
            if call.readable(call.pace):
                if call.on_end:
                    call.on_end(call)
            else:
                self.after(1.0, lambda: self.sip(call))

    def close(self):
        for call in list(self.calls.values()):
            call.on_end = None
            call.abandon()
        self.timers.clear()
        self.poll.close()


def closed_loop(loop, make, streams, count, seconds=600):
    """`count` requests, `streams` of them at a time: make(i, on_end) gives a Call. All of them, in
    the order in which they began."""
    calls, ended = [], [0]

    def next_one(before=None):
        ended[0] += before is not None
        if len(calls) < count:
            call = make(len(calls), next_one)
            calls.append(call)
            loop.start(call)

    for _ in range(min(streams, count)):
        next_one()
    loop.run(seconds, until=lambda: ended[0] == count)
    return calls


def open_loop(loop, make, rate, seconds, rng):
    """Requests at random times, `rate` a second on average, however the server does. Gives the
    list into which they go while loop.run() runs."""
    calls, at = [], 0.0
    while True:
        at += rng.expovariate(rate)
        if at >= seconds:
            return calls

        def begin():
            call = make(len(calls), None)
            calls.append(call)
            loop.start(call)
        loop.after(at, begin)
