"""Operations of the pseudo family ``dataset``."""

from aigc_models.data.image_import import import_images
from aigc_models.data.interactions_import import import_interactions
from aigc_models.data.language_model_import import import_language_model
from aigc_models.data.log_import import import_event_log
from aigc_models.data.table_import import import_table
from aigc_models.data.text_import import import_text

__all__ = [
    "import_event_log",
    "import_images",
    "import_interactions",
    "import_language_model",
    "import_table",
    "import_text",
]
