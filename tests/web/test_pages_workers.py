"""What the pages tell of devices: readings, why one is away, and the energy of a job."""

from flask.testing import FlaskClient

from jobs import workers
from jobs.energy import Spent
from jobs.engine import Engine
from jobs.lifecycle import Failure
from jobs.workers import DeviceState
from tests.web.acting import ActingWorker, ready_dataset, submit_training


def test_a_device_tells_how_it_is_and_why_it_is_away(client: FlaskClient, worker: ActingWorker, engine: Engine) -> None:
    seen = DeviceState("GPU-a", 2**31, 2**30, place="gpu:0", utilisation=93, temperature=61, watts=310.4)
    workers.beat(engine, worker.id, device=seen)
    page = client.get("/workers").get_data(as_text=True)
    assert "93 % busy, 61 °C, 310 W" in page
    assert "does not answer" not in page
    workers.beat(engine, worker.id, device=DeviceState("GPU-a", unfit="gone"))
    page = client.get("/workers").get_data(as_text=True)
    assert '<span class="badge bad">unwell</span>' in page
    assert "The device does not answer." in page
    (told,) = client.get("/api/v1/workers").get_json()["data"]
    assert (told["unfit"], told["device_name"]) == ("gone", "GPU-a")


def test_a_jobs_page_tells_its_energy_and_what_of_it_was_lost(client: FlaskClient, worker: ActingWorker) -> None:
    job = submit_training(client, ready_dataset(client, worker)).get_json()["id"]
    assert "<dt>Energy</dt>" not in client.get(f"/jobs/{job}").get_data(as_text=True)
    lease = worker.take("training")
    lease.meter = lambda: Spent(7200.0, "estimate")
    lease.fail(Failure("internal"))
    page = client.get(f"/jobs/{job}").get_data(as_text=True)
    assert "about 2 Wh, estimated: no meter can be read" in page
    assert "2 Wh of it for work that was lost" in page
