"""The Java library by JMH (bench/java), each figure beside its limit: bench_java.py VINEYARDD [SECONDS]

Builds the jar (java/) and the benchmark where that was not done yet. SECONDS: of each of the five measurements, 1 by
default; 1 given: one measurement without a warm-up, to see that it runs.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from vineyard.deploy.local import start_vineyardd

ROOT = pathlib.Path(__file__).resolve().parents[2]


def maven(pom: str, *words: str, environment: "dict[str, str] | None" = None) -> None:
    command = ["mvn", "-q", "-B", "-f", str(ROOT / pom / "pom.xml"), *words]
    subprocess.run(command, stdout=sys.stderr, env=environment, check=True)


def measure(brief: bool) -> "dict[str, float]":
    """Nanoseconds by name of the benchmark's method."""
    with tempfile.TemporaryDirectory(prefix="vy-bench-") as folder:
        result = pathlib.Path(folder) / "result.json"
        with start_vineyardd(size="2Gi", meta="local") as (_, socket):
            how = "-wi 0 -i 1 -r 100ms" if brief else ""
            maven(
                "bench/java", "exec:exec",
                f"-Dexec.args=-classpath %classpath org.openjdk.jmh.Main -rf json -rff {result} {how}",
                environment=dict(os.environ, VINEYARD_IPC_SOCKET=socket),
            )  # fmt: skip
        runs = json.loads(result.read_text())
    return {run["benchmark"].rsplit(".", 1)[1]: run["primaryMetric"]["score"] for run in runs}


def report(name: str, value: float, unit: str, limit: float, limit_name: str) -> None:
    print(json.dumps(
        {"name": f"java: {name}", "value": value, "unit": unit, "limit": limit, "limit_name": limit_name,
         "ratio": value / limit}
    ), flush=True)  # fmt: skip


def main() -> None:
    if shutil.which("mvn") is None:
        sys.exit("bench_java.py: mvn is missing (make deps installs it)")
    maven("java", "package", "-DskipTests")
    maven("bench/java", "compile")
    took = measure(brief=len(sys.argv) > 2)
    report("get of an array and release", took["getArrayUnread"] / 1e3, "us", 1, "target")
    report("get of an array, its first element, release", took["getArray"] / 1e3, "us", 1, "target")
    report("get of a blob and release", took["getBlob"] / 1e3, "us", 1, "target")
    report("put of 1 KiB", took["put"] / 1e3, "us", 2 * took["bareRoundTrip"] / 1e3, "2 x bare round trip")
    report("put of 1 KiB, direct", took["putDirect"] / 1e3, "us", 2 * took["bareRoundTrip"] / 1e3, "2 x bare round trip")
    size = 64 / 1024
    report("scan of 64 MiB in place", size / (took["scanView"] / 1e9), "GiB/s", size / (took["scanPlain"] / 1e9), "double[]")


if __name__ == "__main__":
    main()
