"""The table of settings: sources, their order, and how mistakes are told."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weir.errors import InvalidInput
from weir.settings import (
    DEFAULTS,
    GIB,
    MIB,
    SPECS,
    Settings,
    as_environment,
    load_settings,
    worker_count,
    written,
)


@pytest.fixture(autouse=True)
def _in_empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _problems(environ: dict[str, str], **flags: str | float) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        load_settings(flags, environ)
    assert caught.value.code == "invalid_settings"
    return caught.value.message.split("\n")


def test_nothing_given_means_the_defaults() -> None:
    """Without flags, environment and file every value is the table's."""
    found = load_settings({}, {})
    assert found.settings == Settings()
    assert set(found.sources.values()) == {"default"}
    assert found.warnings == []


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    """Each source hides the ones below it, and the answer says which one won."""
    (tmp_path / "weir.toml").write_text('host = "file"\nport = 1\nnode = "file"\n')
    environ = {"WEIR_HOST": "environment", "WEIR_PORT": "2"}
    found = load_settings({"host": "flag", "port": None}, environ)
    settings, sources = found.settings, found.sources
    assert (settings.host, settings.port, settings.node) == ("flag", 2, "file")
    assert settings.region == DEFAULTS["region"]
    told = [sources[name] for name in ("host", "port", "node", "region")]
    assert told == ["flag", "environment", "file", "default"]


def test_config_variable_names_the_file(tmp_path: Path) -> None:
    """WEIR_CONFIG is read instead of weir.toml in the working directory."""
    (tmp_path / "weir.toml").write_text("port = 1\n")
    named = tmp_path / "other.toml"
    named.write_text("port = 2\n")
    assert load_settings({}, {"WEIR_CONFIG": str(named)}).settings.port == 2


def test_named_file_must_exist() -> None:
    """A missing weir.toml is normal; a missing named file is a mistake."""
    assert "is not a file" in _problems({"WEIR_CONFIG": "absent.toml"})[0]


@pytest.mark.parametrize("content", [b"port = ", b"\xff\xfe", b"[port]\nx=1"])
def test_unreadable_file_is_refused(content: bytes, tmp_path: Path) -> None:
    """A file that is not TOML, or whose value is a table, is a problem and not a crash."""
    (tmp_path / "weir.toml").write_bytes(content)
    assert len(_problems({})) == 1


def test_unknown_name_in_file_is_refused(tmp_path: Path) -> None:
    """A misspelt setting in the file must not pass silently."""
    (tmp_path / "weir.toml").write_text("prot = 1\nport = 2\n")
    assert _problems({}) == ["weir.toml: there is no setting 'prot'."]


def test_unknown_environment_name_is_a_warning() -> None:
    """A platform may add names of its own, so the start goes on."""
    found = load_settings({}, {"WEIR_PROT": "1"})
    assert found.warnings == ["There is no setting WEIR_PROT; it is ignored."]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WEIR_PORT", "tcp://10.0.0.1:8080"),
        ("WEIR_PORT_8080_TCP", "tcp://10.0.0.1:8080"),
        ("WEIR_PORT_8080_TCP_ADDR", "10.0.0.1"),
        ("WEIR_PORT_8080_TCP_PORT", "8080"),
        ("WEIR_PORT_8080_TCP_PROTO", "tcp"),
        ("WEIR_SERVICE_HOST", "10.0.0.1"),
        ("WEIR_SERVICE_PORT", "8080"),
        ("WEIR_SERVICE_PORT_HTTP", "8080"),
        ("WEIR_API_SERVICE_HOST", "10.0.0.1"),
        ("WEIR_API_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("WEIR_API_PORT", "udp://10.0.0.1:80"),
    ],
)
def test_kubernetes_service_variables_are_ignored(name: str, value: str) -> None:
    """A service named weir puts these into every pod; they are neither values nor warnings."""
    found = load_settings({}, {name: value})
    assert found.settings == Settings()
    assert found.warnings == []


@pytest.mark.parametrize("name", ["WEIR_URL", "WEIR_KEY"])
def test_client_variables_are_no_settings(name: str) -> None:
    """What the client commands read does not disturb the node."""
    assert load_settings({}, {name: "x"}).warnings == []


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    """One start tells every mistake of every source."""
    (tmp_path / "weir.toml").write_text("nonsense = 1\nworkers = 1.5\n")
    problems = _problems({"WEIR_PORT": "70000", "WEIR_LOG_LEVEL": "loud"}, cut_age_s="soon")
    assert problems == [
        "weir.toml: there is no setting 'nonsense'.",
        "workers (file): 1.5 is not a whole number.",
        "WEIR_LOG_LEVEL (environment): 'loud' is not one of debug, info, warning, error.",
        "WEIR_PORT (environment): 70000 is above 65535.",
        "cut_age_s (flag): 'soon' is not a number.",
    ]


def test_bound_of_a_size_is_told_as_sizes_are_written() -> None:
    """Nobody has to count bytes, neither in the value nor in the bound."""
    told = "WEIR_INFLATED_BYTES_MAX (environment): 1GiB is above 128MiB."
    assert _problems({"WEIR_INFLATED_BYTES_MAX": "1073741824"}) == [told]


def test_misspelt_variable_is_told_beside_the_problems() -> None:
    """It may be the very setting that somebody meant to give."""
    told = _problems({"WEIR_PORT": "x", "WEIR_PROT": "1"})
    assert told[-1] == "There is no setting WEIR_PROT; it is ignored."


@pytest.mark.parametrize("text", ["10 MB", "7XiB"])
def test_wrong_size_is_told_how_sizes_are_written(text: str) -> None:
    """Units are binary only, and the message shows one."""
    assert "64MiB" in _problems({"WEIR_BODY_BYTES_MAX": text})[0]


def test_written_values_are_read_back_unchanged() -> None:
    """What is shown to a person may be copied into a file or a variable."""
    environ = {f"WEIR_{name.upper()}": written(name, value) for name, value in DEFAULTS.items()}
    assert load_settings({}, environ).settings == Settings()


@pytest.mark.parametrize(
    ("text", "size"),
    [("2048", 2048), ("64KiB", 65536), ("8 MiB", 8 * MIB), (" 1GiB ", GIB), ("1TiB", 1024 * GIB)],
)
def test_sizes_may_carry_a_unit(text: str, size: int) -> None:
    """Sizes are bytes, or written with a binary unit."""
    found = load_settings({}, {"WEIR_BODY_BYTES_MAX": text})
    assert found.settings.body_bytes_max == size


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("body_bytes_max", "64MB"),
        ("body_bytes_max", "1.5MiB"),
        ("body_bytes_max", "-1"),
        ("port", ""),
        ("port", "0x50"),
        ("cut_age_s", "nan"),
        ("cut_age_s", "inf"),
        ("cut_age_s", "0"),
        ("log_format", "JSON"),
    ],
)
def test_value_outside_its_kind_is_refused(name: str, text: str) -> None:
    """A value is taken as it was meant or refused; the message names it."""
    problems = _problems({f"WEIR_{name.upper()}": text})
    assert len(problems) == 1
    assert name.upper() in problems[0]


@pytest.mark.parametrize("value", ["true", "[1]", '"text"', "1979-05-27"])
def test_wrong_type_in_file_is_refused(value: str, tmp_path: Path) -> None:
    """TOML's own types are not bent into numbers."""
    (tmp_path / "weir.toml").write_text(f"port = {value}\n")
    assert "port (file)" in _problems({})[0]


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "proxy.example", "::1, x"])
def test_wrong_network_is_refused(text: str) -> None:
    """At the start, naming the one that is wrong; not when the first client comes."""
    [problem] = _problems({"WEIR_TRUSTED_PROXIES": text})
    assert problem.startswith("WEIR_TRUSTED_PROXIES (environment): ")
    assert text.rsplit(maxsplit=1)[-1] in problem


def test_networks_are_separated_by_commas_or_spaces() -> None:
    """None at all is a list too."""
    for text in ("", "10.0.0.1", "10.0.0.0/8,::1 192.0.2.0/24"):
        assert load_settings({}, {"WEIR_TRUSTED_PROXIES": text}).settings.trusted_proxies == text


def test_every_setting_has_help_and_a_lawful_default() -> None:
    """The table describes each setting with a sentence, and its defaults pass its own bounds."""
    assert list(SPECS) == [item.name for item in fields(Settings)]
    assert all(spec.help.endswith(".") for spec in SPECS.values())
    environ = as_environment(Settings())
    assert load_settings({}, environ).settings == Settings()


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
"""What an environment can hold."""


@given(port=st.integers(0, 65535), cut_age_s=st.floats(0.05, 1e6), node=texts)
def test_environment_hands_settings_on_unchanged(port: int, cut_age_s: float, node: str) -> None:
    """A child process that reads the environment form has the parent's settings."""
    settings = replace(Settings(), port=port, cut_age_s=cut_age_s, node=node)
    assert load_settings({}, as_environment(settings)).settings == settings


def test_worker_count_follows_setting_then_cores() -> None:
    """Zero workers means one per core that this process may use."""
    assert worker_count(Settings(workers=3)) == 3
    assert worker_count(Settings()) >= 1
