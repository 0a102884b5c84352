// Elementwise kernels: every op of the scalar table with broadcasting, and whole chains of them, each as one pass.

import type { DType } from '@bp/core'
import type { Aval, Kernel, Operand } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import type { Value } from '../device/storage.ts'
import { accessKey, accessOf, broadcastStrides, collapse, loads, walkNumbers } from '../glsl/access.ts'
import { type Chain, chainKey, statements } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { scalar } from '../scalar.ts'

/** The operand of a chain: a value and its shape, which broadcasts to the chain's. */
export type ChainOperand = Pick<Operand<Value>, 'storage' | 'shape'>

/** Runs a chain over a shape; the outputs have that shape. */
export function runChain(device: Device, chain: Chain, xs: readonly ChainOperand[], outs: readonly Aval[]): Value[] {
  const values = outs.map(out => device.empty(out))
  const shape = outs[0]!.shape
  const nest = collapse(shape, xs.map(x => broadcastStrides(x.shape, shape)))
  const accesses = xs.map((x, i) => accessOf(x.storage.length, nest.sizes, nest.strides[i]!))
  const key = `map ${chainKey(chain)} ${accessKey(nest.sizes, accesses)}`
  const numbers = walkNumbers(nest.sizes, accesses)
  device.compute(key, () => ({
    inputs: xs.length, outputs: outs.length, ints: 1 + numbers.length, floats: 0,
    code: withHelpers(`${loads(nest.sizes.length, accesses)}
vec4 compute() {
${statements(chain)}
${outs.slice(1).map((_, i) => `r${i + 1} = o${i + 1};`).join('\n')}
return o0;
}`),
  }), values, xs.map(x => x.storage), numbers)
  return values
}

/** One op as a chain, by dtypes. */
const chains = new Map<string, Chain>()

function chainOf(op: string, inputs: readonly DType[], dtype: DType): Chain {
  const key = `${op} ${inputs.join()} ${dtype}`
  let chain = chains.get(key)
  if (!chain) chains.set(key, chain = { inputs, steps: [{ op, args: inputs.map((_, i) => i), dtype }], outputs: [inputs.length] })
  return chain
}

type MapTable = { readonly [K in MapName]: Kernel<Value, unknown> }

/** The kernels of the scalar table. */
export const maps = (device: Device): MapTable => Object.fromEntries([...Object.keys(scalar), 'cast'].map(name => {
  const kernel: Kernel<Value, unknown> = (xs, _p, out) => runChain(device, chainOf(name, xs.map(x => x.dtype), out.dtype), xs, [out])[0]!
  return [name, kernel]
})) as unknown as MapTable
