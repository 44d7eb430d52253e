"""Image GAN: a generator and a discriminator trained against each other (Goodfellow et al. 2014)."""
