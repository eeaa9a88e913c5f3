import os
import subprocess
import sys
from importlib.metadata import version

import click
import pytest
from click.testing import CliRunner

from streams import cli
from streams.errors import Problem, UserError


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the program in a process of its own, without any HOTSPOTS_* of this one."""
    clean = {name: text for name, text in os.environ.items() if "HOTSPOTS" not in name.upper()}
    return subprocess.run(
        [sys.executable, "-m", "streams.cli", *arguments],
        env={**clean, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_version() -> None:
    ended = run("--version")
    assert (ended.returncode, ended.stdout) == (0, f"hotspots, version {version('hotspots')}\n")


def test_help_lists_every_command_with_what_it_does() -> None:
    ended = run("--help")
    assert ended.returncode == 0, ended.stderr
    listed = ended.stdout.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(cli.COMMANDS)
    assert all(len(line.split()) > 3 for line in listed)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself_and_its_options(name: str) -> None:
    answer = CliRunner().invoke(cli.hotspots, [name, "--help"])
    assert answer.exit_code == 0, answer.output
    command = cli.hotspots.get_command(click.Context(cli.hotspots), name)
    assert command is not None
    assert command.name == name
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_is_asked_for_with_h_too_also_of_the_commands_of_a_group(name: str) -> None:
    command = cli.hotspots.get_command(click.Context(cli.hotspots), name)
    parts = list(command.commands) if isinstance(command, click.Group) else []
    for words in ([name], *([name, part] for part in parts)):
        answer = CliRunner().invoke(cli.hotspots, [*words, "-h"])
        assert answer.exit_code == 0, answer.output
        assert "-h, --help" in answer.output


@pytest.mark.parametrize(("group", "part"), [("hooks", "check"), ("topics", "split")])
def test_help_stays_the_same_after_a_group_was_called_by_itself(group: str, part: str) -> None:
    # In an interpreter of its own: click remembers the help option a command first had.
    script = (
        "from click.testing import CliRunner\nfrom streams.cli import hotspots\n"
        f"from streams.commands.{group} import command\n"
        f"CliRunner().invoke(command, ['{part}', '--no-such-option'])\n"
        f"print(CliRunner().invoke(hotspots, ['{group}', '{part}', '--help']).output)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert "-h, --help" in ended.stdout


def test_an_unknown_command_ends_with_exit_code_2() -> None:
    ended = run("predict")
    assert ended.returncode == 2
    assert "No such command 'predict'" in ended.stderr


def test_help_loads_nothing_heavy() -> None:
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom streams.cli import hotspots\n"
        "assert CliRunner().invoke(hotspots, ['--help']).exit_code == 0\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    heavy = {"faust", "aiokafka", "kafka", "polars", "pyarrow", "redis", "prometheus_client"}
    assert heavy.isdisjoint(ended.stdout.split())


def test_a_user_error_is_one_line_for_each_problem_and_exit_code_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(**_: object) -> None:
        raise UserError.of([Problem("one", "HERE", "mend\nit"), Problem("two")])

    monkeypatch.setattr(cli, "hotspots", fail)
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert capsys.readouterr() == ("", "hotspots: one (HERE): mend it\nhotspots: two\n")


def test_a_mistake_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(**_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(cli, "hotspots", fail)
    with pytest.raises(ZeroDivisionError):
        cli.main()


def test_an_error_of_a_subclass_keeps_its_kind_and_all_problems() -> None:
    class OwnError(UserError):
        pass

    error = OwnError.of([Problem("a", remedy="b"), Problem("c", "d")])
    assert isinstance(error, OwnError)
    assert error.lines == ["a: b", "c (d)"]
    assert str(error) == "a: b\nc (d)"
