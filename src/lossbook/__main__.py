"""The command ``lossbook``, also as ``python -m lossbook``."""

from __future__ import annotations

from lossbook.optional import MissingPackage, extra


def main() -> None:
    """Without the packages of the extra ``run``, one line says how to install them."""
    try:
        with extra("run"):
            from lossbook.cli import main as command_line
    except MissingPackage as error:
        raise SystemExit(f"lossbook: {error}") from None
    command_line()


if __name__ == "__main__":
    main()
