"""What the machine tells of a process: memory, of the kernel's sockets too; and wrk."""
import dataclasses
import os
import pathlib
import re
import shutil
import subprocess


@dataclasses.dataclass(frozen=True)
class Memory:
    anonymous: int  # bytes of the process that are in no file
    sockets: int    # of the kernel, for all TCP sockets of the machine

    @property
    def all(self):
        return self.anonymous + self.sockets


def memory(pid):
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    found = {k: int(v) * 1024 for k, v in re.findall(r"^(\w+): +(\d+) kB", text, re.MULTILINE)}
    return Memory(found["Pss_Anon"], socket_bytes())


def resident(pid):
    """The size that tools show: pages of files, which others may share, among them."""
    text = pathlib.Path(f"/proc/{pid}/statm").read_text()
    return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")


def socket_bytes():
    text = pathlib.Path("/proc/net/sockstat").read_text()
    found = re.search(r"^TCP:.* mem (\d+)", text, re.MULTILINE)
    return int(found[1]) * os.sysconf("SC_PAGE_SIZE") if found else 0


def wrk(url, seconds, connections=64):
    """Requests a second as wrk counts them, or None where it is not installed."""
    if not shutil.which("wrk"):
        return None
    done = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", url],
                          capture_output=True, text=True)
    found = re.search(r"Requests/sec: +([\d.]+)", done.stdout)
    return float(found[1]) if found and "Non-2xx" not in done.stdout else None
