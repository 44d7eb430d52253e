"""What every problem of a request means, whatever it asks for."""

from collections.abc import Mapping

from web.pages.topics import Topic

REQUESTS: Mapping[str, Topic] = {
    "bad-request": Topic(
        "The request cannot be read",
        "The server could not make out what was asked: a header or the address is not well formed or too long. "
        "Nothing was changed.",
        ("Look at the API reference.",),
    ),
    "malformed-json": Topic(
        "The body is not JSON",
        "The body of the request is not JSON; the message says at which line and column. JSON needs double quotes "
        "around names, and no comma behind the last entry. Nothing was changed.",
        ("Check quotes and commas.",),
    ),
    "form-expired": Topic(
        "The form has expired",
        "The form was opened in another session, or cookies are off.",
        ("Go back, reload the page and send it again.",),
    ),
    "not-found": Topic(
        "Not found",
        "There is nothing here. It was deleted, or the address is mistyped.",
        ("Start from the home page.",),
    ),
    "method-not-allowed": Topic(
        "Method not allowed",
        "The address exists, but does something else than the method asks for; the header Allow names those it takes.",
        ("Look at the API reference.",),
    ),
    "not-acceptable": Topic(
        "Not available in that form",
        "The Accept header of the request rules out every form in which this address can answer; the message "
        "names them.",
        ("Send Accept: */*.",),
    ),
    "body-too-large": Topic(
        "The body is too large",
        "Settings are small, so bodies other than uploads may have 1 MB. Data are uploaded as a file and then "
        "named by the id of their dataset.",
        ("Send less.",),
    ),
    "unsupported-media-type": Topic(
        "The body has the wrong type",
        "The header Content-Type says of what kind the body is, and this address reads other kinds; the message "
        "names them. Nothing was changed.",
        ("Look at the API reference.",),
    ),
    "version-mismatch": Topic(
        "Changed in the meantime",
        "Somebody else wrote to the same thing after you had read it. So that their words are not lost unseen, "
        "yours were not written.",
        ("Read it again, then repeat the change.",),
    ),
    "range-not-satisfiable": Topic(
        "The range lies outside the file",
        "The Range header asks for bytes that the file does not have.",
        ("Ask for its size first, or leave the header out.",),
    ),
    "upload-moved": Topic(
        "The upload is at another place",
        "The piece does not begin where the upload ends: some of it has come already, or came by another connection.",
        ("Ask for the upload's offset, then send from there.",),
    ),
    "upload-incomplete": Topic(
        "The upload is not complete",
        "A dataset can only be made when all bytes have come.",
        ("Send the rest, then make the dataset.",),
    ),
    "upload-overrun": Topic(
        "The upload is longer than announced",
        "More bytes came than the header Upload-Length said; the file may have grown meanwhile.",
        ("Begin the upload again with the file's real size.",),
    ),
    "other-tus-version": Topic(
        "Another version of the protocol",
        "Uploads in pieces follow tus 1.0.0; the header Tus-Resumable asked for another version.",
        ("Use a client of tus 1.0, or leave the header out.",),
    ),
    "idempotency-key-reused": Topic(
        "The idempotency key was used before",
        "The key Idempotency-Key makes a request safe to send again, so one key stands for one content for 24 "
        "hours. It came with another content now; nothing was done.",
        ("Use a new key for a new request.",),
    ),
    "invalid-idempotency-key": Topic(
        "The idempotency key cannot be used",
        "The key Idempotency-Key is kept and compared as it is, so it has 1 to 255 printable ASCII characters.",
        ("Use a UUID.",),
    ),
    "too-many-streams": Topic(
        "Too many event streams",
        "Every event stream takes a thread of the server, so their number is limited; all of them are in use at "
        "this moment.",
        ("Poll the job instead, or ask again later.",),
    ),
    "too-many-requests": Topic(
        "Too many requests",
        "A caller may submit, upload and mistype its token only so often in a minute, so that one program that runs "
        "wild does not take the server from everybody else. What was refused has changed nothing.",
        (
            "In the browser: wait as long as the message says, then go back and send the form again.",
            "A program: wait the seconds of Retry-After, then send the request again. The command and the client do.",
            "Send fewer, larger jobs: one generation of 1,000 pictures instead of 1,000 of one.",
            "The operator raises the limits with AIGC_RATE_SUBMISSIONS, AIGC_RATE_UPLOADS and AIGC_RATE_FAILED_LOGINS.",
        ),
    ),
}
