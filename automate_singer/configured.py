"""Settings of a tap or target as a program: from files and the environment, checked in one pass."""

from __future__ import annotations

import abc
import contextlib
import typing as t

from singer_sdk.plugin_base import PluginBase

from automate_api import redaction, settings
from automate_singer import metrics_file

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Self

    import click

    from automate_singer.metrics_file import Measure


class Configured(PluginBase, abc.ABC):
    """A plugin that says what is wrong with its settings without their values, as the SDK does not.

    Attributes:
        env_prefix: Of the environment variables that hold settings.
        metrics_prefix: What the names in `metrics_file` begin with, where it has that setting.
    """

    env_prefix: t.ClassVar[str]
    metrics_prefix: t.ClassVar[str] = ""

    def read_settings(
        self,
        schema: Mapping[str, t.Any],
        given: Mapping[str, t.Any],
        *,
        from_environment: bool,
        checked: bool,
    ) -> dict[str, t.Any]:
        """Complete and check the settings; the secret ones are kept out of logs from here on.

        Args:
            schema: All settings of the plugin.
            given: Those of the configuration files.
            from_environment: Whether variables of the environment come on top.
            checked: Whether those that do not fit are refused.

        Returns:
            Setting to value.

        Raises:
            ConfigError: With one line for each setting that is missing or wrong.
        """
        prefix = self.env_prefix if from_environment else None
        values = settings.resolve(schema, given, prefix=prefix)
        redaction.register_settings(schema, values)
        if checked:
            settings.check(schema, values, program=self.name, further=self._further_problems)
            for sentence in settings.unknown(schema, values):
                self.logger.warning(sentence)
        return values

    @classmethod
    def _further_problems(cls, values: Mapping[str, t.Any]) -> list[str]:
        return [*metrics_file.problems(values), *cls.check_settings(values)]

    @classmethod
    def check_settings(cls, values: Mapping[str, t.Any]) -> list[str]:  # noqa: ARG003 - a hook
        """List what is wrong with the settings beyond their schema.

        Args:
            values: Setting to value; those that do not fit the schema are left out, as that is
                said anyway, and any may be missing.

        Returns:
            One sentence a problem, without values.
        """
        return []

    def measured(self) -> Iterable[Measure]:
        """Give the run's figures for `metrics_file`, from any thread, also when it has ended.

        Raises:
            AutomateError: When they cannot be had just now.
        """
        return ()

    @classmethod
    @contextlib.contextmanager
    def recorded(cls, config: t.Any) -> Iterator[Callable[[Self], None]]:  # noqa: ANN401 - the SDK's private type
        """Keep `metrics_file`, where the settings name one, while the block runs.

        Args:
            config: Settings from files, and whether the environment counts.

        Yields:
            What is to be given the plugin, once it is made.

        Raises:
            ConfigError: When there can be no such file.
        """
        file = metrics_file.metrics_file(
            cls.config_jsonschema,
            config.config if config else {},
            prefix=cls.env_prefix if config and config.parse_env else None,
            program_prefix=cls.metrics_prefix,
        )
        if file is None:
            yield lambda _: None
            return

        def record(plugin: Self) -> None:
            file.measure = plugin.measured

        with file.of_a_run():
            yield record

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> t.Any:  # noqa: ANN401 - the SDK's private type
        """Read the configuration files.

        Raises:
            ConfigError: When one is missing or is not a JSON object.
        """
        with settings.explain_unreadable(value):
            return super().cb_config(ctx, param, value)
