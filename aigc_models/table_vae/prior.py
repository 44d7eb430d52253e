"""What latent numbers look like once a VAE is trained: a mixture of Gaussians over the encoded rows."""

import warnings

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

MOST_ROWS = 20_000  # more would not move the components
_ROUNDS, _FLOOR = 60, 1e-4
_ROWS_PER_NUMBER = 5


class LatentMixture(nn.Module):
    """Gaussians to draw latent numbers from, in place of N(0, I).

    Rows that a small weight of the KL term lets the encoder tell apart do not fill N(0, I) evenly, so numbers drawn
    from it would often decode to rows of no kind. Source: Ghosh et al. 2020, section 4 (ex-post density estimation);
    Dai and Wipf 2019 for why the two steps together still fit the data's distribution.

    Buffers: shares up to each component (K,), means (K, Z), roots of the covariances (K, Z, Z), lower triangular.
    """

    upto: Tensor
    means: Tensor
    roots: Tensor

    def __init__(self, components: int, latent_dim: int) -> None:
        super().__init__()
        self.register_buffer("upto", torch.linspace(0, 1, components + 1)[1:].clone())
        self.register_buffer("means", torch.zeros(components, latent_dim))
        self.register_buffer("roots", torch.eye(latent_dim).repeat(components, 1, 1))

    def draw(self, count: int, noise: torch.Generator) -> Tensor:
        """So many latent rows, (N, Z), from draws on the CPU."""
        device, (components, latent_dim) = self.means.device, self.means.shape
        own = torch.searchsorted(self.upto, torch.rand(count, generator=noise).to(device)).clamp(max=components - 1)
        plain = torch.randn(count, latent_dim, generator=noise).to(device)
        z, order = torch.empty_like(plain), own.argsort(stable=True)
        counts = torch.bincount(own, minlength=components).tolist()
        parts = zip(plain[order].split(counts), self.roots, self.means, strict=True)
        z[order] = torch.cat([torch.addmm(mean, part, root.T) for part, root, mean in parts])
        return z


def most_components(rows: int, latent_dim: int, wanted: int) -> int:
    """How many components so many rows can tell: on the average each has five times as many rows as latent numbers.

    With fewer, components lie around single training rows, and what is drawn from them repeats those rows.
    """
    return max(1, min(wanted, rows // (_ROWS_PER_NUMBER * latent_dim)))


def fit_mixture(mean: Tensor, log_variance: Tensor, components: int, seed: int) -> LatentMixture:
    """The mixture that fits rows drawn from each row's own Gaussian; with one component in closed form.

    Shape: means and log-variances of the encoded rows, each (N, Z).
    """
    generator = np.random.default_rng(seed)
    centre, spread = (each.detach().double().cpu().numpy() for each in (mean, (0.5 * log_variance).exp()))
    found = LatentMixture(components, centre.shape[1])
    if components == 1:
        covariances = [np.cov(centre.T, bias=True).reshape(2 * centre.shape[1:]) + np.diag((spread**2).mean(0))]
        shares, means = np.ones(1), centre.mean(0, keepdims=True)
    else:
        drawn = centre + spread * generator.standard_normal(centre.shape)
        model = GaussianMixture(components, max_iter=_ROUNDS, reg_covar=_FLOOR, random_state=seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # what it has after so many rounds does
            model.fit(drawn)
        shares, means, covariances = model.weights_, model.means_, list(model.covariances_)
    floor = _FLOOR * np.eye(centre.shape[1])
    roots = np.stack([np.linalg.cholesky(covariance + floor) for covariance in covariances])
    found.upto.copy_(torch.from_numpy(np.cumsum(shares) / np.sum(shares)))
    found.means.copy_(torch.from_numpy(means))
    found.roots.copy_(torch.from_numpy(roots))
    return found
