"""Model families of AIGC Foundry: a PyTorch library that also runs alone.

Importing this package or a family's ``params`` never imports torch.
"""
