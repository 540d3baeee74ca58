"""A cache whose vectors come from an embeddings API: many questions at a time are few requests.

The API is a small server on this machine, in the format that OpenAI's has; put your own address and key in its place.
"""

from __future__ import annotations

import asyncio
import json
import threading
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from llmfast import Cache, CachePolicy, CallableEncoder, batch

MODEL, DIM = "letters-256", 256


class Api(BaseHTTPRequestHandler):
    """Answers `POST /v1/embeddings`; texts that share many letters in a row get vectors that are near each other."""

    requests = 0

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        data = [{"index": place, "embedding": _vector(text)} for place, text in enumerate(asked["input"])]
        body = json.dumps({"model": asked["model"], "data": data}).encode()
        Api.requests += 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def _vector(text: str) -> list[int]:
    letters, counts = text.lower(), [0] * DIM
    for at in range(len(letters) - 2):
        counts[zlib.crc32(letters[at : at + 3].encode()) % DIM] += 1
    return counts


async def main() -> None:
    """Ask thirty questions at once, then one of them in other words."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_port}/v1/embeddings"

    def post(texts: list[str]) -> list[list[float]]:
        body = json.dumps({"model": MODEL, "input": texts}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=5) as response:  # noqa: S310 - our own address
            return [row["embedding"] for row in json.load(response)["data"]]

    # A text that the API refuses fails alone. Too many requests (429), a wrong key, an API that is down fail the whole
    # batch, which is not sent again in parts: see `bisect` of `batch`.
    @batch(max_batch_size=64)
    async def embed(texts: list[str]) -> list[list[float]]:
        return await asyncio.to_thread(post, texts)

    encoder = CallableEncoder(embed, dim=DIM, name=MODEL)
    cache = Cache(encoder=encoder, policy=CachePolicy(threshold=0.8))
    questions = [f"What does plan number {number * 97} cost a month?" for number in range(29)]
    questions.append("How do I reset my password?")
    await asyncio.gather(*(cache.get_or_generate(question, call_model) for question in questions))
    answer = await cache.get_or_generate("How do I reset my password, please?", call_model)
    print(f"{answer.response} ({answer.source}, score {answer.score:.2f})")
    print(f"{len(questions) + 1} questions, {Api.requests} requests to the API")
    server.shutdown()
    server.server_close()


async def call_model(query: str) -> str:
    """Stand in for the model, which is slow and costs money."""
    await asyncio.sleep(0.05)
    return f"the answer to {query!r}"


if __name__ == "__main__":
    asyncio.run(main())
