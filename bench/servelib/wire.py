"""What comes over a connection: the head of an HTTP answer, chunks, server-sent events. Pure: each
decoder takes bytes as they come, cut anywhere, and gives what they complete."""
import re

HEAD_MAX = 64 << 10
HAS_TEXT = re.compile(rb'"(?:text|content|response)": ?"[^"]')


class Malformed(Exception):
    """The other side broke the protocol."""


class Head:
    """feed() gives None until the head is whole, then what came after it; then .status, .headers
    (lower-case names) are known."""

    def __init__(self):
        self.buffer, self.status, self.headers = b"", 0, {}

    def feed(self, data):
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self.buffer) > HEAD_MAX:
                raise Malformed("a head without an end")
            return None
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        words = lines[0].split(" ", 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise Malformed(f"no HTTP answer: {lines[0][:80]!r}")
        self.status = int(words[1])
        for line in lines[1:]:
            name, _, value = line.partition(":")
            self.headers[name.strip().lower()] = value.strip()
        rest, self.buffer = self.buffer[end + 4:], b""
        return rest


class Chunks:
    """The chunked transfer coding; .done after the last chunk."""

    def __init__(self):
        self.buffer, self.left, self.done = b"", 0, False

    def feed(self, data):
        buffer = self.buffer + data if self.buffer else data
        at, out = 0, []
        while not self.done:
            if self.left:                       # of a chunk and the CRLF after it
                piece = buffer[at:at + self.left]
                out.append(piece[:max(0, self.left - 2)])
                self.left -= len(piece)
                at += len(piece)
                if self.left:
                    break
            end = buffer.find(b"\r\n", at)
            if end < 0:
                break
            size = self.size_of(buffer[at:end])
            if size == 0:
                if buffer[end + 2:end + 4] != b"\r\n":   # trailers are not for us
                    if len(buffer) >= end + 4:
                        raise Malformed("trailers after the last chunk")
                    break
                self.done, at = True, end + 4
            else:
                self.left, at = size + 2, end + 2
        self.buffer = buffer[at:]
        return b"".join(out)

    @staticmethod
    def size_of(line):
        try:
            return int(line.split(b";")[0], 16)
        except ValueError:
            raise Malformed(f"no size of a chunk: {line[:40]!r}") from None


class Length:
    """A body of a known length."""

    def __init__(self, left):
        self.left, self.done = left, left == 0

    def feed(self, data):
        self.left -= len(data)
        if self.left < 0:
            raise Malformed("more than its Content-Length")
        self.done = self.left == 0
        return data


class UntilClosed:
    """A body that ends with its connection."""
    done = False

    def feed(self, data):
        return data


def body_of(head):
    """The decoder for the body that a head announces."""
    if head.headers.get("transfer-encoding", "").lower() == "chunked":
        return Chunks()
    if "content-length" in head.headers:
        return Length(int(head.headers["content-length"]))
    return UntilClosed()


class Events:
    """Server-sent events: feed() gives the data of those that are whole. Comments are left out,
    lines may end in CRLF, several data lines of an event are joined."""

    def __init__(self):
        self.buffer, self.lines = b"", []

    def feed(self, data):
        buffer = self.buffer + data if self.buffer else data
        lines = buffer.split(b"\n")
        self.buffer = lines.pop()
        found = []
        for line in lines:
            line = line.rstrip(b"\r")
            if line.startswith(b"data:"):
                self.lines.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and self.lines:
                found.append(self.lines[0] if len(self.lines) == 1 else b"\n".join(self.lines))
                self.lines = []
        return found


class Lines:
    """One JSON object a line, as Ollama streams."""

    def __init__(self):
        self.buffer = b""

    def feed(self, data):
        lines = (self.buffer + data).split(b"\n")
        self.buffer = lines.pop()
        return [line for line in lines if line]


def has_text(event):
    """Whether an event of a completion or a chat, in either dialect, brings text."""
    return HAS_TEXT.search(event) is not None


def request_bytes(method, path, body=b"", headers=()):
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", "Connection: close"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body
