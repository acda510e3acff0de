"""Find what is unsafe in a setup: certificates not checked, files others can change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from bytebuddy_provider_hf.config import stored_files as files
from bytebuddy_provider_hf.config.exposure import exposures
from bytebuddy_provider_hf.config.trust import unchecked_certificate
from bytebuddy_provider_hf.config.values import Config, ConfigWarning
from bytebuddy_provider_hf.transport.credentials import token_file
from bytebuddy_provider_hf.transport.tls import ca_bundle


def find_unsafe(
    config: Config, *, home: Path, project: Path, env: Mapping[str, str]
) -> Iterator[ConfigWarning]:
    """Yield a finding for each entry and each file that is not safe, each file once.

    What ``is_problem`` is refused where it is used: such a file is not read. Nothing is
    written or sent.
    """
    for entry in config.entries:
        unchecked = unchecked_certificate(entry)
        if unchecked is not None:
            yield unchecked
    seen: set[str] = set()
    for path in dict.fromkeys(_paths(config, home=home, project=project, env=env)):
        # Of one that is not there the folder tells: somebody could put it there.
        for each in exposures(path):
            if each.message not in seen:
                seen.add(each.message)
                yield ConfigWarning(
                    str(each.path), each.message, is_problem=each.is_refused
                )


def _paths(
    config: Config, *, home: Path, project: Path, env: Mapping[str, str]
) -> Iterator[Path]:
    """Yield every file that decides where something goes, or holds a key."""
    state, cache = files.user_folder(home), files.cache_folder(env, home)
    yield from config.files
    for kept in (files.CONFIG, files.ENV, files.TRUST, files.USAGE, files.USAGE_KEY):
        yield state / kept.name
    # It says where the next question of the talk goes.
    yield state / files.TALK.name
    yield state / files.USAGE_COUNTS.name
    yield from (cache / kept.name for kept in (files.SERVERS, files.ANSWERS))
    catalogue = cache / files.CATALOGUE.name
    if catalogue.is_dir():
        yield from sorted(catalogue.iterdir())
    for folder in (project / files.STATE, project):
        if (folder / files.ENV.name).exists():
            yield folder / files.ENV.name
    token = token_file(env, state)
    if token is not None and token.exists():
        yield token
    if config.log is not None:
        yield Path(config.log.path)
    for entry in config.entries:
        options = entry.request_options
        for _, named in ca_bundle(options, env).paths:
            yield Path(named).expanduser()
        if options.client_certificate is not None:
            yield Path(options.client_certificate.cert).expanduser()
            yield Path(options.client_certificate.key).expanduser()
