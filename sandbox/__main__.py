"""
`python -m sandbox up | status | env | down`: the sandbox as background servers.

    python -m sandbox up [--yarn | --emr]
    eval "$(python -m sandbox env)"
    aws dynamodb list-tables
    python -m sandbox down
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys

from sandbox import stack, state
from sandbox.deploy_roles import deploy_roles
from sandbox.private_bucket import make_private_bucket
from sandbox.processes import PROJECT, SandboxError
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
    parser.add_argument(
        "--emr", action="store_true", help="with `up`: EMR with steps that run, and this tool's roles for --bucket"
    )
    parser.add_argument("--bucket", default="my-bucket", help="with `up --emr`: made, and named in the roles")
    parser.add_argument(
        "--table", action="append", help="with `up --emr`: the roles allow it; repeatable (Forum, Thread, Reply)"
    )
    parser.add_argument("--all", action="store_true", help="with `down`: every sandbox of this folder")
    parser.add_argument("--region", default=stack.REGION, help="default region of `env` (%(default)s)")
    return parser


def up(options: argparse.Namespace) -> int:
    """Start the servers and leave them running."""
    sandbox = stack.attach(options.name)
    if sandbox is None and options.emr:
        return up_with_emr(options)
    if sandbox is None:
        sandbox = stack.Sandbox(options.name, region=options.region, tethered=False)
        sandbox.start()
    elif options.emr and not sandbox.state.urls.get("emr"):
        raise SandboxError(f"sandbox {options.name!r} is up without EMR: `python -m sandbox down`, then up --emr")
    if options.yarn and "yarn" not in sandbox.state.urls:
        YarnCluster(sandbox).start()
    return status(options)


def up_with_emr(options: argparse.Namespace) -> int:
    """Start all of AWS, put the roles of `policy roles-template` into it, and say how to use it."""
    from sandbox.emr.stack import EmrSandbox

    sandbox = EmrSandbox(options.name, region=options.region, tethered=False)
    sandbox.start()
    sandbox.publish("emr", sandbox.s3_url)
    make_private_bucket(sandbox.client("s3"), options.bucket)
    words = ["policy", "roles-template", "--bucket", options.bucket, "--region", options.region]
    words += [part for table in options.table or () for part in ("--table", table)]
    command = [sys.executable, "-m", "dynamodb_pipeline.cli.main", *words]
    template = subprocess.run(command, env=sandbox.process_env(), stdout=subprocess.PIPE, check=True, cwd=PROJECT)
    deploy_roles(sandbox, json.loads(template.stdout), region=options.region)
    ended = status(options)
    python = shlex.quote(sys.executable)
    print(f"bucket {options.bucket} and the roles for it are there in {options.region}; for this shell:")
    print(f'eval "$({python} -m sandbox env --name {shlex.quote(options.name)})"')
    return ended


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
    if "emr" in sandbox.state.urls:  # whoever launches reaches DynamoDB as its nodes do, where each call is recorded
        variables = {**sandbox.env(), "AWS_ENDPOINT_URL_DYNAMODB": sandbox.s3_url}
    else:
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
