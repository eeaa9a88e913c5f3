import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from models.events import DecodingLimits
from models.identity import HashKeys
from models.parameters import Level, Parameters
from streams.settings import (
    PRODUCER_NEEDS,
    Settings,
    SettingsError,
    load_settings,
    variable,
)

KEY = "sixteen letters!"
COMPLETE = {"HOTSPOTS_KAFKA": "kafka-1:9092,kafka-2:9092", "HOTSPOTS_ACTOR_KEY": KEY}


def problems(**environ: str) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings({**COMPLETE, **{variable(name): text for name, text in environ.items()}})
    return caught.value.lines


def test_the_least_that_a_worker_needs() -> None:
    settings = load_settings(COMPLETE)
    assert settings.kafka == "kafka-1:9092,kafka-2:9092"
    assert settings.actor_key.get_secret_value() == KEY
    assert settings.parameters() == Parameters()
    assert settings.decoding_limits() == DecodingLimits()


@pytest.mark.parametrize("key", ["k" * 16, "k" * 64, "钥" * 6, "f" * 32])
def test_every_key_that_is_accepted_can_hash(key: str) -> None:
    settings = load_settings({**COMPLETE, "HOTSPOTS_ACTOR_KEY": key})
    assert HashKeys.of(settings.actor_key.get_secret_value().encode())


def test_every_parameter_and_limit_is_a_setting(tmp_path: Path) -> None:
    rules = tmp_path / "screening.toml"
    rules.write_text('[labels]\nadvert = "none"\n', "utf-8")
    settings = load_settings(
        {
            **COMPLETE,
            "HOTSPOTS_PARTITIONS": "7",
            "HOTSPOTS_BUCKET_MS": "60000",
            "HOTSPOTS_EPOCH_MS": "3600000",
            "HOTSPOTS_ALLOWED_LATENESS_MS": "5",
            "HOTSPOTS_ALARM_RATE_PER_VIDEO_DAY": "0.01",
            "HOTSPOTS_FALSE_DISCOVERY_RATE": "0.2",
            "HOTSPOTS_LEVEL": "share:100",
            "HOTSPOTS_HORIZON": "36h",
            "HOTSPOTS_EMERGING_PROBABILITY": "0.8",
            "HOTSPOTS_ALERTS_PER_DAY": "20",
            "HOTSPOTS_EXPIRE_AFTER_MS": "9",
            "HOTSPOTS_REPEAT_WINDOW_MS": "10",
            "HOTSPOTS_BOARD_SIZE": "11",
            "HOTSPOTS_EFFECT_WINDOW_MS": "7200000",
            "HOTSPOTS_BURST_RETURN_MS": "100000000",
            "HOTSPOTS_LEARN_FORECAST": "false",
            "HOTSPOTS_SCREENING_RULES": str(rules),
            "HOTSPOTS_MAX_AHEAD_MS": "12",
            "HOTSPOTS_EARLIEST_MS": "13",
            "HOTSPOTS_MESSAGE_BYTES_MAX": "2048",
        }
    )
    default = Parameters()
    given = settings.parameters()
    for field in fields(Parameters):
        assert getattr(given, field.name) != getattr(default, field.name), field.name
    assert given.level == Level("share", 100)
    assert given.horizon_ms == 36 * 3_600_000
    limits = settings.decoding_limits()
    for field in fields(DecodingLimits):
        assert getattr(limits, field.name) != getattr(DecodingLimits(), field.name), field.name


def test_what_is_missing_is_told_all_at_once_with_its_remedy() -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({})
    first, second = caught.value.lines
    assert first.startswith("HOTSPOTS_KAFKA is not set: ")
    assert second.startswith("HOTSPOTS_ACTOR_KEY is not set: ")
    assert "openssl rand -hex 32" in second


def test_a_producer_needs_no_actor_key() -> None:
    settings = load_settings({"HOTSPOTS_KAFKA": "kafka:9092"}, needs=PRODUCER_NEEDS)
    assert settings.actor_key == SecretStr("")


def test_a_command_line_wins_over_the_environment() -> None:
    settings = load_settings(COMPLETE, overrides={"kafka": "other:1", "level": "like:5"})
    assert (settings.kafka, settings.level) == ("other:1", Level("like", 5))
    with pytest.raises(SettingsError, match="HOTSPOTS_KAFKA is wrong, 'other' is not host:port"):
        load_settings(COMPLETE, overrides={"kafka": "other"})


def test_an_empty_variable_is_not_set() -> None:
    settings = load_settings({**COMPLETE, "HOTSPOTS_PARTITIONS": "", "HOTSPOTS_REDIS": ""})
    assert (settings.partitions, settings.redis) == (Parameters().partitions, "")


def test_variables_of_others_are_no_concern_of_ours() -> None:
    assert (
        load_settings({**COMPLETE, "KAFKA": "x", "PATH": "y"}).kafka == COMPLETE["HOTSPOTS_KAFKA"]
    )


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("kafka", "kafka", "'kafka' is not host:port"),
        ("kafka", "a:1,b:x", "'b:x' is not host:port"),
        ("kafka", "a:1,b:70000", "'b:70000' is not host:port"),
        ("redis", "http://redis:6379", "must begin with redis://"),
        ("redis", "redis://:6379", "must look like redis://host:6379/0"),
        ("redis", "redis://host:port", "must look like redis://host:6379/0"),
        ("actor_key", "fifteen letters", "it has 15 bytes instead of 16 to 64"),
        ("actor_key", "k" * 65, "it has 65 bytes instead of 16 to 64"),
        ("actor_key", "钥" * 22, "it has 66 bytes instead of 16 to 64"),
        ("partitions", "0", "greater than or equal to 1"),
        ("partitions", "many", "valid integer"),
        ("level", "views:10", "unknown action 'views'"),
        ("level", "view:0", "positive whole number"),
        ("horizon", "7 days", "'7 days' is not a duration such as 7d"),
        ("alarm_rate_per_video_day", "1", "less than 1"),
        ("app_id", "hot spots", "pattern"),
        ("topic_prefix", "a/b", "pattern"),
        ("metrics_port", "65536", "less than or equal to 65535"),
        ("log_level", "loud", "'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("kafka_security_protocol", "TLS", "'PLAINTEXT', 'SSL'"),
        ("kafka_sasl_mechanism", "GSSAPI", "'PLAIN', 'SCRAM-SHA-256' or 'SCRAM-SHA-512'"),
    ],
)
def test_a_wrong_value_is_one_line_with_variable_cause_and_remedy(
    name: str, text: str, said: str
) -> None:
    (line,) = problems(**{name: text})
    assert line.startswith(f"{variable(name)} is wrong, ")
    assert said in line
    _, _, remedy = line.partition(said)
    assert ": " in remedy
    assert "\n" not in line


def test_every_problem_is_told_not_only_the_first() -> None:
    lines = problems(kafka="x", level="y", partitions="z", bord_size="1", actor_key="short")
    assert len(lines) == 5


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"epoch_ms": "7"}, "epoch_ms must be a whole multiple of bucket_ms"),
        ({"epoch_ms": "25200000"}, "epoch_ms must divide a day"),
        ({"kafka_ssl_certfile": "x"}, "CERTFILE and HOTSPOTS_KAFKA_SSL_KEYFILE go together"),
        ({"kafka_security_protocol": "sasl_ssl"}, "set HOTSPOTS_KAFKA_SASL_USERNAME and"),
    ],
)
def test_settings_that_do_not_fit_together(environ: dict[str, str], said: str) -> None:
    (line,) = problems(**environ)
    assert said in line


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("HOTSPOTS_BORD_SIZE", "did you mean HOTSPOTS_BOARD_SIZE?"),
        ("hotspots_kafkas", "did you mean HOTSPOTS_KAFKA?"),
        ("HOTSPOTS_XYZZY", "see docs/settings.md"),
    ],
)
def test_an_unknown_variable_is_a_problem(name: str, remedy: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings({**COMPLETE, name: "1"})
    (line,) = caught.value.lines
    assert line.startswith(f"{name} is no setting")
    assert remedy in line


def test_secrets_are_never_shown() -> None:
    secret = "do-not-show-me-anywhere"  # noqa: S105 - a made-up secret is what this test is about
    environ = {
        **COMPLETE,
        "HOTSPOTS_ACTOR_KEY": secret,
        "HOTSPOTS_REDIS": f"redis://me:{secret}@redis:6379",
        "HOTSPOTS_KAFKA_SASL_PASSWORD": secret,
    }
    settings = load_settings(environ)
    assert secret not in f"{settings!r} {settings}"
    broken = {**environ, "HOTSPOTS_REDIS": f"redis://me:{secret}@redis:none", "HOTSPOTS_LEVEL": "x"}
    with pytest.raises(SettingsError) as caught:
        load_settings(broken)
    assert secret not in str(caught.value)
    for url in (f"redis://[{secret}", f"{secret}://x", f"redis://u:{secret}"):
        with pytest.raises(SettingsError) as caught:
            load_settings({**environ, "HOTSPOTS_REDIS": url})
        assert secret not in str(caught.value), url


def test_settings_cannot_be_changed() -> None:
    settings = load_settings(COMPLETE)
    with pytest.raises(ValidationError):
        settings.partitions = 5  # type: ignore[misc]  # that it is refused is what is tested


def test_only_load_settings_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOTSPOTS_PARTITIONS", "9")
    monkeypatch.setenv("HOTSPOTS_KAFKA", COMPLETE["HOTSPOTS_KAFKA"])
    monkeypatch.setenv("HOTSPOTS_ACTOR_KEY", KEY)
    assert Settings().partitions == Parameters().partitions
    assert load_settings(COMPLETE).partitions == Parameters().partitions
    assert load_settings().partitions == 9


def test_a_worker_with_bad_settings_ends_with_exit_code_2_and_no_traceback() -> None:
    clean = {name: text for name, text in os.environ.items() if "HOTSPOTS" not in name.upper()}
    ended = subprocess.run(
        [sys.executable, "-m", "streams.cli", "worker"],
        env={**clean, "HOTSPOTS_KAFKA": "nowhere"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    lines = ended.stderr.splitlines()
    assert [line.split(" is ")[0] for line in lines] == [
        "hotspots: HOTSPOTS_KAFKA",
        "hotspots: HOTSPOTS_ACTOR_KEY",
    ]
