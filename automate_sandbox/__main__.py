"""`python -m automate_sandbox`: the sandbox without the rest of the project."""

from automate_sandbox.cli import sandbox

if __name__ == "__main__":
    sandbox(prog_name="automate-dms sandbox")
