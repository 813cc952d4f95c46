"""The provider's own OpenAPI documents as judge of requests and answers.

They come from the npm package `@twilio-alpha/mcp` (MIT, made by the provider), fetched once into a cache outside the
repository. `HOLDPROOF_TEST_CACHE` moves the cache.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse
from werkzeug.datastructures import ImmutableMultiDict

PACKAGE, PACKED = "@twilio-alpha/mcp@0.7.0", "twilio-alpha-mcp-0.7.0.tgz"
FOLDER = "package/twilio-oai/spec/json"
DOCUMENTS = ("twilio_api_v2010.json", "twilio_insights_v1.json")
# Of some 200 operations these are the ones of calls; the document is read ten times faster without the rest.
_HOST = "https://provider.example"  # stands for whatever address the server has; requests are judged by their paths
_OF_CALLS = ("/Calls", "/Recordings", "/Balance.json", "/v1/Voice/{CallSid}")


def spec_folder() -> Path:
    """Return the folder with the documents, fetched if need be. Without npm this says so and skips; in CI it fails."""
    folder = Path(os.environ.get("HOLDPROOF_TEST_CACHE") or Path.home() / ".cache" / "holdproof-tests") / "twilio-spec"
    if not all((folder / FOLDER / name).exists() for name in DOCUMENTS):
        if shutil.which("npm") is None:
            lacking = f"npm is not installed; it is needed to fetch the provider's OpenAPI documents ({PACKAGE})"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(lacking)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:  # several test processes may fetch at once
            made = subprocess.run(
                ["npm", "pack", PACKAGE, "--silent"],
                cwd=scratch,
                capture_output=True,
                text=True,
                timeout=240,
                check=False,
            )
            if made.returncode != 0:
                pytest.fail(f"`npm pack {PACKAGE}` failed: {made.stderr.strip()[-500:]}")
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            with tarfile.open(Path(scratch) / PACKED) as packed:
                for name in DOCUMENTS:
                    packed.extract(f"{FOLDER}/{name}", scratch, filter="data")
                    (Path(scratch) / FOLDER / name).replace(folder / FOLDER / name)
    return folder / FOLDER


@dataclass(frozen=True)
class Exchange:
    """A request as it reached the server, and the answer that it got."""

    method: str
    path: str
    query: str
    form: str
    authorization: str | None
    status: int
    body: bytes


class Judge:
    """Holds requests and answers against one document."""

    def __init__(self, document: dict[str, Any]) -> None:
        paths = {path: item for path, item in document["paths"].items() if any(part in path for part in _OF_CALLS)}
        for item in paths.values():
            item.pop("servers", None)  # each path names the provider's own host
        self._paths = paths
        self._document = {**document, "paths": paths, "servers": [{"url": _HOST}]}
        self._api = OpenAPI.from_dict(self._document)

    def faults_of_request(self, one: Exchange) -> list[str]:
        """Return what the document has against a request, unknown parameters included."""
        query, form = parse_qs(one.query, keep_blank_values=True), parse_qs(one.form, keep_blank_values=True)
        request = _request(one)
        faults = _raised(lambda: self._api.validate_request(request))
        operation = self._operation(one)
        if operation is None:
            return [*faults, f"no such operation: {one.method} {one.path}"]
        known = {part["name"] for part in operation.get("parameters", []) if part["in"] == "query"}
        faults += [f"unknown query parameter {name}" for name in query if name not in known]
        content = operation.get("requestBody", {}).get("content", {})
        fields = {name for media in content.values() for name in media["schema"].get("properties", {})}
        faults += [f"unknown form field {name}" for name in form if name not in fields]
        return faults + [f"empty form field {name}" for name, values in form.items() if not all(values)]

    def faults_of_answer(self, one: Exchange) -> list[str]:
        """Return what the document has against an answer, unknown fields of the top level included."""
        request = _request(one)
        response = MockResponse(one.body, status_code=one.status, content_type="application/json")
        return _raised(lambda: self._api.validate_response(request, response))

    def _operation(self, one: Exchange) -> dict[str, Any] | None:
        for path, item in self._paths.items():
            wanted, given = path.strip("/").split("/"), one.path.strip("/").split("/")
            if len(wanted) == len(given) and all(_fits(want, part) for want, part in zip(wanted, given, strict=True)):
                operation: dict[str, Any] | None = item.get(one.method.lower())
                if operation is not None:
                    return operation
        return None


def _fits(want: str, part: str) -> bool:
    if not want.startswith("{"):
        return want == part
    return want.endswith("}") or part.endswith(want.partition("}")[2])


def _request(one: Exchange) -> MockRequest:
    request = MockRequest(
        _HOST,
        one.method,
        one.path,
        headers={"Authorization": one.authorization} if one.authorization else {},
        data=one.form.encode(),
        content_type="application/x-www-form-urlencoded" if one.form else "application/json",
    )
    pairs = [(name, value) for name, values in parse_qs(one.query).items() for value in values]
    request.parameters.query = ImmutableMultiDict(pairs)
    return request


def _raised(check: Any) -> list[str]:
    from openapi_core.exceptions import OpenAPIError

    try:
        check()
    except OpenAPIError as error:
        inner = getattr(error.__cause__, "schema_errors", None) or [error.__cause__ or error]
        return [f"{type(error).__name__}: {one}" for one in inner]
    return []


@cache
def judge(name: str) -> Judge:
    """Return the judge of one document ."""
    return Judge(json.loads((spec_folder() / name).read_text(encoding="utf-8")))


def faults(exchanges: list[Exchange]) -> list[str]:
    """Return everything that the documents have against these requests; media downloads are in no document."""
    found = []
    for one in exchanges:
        if one.path.endswith(".wav"):
            continue
        name = "twilio_insights_v1.json" if one.path.startswith("/v1/") else "twilio_api_v2010.json"
        found += [f"{one.method} {one.path}: {fault}" for fault in judge(name).faults_of_request(one)]
    return found
