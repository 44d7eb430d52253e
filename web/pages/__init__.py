"""The pages: one small module per noun that parses, calls :mod:`jobs`, and renders."""

from flask import Blueprint

from web.pages import (
    api_docs,
    chat,
    compare,
    datasets,
    dialogues,
    documents,
    downloads,
    frame,
    help_pages,
    home,
    how_to,
    job,
    job_actions,
    job_details,
    job_list,
    job_selection,
    model_library,
    models,
    new_job,
    recommend,
    report,
    tokens,
    webhook,
    workers,
)

blueprint = Blueprint("pages", __name__)
frame.init(blueprint)
for part in (
    home, job_list, job_selection, compare, new_job, job, job_actions, job_details, downloads, report, webhook,
    datasets, models, recommend, chat, dialogues, how_to, model_library, workers, tokens, help_pages, api_docs,
    documents,
):  # fmt: skip
    blueprint.register_blueprint(part.blueprint)
