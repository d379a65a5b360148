"""Where Java and Apache Kafka's jars come from: a cache directory that Maven fills once, from pom.xml beside it."""

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

from agents.brokers.process import ChildProcess, MissingProgramError, ServerError

KAFKA_VERSION: Final = "4.1.1"
JARS_VARIABLE: Final = "SALESPULSE_KAFKA_JARS"
_POM: Final = Path(__file__).with_name("pom.xml")
_MAIN_JAR: Final = f"kafka_2.13-{KAFKA_VERSION}.jar"
_DOWNLOAD_DEADLINE_S: Final = 300.0


def find_java() -> str:
    """Path of the Java runtime: `JAVA_HOME` if set, else the `PATH`.

    Raises:
        MissingProgramError: There is none.
    """
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=str(Path(home, "bin"))) if home else shutil.which("java")
    if found is None:
        where = f"in JAVA_HOME={home}" if home else "on PATH"
        raise MissingProgramError(
            f"Apache Kafka needs Java 17 or later, and there is no java {where}. Install one "
            "(Debian and Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17)."
        )
    return found


async def kafka_jars() -> Path:
    """Directory with Apache Kafka and all it needs; downloads 43 MB the first time.

    `SALESPULSE_KAFKA_JARS` names a directory of one's own; else it is `~/.cache/salespulse/kafka-<version>`.

    Raises:
        MissingProgramError: Maven is needed and not installed.
        ServerError: The directory named has no Kafka of this version, or the download failed.
    """
    place = _place()
    if not _holds_kafka(place):
        if JARS_VARIABLE in os.environ:
            raise ServerError(f"{JARS_VARIABLE}={place} holds no {_MAIN_JAR}. Correct it, or unset it to download.")
        await _download(place)
    return place


def _place() -> Path:
    if JARS_VARIABLE in os.environ:
        return Path(os.environ[JARS_VARIABLE]).absolute()
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return caches.absolute() / "salespulse" / f"kafka-{KAFKA_VERSION}"


def _holds_kafka(place: Path) -> bool:
    return place.joinpath(_MAIN_JAR).is_file()


async def _download(cache: Path) -> None:
    mvn = shutil.which("mvn")
    if mvn is None:
        raise MissingProgramError(
            f"Apache Kafka {KAFKA_VERSION} is downloaded with Maven once, and there is no mvn on PATH. Install it "
            "(Debian and Ubuntu: apt-get install maven; macOS: brew install maven), "
            f"or set {JARS_VARIABLE} to a directory with the jars of agents/brokers/pom.xml."
        )
    cache.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache.parent) as scratch:
        # The pom is copied, since Maven wants to write beside it, and an installed package may be read-only.
        shutil.copy(_POM, scratch)
        jars = Path(scratch, "jars")
        argv = [mvn, "--batch-mode", "--quiet", "dependency:copy-dependencies", f"-DoutputDirectory={jars}"]
        await ChildProcess("The download of Apache Kafka (mvn)", argv, Path(scratch, "mvn.log")).run_to_end(
            _DOWNLOAD_DEADLINE_S
        )
        _move_into_place(jars, cache)


def _move_into_place(jars: Path, cache: Path) -> None:
    # One rename, so that nobody sees a directory half full; who loses a race against another download uses its result.
    try:
        jars.rename(cache)
    except OSError:
        if not _holds_kafka(cache):
            raise
