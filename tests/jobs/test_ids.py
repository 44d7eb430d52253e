import re

from jobs.ids import new_id


def test_ids_sort_by_time_and_say_what_they_name() -> None:
    ids = [new_id("job") for _ in range(1000)]
    assert ids == sorted(set(ids))
    assert all(re.fullmatch(r"job_[0-9a-v]{26}", id_) for id_ in ids)
