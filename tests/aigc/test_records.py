from aigc.records import JobRecord, TaskRecord
from tests.aigc.scripted import job


def test_a_job_shows_itself_without_trusting_names() -> None:
    raw = job("running", name="<script>alert(1)</script>", links={"web": "javascript:alert(1)"})
    html = JobRecord(raw)._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html
    assert "href" not in html
    assert 'value="30.0"' in html


def test_a_job_reads_as_one_line() -> None:
    assert repr(JobRecord(job("running"))) == f"<Job {job()['id']} image_gan.train running 30 %>"


def test_progress_may_be_unknown() -> None:
    record = JobRecord(job("queued", progress=None, metrics=None))
    assert (record.progress.percent, record.progress.step) == (None, 0)
    assert record.last_metrics == {}
    assert "progress" not in record._repr_html_()


def test_a_task_says_which_settings_are_inputs() -> None:
    schema = {
        "properties": {"dataset": {"x-input": "dataset"}, "epochs": {"default": 3, "description": "Passes."}},
        "required": ["dataset"],
    }
    task = TaskRecord({"task": "image_gan.train", "schema": schema})
    assert task.inputs("dataset") == ["dataset"]
    assert task.required == ["dataset"]
    assert "Passes." in task._repr_html_()
