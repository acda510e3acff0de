"""What calls say of money: an alert on stderr, the cost with ``-v`` and in JSON."""

from __future__ import annotations

import io
import json
import re
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from attrs import asdict
from cli.process import Run, serving
from servers.engines import FakeVllm
from servers.engines_hf import FakeToolkit
from servers.engines_tei import FakeTei

from bytebuddy_provider_hf.cli.amounts import cost_text, served_facts, used_text
from bytebuddy_provider_hf.cli.options import CallSettings
from bytebuddy_provider_hf.cli.render import JsonLinesPrinter, JsonPrinter, Printer
from bytebuddy_provider_hf.cli.show_reply import print_used, show_reply
from bytebuddy_provider_hf.cli.status_line import StatusLine
from bytebuddy_provider_hf.cli.verbose import SCREEN
from bytebuddy_provider_hf.money import NO_COST, Cost
from bytebuddy_provider_hf.plugins.pending_reply import PendingReply
from bytebuddy_provider_hf.testing.behaviour import Behaviour
from bytebuddy_provider_hf.testing.hub import FakeHub
from bytebuddy_provider_hf.testing.script import Handler, Recorded
from bytebuddy_provider_hf.testing.virtual_time import virtual_time
from bytebuddy_provider_hf.types import (
    BudgetAlert,
    CompletionOptions,
    Done,
    Event,
    Loading,
    Reply,
    Served,
    Text,
    Usage,
)

# The first moment of August 2026.
AUGUST = 1_785_542_400.0
ALERT = BudgetAlert("hf-llama", 80, 4_000_000_000, 5_000_000_000, "dollars", AUGUST)
SAID = (
    "budget hf-llama: 80 % used up, $4.00 of $5.00 until 31 July; "
    "`bytebuddy-hf usage` shows more\n"
)
COST = Cost(
    estimated=1_234_000,
    is_ceiling=True,
    priced_on="2026-07-03",
    reported=1_200_000,
    is_pending=True,
)


def told(*events: Event, quiet: bool = False) -> str:
    out = io.StringIO()
    line = StatusLine("m", lambda: 0.0, stream=out, quiet=quiet)
    for event in events:
        line.event(event)
    line.clear()
    return out.getvalue()


def test_an_alert_is_one_line() -> None:
    """Which budget, how much of it, until when, and where to see more."""
    assert told(ALERT) == SAID


def test_an_alert_ends_no_wait() -> None:
    """The wait is still being told after it."""
    waiting = told(Loading(0.0, 8.0), ALERT)
    assert waiting.count("m") > 1
    assert SAID in waiting
    assert waiting.splitlines()[-1].startswith("waited")


def test_a_program_is_told_nothing_on_stderr() -> None:
    """It reads the events."""
    assert told(ALERT, quiet=True) == ""


@pytest.mark.parametrize(
    ("unit", "used", "said"),
    [("calls", 24_000, "24,000 calls of 30,000 calls"), ("tokens", 1, "1 tokens of")],
)
def test_a_budget_counts_what_it_counts(unit: str, used: int, said: str) -> None:
    """Only money is in dollars."""
    alert = BudgetAlert("x", 80, used, 30_000, unit, AUGUST)  # type: ignore[arg-type]
    assert said in told(alert)


def test_an_alert_is_said_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command stays as it is typed."""
    monkeypatch.setenv("BYTEBUDDY_LANG", "zh")
    assert told(ALERT) == (
        "预算 hf-llama：已用 80 %，$4.00，上限 $5.00，至 7 月 31 日；"
        "详见 `bytebuddy-hf usage`\n"
    )


def test_a_budget_of_a_strangers_name_rewrites_no_screen() -> None:
    """A project's entry names it."""
    alert = BudgetAlert("\x1b[2Jx\ny", 80, 1, 2, "calls", AUGUST)
    assert told(alert).startswith("budget x y: ")


@virtual_time
async def test_an_alert_waits_for_the_end_of_an_answer() -> None:
    """In the midst of one it would tear it apart; before, it is told at once."""
    out = io.StringIO()
    line = StatusLine("m", stream=out)
    seen: list[str] = []

    class Watching(Printer):
        def event(self, _: Event) -> None:
            seen.append(out.getvalue())

    async def whole() -> Reply:
        return Reply("")

    async def stream() -> AsyncGenerator[Event, None]:
        for event in (ALERT, Text("a"), ALERT, Text("b"), Done(Reply("ab"))):
            yield event

    await show_reply(PendingReply(whole, stream), line, Watching())
    assert seen == [SAID] * 5
    assert out.getvalue() == SAID * 2


def test_an_alert_is_an_event_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With the members that a host gets."""
    JsonLinesPrinter().event(ALERT)
    assert json.loads(capsys.readouterr().out) == {
        "type": "budget_alert",
        **asdict(ALERT),
    }


@pytest.mark.parametrize("printer", [JsonPrinter(), JsonLinesPrinter()])
def test_json_tells_the_cost(
    capsys: pytest.CaptureFixture[str], printer: Printer
) -> None:
    """In whole nano-USD beside the text; what nobody knows is null."""
    served = Served(provider="novita", cost=COST, cached=3.5, entry="other")
    printer.event(Done(Reply("x", served=served)))
    shown = json.loads(capsys.readouterr().out)
    shown = shown.get("reply", shown)
    assert {name: shown[name] for name in ("provider", "served_by", "cached")} == {
        "provider": "novita",
        "served_by": "other",
        "cached": 3.5,
    }
    assert shown["cost"] == {
        "estimated_nano_usd": 1_234_000,
        "estimated_is_ceiling": True,
        "priced_on": "2026-07-03",
        "reported_nano_usd": 1_200_000,
        "billed_nano_usd": None,
        "is_pending": True,
        "unpriced": None,
    }


def test_a_call_that_nobody_counted_has_no_cost() -> None:
    """Not one of $0."""
    assert served_facts(Reply("x"))["cost"] is None


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (
            COST,
            (
                "≤$0.0012 estimated, by the price of 2026-07-03; "
                "$0.0012 reported by the answer; the bill is still to come"
            ),
        ),
        (Cost(estimated=0), "$0.00 estimated"),
        (Cost(unpriced="no price"), "unpriced: the catalogue has no price for it"),
        (
            Cost(unpriced="compute time", billed=20_000_000),
            "unpriced: it costs compute time, which only the bill tells; $0.020 billed",
        ),
    ],
)
def test_a_cost_is_a_sentence(cost: Cost, said: str) -> None:
    """Each amount for itself, and why there is none."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    assert cost_text(cost, out) == said


def test_the_cost_is_told_with_v_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing where nobody counted, or where a program reads the answer."""
    settings = CallSettings(None, None, None, CompletionOptions())

    def told(cost: Cost, *, quiet: bool = False) -> str:
        reply = Reply("x", served=Served(cost=cost))
        print_used(settings, reply, "m", 1.0, usage=None, quiet=quiet)
        return capsys.readouterr().err

    assert told(COST) == ""
    monkeypatch.setattr(SCREEN, "times", 1)
    assert told(NO_COST) == told(COST, quiet=True) == ""
    assert told(Cost(estimated=0)) == "cost: $0.00 estimated\n"


USED = [
    (Served(), Usage(12, 1_034), "12 tokens in, 1,034 out; org/m; 2.3 s"),
    (Served(), Usage(12), "12 tokens in, - out; org/m; 2.3 s"),
    (Served(), None, "tokens not told; org/m; 2.3 s"),
    (
        Served(provider="novita", cost=Cost(estimated=1_200_000), entry="other"),
        Usage(1, 2),
        "1 tokens in, 2 out; $0.0012 estimated; org/m at novita, entry other; 2.3 s",
    ),
    (
        Served(cached=3.0),
        Usage(1, 2),
        "nothing, as the answer was kept; org/m; 2.3 s",
    ),
]


@pytest.mark.parametrize(("served", "usage", "said"), USED)
def test_what_a_call_used_is_one_line(
    served: Served, usage: Usage | None, said: str
) -> None:
    """Tokens, cost where it is known, who answered, time; unknown is never nothing."""
    reply = Reply("x", served=served)
    assert used_text(reply, "org/m", 2.34, usage, reply.cost) == said


def test_what_a_call_used_is_said_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same facts, and nothing of a stranger's that rewrites the screen."""
    monkeypatch.setenv("BYTEBUDDY_LANG", "zh")
    reply = Reply("x", served=Served(provider="no\x1b[2Jvita"))
    said = used_text(reply, "m\n", 2.34, Usage(1, 2), NO_COST)
    assert said == "输入 1 个 token，输出 2 个；novita 上的 m；2.3 秒"


CHAT = FakeHub({"any": Behaviour(answer=lambda _: "```\na = 2\n```\n")})


@pytest.mark.parametrize(
    ("handler", "arguments"),
    [
        (CHAT.handle, ["chat", "hi"]),
        (CHAT.handle, ["complete", "hi"]),
        (CHAT.handle, ["edit", "a.py", "-i", "double it", "--diff"]),
        (FakeTei(), ["embed", "a", "b"]),
        (FakeTei(kind="reranker"), ["rerank", "a", "b"]),
        (FakeToolkit(task="text-classification"), ["task", "text-classification", "a"]),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_every_command_that_calls_tells_what_it_used(
    run: Run, tmp_path: Path, handler: Handler, arguments: list[str], form: str
) -> None:
    """With ``--usage``, on stderr, after the answer, also where that is JSON."""
    (tmp_path / "project" / "a.py").write_text("a = 1\n")
    given = [*arguments]
    if form == "json":
        given = [*(each for each in arguments if each != "--diff"), "--json"]
    with serving(handler) as url:
        asked = [*given, "--base", url, "-m", "any"]
        ran = run(*asked, "--usage")
        silent = run(*asked)
    assert ran.code == 0, ran.err
    assert ran.out
    *_, last = ran.err.splitlines()
    parts = last.removeprefix("used: ").split("; ")
    counted = arguments[0] in {"chat", "complete", "edit"}
    told = r"\d+ tokens in, \d+ out" if counted else "tokens not told"
    assert re.fullmatch(told, parts[0])
    assert parts[1] == "unpriced: the server is not billed by the call"
    assert re.fullmatch(r"\S+", parts[2])
    assert re.fullmatch(r"\d+\.\d s", parts[3])
    assert "used: " not in silent.err


@pytest.mark.parametrize(
    ("said", "code", "counts"),
    [("budget: {calls: 1, hard: true}", 4, True), ("ledger: off", 0, False)],
)
def test_the_users_file_holds_for_what_no_entry_names(
    run: Run, home: Path, said: str, code: int, counts: bool
) -> None:
    """A hard budget, and that nothing is counted: for ``--base`` too."""
    folder = home / ".bytebuddy"
    folder.mkdir()
    (folder / "config.yaml").write_text(f"{said}\nmodels: []\n")
    with serving(Recorded(FakeVllm(model="m"))) as url:
        chat = ("chat", "--base", f"{url}/v1", "-m", "m", "hello")
        assert run(*chat).code == 0
        second = run(*chat)
        assert second.code == code, second.err
    assert (folder / "usage.db").exists() is counts


def test_a_file_that_cannot_be_read_holds_nothing_and_is_told(
    run: Run, home: Path
) -> None:
    """The call is made: its server was named, and the file is about others."""
    folder = home / ".bytebuddy"
    folder.mkdir()
    (folder / "config.yaml").write_text("budget: {calls: much}\n")
    with serving(Recorded(FakeVllm(model="m"))) as url:
        ran = run("chat", "--base", f"{url}/v1", "-m", "m", "hello")
    assert ran.code == 0
    assert "its budgets do not hold for this call" in ran.err


def test_a_hard_budget_lets_nothing_through_without_its_file(
    run: Run, home: Path
) -> None:
    """A program that begins anew each time would spend the whole budget each time."""
    folder = home / ".bytebuddy"
    (folder / "usage.db").mkdir(parents=True)
    (folder / "config.yaml").write_text("budget: {calls: 9, hard: true}\nmodels: []\n")
    with serving(Recorded(FakeVllm(model="m"))) as url:
        chat = ("chat", "--base", f"{url}/v1", "-m", "m", "hello")
        ran = run(*chat)
        assert ran.code == 4
        assert "cannot be held" in ran.err
        assert "Usage cannot be written" in ran.err
        (folder / "config.yaml").write_text("budget: {calls: 9}\nmodels: []\n")
        assert run(*chat).code == 0
