import { cpu } from '@bp/backend-cpu'
import { add, compile, tensor, use, Tensor, zeros } from '@bp/core'
import { AdamW, crossEntropy, Linear, LayerNorm, Module, Parameter } from '@bp/nn'
import * as nn from '@bp/nn'
import { Generator, gelu, reshape, split, transpose, scaledDotProductAttention, take } from '@bp/ops'
use(cpu())
const D = 128, H = 4, T = 64, V = 65, B = 16, L = 4
const generator = new Generator(1)
class Block extends Module<[Tensor]> {
  l1 = new LayerNorm(D); l2 = new LayerNorm(D); qkv = new Linear(D, 3 * D, { generator }); pr = new Linear(D, D, { generator }); f1 = new Linear(D, 4 * D, { generator }); f2 = new Linear(4 * D, D, { generator })
  forward(x: Tensor) {
    const [q, k, v] = split(this.qkv.forward(this.l1.forward(x)), D, 2).map(t => transpose(reshape(t, [B, T, H, D / H]), [0, 2, 1, 3])) as [Tensor, Tensor, Tensor]
    const a = scaledDotProductAttention(q, k, v, { causal: true })
    const y = add(x, this.pr.forward(reshape(transpose(a, [0, 2, 1, 3]), [B, T, D])))
    return add(y, this.f2.forward(gelu(this.f1.forward(this.l2.forward(y)), 'tanh')))
  }
}
class Gpt extends Module<[Tensor]> {
  te = new Parameter(generator.normal([V, D], { std: 0.02 } as any)); pe = new Parameter(generator.normal([T, D], { std: 0.02 } as any)); bl = Array.from({ length: L }, () => new Block()); ln = new LayerNorm(D); hd = new Linear(D, V, { bias: false, generator } as any)
  forward(i: Tensor) {
    let x = add(take(this.te, i), this.pe)
    for (const b of this.bl) x = b.forward(x)
    return this.hd.forward(this.ln.forward(x))
  }
}
const x = tensor(Int32Array.from({ length: B * T }, (_, i) => (i * 31 + (i >> 3)) % V)), y = tensor(Int32Array.from({ length: B * T }, (_, i) => (i * 17 + (i >> 2)) % V))
const xi = reshape(x, [B, T])
const model = new Gpt(), opt = new AdamW(model.parameters(), { lr: 3e-4 })
const f = (x: Tensor, y: Tensor) => { opt.zeroGrad(); const loss = crossEntropy(reshape(model.forward(x), [B * T, V]), y); loss.backward(); opt.step(); return loss }
const step = compile(f as any) as any
const begin = performance.now()
console.log(step(xi, y).item(), 'first ms', performance.now() - begin)
for (let i = 0; i < 10; i++) step(xi, y)
await new Promise(r => setTimeout(r, 500))
const t: number[] = []
for (let i = 0; i < 15; i++) { const s = performance.now(); step(xi, y); t.push(performance.now() - s) }
t.sort((p, q) => p - q)
console.log('gpt', t[7]!.toFixed(2), 'min', t[0]!.toFixed(2))
console.log(step.explain(xi, y))
if (process.argv[2]) console.log(step.dump(xi, y))
