"""
`python -m sandbox up | status | env | down`: the sandbox as background servers.

    python -m sandbox up [--yarn]
    eval "$(python -m sandbox env)"
    aws dynamodb list-tables
    python -m sandbox down
"""

from __future__ import annotations

import argparse
import shlex
import sys

from sandbox import stack, state
from sandbox.processes import SandboxError
from sandbox.yarn import YarnCluster

DEFAULT_NAME = "main"
NOT_UP = 3


def main(arguments: list[str] | None = None) -> int:
    """Run one command; return 0, 1 when a server did not start, or 3 when there is no sandbox to speak of."""
    options = _parser().parse_args(arguments)
    try:
        return COMMANDS[options.command](options)
    except SandboxError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description="DynamoDB and S3 on this machine.")
    parser.add_argument("command", choices=list(COMMANDS))
    parser.add_argument("--name", default=DEFAULT_NAME, help="several sandboxes can run side by side")
    parser.add_argument("--yarn", action="store_true", help="with `up`: a YARN for spark-submit too")
    parser.add_argument("--all", action="store_true", help="with `down`: every sandbox of this folder")
    parser.add_argument("--region", default=stack.REGION, help="default region of `env` (%(default)s)")
    return parser


def up(options: argparse.Namespace) -> int:
    """Start the servers and leave them running."""
    sandbox = stack.attach(options.name)
    if sandbox is None:
        sandbox = stack.Sandbox(options.name, region=options.region, tethered=False)
        sandbox.start()
    if options.yarn and "yarn" not in sandbox.state.urls:
        YarnCluster(sandbox).start()
    return status(options)


def status(options: argparse.Namespace) -> int:
    """Print each server with its address, process id and log."""
    sandbox = stack.attach(options.name)
    if sandbox is None:
        return _not_up(options)
    for server in sandbox.state.servers:
        alive = "running" if server.is_alive else "ENDED"
        url = sandbox.state.urls.get(server.name, "")
        print(f"{server.name:<10}{alive:<9}{url:<26}{server.pid:<9}{server.log}")
    return 0 if all(server.is_alive for server in sandbox.state.servers) else 1


def env(options: argparse.Namespace) -> int:
    """Print shell commands that point the AWS CLI, boto3 and the jobs at the sandbox."""
    sandbox = stack.attach(options.name)
    if sandbox is None:
        return _not_up(options)
    print(f"unset {' '.join(stack.FOREIGN_VARIABLES)}")
    variables = YarnCluster(sandbox).env() if "yarn" in sandbox.state.urls else sandbox.env()
    for key, value in variables.items():
        print(f"export {key}={shlex.quote(value)}")
    return 0


def down(options: argparse.Namespace) -> int:
    """Stop the servers and remove what they left."""
    for found in state.recorded():
        if options.all or found.name == options.name:
            found.stop()
    return 0


def _not_up(options: argparse.Namespace) -> int:
    print(f"sandbox {options.name!r} is not up: run `python -m sandbox up`", file=sys.stderr)
    return NOT_UP


COMMANDS = {"up": up, "status": status, "env": env, "down": down}


if __name__ == "__main__":
    sys.exit(main())
