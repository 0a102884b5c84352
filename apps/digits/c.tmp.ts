import { cpu } from '@bp/backend-cpu'
import { add, compile, grad, mul, tensor, use, Variable, ones, sumTo } from '@bp/core'
import { Adam, crossEntropy, Linear, ReLU, Sequential, SGD } from '@bp/nn'
import { Generator, sum, softmax, sub, relu, exp, layerNorm, mean } from '@bp/ops'
use(cpu())
const g = new Generator(1)
const check = (name: string, f: any, ...xs: any[]) => {
  const a = f(...xs), c = compile(f)
  const b = c(...xs); const b2 = c(...xs)
  const p = [...a.dataSync()], q = [...b.dataSync()], q2 = [...b2.dataSync()]
  let d = 0
  for (let i = 0; i < p.length; i++) { const e = Math.abs(p[i] - q[i]); if (!(e <= d)) d = Object.is(p[i], q[i]) ? d : e }
  console.log(name, a.shape.join() === b.shape.join(), d.toExponential(1), q.join() === q2.join())
  if (!(d < 1e-4)) { console.log(p.slice(0, 8), q.slice(0, 8)); console.log(c.dump(...xs)) }
}
const x = g.normal([64, 100]), y = g.normal([100]), z = g.normal([64, 1])
check('add', (x: any) => add(mul(x, x), x), tensor([1, 2, 3, 4, 5]))
check('bcast', (x: any, y: any, z: any) => add(mul(x, y), z), x, y, z)
check('sumrow', (x: any) => sum(mul(x, x), 1), x)
check('sumcol', (x: any) => sum(mul(x, x), 0), x)
check('sumall', (x: any) => sum(mul(x, x)), x)
check('softmax', (x: any) => softmax(x), x)
check('ln', (x: any, y: any) => layerNorm(x, 1, y, y), x, y)
check('gradln', grad((x: any) => sum(mul(layerNorm(x, 1, y, y), x))), x)
check('gradsm', grad((x: any) => sum(mul(softmax(x), x))), x)
check('mid', (x: any) => sum(mul(x, x), [0, 2, 3]), g.normal([8, 5, 7, 6]))
check('big', (x: any) => sum(relu(x)), g.normal([1000, 333]))
check('bigcol', (x: any) => sum(relu(x), 0), g.normal([1000, 333]))
import { matmul, transpose } from '@bp/ops'
for (const [m, n, k] of [[3, 5, 7], [64, 256, 784], [1, 1, 1], [130, 70, 300], [97, 33, 513], [4, 8, 600]] as const) {
  check(`dot ${m} ${n} ${k}`, (a: any, b: any) => matmul(a, b), g.normal([m, k]), g.normal([k, n]))
  check(`dotT ${m} ${n} ${k}`, (a: any, b: any) => matmul(transpose(a), transpose(b)), g.normal([k, m]), g.normal([n, k]))
}
check('stack', (a: any, b: any) => matmul(transpose(a, [0, 2, 1, 3]), transpose(b, [0, 2, 3, 1])), g.normal([4, 20, 3, 16]), g.normal([4, 20, 3, 16]))
const gg = compile(matmul as any) as any
for (const n of [64, 256, 512, 1024]) {
  const a = new Variable(g.normal([n, n])), b = new Variable(g.normal([n, n])), c = new Variable(g.normal([n, n]))
  const f = compile(() => { c.assign(matmul(a, b)); return [] as any }) as any
  for (let i = 0; i < 20; i++) f()
  await new Promise(r => setTimeout(r, 200))
  const t: number[] = []
  const reps = Math.max(1, Math.round(5e7 / n ** 3))
  for (let i = 0; i < 15; i++) { const s = performance.now(); for (let j = 0; j < reps; j++) f(); t.push((performance.now() - s) / reps) }
  t.sort((a, b) => a - b)
  console.log(n, (2 * n ** 3 / t[7]! / 1e6).toFixed(1), 'GFLOP/s', f.explain())
}
