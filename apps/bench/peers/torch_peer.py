"""PyTorch as a contender, by its performance tuning guide: gradients set to None, multi-tensor and fused optimisers,
channels last, inference mode, results into memory that is there, and its compilers where they are part of it."""
import math
from contender import CHAIN, GPT, serve, threads
import torch
import torch.nn.functional as F

torch.set_num_threads(threads)


def tensors(data):
    """Arrays as tensors; indices as int64, which PyTorch wants."""
    return {k: torch.from_numpy(v).long() if v.dtype == 'int32' else torch.from_numpy(v) for k, v in data.items()}


def training(forward, optimiser, compiled=False, layout=torch.contiguous_format):
    """One step at a time; the loss is read back each time."""
    def start(data):
        lay = lambda v: v.contiguous(memory_format=layout) if v.dim() == 4 else v
        p = {k: lay(v) for k, v in tensors(data).items()}
        x, y = p.pop('x'), p.pop('y')
        for v in p.values():
            v.requires_grad_()
        opt = optimiser(list(p.values()))
        compute = lambda x, y: F.cross_entropy(forward(p, x), y)
        if compiled:
            compute = torch.compile(compute)

        def step():
            opt.zero_grad(set_to_none=True)
            loss = compute(x, y)
            loss.backward()
            opt.step()
            return loss.item()
        return [step()], step
    return start


def mlp(p, x):
    h = F.relu(F.linear(F.relu(F.linear(x, p['w1'], p['b1'])), p['w2'], p['b2']))
    return F.linear(h, p['w3'], p['b3'])


def cnn(p, x):
    h = F.max_pool2d(F.relu(F.conv2d(x, p['w1'], p['b1'], padding=2)), 2)
    h = F.max_pool2d(F.relu(F.conv2d(h, p['w2'], p['b2'], padding=2)), 2)
    return F.linear(h.flatten(1), p['w3'], p['b3'])


MASK = torch.tril(torch.ones(GPT['context'], GPT['context'])).bool()


def gpt(p, x):
    b, t, d, n = GPT['batch'], GPT['context'], GPT['dim'], GPT['heads']
    h = F.embedding(x, p['tokens']) + p['positions']
    for l in range(GPT['layers']):
        dense = lambda z, name: F.linear(z, p[f'{l}.{name}.weight'], p[f'{l}.{name}.bias'])
        norm = lambda z, name: F.layer_norm(z, (d,), p[f'{l}.{name}.weight'], p[f'{l}.{name}.bias'])
        q, k, v = [z.view(b, t, n, d // n).transpose(1, 2) for z in dense(norm(h, 'ln1'), 'qkv').split(d, 2)]
        if hasattr(F, 'scaled_dot_product_attention'):
            seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            scores = (q @ k.transpose(-2, -1)) * (1 / math.sqrt(d // n))
            seen = scores.masked_fill(~MASK, float('-inf')).softmax(-1) @ v
        h = h + dense(seen.transpose(1, 2).reshape(b, t, d), 'out')
        h = h + dense(F.gelu(dense(norm(h, 'ln2'), 'up'), approximate='tanh'), 'down')
    return F.linear(F.layer_norm(h, (d,), p['ln.weight'], p['ln.bias']), p['head']).view(b * t, -1)


def trainers(forward, optimiser, layouts=(torch.contiguous_format,), **options):
    """The ways to train: what a version lacks refuses when it is started."""
    out = {}
    for layout in layouts:
        suffix = ', channels last' if layout == torch.channels_last else ''
        for name, how in dict(eager={}, foreach=dict(foreach=True), fused=dict(fused=True)).items():
            out[name + suffix] = training(forward, lambda ps, how=how: optimiser(ps, **options, **how), layout=layout)
    if hasattr(torch, 'compile'):
        out['torch.compile'] = training(forward, lambda ps: optimiser(ps, **options), compiled=True)
    return out


def overhead(data):
    p = tensors(data)
    w, c = p['w'].requires_grad_(), p['c']

    def run():
        y = w
        for _ in range(CHAIN):
            y = y * w + c
        return torch.autograd.grad(y.sum(), w)[0]
    return run().tolist(), run


def first(y):
    return y.flatten()[:4].tolist()


def op(f, into=None):
    """A fresh result each time, or one written over the result before by `into(*operands, out)`."""
    def start(data):
        xs = list(tensors(data).values())
        with torch.inference_mode():
            y = f(*xs)
        call = f if into is None else lambda *xs: into(*xs, y)

        def run():
            with torch.inference_mode():
                return call(*xs)
        return first(run()), run
    return start


class Cnn(torch.nn.Module):
    def __init__(self, p):
        super().__init__()
        for name, value in p.items():
            self.register_buffer(name, value)
        self.names = list(p)

    def forward(self, x):
        return cnn({name: getattr(self, name) for name in self.names}, x)


def infer(layout=torch.contiguous_format, script=False):
    def start(data):
        lay = lambda v: v.contiguous(memory_format=layout) if v.dim() == 4 else v
        p = {k: lay(v) for k, v in tensors(data).items() if k != 'y'}
        x = p.pop('x')
        forward = Cnn(p).eval()
        if script:
            forward = torch.jit.optimize_for_inference(torch.jit.trace(forward, x))

        def run():
            with torch.inference_mode():
                return forward(x)
        return first(run()), run
    return start


product = {'fresh': op(torch.matmul), 'out=': op(torch.matmul, lambda a, b, y: torch.matmul(a, b, out=y))}
inference = {'eager': infer(), 'channels last': infer(torch.channels_last), 'TorchScript, optimised for inference': infer(script=True)}
serve({
    'mlp': trainers(mlp, torch.optim.Adam, lr=1e-3),
    'cnn': trainers(cnn, torch.optim.SGD, (torch.contiguous_format, torch.channels_last), lr=0.01, momentum=0.9),
    'gpt': trainers(gpt, torch.optim.AdamW, lr=3e-4),
    'overhead': {'eager': overhead},
    'gemm-64': product, 'gemm-256': product, 'gemm-512': product, 'gemm-1024': product,
    'exp': {'fresh': op(torch.exp), 'out=': op(torch.exp, lambda x, y: torch.exp(x, out=y))},
    'gelu': {'fresh': op(F.gelu), 'out=': op(F.gelu, lambda x, y: torch.ops.aten.gelu.out(x, out=y))},
    'sum': {'fresh': op(torch.sum)},
    'softmax': {'fresh': op(lambda x: torch.softmax(x, -1)), 'out=': op(lambda x: torch.softmax(x, -1), lambda x, y: torch.softmax(x, -1, out=y))},
    'infer-cnn-1': inference, 'infer-cnn-64': inference,
}, torch.__version__)
