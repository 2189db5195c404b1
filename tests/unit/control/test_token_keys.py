"""Keys of access tokens: one signs, made once, and what has ended goes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from weir.control.service import ControlService
from weir.node.registry import RegistryView


def test_first_token_makes_one_key_however_many_come_at_once(
    service: ControlService, view: RegistryView
) -> None:
    """Those that were late use the one that is there; every process knows it at once."""
    assert view.current().token_keys == {}
    with ThreadPoolExecutor(4) as pool:
        signers = {signer.kid for signer in pool.map(lambda _: service.token_signer(), range(4))}
    assert list(view.current().token_keys) == [*signers]
    assert len(signers) == 1


def test_ended_keys_go_with_the_next_rotation(
    service: ControlService, view: RegistryView, clock: Any
) -> None:
    """Until then they stand there and verify nothing; a shorter overlap shortens older ones."""
    [first] = service.rotate_token_keys(overlap_s=60)
    service.rotate_token_keys(overlap_s=60)
    clock.us += 60_000_000
    assert first.id in view.current().token_keys
    assert first.id not in {key.id for key in service.list_token_keys()}
    service.rotate_token_keys(overlap_s=600)
    assert first.id not in view.current().token_keys
    assert len(service.rotate_token_keys(overlap_s=0)) == 1
    assert service.token_signer().kid == service.list_token_keys()[0].id
