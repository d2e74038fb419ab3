"""The networks of networks.lua in PyTorch: networks.py MODE NETWORK prints one line of JSON.

MODE: float32, float32-compiled, autocast (bfloat16), autocast-compiled, and without training inference, inference-compiled. The answer is {"version": ..., "seconds_per_step": [one a repeat], "peak_bytes": [most in use]}.
"""
import json
import resource
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Residual(nn.Module):
    def __init__(self, channels, filters, strides):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, filters, 3, strides, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU())
        self.second = nn.Sequential(nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters))
        self.shortcut = nn.Identity()
        if strides > 1:
            self.shortcut = nn.Sequential(nn.Conv2d(channels, filters, 1, strides, bias=False), nn.BatchNorm2d(filters))

    def forward(self, x):
        return F.relu(self.shortcut(x) + self.second(self.first(x)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.dense = nn.Embedding(20000, 128), nn.LSTM(128, 128, batch_first=True), nn.Linear(128, 2)

    def forward(self, x):
        return self.dense(self.lstm(self.embedding(x))[0][:, -1])


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads, self.before = heads, nn.LayerNorm(width)
        self.joint, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x):
        batch, length, width = x.shape
        shape = (batch, length, 3, self.heads, width // self.heads)
        query, key, value = self.joint(self.before(x)).view(shape).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.out(attended.transpose(1, 2).reshape(x.shape))
        return x + self.dense(x)


def mlp():
    model = nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10))
    return model, torch.rand(128, 784), torch.randint(0, 10, (128,))


def cnn():
    convolutions = [nn.Conv2d(1, 32, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2)]
    model = nn.Sequential(*convolutions, nn.Flatten(), nn.Dropout(0.5), nn.Linear(1600, 10))
    return model, torch.rand(128, 1, 28, 28), torch.randint(0, 10, (128,))


def resnet():
    stack, channels = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            stack.append(Residual(channels, filters, 2 if stage and block == 0 else 1))
            channels = filters
    model = nn.Sequential(*stack, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return model, torch.rand(64, 3, 32, 32), torch.randint(0, 10, (64,))


def lstm():
    return Recurrent(), torch.randint(0, 20000, (32, 80)), torch.randint(0, 2, (32,))


def transformer():
    blocks = [Block(256, 4) for _ in range(4)]
    model = nn.Sequential(nn.Embedding(1000, 256), *blocks, nn.LayerNorm(256), nn.Linear(256, 1000))
    words = torch.randint(0, 1000, (16, 128))
    return model, words, words


class GraphAttention(nn.Module):
    def __init__(self, inputs, units):
        super().__init__()
        self.kernel, self.attention = nn.Linear(inputs, units, bias=False), nn.Linear(2 * units, 1, bias=False)

    def forward(self, x, links):
        x = self.kernel(x)
        targets, start = links[:, 0], x[links[:, 1]]
        scores = F.leaky_relu(self.attention(torch.cat([x[targets], start], -1)).squeeze(-1), 0.2)
        scores = torch.exp(torch.clamp(scores, -2, 2))
        sums = torch.zeros(len(x)).index_add(0, targets, scores)
        return torch.zeros_like(x).index_add(0, targets, start * (scores / sums[targets])[:, None])


class Graph(nn.Module):
    def __init__(self, features, units, heads, links):
        super().__init__()
        self.links, width = links, units * heads
        self.first, self.last = nn.Sequential(nn.Linear(features, width), nn.ReLU()), nn.Linear(width, 7)
        self.stages = nn.ModuleList(nn.ModuleList(GraphAttention(width, units) for _ in range(heads)) for _ in range(2))

    def forward(self, x):
        x = self.first(x)
        for attentions in self.stages:
            x = F.relu(torch.cat([attention(x, self.links) for attention in attentions], -1) + x)
        return self.last(x)


def graph():
    return Graph(64, 16, 8, torch.randint(0, 512, (4096, 2))), torch.rand(512, 64), torch.randint(0, 7, (512,))


def samples_of(steps, count):
    steps(5)
    samples = []
    for _ in range(5):
        start = time.perf_counter()
        steps(count)
        samples.append((time.perf_counter() - start) / count)
    return dict(version="PyTorch " + torch.__version__, seconds_per_step=samples)


def infer(mode, model, x):
    function = torch.compile(model.eval()) if mode.endswith("compiled") else model.eval()

    def steps(count):
        with torch.inference_mode():
            for _ in range(count):
                function(x)

    return samples_of(steps, 4)


def main(mode, network):
    model, x, y = globals()[network]()
    if mode.startswith("inference"):
        return infer(mode, model, x)
    if x.ndim == 4:
        model, x = model.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(model.parameters(), 0.001, fused=True)

    def loss_of(x, y):
        with torch.autocast("cpu", torch.bfloat16, enabled=mode.startswith("autocast")):
            logits = model(x)
        return F.cross_entropy(logits.float().flatten(0, -2), y.flatten())

    function = torch.compile(loss_of) if mode.endswith("compiled") else loss_of

    def steps(count):
        for _ in range(count):
            optimizer.zero_grad()
            function(x, y).backward()
            optimizer.step()

    return samples_of(steps, 4 if network in ("resnet", "transformer") else 10)


if __name__ == "__main__":
    answer = main(sys.argv[1], sys.argv[2])
    print(json.dumps(dict(answer, peak_bytes=[1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])))
