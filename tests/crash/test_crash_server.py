"""The server of a shared state dies and comes back while the service runs."""

import pytest
from crash_support import check_exactly_once, gated_settings, numbers, serving, statuses, two_accounts
from project_support import order


@pytest.mark.slow
def test_the_service_goes_on_when_the_server_is_back(shared, gate, server):
    """Cycles without the server fail and are told; the first one with it sends what came in meanwhile."""
    expected = two_accounts(shared, 2)
    with serving(shared) as service:
        service.says("2 sent")
        server.stop()
        try:
            more = [order(number, store_code="de") for number in (3, 4)]
            shared.orders([order(1, store_code="fr"), order(2, store_code="de"), *more])
            service.says("cycle failed: .*cannot be reached")
            service.says("cycle failed: .*cannot be reached")
        finally:
            server.start()
        service.says("2 sent")
        assert service.end() == 0
    check_exactly_once(shared, gate.outbox(), expected | {"100000003", "100000004"})
    assert statuses(shared) == {"sent": 4}


def test_what_was_asked_while_the_server_was_away_is_recorded(shared, gate, server):
    """The server dies while calls are in flight: their outcomes wait for it, and none becomes unknown."""
    shared.settings(gated_settings(gate))
    expected = two_accounts(shared, 8)
    gate.hold()
    with serving(shared) as service:
        for _ in range(4):
            gate.held(service.process)
        server.stop()
        try:
            gate.release()
        finally:
            server.start()
        service.says("8 sent")
        assert service.end() == 0
    check_exactly_once(shared, gate.outbox(), expected)
    assert numbers(shared, "unknown") == set()


@pytest.mark.slow
def test_the_service_stops_sending_when_the_server_lost_records(shared, gate, server):
    """It names accept-loss and sends nothing until the loss is accepted; then it goes on by itself."""
    expected = two_accounts(shared, 2)
    with serving(shared) as service:
        service.says("2 sent")
        service.says("0 sent")
        server.run(f"DELETE FROM {shared.schema}.journal WHERE action = 'apply' AND outcome = 'done'")
        more = [order(number, store_code="de") for number in (3, 4)]
        shared.orders([order(1, store_code="fr"), order(2, store_code="de"), *more])
        service.says("cycle failed: .*has lost what this run recorded")
        assert len(gate.outbox()) == 2
        assert shared.cli("state", "accept-loss", "--since", "1m", "--auto-approve") == 0
        service.says("2 sent")
        assert service.end() == 0
    check_exactly_once(shared, gate.outbox(), expected | {"100000003", "100000004"})
