"""What every problem code means and what to do about it: the help pages that errors link to."""

from collections.abc import Mapping, Sequence

from web.pages.assistant_problems import ASSISTANT
from web.pages.data_problems import DATA
from web.pages.interaction_problems import INTERACTIONS
from web.pages.log_problems import LOGS
from web.pages.request_texts import REQUESTS
from web.pages.row_problems import ROWS
from web.pages.table_problems import TABLES
from web.pages.text_problems import TEXTS
from web.pages.topics import Topic

SETTINGS: Mapping[str, Topic] = {
    "invalid-params": Topic(
        "A setting cannot be used",
        "One or more settings have a value that the task does not take: it is missing, of another type, or out of "
        "its range. Everything is checked before anything starts, so no job was made and nothing was changed.",
        (
            "Correct every setting that the message names; all faults are told at once.",
            "A setting that is left out has its default; the presets hold values that go together.",
        ),
    ),
    "unknown-setting": Topic(
        "There is no such setting",
        "The request holds a setting that the task does not have. Nothing was started.",
        ("Look for a spelling mistake: the message names the closest setting.",),
    ),
    "unknown-preset": Topic(
        "There is no such preset",
        "A preset is a set of values with a name, such as quick, that a task offers; this task has none of that "
        "name. No job was made.",
        ("Use one of the presets in the message.",),
    ),
    "unknown-task": Topic(
        "There is no such task",
        "A task is a family and what it does, such as image_gan.train. No family of this installation has this "
        "one; it may be a spelling mistake, or belong to a version that is not installed.",
        ("Look at the list of tasks on the page New job.",),
    ),
    "unknown-parameter": Topic(
        "Unknown parameter",
        "The address or the form holds a parameter that nothing reads; it may be a spelling mistake.",
        ("Look at the API reference.",),
    ),
    "invalid-query": Topic(
        "There is a problem with the address",
        "What stands behind the question mark of the address has a value that cannot be read, such as a word in "
        "the place of a number. Unknown parameters are refused, too, as a filter with a spelling mistake would "
        "show everything.",
        ("Correct what the message names.",),
    ),
    "needs-upload": Topic(
        "A file is needed",
        "An import makes a dataset of a file, so it begins with the file and not with settings alone. No job was made.",
        ("Upload the file on the page Datasets, or send it to /api/v1/datasets.",),
    ),
    "invalid-name": Topic(
        "The name cannot be used",
        "Names are shown in lists and titles and become the names of files, so they have 1 to 120 printable "
        "characters.",
        ("Use 1 to 120 printable characters.",),
    ),
    "invalid-tag": Topic(
        "A tag cannot be used",
        "Tags are short words that jobs are found by; commas part them where they are typed.",
        ("Use 1 to 40 printable characters without a comma.",),
    ),
    "too-many-tags": Topic(
        "There are too many tags",
        "A job can have at most 20 tags, so that lists and filters stay readable. Nothing was changed.",
        ("Leave some out.",),
    ),
    "invalid-notes": Topic(
        "The notes are too long",
        "Notes are meant for people and may have at most 10,000 characters. Nothing was changed.",
        ("Shorten them.",),
    ),
    "wrong-input": Topic(
        "The wrong kind of input",
        "A task reads one kind of dataset, or model versions of its own family. The one that was named is of "
        "another kind, so no job was made.",
        ("Choose one from the form's list: it shows only those that fit.",),
    ),
    "invalid-webhook": Topic(
        "The webhook cannot be used",
        "Its address cannot be read, or the operator has not allowed this receiver.",
        ("Correct what the message names, or ask the operator to list the receiver.",),
    ),
    "webhooks-off": Topic(
        "Webhooks are switched off",
        "The operator has allowed no receiver of webhooks on this server.",
        ("Ask the operator to set AIGC_WEBHOOK_HOSTS.", "Follow the job's events instead: they are all kept."),
    ),
    "fetching-off": Topic(
        "Addresses are switched off",
        "This server fetches nothing for datasets, as no host is listed; so nobody can make it reach into a network.",
        ("Download the file yourself and upload it.", "Ask the operator to list the host in AIGC_DATASET_HOSTS."),
    ),
    "invalid-url": Topic(
        "The address cannot be fetched",
        "The address cannot be read, or the operator has not listed this host, its port or its network. Nothing was "
        "asked for there.",
        ("Correct what the message names, or ask the operator to list the host.",),
    ),
    "fetch-failed": Topic(
        "The file did not come",
        "The host could not be reached, or gave another answer than the file. No dataset was made.",
        (
            "Open the address in a browser that is not signed in: it must give the file itself.",
            "Download the file yourself and upload it.",
        ),
    ),
    "needed-job-failed": Topic(
        "The job to wait for did not succeed",
        "A job can only wait for jobs that may still succeed; this one failed or was cancelled.",
        ("Retry that job, then submit again with the new job's id.",),
    ),
    "too-many-needed": Topic(
        "Too many jobs to wait for",
        "A job can wait for 32 others at most.",
        ("Let some of them wait for each other, and wait for the last one.",),
    ),
    "too-many-devices": Topic(
        "Too many devices for one training",
        "All devices of a training are of one host, and each needs a row of every batch at least. No worker has as "
        "many as were asked for, or the batch is too small for them.",
        ("Choose fewer devices, or a larger batch.", "Start a worker on a host that has more of them."),
    ),
    "invalid-cursor": Topic(
        "The page of the list cannot be found",
        "Long lists are read page by page with a cursor that this server made. The one that was sent is not one "
        "of those, or was cut off when it was copied.",
        ("Start again from the first page.",),
    ),
}
JOBS: Mapping[str, Topic] = {
    "out-of-memory": Topic(
        "The device ran out of memory",
        "The model and its batch did not fit into the device's memory, not even with each batch in several parts.",
        (
            "Use the batch size that the job's page suggests.",
            "Use a smaller model: less width, fewer layers, smaller images.",
        ),
    ),
    "host-out-of-memory": Topic(
        "The machine ran out of memory",
        "The machine had no memory left for the job, each time it was tried.",
        ("Use a smaller batch size or a smaller dataset.", "Run fewer jobs at once on this machine."),
    ),
    "diverged": Topic(
        "The training went wrong",
        "The loss became NaN or infinite, and once more when the learning rate had been halved.",
        ("Use the learning rate that the job's page suggests.", "Go back to the default settings."),
    ),
    "stalled": Topic(
        "The job made no progress",
        "No step was made for longer than AIGC_STALL_SECONDS, so the program was stopped.",
        ("Start the job again; it goes on from its last checkpoint.", "Look at the job's log."),
    ),
    "timeout": Topic(
        "The job took too long",
        "The attempts of the job together ran for as long as its time limit allows. Its last checkpoint is kept.",
        ("Go on from the checkpoint: the new job has the whole limit again.", "Use a higher limit or fewer epochs."),
    ),
    "worker-lost": Topic(
        "The worker was lost",
        "The worker stopped answering: it was killed, or its machine went away. What was saved last is kept.",
        ("Start the job again from its last checkpoint.",),
    ),
    "poisoned": Topic(
        "The job ended its workers",
        "Several workers were lost while they ran this job, so it is not tried again by itself.",
        ("Look at the log of the last attempt.", "Use a smaller batch size, in case memory ran out."),
    ),
    "disk-full": Topic(
        "The disk is full",
        "The worker's disk had no room for what the job wrote. The job waits, and its checkpoint is kept.",
        ("Delete jobs and datasets that are not needed.", "Nothing else: the job goes on when there is room."),
    ),
    "expired": Topic(
        "The job expired",
        "The job did not start before the deadline it was given.",
        ("Start it again with a later deadline, or with none.", "See on the page Workers whether one is running."),
    ),
    "internal": Topic(
        "Something went wrong",
        "The program failed in a way it should not. This is our fault, not yours.",
        ("Try again.", "Report it with the request id or the job's log."),
    ),
    "job-not-found": Topic(
        "There is no such job", "It was deleted, or the address is mistyped.", ("Look at the list of jobs.",)
    ),
    "job-already-finished": Topic(
        "The job has already finished",
        "Only a job that waits or runs can be stopped.",
        ("Nothing to do: its result or its failure is on its page.",),
    ),
    "job-still-running": Topic(
        "The job is still running", "Only a finished job can be deleted or tried again.", ("Cancel it first.",)
    ),
    "job-cancelling": Topic(
        "The job is being cancelled",
        "The worker was asked to stop, so nothing else can be asked of the job.",
        ("Wait until it is cancelled, then retry it from its last checkpoint.",),
    ),
    "job-pausing": Topic(
        "The job is being paused",
        "The worker was asked to save the job's state and stop; until then it cannot go on.",
        ("Wait until it is paused, then resume it.",),
    ),
    "job-needed": Topic(
        "Other jobs wait for it",
        "Jobs wait for this one, and some of them may use the model version it made.",
        ("Cancel the jobs that wait, or let them run first.",),
    ),
    "cannot-generate": Topic(
        "This model cannot generate",
        "The family has no operation that makes new things.",
        ("See on the model's page what else it can do.",),
    ),
}
SERVER: Mapping[str, Topic] = {
    "unauthorized": Topic(
        "Sign in first",
        "This server asks for a token.",
        ("Sign in with a token.", "Make one on the server with: aigc token create"),
    ),
    "forbidden": Topic(
        "Not allowed",
        "Whoever is signed in here may not do this.",
        ("Sign in with a token that may do more, or ask an administrator for one.",),
    ),
    "scope-too-small": Topic(
        "The token does not allow this",
        "The token may only look, or only submit jobs.",
        ("Ask an administrator for a token that may do more.",),
    ),
    "wrong-host": Topic(
        "Unknown host name",
        "The server does not answer to this name, which keeps other sites from reaching it through your browser.",
        ("Use the address the server printed, or add the name to AIGC_ALLOWED_HOSTS.",),
    ),
    "cross-origin": Topic(
        "Request from another site",
        "A page of another site tried to change something here.",
        ("Use this server's own pages.",),
    ),
    "cookie-needs-origin": Topic(
        "Not from a page of this server",
        "Programs must send a token instead of a cookie.",
        ("Send Authorization: Bearer.",),
    ),
    "storage-full": Topic(
        "The disk is full",
        "The server keeps some room free and takes no more uploads or jobs.",
        ("Delete jobs and datasets that are not needed.",),
    ),
    "store-unavailable": Topic(
        "The file store does not answer",
        "Files are kept in an S3-compatible store of their own, which cannot be reached. Nothing was changed; jobs "
        "that run go on, and workers try for five minutes to store what they made.",
        ("Send again in a moment.", "See that the store runs, and that its address is right."),
    ),
    "store-misconfigured": Topic(
        "The file store cannot be used as it is set up",
        "The store that files are kept in answers, but refuses: it has no such bucket, or does not take the keys. "
        "Nothing was changed.",
        ("Create the bucket, or correct AIGC_STORE_URL.", "Correct AIGC_STORE_KEY_ID and AIGC_STORE_SECRET."),
    ),
    "unavailable": Topic(
        "Not available at the moment",
        "The database cannot be reached. Nothing was changed.",
        ("Send again in a moment.",),
    ),
}
GROUPS: Sequence[tuple[str, Mapping[str, Topic]]] = (
    ("Settings", SETTINGS),
    ("Data", {**DATA, **TABLES, **INTERACTIONS, **LOGS, **TEXTS, **ROWS, **ASSISTANT}),
    ("Jobs", JOBS),
    ("Requests", REQUESTS),
    ("Server", SERVER),
)
TOPICS: Mapping[str, Topic] = {code: topic for _, topics in GROUPS for code, topic in topics.items()}
