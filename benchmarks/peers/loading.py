"""Loading as public examples do it: a dataset of single pictures, a transform for each, a DataLoader."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


class Pictures(Dataset[tuple[Tensor, int]]):
    """Mirrors torchvision's MNIST with ``Resize``, ``ToTensor`` and ``Normalize``: one Pillow image per item."""

    def __init__(self, images: Tensor, side: int, normalised: bool) -> None:
        self.images, self.side, self.normalised = images, side, normalised

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture = Image.fromarray(self.images[index, 0].numpy())
        if picture.size != (self.side, self.side):
            picture = picture.resize((self.side, self.side), Image.Resampling.BILINEAR)
        x = torch.from_numpy(np.array(picture, np.uint8, copy=True)).view(1, self.side, self.side)
        x = x.to(torch.float32).div(255)
        return (x.sub(0.5).div(0.5) if self.normalised else x), 0


def loader(images: Tensor, side: int, batch_size: int, normalised: bool) -> DataLoader[tuple[Tensor, int]]:
    """As in the examples: shuffled, loaded in the main process."""
    return DataLoader(Pictures(images, side, normalised), batch_size=batch_size, shuffle=True)
