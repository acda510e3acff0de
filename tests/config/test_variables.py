"""``${VAR}`` and the ``.env`` files."""

from __future__ import annotations

from pathlib import Path

import pytest
from config_world import ENTRY, World

from bytebuddy_provider_hf.config.dotenv import read_env
from bytebuddy_provider_hf.config.load import load
from bytebuddy_provider_hf.config.write import VARIABLE as KEPT
from bytebuddy_provider_hf.secret import Secret


@pytest.mark.parametrize(
    ("written", "env", "value"),
    [
        ("${A}", {"A": "x"}, "x"),
        ('"${A}"', {"A": "x"}, "x"),
        ("a-${A}-${B}", {"A": "x", "B": "y"}, "a-x-y"),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A:-}b", {}, "b"),
        ("$$", {}, "$"),
        ("$${A}", {"A": "x"}, "${A}"),
        ("$$$${A}", {"A": "x"}, "$${A}"),
        ("$A", {"A": "x"}, "$A"),
        ("5$", {}, "5$"),
        ("${{ secrets.A }}", {"A": "x"}, "x"),
        ("${{secrets.A}}", {"A": "x"}, "x"),
        ("${A}", {"A": "${B}", "B": "y"}, "${B}"),
        ("${A}", {"A": "$$"}, "$$"),
        ("${A}", {"A": "${{ secrets.B }}", "B": "y"}, "${{ secrets.B }}"),
    ],
)
def test_a_reference_becomes_its_value_once(
    world: World, written: str, env: dict[str, str], value: str
) -> None:
    """What a variable holds is not looked at again."""
    assert world.entry(f"sourceFile: {written}", env).source_file == value


def test_a_value_cannot_add_a_key(world: World) -> None:
    """Line breaks and colons in a variable stay inside the value."""
    evil = "x\nverifySsl: false\nrequestOptions: {proxy: http://evil}"
    entry = world.entry("sourceFile: ${A}", {"A": evil})
    assert entry.source_file == evil
    assert entry.request_options.verify_ssl is None
    assert entry.request_options.proxy is None


def test_keys_are_never_expanded(world: World) -> None:
    """A reference in a key is a key of that spelling."""
    entry = world.entry("env:\n  ${A}: 1", {"A": "x"})
    assert entry.env == {"${A}": 1}


@pytest.mark.parametrize(
    "written",
    [
        "${",
        "${}",
        "${1A}",
        "${A B}",
        "${A:+x}",
        "${A:-${B}}",
        "x${A",
    ],
)
def test_a_malformed_reference_is_an_error_that_shows_the_forms(
    world: World, written: str
) -> None:
    """Nothing is sent with a literal ``${`` by mistake."""
    text = f"models:\n  - name: m\n    provider: p\n    model: '{written}'\n"
    (problem,) = world.problems(text)
    assert problem.startswith("chosen.yaml:4:12: models[0].model: expected ${NAME}")


SPELLINGS = [
    "$MY_KEY",
    "$(MY_KEY)",
    "$env:MY_KEY",
    "%MY_KEY%",
    "%env(MY_KEY)%",
    "env(MY_KEY)",
    "env:MY_KEY",
    "env.MY_KEY",
    "localEnv:MY_KEY",
    "process.env.MY_KEY",
    "os.environ['MY_KEY']",
    'os.getenv("MY_KEY")',
    "{{ MY_KEY }}",
    "{{ env.MY_KEY }}",
    "{{secrets.MY_KEY}}",
    "{MY_KEY}",
    "${env:MY_KEY}",
    "${ MY_KEY }",
    "${MY_KEY",
    "${MY_KEY:-x",
    "${{ env.MY_KEY }}",
    "${{ inputs.MY_KEY }}",
    "${{ MY_KEY }}",
    "Bearer $MY_KEY",
    " %MY_KEY% ",
]


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("apiKey: {}", "apiKey"),
        ("apiBase: {}", "apiBase"),
        (
            "requestOptions: {{headers: {{Authorization: {}}}}}",
            "requestOptions.headers.Authorization",
        ),
    ],
    ids=["key", "base", "header"],
)
@pytest.mark.parametrize("written", SPELLINGS)
def test_a_variable_in_another_spelling_is_named_and_never_sent(
    world: World, written: str, key: str, path: str
) -> None:
    """One problem at its place, with the spelling that counts here."""
    quoted = "'" + written.replace("'", "''") + "'"
    text = f"models:\n{ENTRY}    {key.format(quoted)}\n"
    (problem,) = world.problems(text, {"MY_KEY": "hf_canary"})
    assert problem.startswith("chosen.yaml:5:")
    assert f"models[0].{path}: expected ${{MY_KEY}}: this is how another" in problem
    assert "canary" not in problem


@pytest.mark.parametrize("name", ["HF_TOKEN", "HF_API_KEY", "HF_ENDPOINT_TOKEN"])
def test_the_bare_name_of_a_token_is_one_of_them(world: World, name: str) -> None:
    """It is what the page calls the variable, and no key."""
    (problem,) = world.problems(f"models:\n{ENTRY}    apiKey: {name}\n")
    assert f"expected ${{{name}}}" in problem


@pytest.mark.parametrize("key", ["$canary7", "%canary%", "{canary_7}"])
def test_a_key_that_only_begins_like_a_variable_is_not_shown(
    world: World, key: str
) -> None:
    """A literal key may begin with a $; doubled it stays one."""
    (problem,) = world.problems(f"models:\n{ENTRY}    apiKey: '{key}'\n")
    assert "expected ${NAME}" in problem
    assert "canary" not in problem
    assert world.entry("apiKey: $$canary7").api_key == Secret("$canary7")


@pytest.mark.parametrize(
    "line",
    [
        "sourceFile: $MY_KEY",
        "promptTemplates: {edit: '{{ prefix }}'}",
        "chatOptions: {baseSystemMessage: $PATH}",
        "apiKey: a$MY_KEY",
        "apiKey: p$ss%word%",
    ],
)
def test_such_a_text_elsewhere_is_a_text(world: World, line: str) -> None:
    """A template, a prompt, or a key with a sign in it."""
    assert world.entry(line).unset == ()


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("maxTokens: ${V}", "12"),
        ("maxTokens: '${V}'", "12"),
        ("maxTokens: ${V:-12}", None),
        ("maxTokens: 1${W}", "2"),
    ],
)
def test_a_number_may_come_from_a_variable(
    world: World, line: str, value: str | None
) -> None:
    """The field decides what the text becomes."""
    env = {} if value is None else {"V": value, "W": value}
    below = f"defaultCompletionOptions:\n  {line}"
    assert world.entry(below, env).default_completion_options.max_tokens == 12


def test_a_bool_may_come_from_a_variable_and_text_stays_text(world: World) -> None:
    """``useResponsesApi`` wants a bool, ``env`` takes what it gets as text."""
    entry = world.entry(
        "useResponsesApi: ${T}\nenv:\n  A: ${T}\n  B: true\n  C: ${N}",
        {"T": "true", "N": "1"},
    )
    assert entry.use_responses_api is True
    assert entry.env == {"A": "true", "B": True, "C": "1"}


def test_a_wrong_value_of_a_variable_is_not_shown(world: World) -> None:
    """The message names the variable: what it holds may be a key."""
    text = (
        "models:\n  - name: m\n    provider: p\n    model: m\n    roles: ['${K}']\n"
        "    apiBase: ${K}\n"
        "    defaultCompletionOptions: {temperature: '${K}', stream: '${K}'}\n"
        "    promptTemplates: {chat: '${K}'}\n"
    )
    problems = world.problems(text, {"K": "sk-canary"})
    assert len(problems) == 5
    assert all("found the value of K" in problem for problem in problems)
    assert "canary" not in str(problems)


@pytest.mark.parametrize(
    ("line", "path", "column"),
    [
        ("apiKey: ${NOPE}", "apiKey", 13),
        ("apiBase: https://${NOPE}/v1", "apiBase", 14),
        ("roles: ['${NOPE}', chat]", "roles[0]", 13),
        ("contextLength: ${NOPE}", "contextLength", 20),
        (
            "requestOptions: {headers: {X-A: '${NOPE}'}}",
            "requestOptions.headers.X-A",
            37,
        ),
        ("custom: ${NOPE}", "custom", 13),
        ("custom: ${{ secrets.NOPE }}", "custom", 13),
    ],
)
def test_an_unset_variable_concerns_its_entry_only(
    world: World, line: str, path: str, column: int
) -> None:
    """The file loads; the entry carries the name, the place and the next step."""
    entry = world.entry(line)
    (unset,) = entry.unset
    assert (unset.variable, unset.path) == ("NOPE", f"models[0].{path}")
    assert unset.place.endswith(f"chosen.yaml:5:{column}")
    assert "Set NOPE in the environment or in " in unset.hint
    assert "${" not in repr(entry.request_options.headers)


def test_a_required_key_keeps_what_is_written(world: World) -> None:
    """An entry without its variable is still listed under a name."""
    text = "models:\n  - {name: a, provider: p, model: '${M}'}\n"
    (entry,) = world.read(text).entries
    assert entry.model == "${M}"
    assert [u.variable for u in entry.unset] == ["M"]


@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_an_empty_key_counts_as_unset(world: World, blank: str) -> None:
    """No empty bearer token is ever sent."""
    entry = world.entry("apiKey: ${K}", {"K": blank})
    assert entry.api_key is None
    assert [u.variable for u in entry.unset] == ["K"]


@pytest.mark.parametrize("written", ["${K:-}", '""', ""])
def test_no_key_may_be_said(world: World, written: str) -> None:
    """An empty default, an empty text and nothing at all mean that there is no key."""
    entry = world.entry(f"apiKey: {written}")
    assert entry.api_key is None
    assert entry.unset == ()


@pytest.mark.parametrize("where", ["entry", "file"])
@pytest.mark.parametrize("env", [{}, {"C": ""}])
def test_an_unset_path_of_a_certificate_concerns_its_entry_only(
    world: World, where: str, env: dict[str, str]
) -> None:
    """Such a key is required, but it is not missing: its variable is."""
    options = "requestOptions: {clientCertificate: {cert: '${C}', key: k}}"
    text = f"models:\n{ENTRY}"
    text += f"    {options}\n" if where == "entry" else f"{options}\n"
    (entry,) = world.read(text, env).entries
    assert [u.variable for u in entry.unset] == ["C"]


@pytest.mark.parametrize(
    "line",
    [
        "apiBase: ${V:-}",
        "contextLength: ${V:-}",
        "roles: ['${V:-}', chat, edit, apply]",
        "family: '${V:-}${W:-}'",
        "requestOptions: {headers: {X-A: '${V:-}'}}",
        "requestOptions: {extraBodyProperties: {u: '${V:-}'}}",
    ],
)
@pytest.mark.parametrize("env", [{}, {"V": ""}])
def test_a_reference_may_say_that_nothing_is_meant(
    world: World, line: str, env: dict[str, str]
) -> None:
    """The key then counts as one that was not written."""
    assert world.entry(line, env) == world.entry("")


@pytest.mark.parametrize("line", ["contextLength: ${V}", "apiBase: ${V}"])
def test_an_empty_number_or_address_counts_as_unset(world: World, line: str) -> None:
    """An exported but empty variable is told like one that is missing."""
    assert [u.variable for u in world.entry(line, {"V": ""}).unset] == ["V"]


def test_a_key_loses_the_line_break_at_its_end(world: World) -> None:
    """``export K=$(cat file)`` and Windows leave one there."""
    entry = world.entry("apiKey: ${K}", {"K": "abc\r\n"})
    assert entry.api_key.reveal() == "abc"
    assert entry.api_key_origin == "K"


def test_a_passphrase_keeps_its_blanks(world: World) -> None:
    """Only the line break at its end is no part of it."""
    below = "requestOptions: {clientCertificate: {cert: c, key: k, passphrase: '${P}'}}"
    certificate = world.entry(below, {"P": " a \n"}).request_options.client_certificate
    assert certificate is not None
    assert certificate.passphrase == Secret(" a ")


def test_the_usual_key_has_a_command_that_sets_it(world: World) -> None:
    """``login`` writes the variable that the page's configuration names."""
    (unset,) = world.entry("apiKey: ${HF_API_KEY}").unset
    assert "bytebuddy-hf login" in unset.hint


def test_a_literal_key_says_where_it_stands(world: World) -> None:
    """A refused key can be found again."""
    assert world.entry("apiKey: abc").api_key_origin.endswith("chosen.yaml:5")


def test_an_unset_variable_of_the_top_level_concerns_every_entry(world: World) -> None:
    """The file's ``requestOptions`` belong to all of its entries."""
    text = (
        "requestOptions:\n  headers:\n    X-A: ${NOPE}\nmodels:\n"
        "  - {name: a, provider: p, model: m}\n  - {name: b, provider: p, model: m}\n"
    )
    config = world.read(text)
    assert [[u.path for u in e.unset] for e in config.entries] == [
        ["requestOptions.headers.X-A"],
        ["requestOptions.headers.X-A"],
    ]


def test_sections_of_other_programs_are_left_alone(world: World) -> None:
    """Rules and tools of a host may hold any dollar sign."""
    text = (
        "rules: ['cost ${ 5', '${NOPE}']\nmcpServers: [{env: {A: '${{ inputs.X }}'}}]\n"
    )
    config = world.read(text + "models:\n  - {name: a, provider: p, model: m}\n")
    assert config.entries[0].unset == ()
    assert config.warnings == ()


def test_the_environment_wins_for_a_variable_and_the_files_for_a_secret(
    world: World,
) -> None:
    """``${X}`` asks the process first, ``${{ secrets.X }}`` the ``.env`` files."""
    world.write(world.home / ".bytebuddy/.env", "A=file\n")
    entry = world.entry("sourceFile: ${A}-${{ secrets.A }}", {"A": "process"})
    assert entry.source_file == "process-file"


def test_the_env_files_are_asked_in_order_once_the_project_is_trusted(
    world: World,
) -> None:
    """The user's, the project's folder, the project."""
    world.store.add(world.project, "https://router.huggingface.co")
    world.write(world.home / ".bytebuddy/.env", "A=1\n")
    world.write(world.project / ".bytebuddy/.env", "A=2\nB=2\n")
    world.write(world.project / ".env", "A=3\nB=3\nC=3\n")
    entry = world.entry("sourceFile: ${A}${B}${C}")
    assert entry.source_file == "123"


def test_the_env_of_an_untrusted_project_counts_for_nothing(world: World) -> None:
    """The hint says where the variable stands and how to let it count."""
    world.write(world.project / ".env", "K=hf_canary\n")
    entry = world.entry("apiKey: ${K}")
    assert entry.api_key is None
    (unset,) = entry.unset
    assert f"K stands in {world.project / '.env'}" in unset.hint
    assert "bytebuddy-hf config trust https://router.huggingface.co" in unset.hint
    assert "canary" not in unset.hint


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=x", "x"),
        ("export A=x", "x"),
        ("  A = x  ", "x"),
        ("A='x # y'", "x # y"),
        ('A="x # y"', "x # y"),
        ("A=x # y", "x"),
        ("A=x#y", "x#y"),
        ("A=#y", "#y"),
        ("A= #y", ""),
        ("A= # y", ""),
        ("A=x #", "x"),
        ("A='x' # y", "x"),
        ("A=`x\"'`", "x\"'"),
        ('A=""', ""),
        ("A=don't", "don't"),
        ("A=", ""),
        (r'A="a\nb\"c\\"', 'a\nb"c\\'),
        (r"A='a\nb'", r"a\nb"),
        ("A=x${B}", "x${B}"),
        ("A=b=c", "b=c"),
        ("A=x\r", "x"),
    ],
)
def test_a_line_of_an_env_file(tmp_path: Path, line: str, value: str) -> None:
    """Quotes, comments and ``export`` as shells have them; nothing is expanded."""
    (tmp_path / ".env").write_text(f"# c\n{line}\nnonsense line\nB=1\n")
    values = read_env(tmp_path / ".env").values
    assert values["A"].reveal() == value
    assert values["B"].reveal() == "1"
    assert set(values) == {"A", "B"}


def test_an_env_file_that_cannot_be_read_is_a_warning(world: World) -> None:
    """It does not stop a configuration that needs nothing of it."""
    world.write(world.project / ".env", b"A=\xff\xfe")
    world.write(world.home / ".bytebuddy/.env", "A=" + "x" * 70_000)
    config = world.read("models: []\n")
    assert sorted(w.message for w in config.warnings) == [
        "is larger than 64 KiB",
        "is not UTF-8; save it as UTF-8",
    ]


OPEN = "a quote has no other one"
BAD_LINES = {
    'A="x': OPEN,
    "A='x": OPEN,
    "A=`x": OPEN,
    'A=x"': OPEN,
    "A=\"x'": OPEN,
    'A="x"y': "something follows the closing quote",
    "A='x'#y": "something follows the closing quote",
    "A=${HF_TOKEN}": "the value of another variable is not looked up here",
    'A="$HF_TOKEN"': "the value of another variable is not looked up here",
    "A=%HF_TOKEN%": "the value of another variable is not looked up here",
    "A=\u201cx\u201d": "\u201c is no quote here",
    "A=\u2018x\u2019": "\u2018 is no quote here",
    "A=x\u201d": "\u201d is no quote here",
    "A=x\u2028y": "the character U+2028",
    "A='x\u200by'": "the character U+200B",
    "A=x\u00a0y": "the character U+00A0",
    "A=x\x1by": "the character U+001B",
    "A: x": "it is not NAME=value",
    "hf_canary": "it is not NAME=value",
    "A\uff1dx": "U+FF1D (\uff1d) is no =; write =",
    "export A \uff1d x": "U+FF1D (\uff1d) is no =; write =",
    "set A=x": "it is not NAME=value",
    "# mine\u2028A=x": "the character U+2028",
    '$env:A = "x"': "it is not NAME=value",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_a_line_that_cannot_be_meant_sets_nothing_and_is_named(
    world: World, line: str
) -> None:
    """With its file and line, and without what stands in it; others still count."""
    file = world.write(world.home / ".bytebuddy/.env", f"A=before\n\n{line}\r\nB=1\n")
    values = read_env(file).values
    assert values["B"].reveal() == "1"
    assert ("A" in values) is not line.startswith("A=")
    (warning,) = world.read("models: []\n").warnings
    assert warning.place == f"{file}:3"
    assert warning.message.startswith("this line sets nothing: ")
    assert BAD_LINES[line] in warning.message
    assert "canary" not in str(warning)


@pytest.mark.parametrize(
    "block",
    [
        'A="first\nB=hf_canary\nlast"',
        "A='first\nB=hf_canary\n' # end",
        'A="\n{\n}\n"',
    ],
)
def test_a_value_over_several_lines_is_one_warning(world: World, block: str) -> None:
    """Nothing within its quotes is taken for a variable or for half of a key."""
    file = world.write(world.home / ".bytebuddy/.env", f"{block}\nC=1\n")
    assert set(read_env(file).values) == {"C"}
    (warning,) = world.read("models: []\n").warnings
    assert warning.place == f"{file}:1"
    last = block.count("\n") + 1
    assert f"closed on line {last} only" in warning.message


def test_a_quote_that_is_never_closed_takes_no_other_line(world: World) -> None:
    """The next variable in quotes is one of its own."""
    text = 'A="hf_one\nB="hf_two"\nC=\'hf_three\n# don\'t\nD=1\n'
    found = read_env(world.write(world.home / ".bytebuddy/.env", text))
    assert set(found.values) == {"B", "D"}
    assert [bad.line for bad in found.bad_lines] == [1, 3]


@pytest.mark.parametrize(
    "line",
    [
        "K: hf_canary",
        "K\uff1ahf_canary",
        "K\uff1dhf_canary",
        "set K=hf_canary",
        '$env:K = "hf_canary"',
        "# mine\u2028K=hf_canary",
    ],
)
def test_a_line_that_nearly_sets_a_variable_is_the_reason_that_it_is_unset(
    world: World, line: str
) -> None:
    """As cmd, PowerShell and YAML write it, or with signs of a Chinese keyboard."""
    file = world.write(world.home / ".bytebuddy/.env", f"A=1\n{line}\n")
    (unset,) = world.entry("apiKey: ${K}").unset
    assert unset.hint.startswith(f"K stands in {file}:2, which sets nothing: ")
    assert "canary" not in unset.hint


@pytest.mark.parametrize("encoding", ["gbk", "utf-16"])
def test_an_env_file_that_cannot_be_read_is_the_reason_that_a_variable_is_unset(
    world: World, encoding: str
) -> None:
    """Before the advice to write it there, where it most likely stands."""
    raw = "# 我的令牌\nK=hf_canary\n".encode(encoding)
    file = world.write(world.home / ".bytebuddy/.env", raw)
    (unset,) = world.entry("apiKey: ${K}").unset
    assert unset.hint.startswith(f"K may stand in {file}, which sets nothing: ")
    assert "save it as UTF-8" in unset.hint


def test_a_variable_of_such_a_line_is_unset_with_that_as_its_reason(
    world: World,
) -> None:
    """Whoever needs it is sent to the line, not told to write it once more."""
    file = world.write(world.home / ".bytebuddy/.env", 'K="hf_canary\n')
    entry = world.entry("apiKey: ${K}")
    assert entry.api_key is None
    (unset,) = entry.unset
    assert unset.hint.startswith(f"K stands in {file}:1, which sets nothing: {OPEN}")
    assert "canary" not in unset.hint


def test_of_a_projects_env_only_what_is_missed_is_told(world: World) -> None:
    """It is mostly another program's, with a syntax of its own."""
    file = world.write(world.project / ".env", 'key: value\nJ="x\nK="x\n')
    assert world.read("models: []\n").warnings == ()
    text = f"models:\n{ENTRY}    apiKey: ${{K}}\n"
    (warning,) = world.read(text).warnings
    assert warning.place == f"{file}:3"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_an_env_file_of_powershell_is_told(world: World, encoding: str) -> None:
    """Its ``>`` writes UTF-16, with a mark at the beginning or without."""
    world.write(world.home / ".bytebuddy/.env", "K=hf_x\r\n".encode(encoding))
    (warning,) = world.read("models: []\n").warnings
    assert warning.message.startswith("is UTF-16, as > of Windows PowerShell writes")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_mark_and_any_line_end_are_fine(tmp_path: Path, end: str) -> None:
    """Editors of Windows write both, and neither gets into a key."""
    raw = f"\ufeffA=x{end}export B = 'y'{end}export B{end}C=z".encode()
    (tmp_path / ".env").write_bytes(raw)
    found = read_env(tmp_path / ".env")
    assert {k: v.reveal() for k, v in found.values.items()} == {
        "A": "x",
        "B": "y",
        "C": "z",
    }
    assert found.bad_lines == ()


@pytest.mark.parametrize(
    ("env", "files", "written", "found"),
    [
        ({KEPT: "abcdefgh"}, "", f"${{{KEPT}}}", f"variable {KEPT}"),
        ({}, f"{KEPT}=abcdefgh", f"${{{KEPT}}}", f"login {KEPT} in "),
        ({KEPT: "other"}, f"{KEPT}=abcdefgh", f"${{{KEPT}}}", f"variable {KEPT}"),
        (
            {KEPT: "other"},
            f"{KEPT}=abcdefgh",
            f"${{{{ secrets.{KEPT} }}}}",
            f"login {KEPT} in ",
        ),
        # What login keeps is not what such an entry names.
        ({"K": "abcdefgh"}, "", "${K}", "env K"),
        ({}, "K=abcdefgh", "${K}", "env K in "),
        ({}, "", "abcdefgh", "line apiKey in "),
    ],
)
def test_where_a_key_was_found_is_remembered(
    tmp_path: Path,
    env: dict[str, str],
    files: str,
    written: str,
    found: str,
) -> None:
    """What to do about a key that is refused depends on it."""
    folder = tmp_path / ".bytebuddy"
    folder.mkdir(mode=0o700)
    if files:
        (folder / ".env").write_text(files)
        (folder / ".env").chmod(0o600)
    file = tmp_path / "chosen.yaml"
    file.write_text(
        "models:\n  - name: a\n    provider: p\n    model: m\n"
        f'    apiKey: "{written}"\n'
    )
    (entry,) = load(file, cwd=tmp_path, home=tmp_path, env=env).entries
    assert f"{entry.api_key_place} {entry.api_key_origin}".startswith(found)
