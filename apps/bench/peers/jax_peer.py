"""JAX as a contender, as its documentation asks: whole steps under jit, buffers donated, results waited for."""
import os
from contender import CHAIN, GPT, serve, threads

# what XLA sizes its thread pool by, and whether one product is shared by several threads
os.environ['NPROC'] = str(threads)
os.environ['JAX_PLATFORMS'] = 'cpu'
if threads == 1:
    os.environ['XLA_FLAGS'] = '--xla_cpu_multi_thread_eigen=false'
import jax
import jax.numpy as jnp
from jax import lax

tree = jax.tree_util.tree_map


def adam(rate, decay=0.0, b1=0.9, b2=0.999, eps=1e-8):
    """Adam (Kingma & Ba 2015), or AdamW (Loshchilov & Hutter 2019) where there is decay."""
    def start(p):
        return dict(t=jnp.zeros(()), m=tree(jnp.zeros_like, p), v=tree(jnp.zeros_like, p))

    def update(p, g, s):
        t = s['t'] + 1
        m = tree(lambda m, g: b1 * m + (1 - b1) * g, s['m'], g)
        v = tree(lambda v, g: b2 * v + (1 - b2) * g * g, s['v'], g)
        c1, c2 = 1 - b1 ** t, 1 - b2 ** t
        move = lambda p, m, v: p * (1 - rate * decay) - rate * (m / c1) / (jnp.sqrt(v / c2) + eps)
        return tree(move, p, m, v), dict(t=t, m=m, v=v)
    return start, update


def momentum(rate, factor):
    """Stochastic gradient descent with momentum, as PyTorch's."""
    def update(p, g, s):
        s = tree(lambda s, g: factor * s + g, s, g)
        return tree(lambda p, s: p - rate * s, p, s), s
    return lambda p: tree(jnp.zeros_like, p), update


def training(forward, optimiser, layout=lambda p: p):
    """The whole step in one jitted function that is given its state's memory; the loss is read back each time."""
    def start(data):
        p = {k: jnp.asarray(v) for k, v in layout(data).items()}
        x, y = p.pop('x'), p.pop('y')
        begin, update = optimiser

        def loss(p, x, y):
            logits = jax.nn.log_softmax(forward(p, x))
            return -jnp.take_along_axis(logits, y[:, None], 1).mean()

        def step(p, s, x, y):
            value, g = jax.value_and_grad(loss)(p, x, y)
            return *update(p, g, s), value
        compiled = jax.jit(step, donate_argnums=(0, 1))
        state = [p, begin(p)]

        def run():
            state[0], state[1], value = compiled(*state, x, y)
            jax.block_until_ready(state)
            return value.item()
        return [run()], run
    return start


def dense(p, x, w, b):
    return x @ p[w].T + p[b]


def mlp(p, x):
    h = jax.nn.relu(dense(p, jax.nn.relu(dense(p, x, 'w1', 'b1')), 'w2', 'b2'))
    return dense(p, h, 'w3', 'b3')


def windows(h):
    """Maxima of 2 × 2 by a window that moves."""
    return lax.reduce_window(h, -jnp.inf, lax.max, (1, 1, 2, 2), (1, 1, 2, 2), 'VALID')


def blocks(h):
    """The same by two more axes: its gradient needs no search."""
    b, c, y, x = h.shape
    return h.reshape(b, c, y // 2, 2, x // 2, 2).max((3, 5))


def cnn(pool):
    def layer(h, w, b):
        return pool(jax.nn.relu(lax.conv_general_dilated(h, w, (1, 1), 'SAME') + b[:, None, None]))

    def forward(p, x):
        h = layer(layer(x, p['w1'], p['b1']), p['w2'], p['b2'])
        return dense(p, h.reshape(len(x), -1), 'w3', 'b3')
    return forward


def last(data):
    """PyTorch's layouts with channels last: NHWC images, HWIO filters, and the dense layer's columns in that order."""
    out = dict(data)
    out['x'] = data['x'].transpose(0, 2, 3, 1)
    for name in ('w1', 'w2'):
        out[name] = data[name].transpose(2, 3, 1, 0)
    out['w3'] = data['w3'].reshape(10, 16, 7, 7).transpose(0, 2, 3, 1).reshape(10, 784)
    return out


def cnn_last(p, x):
    def layer(h, w, b):
        h = jax.nn.relu(lax.conv_general_dilated(h, w, (1, 1), 'SAME', dimension_numbers=('NHWC', 'HWIO', 'NHWC')) + b)
        n, y, x, c = h.shape
        return h.reshape(n, y // 2, 2, x // 2, 2, c).max((2, 4))
    h = layer(layer(x, p['w1'], p['b1']), p['w2'], p['b2'])
    return dense(p, h.reshape(len(x), -1), 'w3', 'b3')


def norm(h, w, b):
    centred = h - h.mean(-1, keepdims=True)
    return centred * lax.rsqrt((centred * centred).mean(-1, keepdims=True) + 1e-5) * w + b


def gpt(p, x):
    b, t, d, n = GPT['batch'], GPT['context'], GPT['dim'], GPT['heads']
    h = p['tokens'][x] + p['positions']
    for l in range(GPT['layers']):
        linear = lambda z, name: dense(p, z, f'{l}.{name}.weight', f'{l}.{name}.bias')
        normal = lambda z, name: norm(z, p[f'{l}.{name}.weight'], p[f'{l}.{name}.bias'])
        q, k, v = [z.reshape(b, t, n, d // n) for z in jnp.split(linear(normal(h, 'ln1'), 'qkv'), 3, -1)]
        h = h + linear(jax.nn.dot_product_attention(q, k, v, is_causal=True).reshape(b, t, d), 'out')
        h = h + linear(jax.nn.gelu(linear(normal(h, 'ln2'), 'up'), approximate=True), 'down')
    return (norm(h, p['ln.weight'], p['ln.bias']) @ p['head'].T).reshape(b * t, -1)


def overhead(data):
    w, c = jnp.asarray(data['w']), jnp.asarray(data['c'])

    def chain(w):
        y = w
        for _ in range(CHAIN):
            y = y * w + c
        return y.sum()
    run = lambda: jax.grad(chain)(w).block_until_ready()
    return run().tolist(), run


def first(y):
    return y.reshape(-1)[:4].tolist()


def op(f):
    """Jitted: a fresh result each time."""
    def start(data):
        xs = [jnp.asarray(v) for v in data.values()]
        compiled = jax.jit(f)
        run = lambda: compiled(*xs).block_until_ready()
        return first(run()), run
    return start


def donated(f):
    """Jitted, and given the memory of the result before."""
    def start(data):
        xs = [jnp.asarray(v) for v in data.values()]
        compiled = jax.jit(lambda y, *xs: f(*xs), donate_argnums=0, keep_unused=True)
        state = [jax.jit(f)(*xs)]

        def run():
            state[0] = compiled(state[0], *xs)
            return state[0].block_until_ready()
        return first(run()), run
    return start


def infer(forward, layout=lambda p: p):
    def start(data):
        p = {k: jnp.asarray(v) for k, v in layout(data).items() if k != 'y'}
        x = p.pop('x')
        compiled = jax.jit(forward)
        run = lambda: compiled(p, x).block_until_ready()
        return first(run()), run
    return start


def both(f):
    return {'jit': op(f), 'jit, donated': donated(f)}


train = momentum(0.01, 0.9)
product = both(jnp.matmul)
inference = {'jit': infer(cnn(windows)), 'jit, channels last': infer(cnn_last, last)}
serve({
    'mlp': {'jit': training(mlp, adam(1e-3))},
    'cnn': {'jit': training(cnn(windows), train), 'jit, pooling by reshape': training(cnn(blocks), train), 'jit, channels last, pooling by reshape': training(cnn_last, train, last)},
    'gpt': {'jit': training(gpt, adam(3e-4, 0.01))},
    'overhead': {'op by op': overhead},
    'gemm-64': product, 'gemm-256': product, 'gemm-512': product, 'gemm-1024': product,
    'exp': both(jnp.exp), 'gelu': both(lambda x: jax.nn.gelu(x, approximate=False)), 'sum': {'jit': op(jnp.sum)}, 'softmax': both(lambda x: jax.nn.softmax(x, -1)),
    'infer-cnn-1': inference, 'infer-cnn-64': inference,
}, jax.__version__)
