"""Airbyte: the runner of declarative manifests, alone and in PyAirbyte."""
