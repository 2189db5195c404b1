"""Keys of access tokens: one signs, made once, and what has ended goes."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from weir.control.records import TokenKeyRotation
from weir.control.service import ControlService
from weir.node.registry import RegistryView


def test_first_token_makes_one_key_however_many_come_at_once(
    service: ControlService, view: RegistryView
) -> None:
    """Those that were late use the one that is there; every process knows it at once."""
    assert view.current().token_keys == {}
    with ThreadPoolExecutor(4) as pool:
        signers = {
            signer.kid for signer in pool.map(lambda _: service.token_keys.signer(), range(4))
        }
    assert list(view.current().token_keys) == [*signers]
    assert len(signers) == 1


def test_ended_keys_go_with_the_next_rotation(
    service: ControlService, view: RegistryView, clock: Any
) -> None:
    """Until then they stand there and verify nothing; a shorter overlap shortens older ones."""
    [first] = service.token_keys.rotate(TokenKeyRotation(overlap_s=60))
    service.token_keys.rotate(TokenKeyRotation(overlap_s=60))
    clock.us += 60_000_000
    assert first.id in view.current().token_keys
    assert first.id not in {key.id for key in service.token_keys.list()}
    service.token_keys.rotate(TokenKeyRotation(overlap_s=600))
    assert first.id not in view.current().token_keys
    assert len(service.token_keys.rotate(TokenKeyRotation(overlap_s=0))) == 1
    assert service.token_keys.signer().kid == service.token_keys.list()[0].id
