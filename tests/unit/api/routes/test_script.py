"""The script as it is served: the same program, without what only its readers need."""

from importlib.resources import files

from weir.api.routes.script import served

SOURCE = files("weir.browser").joinpath("weir.js").read_text()


def test_only_comments_and_indentation_are_left_out() -> None:
    """Lines of code stay, in their order; a comment behind code stays too."""
    assert served("// why\n  a = 1; // one\n\n    // more\n  b = 'http://c'\n") == (
        "a = 1; // one\nb = 'http://c'\n"
    )
    lines = served(SOURCE).splitlines()
    assert lines[0] == "(() => {"
    assert lines[-1] == "})();"


def test_no_text_of_the_script_goes_over_several_lines() -> None:
    """What is left out of a line could be a part of a text otherwise."""
    code = [line for line in SOURCE.splitlines() if not line.strip().startswith("//")]
    assert all(line.count("`") % 2 == 0 for line in code)
    assert "/*" not in SOURCE
