"""The automate-dms command: what a person does with the connector."""
