import { cpu } from '@bp/backend-cpu'
import { compile, tensor, use } from '@bp/core'
import * as ops from '@bp/ops'
use(cpu())
const x = ops.cast(tensor([[1, 2, -3, 0.5], [4, -5, 6, 1], [0, 1, 2, 3]]), 'float64')
for (const f of [(x: any) => (ops as any).aminmax(x, 0)[0], (x: any) => (ops as any).aminmax(x, 1)[0], (x: any) => (ops as any).amin(x, 0)]) {
  const c = compile(f) as any
  console.log(String(f(x)), String(c(x)))
  console.log(c.dump(x))
}
