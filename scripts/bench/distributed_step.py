"""Seconds per step in PyTorch with DistributedDataParallel over gloo, as distributed_step.lua:
python distributed_step.py NETWORK PROCESSES [EPOCHS] prints the least of some epochs."""

import os
import sys
import time

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn


class Block(nn.Module):
    def __init__(self, width, heads, length):
        super().__init__()
        self.first, self.second = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.dense = nn.Sequential(nn.Linear(width, 4 * width), nn.ReLU(), nn.Linear(4 * width, width))
        mask = torch.triu(torch.ones(length, length, dtype=torch.bool), 1)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x):
        h = self.first(x)
        x = x + self.attention(h, h, h, attn_mask=self.mask, need_weights=False)[0]
        return x + self.dense(self.second(x))


def mlp():
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return model, torch.rand(2560, 784), torch.randint(0, 10, (2560,)), 128


def cnn():
    model = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(1600, 10))
    return model, torch.rand(1280, 1, 28, 28), torch.randint(0, 10, (1280,)), 128


def transformer():
    words, length, width = 1000, 64, 128
    blocks = [Block(width, 4, length) for _ in range(4)]
    model = nn.Sequential(nn.Embedding(words, width), *blocks, nn.LayerNorm(width), nn.Linear(width, words))
    data = torch.randint(0, words, (64, length))
    return model, data, data, 16


def train(rank, size, network, epochs):
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    torch.manual_seed(1)
    model, x, y, batch = {"mlp": mlp, "cnn": cnn, "transformer": transformer}[network]()
    if size > 1:
        os.environ.setdefault("MASTER_ADDR", "127.0.0.1")
        os.environ.setdefault("MASTER_PORT", "29511")
        dist.init_process_group("gloo", rank=rank, world_size=size)
        model = nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.Adam(model.parameters())
    loss_of = nn.CrossEntropyLoss()
    least, part = float("inf"), batch // size
    for _ in range(epochs):
        start = time.perf_counter()
        for first in range(0, len(x), batch):
            rows = slice(first + rank * part, first + (rank + 1) * part)
            outputs = model(x[rows])
            loss = loss_of(outputs.reshape(-1, outputs.shape[-1]), y[rows].reshape(-1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        least = min(least, (time.perf_counter() - start) / (len(x) // batch))
    if rank == 0:
        print(f"{least:.6f}")


if __name__ == "__main__":
    name, processes = sys.argv[1], int(sys.argv[2])
    count = int(sys.argv[3]) if len(sys.argv) > 3 else 8
    if processes == 1:
        train(0, 1, name, count)
    else:
        mp.spawn(train, (processes, name, count), nprocs=processes)
