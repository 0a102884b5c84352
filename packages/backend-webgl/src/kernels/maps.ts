// Elementwise kernels: every op of the scalar table with broadcasting, and whole chains of them, each as one pass.

import type { DType } from '@bp/core'
import { type Aval, broadcastStrides, collapse, type Kernel, type Operand } from '@bp/core/extend'
import type { MapName } from '@bp/ops/extend'
import type { Device } from '../device/device.ts'
import { toUniform } from '../device/encode.ts'
import type { PassCode } from '../device/gpu.ts'
import { isWhole, type Value } from '../device/storage.ts'
import { type Access, accessKey, accessOf, loads, walkNumbers } from '../glsl/access.ts'
import { type Chain, chainKey, statements } from '../glsl/body.ts'
import { withHelpers } from '../glsl/helpers.ts'
import { scalar } from '../scalar.ts'

/** A chain as a pass, for operands that are read in certain ways. */
export interface ChainPass {
  readonly key: string
  readonly code: () => PassCode
  /** The whole numbers that say how operands are read; those of the chain follow them. */
  readonly walk: readonly number[]
}

/** The pass of a chain over axes of the given sizes. */
export function chainPass(chain: Chain, sizes: readonly number[], accesses: readonly Access[]): ChainPass {
  const walk = walkNumbers(sizes, accesses)
  const ints = 1 + walk.length + chain.numbers.filter(isWhole).length
  return {
    key: `map ${chainKey(chain)} ${accessKey(sizes, accesses)}`, walk,
    code: () => ({
      inputs: accesses.length, outputs: chain.outputs.length, ints, floats: chain.numbers.length - chain.numbers.filter(isWhole).length,
      code: withHelpers(`${loads(sizes.length, accesses)}
vec4 compute() {
${statements(chain, 1 + walk.length)}
${chain.outputs.slice(1).map((_, i) => `r${i + 1} = o${i + 1};`).join('\n')}
return o0;
}`),
    }),
  }
}

/** A number of a chain, by its dtype. */
interface Known {
  readonly dtype: DType
  readonly value: number
}

/** Runs a chain over the shape of its results, to which its operands broadcast. */
export function runChain(device: Device, chain: Chain, xs: readonly Pick<Operand<Value>, 'storage' | 'shape'>[], outs: readonly Pick<Aval, 'shape' | 'dtype'>[], known: readonly Known[] = []): Value[] {
  const values = outs.map(out => device.empty(out))
  const { shape } = outs[0]!
  const nest = collapse(shape, xs.map(x => broadcastStrides(x.shape, shape)))
  const { key, code, walk } = chainPass(chain, nest.sizes, xs.map((x, i) => accessOf(x.storage.length, nest.sizes, nest.strides[i]!)))
  const [ints, floats] = [true, false].map(whole => known.filter(({ dtype }) => isWhole(dtype) === whole).map(({ value }) => value)) as [number[], number[]]
  device.compute(key, code, values, xs.map(x => x.storage), [...walk, ...ints], floats)
  return values
}

/** One op as a chain, by dtypes and by which operands are numbers. */
const chains = new Map<string, Chain>()

function chainOf(op: string, xs: readonly Operand<Value>[], isNumber: readonly boolean[], dtype: DType): Chain {
  const key = `${op} ${xs.map((x, i) => `${x.dtype}${isNumber[i] ? '!' : ''}`).join()} ${dtype}`
  const known = chains.get(key)
  if (known) return known
  const typesOf = (wanted: boolean): DType[] => xs.filter((_, i) => isNumber[i] === wanted).map(x => x.dtype)
  const [inputs, numbers] = [typesOf(false), typesOf(true)]
  let [input, number] = [0, inputs.length]
  const chain: Chain = { inputs, numbers, steps: [{ op, args: isNumber.map(is => is ? number++ : input++), dtype }], outputs: [xs.length] }
  chains.set(key, chain)
  return chain
}

/** Whether an operand is one number known on this side, which a pass takes as a uniform instead of a texture. */
const isKnown = ({ storage: { length, host, texture } }: Operand<Value>): boolean => length === 1 && host !== null && texture === null

type MapTable = Readonly<Record<MapName, Kernel<Value, unknown>>>

/** The kernels of the scalar table. */
export const maps = (device: Device): MapTable => Object.fromEntries([...Object.keys(scalar), 'cast'].map(name => {
  const kernel: Kernel<Value, unknown> = (xs, _p, out) => {
    const isNumber = xs.map(isKnown)
    const known = xs.filter((_, i) => isNumber[i]).map(({ storage: { host }, dtype }) => ({ dtype, value: toUniform(host!, dtype) }))
    return runChain(device, chainOf(name, xs, isNumber, out.dtype), xs.filter((_, i) => !isNumber[i]), [out], known)[0]!
  }
  return [name, kernel]
})) as unknown as MapTable
