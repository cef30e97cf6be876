"""A Hugging Face Hub on loopback for tests: the unmodified clients talk to it, and it fails when told to.

    with hub.running(tmp_path) as server:
        server.fault("POST", "/commit/", status=503, when="after")     # done, answer lost
        subprocess.run(..., env=os.environ | server.env(tmp_path / "home"))
        assert [one.title for one in server.commits("acme/sums")] == [...]

It is written with the standard library. What it serves is what huggingface_hub 2.4, hf_xet 1.8 and
datasets 5.2 ask for; pull requests and discussions are left out.
"""

from tests.support.hub.repos import Blob, Commit
from tests.support.hub.server import READ_TOKEN, WRITE_TOKEN, Logged, Server, running
from tests.support.hub.wire import User

__all__ = ["READ_TOKEN", "WRITE_TOKEN", "Blob", "Commit", "Logged", "Server", "User", "running"]
