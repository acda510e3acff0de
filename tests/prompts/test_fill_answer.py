"""What a chat model writes round the text for a cursor, in files of every kind."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bytebuddy_provider_hf.edits.text_filter import filtered
from bytebuddy_provider_hf.prompts.fill_context import FillContext
from bytebuddy_provider_hf.prompts.filters import FillFilter

# A cursor in a file of each kind, and a text that belongs there.
PLACES = {
    "python": (FillContext("def f(x):\n    ", "\n    return x\n", "a.py"), "x = x + 1"),
    "javascript": (
        FillContext("function f(x) {\n  ", "\n  return x;\n}\n", "a.js"),
        "x = x + 1;",
    ),
    "go": (FillContext("func f(x int) {\n\t", "\n\treturn x\n}\n", "a.go"), "x++"),
    "shell": (FillContext("set -e\n", "\nmake\n", "run.sh"), "cd src"),
    "toml": (FillContext("[tool]\n", "\nb = 1\n", "a.toml"), "a = 1"),
    "yaml": (FillContext("job:\n  ", "\n  steps: []\n", "ci.yaml"), "runs-on: linux"),
    "markdown": (
        FillContext("# Title\n\n", "\n\n## More\n", "README.md"),
        "It adds numbers.",
    ),
    "markdown with fences": (
        FillContext("# Use\n\n```sh\nmake\n```\n\n", "\n\n## More\n", "README.md"),
        "Then run it.",
    ),
    "text": (FillContext("Notes\n\n", "\nEnd\n", "notes.txt"), "It adds numbers."),
    "docstring": (
        FillContext('def f():\n    """Do it.\n\n    ', '\n    """\n', "a.py"),
        "It adds numbers.",
    ),
    "unknown": (FillContext("one\n", "\nthree\n"), "two = 2"),
}
CODE = ("python", "javascript", "go", "shell", "toml", "yaml")
TALK = {
    "refusal": "I'm sorry, but I can't help with that.",
    "refusal, policy": "I cannot assist with that request.",
    "refusal, model": "As an AI language model, I can't write files.",
    "question": "Could you please provide more context about what the function "
    "should do?",
    "complete": "The code is already complete; nothing needs to be added.",
    "none needed": "No code needed",
    "nothing": "There is nothing to add here.",
    "cut off": "It looks like your file is cut off. Please share the rest.",
    "refusal, context": "Unfortunately, I don't have enough context to complete this.",
    "zh refusal": "抱歉，我无法完成这个请求。",
    "zh question": "请提供更多上下文。",
    "zh complete": "代码已经完整，无需添加任何内容。",
    "tool call": '<tool_call>\n{"name": "write", "arguments": {}}\n</tool_call>',
    "tool call, Mistral": '[TOOL_CALLS][{"name": "write"}]',
    "tool call, ReAct": "Action: read_file\nAction Input: a.py",
}
SPOKEN_ONLY_IN_CODE = {
    "reasoning": "Let us see. The function takes x and returns it.",
    "plan": "You should add a check to the function here.",
    "explanation": "这个函数的作用是返回参数的值。",
    "error page": "<html>\n<head><title>502 Bad Gateway</title></head></html>",
    "error line": "502 Bad Gateway\nnginx",
    "error body": '{"error": {"message": "overloaded", "code": 503}}',
}


def filled(context: FillContext, answer: str, *, by_chat: bool = True) -> str:
    return filtered(answer, FillFilter(context, multiline=True, by_chat=by_chat))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("kind", TALK)
@pytest.mark.parametrize("marks", ["{}", "<FILL>{}</FILL>", "<FILL>\n{}\n</FILL>"])
def test_talk_is_no_text(place: str, kind: str, marks: str) -> None:
    """Where sentences are the content, too; and the filter tells that it was talk."""
    through = FillFilter(PLACES[place][0], multiline=True, by_chat=True)
    assert filtered(marks.format(TALK[kind]), through).strip() == ""
    assert through.talked


@pytest.mark.parametrize(
    ("place", "kind"),
    # An object of JSON is YAML as well.
    [
        (place, kind)
        for place in CODE
        for kind in SPOKEN_ONLY_IN_CODE
        if (place, kind) != ("yaml", "error body")
    ],
)
def test_sentences_are_no_code(place: str, kind: str) -> None:
    """In a file of code no sentence is the content, nor what a server says."""
    assert filled(PLACES[place][0], SPOKEN_ONLY_IN_CODE[kind]) == ""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "wrapping",
    [
        "{}",
        "<FILL>{}</FILL>",
        "Sure! Here it is: <FILL>{}</FILL> Hope it helps.",
        "<think>\nI'd write something.\n</think>\n\n<FILL>{}</FILL>",
        "<think>\nOnly <FILL>nothing</FILL>?\n</think>\n{}",
        "So it has to be added.\n</think>\n\n<FILL>{}</FILL>",
        "I write it between <FILL> and </FILL>.\n\n<FILL>{}</FILL>",
        "Here is the missing text:\n\n{}",
        "Here is the missing text:\n\n```\n{}\n```\nIt fits.",
        "I'm sorry, I can't see more context. Try:\n\n<FILL>{}</FILL>",
        "<FILL>{}<FILL_HERE>",
    ],
)
def test_what_is_around_the_text_goes(place: str, wrapping: str) -> None:
    """Thoughts, marks, announcements and fences, whatever the file is."""
    context, text = PLACES[place]
    assert filled(context, wrapping.replace("{}", text)) == text


@pytest.mark.parametrize("place", CODE)
@pytest.mark.parametrize(
    "wrapping",
    [
        "```\n{}\n```",
        "```python\n{}\n```\nThis is it.",
        "  ```\n  {}\n  ```",
        "Let me think. The function takes x and returns it.\n\n```\n{}\n```",
        "The function takes x. " * 40 + "\n\n```\n{}\n```",
        "Here is the code:\n{}",
        "Sure!\n{}",
        "以下是代码：\n\n{}",
        "{}\n```\nThis is it.",
    ],
)
def test_code_is_taken_out_of_what_is_said(place: str, wrapping: str) -> None:
    """Reasoning may be longer than what is searched of other answers."""
    context, text = PLACES[place]
    assert filled(context, wrapping.replace("{}", text)).strip() == text


def test_commands_to_run_are_no_code() -> None:
    """A block of a shell is passed over for the one of the file's language."""
    said = "You need the library first:\n```bash\npip install it\n```\n"
    context, text = PLACES["python"]
    assert filled(context, f"{said}Then:\n```python\n{text}\n```") == text
    assert filled(context, said) == ""


@pytest.mark.parametrize("place", ["markdown", "markdown with fences"])
def test_a_fence_round_markdown_goes_and_those_inside_stay(place: str) -> None:
    """Told by its language, or by an announcement."""
    text = "Run it:\n\n```sh\nmake test\n```\n\nThat is all."
    context = PLACES[place][0]
    for wrapped in (
        f"```markdown\n{text}\n```",
        f"````md\n{text}\n````\n\nHope it helps.",
        f"Here is the missing section:\n\n```markdown\n{text}\n```",
        f"<FILL>\n```markdown\n{text}\n```\n</FILL>",
        f"<FILL>{text}</FILL>",
        text,
    ):
        assert filled(context, wrapped) == text


@pytest.mark.parametrize(
    ("context", "text"),
    [
        (PLACES["python"][0], "# I'm sorry, but I can't help with that."),
        (PLACES["python"][0], '"""Could you please provide more context?"""'),
        (PLACES["python"][0], '"Sure!"'),
        (PLACES["python"][0], "print('No code needed')"),
        (FillContext("print('", "')\n", "a.py"), "Sure, you are here."),
        (FillContext("x = ", "\n", "a.py"), '{"error": {"message": "no"}}'),
        (FillContext("f(\n    ", "\n)\n", "a.py"), '{"error": "none"},'),
        (PLACES["javascript"][0], "// The code is already complete."),
        (FillContext("/*\n * ", "\n */\n", "a.c"), "The list is sorted here."),
        (FillContext("return (\n  <p>\n", "</p>\n", "a.tsx"), "    We are here.\n"),
        (FillContext("cat <<EOF\n", "\nEOF\n", "a.sh"), "You should be here."),
        (FillContext("a:\n  b: |\n    ", "\n", "a.yml"), "The text of it is here."),
        (FillContext("=head1 NAME\n\n", "\n\n=cut\n", "A.pm"), "It is the one."),
        (PLACES["markdown"][0], "Unfortunately, this needs an option."),
        (PLACES["markdown"][0], "Please provide a description of the bug."),
        (PLACES["markdown"][0], "The user wants to log in."),
        (PLACES["markdown"][0], "No code needed: drag and drop."),
        (PLACES["markdown"][0], "I can't see my changes. What now?"),
        (PLACES["markdown"][0], "```sh\nmake test\n```"),
        (PLACES["markdown"][0], "本项目提供一个函数。"),
        (PLACES["text"][0], "502 Bad Gateway\n: the server is down."),
        (FillContext("{\n  ", "\n}\n", "a.json"), '"error": "none"'),
        (FillContext("", "\n", "a.json"), '{"error": "none"}'),
        (FillContext("", "", "a.html"), "<html><body>Hello.</body></html>"),
        # What the file itself says is its content.
        (
            FillContext("I'm sorry, but I can't help with that.\n", "", "a.txt"),
            "I'm sorry, but I can't help with that, either.\n",
        ),
    ],
)
def test_what_only_begins_like_talk_stays(context: FillContext, text: str) -> None:
    """Comments, strings, sentences of a text, objects where a value belongs."""
    assert filled(context, text) == text
    assert filled(context, f"<FILL>{text}</FILL>") == text


@pytest.mark.parametrize("place", PLACES)
def test_infilling_tokens_are_believed(place: str) -> None:
    """A model that was not asked by chat talks only where nobody can mistake it."""
    context, text = PLACES[place]
    assert filled(context, text, by_chat=False) == text
    said = "The list is sorted here."
    assert filled(context, said, by_chat=False) == said
    if place in CODE:
        assert filled(context, TALK["refusal"], by_chat=False) == ""
    else:
        assert filled(context, TALK["refusal"], by_chat=False) == TALK["refusal"]


def test_talk_ends_the_reading() -> None:
    """Inside the markers nothing that follows can matter."""
    through = FillFilter(PLACES["python"][0], multiline=True, by_chat=True)
    assert through.feed("<FILL>I'm sorry, but I can't help with that.\nAsk") == ""
    assert through.done


def test_code_is_shown_at_once() -> None:
    """What cannot become talk is not held back."""
    through = FillFilter(PLACES["python"][0], multiline=True, by_chat=True)
    assert through.feed("<FILL>total ") == "total "
    assert through.feed("= The") == "= The"


parts = st.lists(
    st.sampled_from(
        [
            "<FILL>",
            "</FILL>",
            " and ",
            "<FILL_HERE>",
            "<think>",
            "</think>",
            "```",
            "```markdown\n",
            "```bash\n",
            "````\n",
            "\n",
            "\r\n",
            "    ",
            "\t",
            "def f(x):",
            "x = x + 1",
            "return x",
            "I'm sorry, but I can't help",
            "The function is here",
            ". ",
            "Here is the code:\n",
            "Sure!",
            "抱歉，我无法帮助。",
            '{"error": ',
            '"x"}',
            "**Summary of",
            "**",
            "502 Bad Gateway",
            "Action: a",
            "<tool_call>",
            "z " * 150,
        ]
    ),
    max_size=12,
).map("".join)


@given(
    parts,
    st.lists(st.integers(0, 9), max_size=20),
    st.sampled_from(sorted(PLACES)),
    st.booleans(),
)
def test_pieces_do_not_matter(
    answer: str, sizes: list[int], place: str, by_chat: bool
) -> None:
    """An answer cut anywhere, to single characters, gives what the whole one gives."""
    context = PLACES[place][0]
    whole = FillFilter(context, multiline=True, by_chat=by_chat)
    expected = filtered(answer, whole)
    cut = FillFilter(context, multiline=True, by_chat=by_chat)
    shown = []
    for size in sizes:
        shown.append(cut.feed(answer[:size]))
        answer = answer[size:]
    shown.extend(map(cut.feed, answer))
    assert "".join([*shown, cut.close()]) == expected
    assert cut.talked == whole.talked


@pytest.mark.parametrize(
    "talk",
    [
        "I'm sorry, but I can't help with that.\n",
        "See <FILL> and </FILL> there.\n",
        "I'm sorry, but I can't help.</think>",
        "Sure!\n",
        "```bash\nx\n",
        "The function is here. ",
    ],
)
def test_talk_without_end_is_passed_over(talk: str) -> None:
    """However long it is, and none of it is shown."""
    answer = f"The text is missing here.\n{talk * 20_000}"
    assert filled(PLACES["python"][0], answer) == ""
    assert filled(PLACES["python"][0], f"<FILL>{answer}") == ""
