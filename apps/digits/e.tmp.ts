import { cpu } from '@bp/backend-cpu'
import { compile, use, Variable, zeros, type Tensor } from '@bp/core'
import { exp, gelu, Generator, softmax, sum } from '@bp/ops'
use(cpu())
const g = new Generator(1)
const big = new Variable(zeros([10_000_000])); big.assign(g.uniform([10_000_000], { low: -5, high: 5 } as any))
const sq = new Variable(g.normal([1024, 1024]))
for (const [name, f, x] of [['exp', exp, big], ['gelu', (x: Tensor) => gelu(x), big], ['gelut', (x: Tensor) => gelu(x, { approximate: 'tanh' }), big], ['sum', (x: Tensor) => sum(x), big], ['softmax', (x: Tensor) => softmax(x), sq]] as const) {
  const y = new Variable(zeros(f(x as any).shape))
  const run = compile(() => { y.assign(f(x as any)); return [] as Tensor[] })
  for (let i = 0; i < 30; i++) run()
  await new Promise(r => setTimeout(r, 300))
  for (let i = 0; i < 20; i++) run()
  const t: number[] = []
  for (let i = 0; i < 25; i++) { const s = performance.now(); run(); t.push(performance.now() - s) }
  t.sort((a, b) => a - b)
  console.log(name, t[12]!.toFixed(2), 'min', t[0]!.toFixed(2))
}
process.exit(0)
