"""Every known attack on the sandbox fails, as root and as nobody; and a sandbox without a wall says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from factory.errors import OutsideError
from factory.verifiers import sandbox, sandbox_process
from tests.support import attacks
from tests.support.attacks import ATTACKS, Row

ROOT = Path(__file__).parents[2]
NOBODY = 65534

STOPPED_BY = {
    "always_equal": {"assertion"},
    "daemon": {"raised:PermissionError"},
    "datagram": {"raised:PermissionError"},
    "delete_files": {"passed"},
    "exit_in_call": {"exit"},
    "fill_disk": {"passed"},
    "fork_bomb": {"raised:PermissionError"},
    "huge_stdout": {"passed"},
    "infinite_loop": {"exceeded:cpu"},
    "kill_parent": {"passed"},
    "loop_catching_all": {"exceeded:cpu"},
    "loopback_connect": {"raised:PermissionError"},
    "memory_bomb": {"exceeded:memory"},
    "os_exit": {"exit"},
    "patch_builtins": {"assertion", "exit"},
    "patch_frames": {"exit", "forged"},
    "print_marker": {"forged"},
    "read_expected": {"assertion"},
    "read_host_file": {"raised:PermissionError"},
    "read_shadow": {"raised:PermissionError"},
    "scan_gc": {"assertion", "forged"},
    "segfault": {"crashed:SIGSEGV"},
    "sys_exit": {"exit"},
    "write_home": {"passed"},
}
"""Why each attack did not get through; `passed` where its f is right and the canary is what tells."""


def interpreter_for_all() -> str | None:
    """A Python that another user may run: this one may stand in a closed home folder."""
    for python in (sys.executable, "/usr/bin/python3"):
        code = (
            "import subprocess, sys\n"
            "subprocess.run([sys.executable, '-c', ''], check=True)\n"
            "sys.exit(sys.version_info < (3, 11))"
        )
        command = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", python, "-c", code]
        if subprocess.run(command, capture_output=True, cwd="/").returncode == 0:
            return python
    return None


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """What came of every attack, made by this user."""
    return {row.name: row for row in attacks.make_all(tmp_path_factory.mktemp("canaries"))}


@pytest.fixture(scope="module")
def made_by_nobody() -> dict[str, Row]:
    """What came of every attack, made by a user without any right."""
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("only root, with setpriv, can become another user")
    python = interpreter_for_all()
    if python is None:
        pytest.skip(f"no Python >= 3.11 that user {NOBODY} may run")
    ids = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    # A copy that this user may read, wherever the checkout stands.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        for name in ("factory", "tests/support"):
            shutil.copytree(ROOT / name, Path(folder) / name, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / "tests" / "__init__.py").touch()
        for path in Path(folder).rglob("*"):
            path.chmod(0o755)
        done = subprocess.run(
            ["setpriv", *ids, python, "-B", "-m", "tests.support.attacks"],
            env={"PYTHONPATH": folder},
            cwd="/",
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["user"] == NOBODY
    return {name: Row(name, *rest) for name, *rest in said["rows"]}


def assert_stopped(row: Row) -> None:
    assert row.reason in STOPPED_BY[row.name]
    assert row.outcome == ("passed" if ATTACKS[row.name].may_pass else "failed")
    assert row.harm is None
    assert row.honest == "passed"


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_fails(made: dict[str, Row], name: str) -> None:
    assert_stopped(made[name])


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_by_nobody_fails(made_by_nobody: dict[str, Row], name: str) -> None:
    assert_stopped(made_by_nobody[name])


# --- the self-test -------------------------------------------------------------------------------------

BEFORE, SERVE = sandbox_process.BOOT.split("from factory.verifiers.sandbox_server", 1)
IN_ONE_PROCESS = """
from factory.verifiers import sandbox_candidate, sandbox_link
def ask(self, act, *arguments, fds=()):
    here = vars(self).setdefault("here", sandbox_candidate.Candidate(self.fd))
    reply = getattr(here, act)(*arguments)
    return reply[1:]
sandbox_link.Link.ask = ask
"""
WITHOUT_A_WALL = {
    "landlock": (
        "from factory.verifiers import confinement; confinement.restrict_files = lambda ruleset: None",
        "write_home: files of the host",
    ),
    "seccomp": (
        "from factory.verifiers import confinement; confinement.restrict_calls = lambda program: None",
        "datagram: its program is passed",
    ),
    "limits": (
        "from factory.verifiers import confinement; confinement._set_limits = lambda plan: None",
        "memory_bomb: its program is passed",
    ),
    "two processes": (IN_ONE_PROCESS, "always_equal: its program is passed"),
}


@pytest.mark.parametrize("wall", WITHOUT_A_WALL)
def test_a_sandbox_without_a_wall_is_refused(monkeypatch: pytest.MonkeyPatch, wall: str) -> None:
    change, fault = WITHOUT_A_WALL[wall]
    boot = f"{BEFORE}\n{change}\nfrom factory.verifiers.sandbox_server{SERVE}"
    monkeypatch.setattr(sandbox_process, "BOOT", boot)
    monkeypatch.setattr(sandbox, "_fingerprints", {})
    with pytest.raises(OutsideError, match=fault) as raised:
        list(sandbox.run([]))
    assert "does not hold on this machine" in str(raised.value)
    assert not sandbox._fingerprints


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("confinement._LANDLOCK_CREATE = 9999", "landlock was refused: Function not implemented"),
        ("confinement._SECCOMP = 9999", "seccomp was refused: Invalid argument"),
        ("confinement.platform.machine = lambda: 'mips'", "x86_64 and aarch64, not linux on mips"),
    ],
)
def test_a_means_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, change: str, said: str) -> None:
    boot = f"{BEFORE}\nfrom factory.verifiers import confinement; {change}\n"
    monkeypatch.setattr(sandbox_process, "BOOT", f"{boot}from factory.verifiers.sandbox_server{SERVE}")
    monkeypatch.setattr(sandbox, "_fingerprints", {})
    with pytest.raises(OutsideError, match=said):
        sandbox.self_test("landlock")


def test_the_self_test_names_its_means_and_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said = sandbox.self_test("landlock")
    assert said.startswith("landlock")
    assert f"+seccomp py{sys.version_info.major}.{sys.version_info.minor}" in said
    monkeypatch.setattr(sandbox.sandbox_selftest, "check", None)
    assert sandbox.self_test("landlock") == said


def test_bubblewrap_works_or_says_how_to_install_it() -> None:
    if shutil.which("bwrap"):
        assert sandbox.self_test("bubblewrap").startswith("bubblewrap+landlock")
    else:
        with pytest.raises(OutsideError, match="apt-get install bubblewrap"):
            sandbox.self_test("bubblewrap")
