"""Source packages of other projects, for the comparisons: fetched by name, never kept here."""
import pathlib
import subprocess
import sys
import tarfile

FOLDER = pathlib.Path(__file__).resolve().parents[3] / "build" / "sources"


def source_package(name, version):
    """The folder of an unpacked source package, or None where it cannot be had."""
    stem = f"{name.replace('-', '_')}-{version}"
    folder = FOLDER / stem
    if folder.is_dir():
        return folder
    FOLDER.mkdir(parents=True, exist_ok=True)
    done = subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                           "--no-binary", name, "--dest", str(FOLDER), f"{name}=={version}"],
                          capture_output=True, text=True)
    archive = FOLDER / f"{stem}.tar.gz"
    if not archive.is_file():
        print(f"{name} {version} could not be fetched: {done.stderr.strip()[-300:]}")
        return None
    with tarfile.open(archive) as tar:
        tar.extractall(FOLDER, filter="data")
    return folder if folder.is_dir() else None


def llama_cpp():
    """llama.cpp as llama-cpp-python's source package carries it."""
    folder = source_package("llama-cpp-python", "0.3.36")
    return folder / "vendor" / "llama.cpp" if folder else None
