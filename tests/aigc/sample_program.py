"""What a person writes with the client; mypy must read it strictly, and it must run."""

import sys
from dataclasses import dataclass
from pathlib import Path

import aigc


@dataclass
class Settings:
    dataset: str
    epochs: int = 2
    batch_size: int = 16


def describe(job: aigc.Job) -> str:
    percent: float | None = job.progress.percent
    return f"{job.name} {job.state} {percent}"


def main(url: str, dataset_id: str, folder: Path) -> list[str]:
    said: list[str] = []
    with aigc.Client(url) as client:
        dataset: aigc.Dataset = client.datasets.get(dataset_id)
        job = client.jobs.submit("image_gan.train", Settings(dataset.id), name="typed")
        said.extend(describe(now) for now in job.follow())
        files: list[Path] = job.download(folder)
        curve: list[tuple[int, float]] = job.metrics()["loss"]
        lines: list[aigc.LogLine] = job.log_lines()
        said += [str(len(files)), str(len(curve)), lines[0].message]
        kinds: list[str] = [event.kind for event in job.events()]
        said.append(kinds[-1])
        model = client.models.get(str(job.model))
        said.append(model.export(folder / "model.zip").name)
    return said


async def same(url: str, job_id: str) -> str:
    async with aigc.AsyncClient(url) as client:
        job: aigc.AsyncJob = await client.jobs.get(job_id)
        samples: aigc.AsyncSamples = await job.samples()
        async for event in job.stream():
            last: aigc.Event = event
        return f"{samples.steps} {last.kind}"


if __name__ == "__main__":
    print(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
