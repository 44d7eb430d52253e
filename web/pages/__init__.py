"""The pages: one small module per noun that parses, calls :mod:`jobs`, and renders."""

from flask import Blueprint

from web.pages import (
    api_docs,
    datasets,
    documents,
    frame,
    help_pages,
    home,
    job,
    job_actions,
    job_list,
    models,
    new_job,
    tokens,
    webhook,
    workers,
)

blueprint = Blueprint("pages", __name__)
frame.init(blueprint)
for part in (
    home, job_list, new_job, job, job_actions, webhook, datasets, models, workers, tokens, help_pages, api_docs,
    documents,
):  # fmt: skip
    blueprint.register_blueprint(part.blueprint)
