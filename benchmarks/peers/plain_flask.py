"""Flask without any I/O, under the product's own server settings: answers a body with JSON, and a poll with 304."""

import sys
from typing import Any

from flask import Flask, Response, jsonify, request

from jobs.settings import Settings
from web.__main__ import Server


class PlainServer(Server):
    """The product's gunicorn, with another application in it."""

    def load_config(self) -> None:
        """As the product's, but for the line that it prints."""
        super().load_config()
        self.cfg.set("post_worker_init", _announce)

    def load(self) -> Any:
        """The application."""
        app = Flask("plain")

        @app.post("/jobs")
        def submit() -> tuple[Response, int]:
            sent = request.get_json()
            return jsonify(id="job_" + "0" * 26, task=sent["task"], params=sent["params"], state="queued"), 202

        @app.get("/jobs/<job_id>")
        def look(job_id: str) -> Response:
            reply = jsonify(id=job_id, state="queued")
            reply.set_etag("1")
            reply.make_conditional(request)
            return reply

        return app


def _announce(worker: Any) -> None:
    host, port = worker.sockets[0].getsockname()[:2]
    sys.stdout.write(f"ready http://{host}:{port}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    PlainServer(Settings()).run()
