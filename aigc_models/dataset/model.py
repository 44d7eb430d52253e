"""Operations of the pseudo family ``dataset``."""

from aigc_models.data.image_import import import_images

__all__ = ["import_images"]
