"""Column types for properties that hold of all."""

from __future__ import annotations

from hypothesis import strategies as st

from automate_singer.columns import WITHOUT_PRECISION, ColumnType, Kind

DECIMALS = st.integers(1, 38).flatmap(
    lambda precision: st.builds(
        ColumnType, st.just(Kind.DECIMAL), st.just(precision), st.integers(0, precision)
    )
)
TYPES = DECIMALS | st.sampled_from(WITHOUT_PRECISION)
