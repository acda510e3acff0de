"""The formats of commits that base models of code were trained on."""

from __future__ import annotations

from typing import Final

from bytebuddy_provider_hf.prompts.edit_format import EditFormat

# The playground of the BigCode project, formats.md: `<commit_before>code<commit_msg>
# text<commit_after>code<|endoftext|>`. The tokens are those of the table of sentinel
# tokens in "StarCoder: may the source be with you!" (arXiv 2305.06161).
_STARCODER_TOKENS: Final = (
    "<|endoftext|>",
    "<commit_before>",
    "<commit_msg>",
    "<commit_after>",
    "<fim_prefix>",
    "<fim_middle>",
    "<fim_suffix>",
    "<fim_pad>",
    "<reponame>",
    "<filename>",
    "<gh_stars>",
    "<issue_start>",
    "<issue_comment>",
    "<issue_closed>",
    "<jupyter_start>",
    "<jupyter_text>",
    "<jupyter_code>",
    "<jupyter_output>",
    "<empty_output>",
)

STARCODER_COMMIT: Final = EditFormat(
    name="starcoder-commit",
    before="<commit_before>",
    message="<commit_msg>",
    after="<commit_after>",
    stops=(
        "<|endoftext|>",
        "<commit_before>",
        "<commit_msg>",
        "<commit_after>",
        "<filename>",
        "<reponame>",
    ),
    specials=_STARCODER_TOKENS,
)
