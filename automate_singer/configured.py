"""Settings of a tap or target as a program: from files and the environment, checked in one pass."""

from __future__ import annotations

import abc
import typing as t

from singer_sdk.plugin_base import PluginBase

from automate_api import redaction, settings

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    import click


class Configured(PluginBase, abc.ABC):
    """A plugin that says what is wrong with its settings without their values, as the SDK does not.

    Attributes:
        env_prefix: Of the environment variables that hold settings.
    """

    env_prefix: t.ClassVar[str]

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
            settings.check(schema, values, program=self.name, further=self.check_settings)
            for sentence in settings.unknown(schema, values):
                self.logger.warning(sentence)
        return values

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

    @classmethod
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[str, ...]) -> t.Any:  # noqa: ANN401 - the SDK's private type
        """Read the configuration files.

        Raises:
            ConfigError: When one is missing or is not a JSON object.
        """
        with settings.explain_unreadable(value):
            return super().cb_config(ctx, param, value)
