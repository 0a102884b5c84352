import { cpu } from '@bp/backend-cpu'
import { compile, tensor, use, Variable, grad, sumTo, mul } from '@bp/core'
import { Generator, maxPool, concat, pad, take, sum, cast } from '@bp/ops'
import * as ops from '@bp/ops'
use(cpu())
const g = new Generator(1)
let bad = 0, n = 0
const check = (name: string, f: any, ...xs: any[]) => {
  n++
  try {
  const a = f(...xs), c = compile(f) as any
  const b = c(...xs); const b2 = c(...xs)
  const p = [...a.dataSync()], q = [...b.dataSync()], q2 = [...b2.dataSync()]
  let d = 0, m = 0
  for (let i = 0; i < p.length; i++) { const e = Math.abs(p[i] - q[i]); m = Math.max(m, Math.abs(p[i])); if (!(e <= d)) d = Object.is(p[i], q[i]) ? d : e }
  const note = c.explain(...xs).includes('TypeScript') ? 'ISLAND' : ''
  if (!(d <= 2e-5 * Math.max(1, m)) || q.join() !== q2.join() || note) { bad++; console.log(name, d.toExponential(1), m, q.join() === q2.join(), note) ; if (!note) console.log(p.slice(0,6), q.slice(0,6)) }
  } catch (e) { bad++; console.log(name, (e as Error).stack!.slice(0, 500)) }
}
const cases = [
  [[2, 1, 28, 28], [8, 1, 5, 5], { padding: 2 }], [[2, 8, 14, 14], [16, 8, 5, 5], { padding: 2 }], [[1, 3, 9, 7], [5, 3, 3, 3], { padding: 1, stride: 2 }],
  [[2, 4, 8, 8], [8, 1, 3, 3], { padding: 1, groups: 4 }], [[2, 4, 8, 8], [6, 4, 1, 1], {}], [[1, 2, 11], [3, 2, 4], { dilation: 2, stride: 3, padding: 2 }],
  [[1, 2, 5, 6, 7], [3, 2, 2, 3, 2], { padding: 1, stride: [1, 2, 3] }], [[1, 2, 3, 3], [2, 2, 3, 3], { padding: 0 }], [[2, 6, 7, 7], [6, 1, 3, 3], { groups: 6, padding: 1, dilation: 2, stride: 2 }], [[1,1,2,2],[1,1,1,1],{padding: 3}],
  [[2, 3, 20, 20], [70, 3, 3, 3], { padding: 1 }],
] as any[]
for (const dtype of ['float32', 'float64']) for (const [xs, ws, o] of cases) {
  const x = g.normal(xs, { dtype } as any), w = g.normal(ws, { dtype } as any)
  const name = `${dtype} ${JSON.stringify([xs, ws, o])}`
  const cv = (ops as any).convNd ?? (ops as any).convolution ?? null
  const f = (x: any, w: any) => (ops as any).convolve(x, w, o)
  check('fwd ' + name, f, x, w)
  const y = f(x, w), ct = g.normal(y.shape, { dtype } as any)
  check('dx ' + name, (x: any, w: any) => grad((x: any) => sum(mul(f(x, w), ct)))(x), x, w)
  check('dw ' + name, (x: any, w: any) => grad((w: any) => sum(mul(f(x, w), ct)))(w), x, w)
}
for (const [s, o] of [[[2, 3, 8, 8], { kernel: 2 }], [[2, 3, 9, 7], { kernel: 3, stride: 2, padding: 1 }], [[1, 2, 10], { kernel: 3, stride: 1, dilation: 2 }], [[1, 2, 5, 6, 4], { kernel: 2 }]] as any[]) {
  const x = g.normal(s)
  check('pool ' + JSON.stringify([s, o]), (x: any) => maxPool(x, o), x)
  check('dpool ' + JSON.stringify([s, o]), (x: any) => grad((x: any) => sum(mul(maxPool(x, o), maxPool(x, o))))(x), x)
}
const idx = tensor(Int32Array.from([3, 0, 2, -1, 3]))
check('take0', (x: any, i: any) => take(x, i, 0), g.normal([4, 65]), idx)
check('take1', (x: any, i: any) => take(x, i, 1), g.normal([3, 4, 5]), idx)
check('dtake0', (x: any, i: any) => grad((x: any) => sum(mul(take(x, i, 0), take(x, i, 0))))(x), g.normal([4, 65]), idx)
check('dtake1', (x: any, i: any) => grad((x: any) => sum(mul(take(x, i, 1), take(x, i, 1))))(x), g.normal([3, 4, 5]), idx)
check('concat', (x: any, y: any) => concat([x, y], 1), g.normal([3, 4, 5]), g.normal([3, 2, 5]))
check('split', grad((x: any) => { const [a, b] = (ops as any).split(x, 2, 1); return sum(mul(a, mul(a, b))) }), g.normal([3, 4, 5]))
console.log(n, 'checks', bad, 'bad')
