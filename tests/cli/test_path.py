"""path and rule over every network vector, through the words of the command line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rdp_remediate.cli.main import main

BUNDLES = sorted((Path(__file__).parent.parent / "network" / "bundles").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


def arguments(vector: dict[str, Any], bundle: Path) -> list[str]:
    ask = vector["ask"]
    if ask["command"] == "path":
        return [
            "path",
            "--bundle",
            str(bundle),
            "--client",
            ask["client"],
            "--dialled",
            ask["dialled"],
            "--output",
            "json",
        ]
    override = ["--override-deny"] if ask["override_deny"] else []
    return ["rule", "--bundle", str(bundle), "--allow", *ask["allow"], *override, "--output", "json"]


@pytest.mark.parametrize("path", BUNDLES, ids=lambda path: path.stem)
def test_every_vector_through_the_command_line(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vector = load(path)
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps(vector["evidence"]))
    code = main(arguments(vector, bundle))
    document = json.loads(capsys.readouterr().out)
    expected = vector["expect"]
    if vector["ask"]["command"] == "path":
        assert document["verdict"] == expected["verdict"]
        found = {(one["layer"], one["rule"]) for one in document["deciders"]}
        assert found == {tuple(one) for one in expected["deciders"]}
        assert code == {"ALLOW": 0, "INDETERMINATE": 3}.get(expected["verdict"], 1)
    elif "refused" in expected:
        assert document["refused"]["code"] == expected["refused"]
        assert (code, document["rules"]) == (1, [])
    else:
        assert document["refused"] is None
        assert code == 0
        if "rules" in expected:
            assert len(document["rules"]) == expected["rules"]
        else:
            assert [rule["priority"] for rule in document["rules"]] == [expected["priority"]]


def test_the_vectors_are_there() -> None:
    assert len(BUNDLES) == 91


def test_the_installed_command_answers_as_text(tmp_path: Path) -> None:
    vector = next(v for v in map(load, BUNDLES) if v["ask"]["command"] == "path" and v["expect"]["verdict"] == "DENY")
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps(vector["evidence"]))
    words = [word for word in arguments(vector, bundle) if word not in ("--output", "json")]
    ran = subprocess.run(
        [str(Path(sys.executable).parent / "rdp-remediate"), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert ran.stdout.startswith("DENY, decided by ")
    assert vector["expect"]["deciders"][0][1] in ran.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dialled", "20.50.1.4"], "write IP:PORT"),
        (["--dialled", "20.50.1.4:0"], "write IP:PORT"),
        (["--dialled", "20.50.1.4:99999"], "write IP:PORT"),
    ],
)
def test_a_wrong_endpoint_is_a_usage_error(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps(load(BUNDLES[0])["evidence"]))
    assert main(["path", "--bundle", str(bundle), "--client", "203.0.113.7", *words]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert said in captured.err


def test_an_allowed_source_that_is_no_prefix_is_refused_not_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bundle = tmp_path / "bundle.json"
    bundle.write_text(json.dumps(load(BUNDLES[0])["evidence"]))
    assert main(["rule", "--bundle", str(bundle), "--allow", "Internet", "--output", "json"]) == 1
    assert json.loads(capsys.readouterr().out)["refused"]["code"] == "REFUSE_WIDE"
