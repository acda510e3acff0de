"""Templates of the file: two forms, and every other one an error with its place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.prompts.template import check, render

EDIT = ("userInput", "prefix", "codeToEdit", "suffix", "language")


def test_both_forms_put_the_text_in_as_it_is() -> None:
    """Nothing is HTML: two braces escape no more than three."""
    values = {"a": "<b> & 'c'", "b": "2"}
    assert render("{{a}}|{{{a}}}|{{ b }}|{{{ b }}}", values) == (
        "<b> & 'c'|<b> & 'c'|2|2"
    )


def test_braces_inside_a_value_mean_nothing() -> None:
    """A value is put in once."""
    assert render("{{a}}", {"a": "{{b}} {{#if}}", "b": "x"}) == "{{b}} {{#if}}"


def test_other_braces_are_text() -> None:
    """Code is full of them."""
    template = "if (x) { y({a: 1}) } // }} }}}"
    assert render(template, {}) == template
    assert render("{{{a}}}}", {"a": "1"}) == "1}"


@pytest.mark.parametrize(
    ("template", "place", "what"),
    [
        ("{{#if x}}y{{/if}}", "1:1", "a block"),
        ("a\nbc {{/if}}", "2:4", "the end of a block"),
        ("{{^x}}", "1:1", "inverted"),
        ("\n\n{{> part}}", "3:1", "a partial"),
        ("{{! note }}", "1:1", "a comment"),
        ("{{&x}}", "1:1", "unescaped"),
        ("{{~x}}", "1:1", "whitespace"),
        ("{{{#x}}}", "1:1", "a block"),
        ("ok {{x", "1:4", "no name"),
        ("ok {{}}", "1:4", "no name"),
        ("{{x y}}", "1:1", "no name"),
        ("{{x.y}}", "1:1", "no name"),
        ("{{{x}}", "1:1", "no name"),
        ("{{{{x}}}}", "1:1", "no name"),
    ],
)
def test_any_other_form_is_an_error_with_its_place(
    template: str, place: str, what: str
) -> None:
    """Line and column count from 1."""
    with pytest.raises(InvalidOption) as caught:
        check(template, ("x",))
    assert f"{place}: " in str(caught.value)
    assert what in str(caught.value)


def test_an_unknown_name_lists_those_known() -> None:
    """With its place."""
    with pytest.raises(InvalidOption) as caught:
        check("Edit\n  {{ userinput }}", EDIT)
    assert "2:3" in str(caught.value)
    assert "codeToEdit, language, prefix, suffix, userInput" in str(caught.value)


def test_a_good_template_passes() -> None:
    """All names of an edit may be used."""
    check("".join("{{{" + name + "}}}" for name in EDIT), EDIT)


@given(st.text(alphabet="{}#/x \n", max_size=60))
def test_any_text_renders_or_names_a_place(template: str) -> None:
    """Nothing else comes of it, and nothing hangs."""
    said = "template, "
    try:
        said += render(template, {"x": "1"})
    except InvalidOption as error:
        said = str(error)
    assert said.startswith("template, ")
