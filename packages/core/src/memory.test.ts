// Nothing is kept alive that nothing will read: freed graphs are collected.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { cpu } from '@bp/backend-cpu'
import { grad, mul, tapeMemory, type Tensor, tensor, use } from '@bp/core'
import { exp, sum } from '@bp/ops'
import { expect, test } from 'vitest'

use(cpu())

setFlagsFromString('--expose-gc')
const gc = runInNewContext('gc') as () => void

/** Whether a reference is collected within a few turns of the event loop. */
async function collected(ref: WeakRef<object>): Promise<boolean> {
  for (let turn = 0; turn < 10 && ref.deref(); turn++) {
    await new Promise(resolve => setTimeout(resolve, 0))
    gc()
  }
  return ref.deref() === undefined
}

test('what backward has freed can be collected while the result lives', async () => {
  const x = tensor([1, 2, 3], { requiresGrad: true })
  const build = (): { y: Tensor; inner: WeakRef<object> } => {
    const inner = exp(x)
    return { y: sum(mul(inner, inner)), inner: new WeakRef(inner.storage!) }
  }
  const { y, inner } = build()
  expect(tapeMemory(y, [x]).bytes).toBe(12)
  gc()
  expect(inner.deref()).toBeDefined()
  y.backward()
  expect(await collected(inner)).toBe(true)
  expect(y.item()).toBeGreaterThan(0)
})

test('a function’s gradient keeps nothing', async () => {
  const inside: WeakRef<object>[] = []
  const d = grad((x: Tensor) => {
    const y = exp(x)
    inside.push(new WeakRef(y.storage!))
    return sum(mul(y, y))
  })(tensor([1, 2]))
  expect(await collected(inside[0]!)).toBe(true)
  expect(d.shape).toEqual([2])
})

test('tapeMemory counts each storage once, and not those it is told of', () => {
  const x = tensor(new Float64Array(10), { requiresGrad: true })
  const y = exp(x)
  const z = sum(mul(mul(y, y), y))
  expect(tapeMemory(z).bytes).toBe(160) // y and y·y
  expect(tapeMemory(z, [y]).bytes).toBe(80)
  expect(tapeMemory(tensor(1))).toEqual({ nodes: 0, bytes: 0 })
})
