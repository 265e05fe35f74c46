"""The probe as MultiFlexi runs it: a process with an environment, an exit code, output and a report."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from integrations.probe import VERSION
from tests.integrations.probe.conftest import probe_environment
from tests.integrations.probe.sntp_server import SntpServer, answer
from tests.integrations.probe.tls_servers import closed_port, dripping, silent

ALWAYS_OK = {"PROBE_CHECKS": "disk", "PROBE_DISK_WARNING_PERCENT": "100", "PROBE_DISK_FAILURE_PERCENT": "100"}
STATES = {0: "OK", 1: "WARNING", 255: "FAILURE"}
STATUSES = {0: "success", 1: "warning", 255: "error"}


def report_of(tmp_path, name="report.json"):
    return json.loads((tmp_path / name).read_text("utf-8"))


def bounds(prefix, unit, warning, failure):
    return {f"{prefix}_WARNING_{unit}": str(warning), f"{prefix}_FAILURE_{unit}": str(failure)}


@pytest.mark.parametrize(
    ("check", "prefix", "unit", "most"),
    [
        ("disk", "PROBE_DISK", "PERCENT", 100),
        ("inodes", "PROBE_INODES", "PERCENT", 100),
        ("memory", "PROBE_MEMORY", "PERCENT", 100),
        ("load", "PROBE_LOAD", "PER_CORE", 1000),
    ],
)
@pytest.mark.parametrize("code", [0, 1, 255])
def test_thresholds_decide_state_exit_code_and_report(
    probe, tmp_path, reference_schema, check, prefix, unit, most, code
):
    thresholds = {
        0: bounds(prefix, unit, most, most),
        1: bounds(prefix, unit, 0, most),
        255: bounds(prefix, unit, 0, 0),
    }[code]
    done = probe(PROBE_CHECKS=check, PROBE_DISK_PATHS="/", RESULT_FILE="report.json", **thresholds)
    if "SKIPPED" in done.stdout:
        pytest.skip("the file system of / does not count inodes")
    assert done.returncode == code, done.stdout
    assert done.stderr == ""
    heading, line, closing = done.stdout.splitlines()
    assert heading.startswith(f"multiflexi-probe {VERSION} on ")
    assert re.match(rf"{STATES[code]} +{check} ", line)
    assert "warning" in line
    assert closing.startswith(f"{STATES[code]}: checks 1, ")
    report = report_of(tmp_path)
    jsonschema.Draft7Validator(
        reference_schema("report"), format_checker=jsonschema.Draft7Validator.FORMAT_CHECKER
    ).validate(report)
    assert report["status"] == STATUSES[code]
    assert report["metrics"][f"checks.{STATES[code].lower()}"] == 1


def test_the_defaults_check_the_whole_host(probe, tmp_path):
    done = probe(RESULT_FILE="report.json")
    assert done.returncode in STATES
    checks = [line.split()[1] for line in done.stdout.splitlines()[1:-1]]
    assert {"disk", "inodes", "memory", "swap", "load", "time"} <= set(checks)
    assert not {"service", "process", "certificate"} & set(checks)
    report = report_of(tmp_path)
    assert report["producer"] == "multiflexi-probe"
    assert report["artifacts"] == {"report": ["report.json"]}
    assert datetime.fromisoformat(report["timestamp"]).tzinfo is not None
    assert {"disk./.used_percent", "memory.available_bytes", "load.5m_per_core"} <= set(report["metrics"])
    assert all(isinstance(figure, int | float) for figure in report["metrics"].values())


def test_columns_are_aligned(probe):
    lines = probe(PROBE_CHECKS="disk,memory,load", PROBE_DISK_PATHS="/").stdout.splitlines()[1:-1]
    assert len({line.index("warning") for line in lines}) == 1


def test_without_a_result_file_no_file_is_written(probe, tmp_path):
    assert probe(**ALWAYS_OK).returncode == 0
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_is_not_there_is_a_failure(probe, tmp_path):
    done = probe(PROBE_CHECKS="disk", PROBE_DISK_PATHS=f"/,{tmp_path}/nowhere")
    assert done.returncode == 255
    assert f"{tmp_path}/nowhere" in done.stdout
    assert "cannot be read: No such file or directory" in done.stdout


@pytest.mark.parametrize(
    ("rule", "code", "expected"),
    [("", 0, "at least 1"), (":1-1", 0, "1 to 1"), (":0-0", 1, "0 to 0"), (":2", 255, "at least 2")],
)
def test_processes(probe, tmp_path, rule, code, expected):
    script = tmp_path / f"a-process-of-test-{os.getpid()}"
    script.write_text("#!/bin/sh\nread line\n")
    script.chmod(0o755)
    process = subprocess.Popen([script], stdin=subprocess.PIPE)
    try:
        done = probe(PROBE_PROCESSES=script.name + rule, PROBE_CHECKS="processes", RESULT_FILE="report.json")
    finally:
        process.communicate(b"\n", timeout=10)
    assert done.returncode == code
    assert re.search(rf"{STATES[code]} +process +{script.name} +running: 1 +expected {expected}", done.stdout)
    assert report_of(tmp_path)["metrics"][f"process.{script.name}.count"] == 1


def test_services_are_unknown_without_systemd_and_not_found_with_it(probe):
    done = probe(PROBE_SERVICES="no-such-unit", PROBE_CHECKS="services")
    systemd = Path("/run/systemd/system").is_dir()
    told = (
        "FAILURE +service +no-such-unit +there is no such unit" if systemd else "SKIPPED +service .* unknown: systemd"
    )
    assert re.search(told, done.stdout)
    assert done.returncode == (255 if systemd else 1)


def test_a_named_check_with_nothing_to_do_is_told_and_nothing_checked_is_no_success(probe, tmp_path):
    done = probe(PROBE_CHECKS="processes", RESULT_FILE="report.json")
    assert done.returncode == 1
    assert re.search(r"SKIPPED +process +PROBE_PROCESSES names nothing", done.stdout)
    assert report_of(tmp_path)["message"] == "nothing could be checked"


def test_certificates_of_every_kind_in_one_run(probe, tmp_path, serve, authority):
    ports = {
        "good": serve(authority.issue(days=90)).port,
        "soon": serve(authority.issue(days=20)).port,
        "urgent": serve(authority.issue(days=3)).port,
        "expired": serve(authority.issue(days=-3)).port,
        "other": serve(authority.issue(names=("other.example",))).port,
        "own": serve(authority.issue(self_signed=True)).port,
        "refused": closed_port(),
        "silent": serve(before=silent).port,
        "dripping": serve(before=dripping).port,
    }
    begun = time.monotonic()
    done = probe(
        PROBE_CHECKS="certificates",
        PROBE_CERTIFICATES=",".join(f"localhost:{port}" for port in ports.values()),
        PROBE_CERTIFICATE_CA_FILE=str(authority.file),
        PROBE_TIMEOUT="3",
        RESULT_FILE="report.json",
    )
    assert time.monotonic() - begun < 20
    assert done.returncode == 255

    def told(name, pattern):
        return re.search(rf"^{pattern.format(f'localhost:{ports[name]}')}", done.stdout, re.MULTILINE)

    assert told("good", r"OK +certificate +{} +89 days left, until \S+ +warning 30 days, failure 7 days$")
    assert told("soon", r"WARNING +certificate +{} +19 days left")
    assert told("urgent", r"FAILURE +certificate +{} +2 days left")
    assert told("expired", r"FAILURE +certificate +{} +expired \(valid until")
    assert told("other", r"FAILURE +certificate +{} +is for another host than")
    assert told("own", r"FAILURE +certificate +{} +self-signed")
    assert told("refused", r"FAILURE +certificate +{} +unreachable: connection refused")
    assert told("silent", r"FAILURE +certificate +{} +connected, but no TLS handshake in time")
    assert told("dripping", r"FAILURE +certificate +{} +(no result within 3 s|connected, but no TLS handshake)")
    metrics = report_of(tmp_path)["metrics"]
    assert metrics[f"certificate.localhost:{ports['good']}.days_left"] == pytest.approx(90, abs=0.1)
    assert metrics[f"certificate.localhost:{ports['expired']}.days_left"] == pytest.approx(-3, abs=0.1)


@pytest.mark.parametrize(("verify", "code"), [("true", 255), ("false", 0)])
def test_trust_and_names_count_only_if_they_are_to_be_verified(probe, serve, authority, verify, code):
    server = serve(authority.issue(names=("other.example",), self_signed=True))
    endpoint = f"localhost:{server.port}"
    done = probe(PROBE_CHECKS="certificates", PROBE_CERTIFICATES=endpoint, PROBE_CERTIFICATE_VERIFY=verify)
    assert done.returncode == code, done.stdout


@pytest.mark.parametrize(("offset", "code"), [(0, 0), (2, 1), (-60, 255)])
def test_a_time_server_decides(probe, offset, code):
    with SntpServer(lambda request: [answer(request, offset=offset)]) as sntp:
        done = probe(
            PROBE_CHECKS="time", PROBE_TIME_SERVER=f"127.0.0.1:{sntp.port}", PROBE_TIME_UNSYNCHRONISED="ignore"
        )
    assert done.returncode == code, done.stdout
    assert re.search(rf"{STATES[code]} +time +127.0.0.1:{sntp.port} +off by ", done.stdout)


def test_lines_come_as_checks_finish(serve, tmp_path):
    server = serve(before=silent)
    process = subprocess.Popen(
        [sys.executable, "-m", "integrations.probe"],
        cwd=tmp_path,
        env=probe_environment(
            {
                "PROBE_CHECKS": "disk,certificates",
                "PROBE_DISK_PATHS": "/",
                "PROBE_CERTIFICATES": f"localhost:{server.port}",
                "PROBE_TIMEOUT": "300",
            }
        ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert lines[0].startswith("multiflexi-probe ")
    assert " disk " in lines[1]
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    rest, complaint = process.communicate(timeout=20)
    assert (process.returncode, rest, complaint) == (130, "", "multiflexi-probe: interrupted\n")


def test_wrong_settings_are_told_and_reported(probe, tmp_path):
    done = probe(PROBE_TIMEOUT="soon", PROBE_DISK_WARNING_PERCENT="97", RESULT_FILE="report.json")
    assert done.returncode == 255
    assert done.stdout == ""
    assert done.stderr == (
        "multiflexi-probe: PROBE_DISK_FAILURE_PERCENT=95 is below PROBE_DISK_WARNING_PERCENT=97: "
        "expected at least as much\n"
        "multiflexi-probe: PROBE_TIMEOUT='soon': expected a number from 0.1 to 600\n"
    )
    report = report_of(tmp_path)
    assert report["status"] == "error"
    assert "PROBE_TIMEOUT='soon'" in report["message"]


@pytest.mark.parametrize("content", [None, "not PEM"])
def test_a_file_of_authorities_that_cannot_be_used_is_told(probe, tmp_path, content):
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    done = probe(PROBE_CERTIFICATES="localhost:1", PROBE_CERTIFICATE_CA_FILE="ca.pem")
    assert done.returncode == 255
    assert done.stderr.startswith("multiflexi-probe: PROBE_CERTIFICATE_CA_FILE='ca.pem': expected a PEM file")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("path", ["nowhere/report.json", ".", "file/report.json", "x" * 300])
def test_a_report_that_cannot_be_written_is_told(probe, tmp_path, path):
    (tmp_path / "file").touch()
    done = probe(**ALWAYS_OK, RESULT_FILE=path)
    assert done.returncode == 255
    assert done.stdout.splitlines()[-1].startswith("OK: ")
    assert done.stderr.startswith(f"multiflexi-probe: RESULT_FILE='{path}': cannot be written: ")
    assert len(done.stderr.splitlines()) == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_a_report_is_replaced_whole_and_a_link_stays_a_link(probe, tmp_path):
    (tmp_path / "real.json").write_text("old")
    (tmp_path / "report.json").symlink_to("real.json")
    old = (tmp_path / "real.json").stat().st_ino
    assert probe(**ALWAYS_OK, RESULT_FILE="report.json").returncode == 0
    assert (tmp_path / "report.json").is_symlink()
    assert report_of(tmp_path, "real.json")["status"] == "success"
    assert (tmp_path / "real.json").stat().st_ino != old
    assert len(list(tmp_path.iterdir())) == 2


def test_a_report_may_go_to_a_device(probe):
    done = probe(**ALWAYS_OK, RESULT_FILE="/dev/stdout")
    assert done.returncode == 0
    assert '"status": "success"' in done.stdout


def test_a_forced_exit_code_does_not_change_the_report(probe, tmp_path):
    done = probe(**ALWAYS_OK, FORCE_EXITCODE="42", RESULT_FILE="report.json")
    assert done.returncode == 42
    assert "exit code 42 is forced" in done.stdout
    assert report_of(tmp_path)["status"] == "success"
    assert probe(**ALWAYS_OK, FORCE_EXITCODE="0").returncode == 0


def test_sleeping_before_the_end(probe):
    begun = time.monotonic()
    done = probe(**ALWAYS_OK, PROBE_SLEEP="0.3")
    assert time.monotonic() - begun >= 0.3
    assert done.stdout.splitlines()[-2] == "waiting 0.3 s (PROBE_SLEEP)"


@pytest.mark.parametrize("variable", ["LANG", "MULTIFLEXI_LANG"])
@pytest.mark.parametrize("encoding", ["utf-8", "iso8859-2", "ascii"])
def test_czech_is_written_in_utf_8_whatever_the_locale(probe, tmp_path, variable, encoding):
    language = {variable: "cs_CZ", "PYTHONIOENCODING": encoding}
    done = probe(**ALWAYS_OK, PROBE_DISK_PATHS="/", RESULT_FILE="report.json", **language)
    assert done.returncode == 0
    assert re.search(r"^OK +disk +/ +využito \d+,\d % z ", done.stdout, re.MULTILINE)
    assert report_of(tmp_path)["message"] == "vše v pořádku (kontrol: 1)"


def test_debugging_tells_settings_and_times_on_stderr(probe):
    done = probe(**ALWAYS_OK, PROBE_DISK_PATHS="/", APP_DEBUG="True")
    assert done.returncode == 0
    assert "debug: disk_paths = ('/',)" in done.stderr
    assert re.search(r"debug: disk /: OK after \d", done.stderr)


def test_broken_output_does_not_cost_the_report(tmp_path):
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "integrations.probe"],
        cwd=tmp_path,
        env=probe_environment({**ALWAYS_OK, "RESULT_FILE": "report.json"}),
        stdout=writing,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    os.close(writing)
    assert done.returncode == 0
    assert done.stderr == "multiflexi-probe: standard output cannot be written\n"
    assert report_of(tmp_path)["status"] == "success"


def test_bytes_that_are_no_text_do_no_harm(probe, tmp_path):
    path = os.fsdecode(b"/nowhere/\xff\xfe")
    done = probe(PROBE_CHECKS="disk", PROBE_DISK_PATHS=path, RESULT_FILE="report.json")
    assert done.returncode == 255
    assert "/nowhere/??" in done.stdout
    assert "/nowhere/??" in report_of(tmp_path)["message"]


def test_arguments(probe):
    assert probe("--version").stdout == f"multiflexi-probe {VERSION}\n"
    assert probe("--help").returncode == 0
    unknown = probe("--disk")
    assert unknown.returncode == 255
    assert unknown.stderr == "multiflexi-probe: unknown argument --disk: settings come from the environment\n"
