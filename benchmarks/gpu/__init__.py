"""What works, and how fast, on the GPU that is here: ``python -m benchmarks.gpu --log DIRECTORY``.

Each part is a process of its own, so that one that fails or hangs leaves the others alone:

- ``device``: what NVIDIA's library tells, and that a runner sees the one device it was given.
- ``family NAME``: trains on bundled data, generates, goes on from a checkpoint; 16-bit beside 32-bit numbers.
- ``exchange``: what ranks of one training say to each other goes through NCCL, with the one rank that one GPU allows.
- ``memory``: memory that a killed runner gives back; a batch that does not fit is computed in parts.
- ``stack``: the product with everything on this machine; its runner is killed in mid-training.
- ``speed NAME``: steps a second on the GPU and on the CPU.
"""
