"""What the problem codes of data mean and what to do about them; the others are in :mod:`web.pages.problem_texts`."""

from collections.abc import Mapping

from web.pages.topics import Topic

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
    "model-has-alias": Topic(
        "An alias stands for the model version",
        "What uses name@production or name@staging would not find its model any more, so it cannot be deleted.",
        ("Promote another version to the alias, or take the alias away, on the model's page.",),
    ),
    "alias-moved": Topic(
        "The alias was moved in the meantime",
        "Somebody else promoted a version since the page was opened, or the version named in replaces is not it.",
        ("Look at the versions again, then promote anew.",),
    ),
    "unknown-alias": Topic(
        "There is no such alias", "The aliases are production and staging.", ("Use one of these two.",)
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
        "The file's first bytes say that it is something else than a dataset, or that it is a program or settings.",
        (
            "Upload pictures in a ZIP, a table as CSV or Parquet, or texts; each kind's page says what it takes.",
            "Choose the kind text where a program is to become a dataset of texts.",
        ),
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
    "no-target": Topic(
        "The column cannot be predicted",
        "The target column does not exist, or holds identifiers or free text.",
        ("Choose a column with categories or numbers; the dataset's page lists them.",),
    ),
    "one-class-target": Topic(
        "The target has one value",
        "Every row has the same value in the target column, so there is nothing to predict.",
        ("Choose another column.", "Import a table in which the column varies, in the training and in the test rows."),
    ),
    "no-rows": Topic(
        "There are too few rows",
        "A table to learn from, to judge by or to measure has no rows, or fewer than are needed.",
        ("Import a table with more rows.", "Give a larger test share at the import."),
    ),
    "columns-differ": Topic(
        "The columns differ",
        "Synthetic and real rows are compared column by column, and one of them lacks a column or holds other values.",
        ("Use a model that was trained on a dataset with the same columns.",),
    ),
}
