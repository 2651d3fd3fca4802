"""
moto on 127.0.0.1: S3 and every other AWS service the launcher talks to, as its own process.

`moto_server` cannot tell which free port it took; this prints `ready URL` once it listens.
"""

from __future__ import annotations

import os
import sys

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.server import MotoRequestHandler
from werkzeug.serving import make_server

HOST = "127.0.0.1"


def serve(port: int = 0) -> None:
    """Serve until the process is stopped; port 0 takes a free one."""
    application = DomainDispatcherApplication(create_backend_app)
    server = make_server(HOST, port, application, threaded=True, request_handler=MotoRequestHandler)
    os.environ["MOTO_PORT"] = str(server.server_port)  # moto builds some of its URLs from it
    print(f"ready http://{HOST}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
