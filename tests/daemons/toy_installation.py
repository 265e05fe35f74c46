"""An installation whose parts are toys, started as ``make run`` starts the real one: for the tests of the launcher.

``TOY_WEB=broken`` gives a web interface that ends at once, ``TOY_DEMO=broken`` a command line that cannot make the
demo.
"""

from __future__ import annotations

import http.server
import os
import signal
import sys
from pathlib import Path

from daemons import launch, port
from daemons.child import ChildSpec

NAMES = ("projector", "scheduler", "executor")


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


def main(role: str, *arguments: str) -> None:
    if role == "web":
        if os.environ.get("TOY_WEB") == "broken":
            sys.exit("no templates")
        http.server.HTTPServer(("127.0.0.1", int(os.environ["MULTIFLEXI_PORT"])), Page).serve_forever()
    elif role in NAMES:
        signal.pause()
    elif role == "demo:create":
        if os.environ.get("TOY_DEMO") == "broken":
            sys.exit("no demo today")
        sys.stdout.write('{"company_id": 1, "run_template_id": 2, "job_id": 3}')
    elif role == "user:first":
        sys.stdout.write('{"user_id": 1, "login": "admin", "password": "the password of this once"}')
    elif role == "job:watch":
        sys.stdout.write(f"output of job {arguments[1]}\n")
    elif role == "launch":
        sys.exit(launch_toys())


def launch_toys() -> int:
    def command(name: str) -> list[str]:
        return [sys.executable, "-m", "tests.daemons.toy_installation", name]

    cli = Path(os.environ["MULTIFLEXI_DATA"]).with_name("toy-cli")
    cli.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m tests.daemons.toy_installation "$@"\n')
    cli.chmod(0o755)
    return launch.main(
        daemons=[ChildSpec(name=name, command=command(name)) for name in NAMES],
        web=lambda number: ChildSpec(
            name="web",
            command=command("web"),
            environment={"MULTIFLEXI_PORT": str(number)},
            ready=lambda pid: port.answers(pid, number, launch.PATH),
        ),
        cli=str(cli),
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
