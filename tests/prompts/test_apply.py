from __future__ import annotations

import pytest

from bytebuddy_provider_hf.errors import InvalidOption
from bytebuddy_provider_hf.prompts.edit import (
    apply_messages,
    render_apply_template,
)


def test_the_model_is_asked_for_the_whole_file() -> None:
    """One turn with both texts, in fences that neither can close."""
    prompt = apply_messages("a\n```\n", "````\nb\n````\n", path="x.py", language="")
    (message,) = prompt.messages
    assert message.role == "user"
    content = str(message.content)
    assert "`````py\na\n```\n`````" in content
    assert "`````\n````\nb\n````\n`````" in content
    assert prompt.prefill == "`````py\n"


def test_the_entrys_own_template_is_rendered() -> None:
    """promptTemplates.apply with the names that Continue gives."""
    template = "{{{original_code}}}\n---\n{{new_code}}"
    assert render_apply_template(template, "a", "{{b}}") == "a\n---\n{{b}}"
    with pytest.raises(InvalidOption):
        render_apply_template("{{original}}", "a", "b")
