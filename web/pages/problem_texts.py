"""What every problem code means and what to do about it: the help pages that errors link to."""

from collections.abc import Mapping, Sequence

from web.pages.request_texts import REQUESTS
from web.pages.topics import Topic

SETTINGS: Mapping[str, Topic] = {
    "invalid-params": Topic(
        "A setting cannot be used",
        "A value is missing, of the wrong type or out of its range.",
        ("Correct what the message names; every setting's range is on the form and in the task's schema.",),
    ),
    "unknown-setting": Topic(
        "There is no such setting",
        "The request holds a setting that the task does not have. Nothing was started.",
        ("Look for a spelling mistake: the message names the closest setting.",),
    ),
    "unknown-preset": Topic(
        "There is no such preset", "The preset is not one of the task's.", ("Use one of the presets in the message.",)
    ),
    "unknown-task": Topic(
        "There is no such task",
        "No model family of this installation has this operation.",
        ("Look at the list of tasks on the page New job.",),
    ),
    "unknown-parameter": Topic(
        "Unknown parameter",
        "The address or the form holds a parameter that nothing reads; it may be a spelling mistake.",
        ("Look at the API reference.",),
    ),
    "invalid-query": Topic(
        "There is a problem with the address",
        "A parameter of the address is missing, unknown or cannot be read.",
        ("Correct what the message names.",),
    ),
    "needs-upload": Topic(
        "A file is needed",
        "An import starts with a file, not with settings.",
        ("Upload the file on the page Datasets, or send it to /api/v1/datasets.",),
    ),
    "invalid-name": Topic(
        "The name cannot be used",
        "A name must be printable and not too long.",
        ("Use 1 to 120 printable characters.",),
    ),
    "invalid-tag": Topic(
        "A tag cannot be used",
        "Tags are short words that jobs are found by; commas part them where they are typed.",
        ("Use 1 to 40 printable characters without a comma.",),
    ),
    "too-many-tags": Topic("There are too many tags", "A job can have at most 20 tags.", ("Leave some out.",)),
    "invalid-notes": Topic("The notes are too long", "Notes may have at most 10,000 characters.", ("Shorten them.",)),
    "wrong-input": Topic(
        "The wrong kind of input",
        "The dataset or model version is of another kind than the task needs.",
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
    "invalid-cursor": Topic(
        "The page of the list cannot be found",
        "The cursor was not made by this server.",
        ("Start again from the first page.",),
    ),
}
DATA: Mapping[str, Topic] = {
    "invalid-data": Topic(
        "The data cannot be used",
        "The data has faults that stop the job.",
        ("Correct the faults that are listed and upload the file again.",),
    ),
    "dataset-refused": Topic(
        "The file cannot be used",
        "The check found faults in the file, so no dataset was made of it.",
        ("Correct the faults that are listed and upload the file again.",),
    ),
    "dataset-empty": Topic(
        "The file is empty", "The file or archive holds nothing.", ("Choose a file with data in it.",)
    ),
    "dataset-too-large": Topic(
        "The data is too large",
        "Unpacked, the images need more memory than one dataset may.",
        ("Choose a smaller image size for the import.", "Leave some of the images out."),
    ),
    "dataset-not-ready": Topic(
        "The dataset is not ready",
        "The dataset is still being checked, or was refused.",
        ("Wait for the check, or look at the dataset's page.",),
    ),
    "dataset-in-use": Topic(
        "The dataset is in use",
        "Jobs or models were made from this dataset, so it cannot be deleted.",
        ("Delete those jobs and models first.",),
    ),
    "model-in-use": Topic(
        "The model version is in use",
        "Jobs were made with this model version, so it cannot be deleted.",
        ("Delete those jobs first.",),
    ),
    "file-missing": Topic("There is no file", "The form came without a file.", ("Choose a file, then send again.",)),
    "no-such-file": Topic("There is no such file", "A file was named that does not exist.", ("Check its path.",)),
    "file-too-large": Topic(
        "The file is too large",
        "The upload is larger than this server takes.",
        ("Upload less, or ask the operator to raise AIGC_MAX_UPLOAD.",),
    ),
    "unsupported-file": Topic(
        "This kind of file cannot be read",
        "The file's first bytes say that it is something else than a dataset.",
        ("Upload a ZIP of PNG or JPEG images, a NumPy .npz file, or IDX files.",),
    ),
    "truncated-file": Topic(
        "The file is cut off",
        "The file ends before its own header says it should.",
        ("Make or download it again, then upload it again.",),
    ),
    "broken-file": Topic("The file is damaged", "The file cannot be unpacked.", ("Make it again, then upload it.",)),
    "broken-image": Topic(
        "An image is damaged",
        "One or more images cannot be decoded; the message names them.",
        ("Replace or remove them, or turn on Skip broken images.",),
    ),
    "image-too-large": Topic(
        "An image is too large",
        "Images may have at most 25 megapixels. The size is read from the header before anything is unpacked.",
        ("Make the image smaller, or leave it out.",),
    ),
    "image-too-small": Topic(
        "An image is too small", "Images need at least 8 pixels on each side.", ("Leave the image out.",)
    ),
    "too-few-images": Topic(
        "There are too few images",
        "There is not enough left to learn from and to test with.",
        ("Add more images.",),
    ),
    "too-many-files": Topic(
        "There are too many files", "The archive holds more files than one dataset may.", ("Split the archive.",)
    ),
    "no-images": Topic(
        "There are no images",
        "The archive holds no PNG or JPEG files, or no array that could be images.",
        ("Put PNG or JPEG files into it, in one folder for each class if you like.",),
    ),
    "mixed-folders": Topic(
        "Some images lie outside the class folders",
        "Some images lie in folders and others do not, so their classes are unclear.",
        ("Put every image into a class folder, or none.",),
    ),
    "class-names": Topic(
        "The class names do not fit",
        "The number of class names differs from the classes in the file.",
        ("Give one name for each class, in the order of their numbers.",),
    ),
    "labels-missing": Topic(
        "Labels are missing",
        "Some of the arrays have labels, others have none.",
        ("Add the labels, or remove them all.",),
    ),
    "labels-count": Topic(
        "The labels do not fit", "There are more or fewer labels than images.", ("Make both arrays equally long.",)
    ),
    "wrong-shape": Topic(
        "An array has the wrong shape",
        "Images must be an array of images, height and width, with 1 or 3 channels if there are any.",
        ("Save the array in one of these shapes.",),
    ),
    "wrong-size": Topic("Images have the wrong size", "The sides are too small or too large.", ("Resize the images.",)),
    "wrong-type": Topic(
        "An array has the wrong type", "Only plain numbers can be read; Python objects never are.", ("Save numbers.",)
    ),
    "wrong-range": Topic(
        "Values are out of range",
        "Brightness must be 0 to 255, or 0 to 1.",
        ("Scale the values, then save the array again.",),
    ),
    "not-finite": Topic("Values are not finite", "The array holds NaN or infinity.", ("Remove these values.",)),
    "unsafe-archive": Topic(
        "The archive is unsafe",
        "The archive holds a name that leads out of its folder, or a link. Nothing of it was unpacked.",
        ("Pack the archive again with plain names.",),
    ),
    "archive-bomb": Topic(
        "The archive unpacks to far too much",
        "The archive would unpack to more than 1000 times its size. Nothing of it was unpacked.",
        ("Pack it again without that file.",),
    ),
    "reading-too-large": Topic(
        "Reading the file needs too much memory",
        "Reading the file was stopped because it took too much memory.",
        ("Upload less at once, or choose a smaller image size.",),
    ),
    "reading-too-slow": Topic(
        "Reading the file takes too long",
        "Reading the file was stopped because it took too long.",
        ("Upload less at once.",),
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
    "job-already-finished": Topic("The job has already finished", "Only a job that waits or runs can be stopped.", ()),
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
    "cannot-generate": Topic("This model cannot generate", "The family has no operation that makes new things.", ()),
}
SERVER: Mapping[str, Topic] = {
    "unauthorized": Topic(
        "Sign in first",
        "This server asks for a token.",
        ("Sign in with a token.", "Make one on the server with: aigc token create"),
    ),
    "forbidden": Topic("Not allowed", "This is not allowed here.", ()),
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
    "unavailable": Topic(
        "Not available at the moment",
        "The database cannot be reached. Nothing was changed.",
        ("Send again in a moment.",),
    ),
}
GROUPS: Sequence[tuple[str, Mapping[str, Topic]]] = (
    ("Settings", SETTINGS),
    ("Data", DATA),
    ("Jobs", JOBS),
    ("Requests", REQUESTS),
    ("Server", SERVER),
)
TOPICS: Mapping[str, Topic] = {code: topic for _, topics in GROUPS for code, topic in topics.items()}
