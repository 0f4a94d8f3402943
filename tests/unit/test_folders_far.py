"""Folders on an object store: a server of S3 on this machine, in a process of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from cfgraph.cli import run
from cfgraph.errors import InputError
from cfgraph.formats.folders.checking import verify_folder
from cfgraph.formats.folders.place import Place, is_folder
from cfgraph.formats.folders.reader import open_folder
from cfgraph.model import sheets
from cfgraph.sources.cfg import Design, field
from cfgraph.store.digest import digest_hierarchy
from cfgraph.transfer.fields import write_field

DIRECTLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # whatever the environment says
KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="module")
def server():
    """The address of a server of S3 with a bucket."""
    pytest.importorskip("moto.server", reason="moto is of the group dev")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **KEYS})
    try:
        for _ in range(600):
            try:
                request = urllib.request.Request(f"http://127.0.0.1:{port}/bucket", method="PUT")
                DIRECTLY.open(request, timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, "the server of S3 ended"
                time.sleep(0.1)
        else:
            pytest.fail("the server of S3 did not answer within a minute")
        yield f"127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def url(server, monkeypatch):
    """Makes URLs of folders on the server."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sheets, "SHEET_BYTES", 10_000)
    return lambda path: f"s3://{path}?endpoint_override={server}&scheme=http"


def test_a_field_grows_on_an_object_store(url):
    made = field(id="far", depth=7, design=Design(arity=4))
    asked = iter([False, False, False, True])
    half = write_field(made, url("bucket/far"), interrupted=lambda: next(asked, True))
    assert not half.finished
    with pytest.raises(InputError, match="holds half a field"):
        open_folder(url("bucket/far"))
    report = write_field(made, url("bucket/far"))
    assert (report.finished, report.digest) == (True, digest_hierarchy(made.grow()))
    assert report.place == "s3://bucket/far"
    reader = open_folder(url("bucket/far"))
    assert is_folder(url("bucket/far"))
    assert verify_folder(reader).clean
    with pytest.raises(InputError, match="another recipe"):
        write_field(field(id="far", depth=6, design=Design(arity=4)), url("bucket/far"))


@pytest.fixture
def denied(server):
    """From here on the server asks for rights, which the keys of these tests have not."""

    def ask(count):
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(f"http://{server}/moto-api/reset-auth", data=count, headers=headers, method="POST")
        DIRECTLY.open(request, timeout=30).close()

    ask(b"0")
    yield
    ask(b"inf")


def test_a_bucket_without_rights_is_one_error(url, denied, capsys):
    made = field(id="far", depth=3, design=Design(arity=2))
    with pytest.raises(InputError, match=r"cannot read s3://bucket/denied: .*ACCESS_DENIED.* have no right to it: reading"):
        write_field(made, url("bucket/denied"))
    with pytest.raises(InputError, match=r"cannot write s3://bucket/denied/x: .* are not known there \(of s3:// AWS_"):
        Place(url("bucket/denied")).put("x", b"nothing")
    assert run(["show", url("bucket/denied")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_bucket_that_is_not_there_is_told(url):
    with pytest.raises(InputError, match=r"cannot (read|write|reach|write to) s3://nowhere/far"):
        write_field(field(id="far", depth=3, design=Design(arity=2)), url("nowhere/far"))
    with pytest.raises(InputError, match=r"cannot read s3://nowhere/far|is no folder of a field"):
        open_folder(url("nowhere/far"))
