"""The ledger's arithmetic."""

from hypothesis import given
from hypothesis import strategies as st

from weir.domain.outcome import LedgerRow, Outcome

counts = st.integers(0, 10**12)
outcomes = st.fixed_dictionaries({outcome.value: counts for outcome in Outcome})


@given(outcomes, st.integers(-5, 5))
def test_balance_is_what_no_outcome_explains(explained: dict[str, int], missing: int) -> None:
    """Every outcome counts once; the rest is the balance."""
    accepted = sum(explained.values()) + missing
    row = LedgerRow(key_id=1, minute=1, accepted=accepted, duplicate_conflict=3, **explained)
    assert row.balance == missing
