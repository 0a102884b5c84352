// GLSL of a chain of elementwise ops: operands loaded and decoded, one line a step, results encoded.

import type { DType } from '@bp/core'
import { fail } from '@bp/core/extend'
import { encodingOf, isWhole } from '../device/storage.ts'
import { scalar } from '../scalar.ts'

/** One op of a chain: its operands by number, in the order operands, numbers, steps of the chain. */
export interface Step {
  readonly op: string
  readonly args: readonly number[]
  readonly dtype: DType
}

/** A chain of elementwise ops. */
export interface Chain {
  /** The dtypes of its operands. */
  readonly inputs: readonly DType[]
  /** The dtypes of its numbers, which are the same everywhere: uniforms. */
  readonly numbers: readonly DType[]
  readonly steps: readonly Step[]
  /** Results, by number. */
  readonly outputs: readonly number[]
}

/** Whether an op of this name can be a step of a chain. */
export const inChains = (name: string): boolean => name === 'cast' || Object.hasOwn(scalar, name)

/** Four numbers of a dtype in GLSL. */
export const lanesOf = (dtype: DType): 'vec4' | 'ivec4' => isWhole(dtype) ? 'ivec4' : 'vec4'

/** The numbers that a texel of a dtype stands for. */
export const decode = (texel: string, dtype: DType): string => dtype === 'int32' ? `floatBitsToInt(${texel})` : dtype === 'uint8' ? `ivec4(${texel})` : texel

/** The texel that numbers of a dtype are kept as. */
export const encode = (value: string, dtype: DType): string =>
  dtype === 'int32' ? `intBitsToFloat(${value})` : dtype === 'uint8' ? `vec4(${value} & 255)` : dtype === 'float16' ? `toHalf(${value})` : value

function cast(x: string, from: DType, to: DType): string {
  if (to === 'bool') return isWhole(from) ? `vec4(notEqual(${x}, ivec4(0)))` : `vec4(isTrue(${x}))`
  if (isWhole(to)) return isWhole(from) ? x : `toInt(${x})`
  return isWhole(from) ? `vec4(${x})` : x
}

function expression({ op, args, dtype }: Step, types: readonly DType[]): string {
  const from = types[args[0]!]!
  const names = args.map(arg => `v${arg}`)
  if (op === 'cast') return cast(names[0]!, from, dtype)
  // of select the branches decide, not the condition
  const whole = isWhole(types[args.at(-1)!]!)
  const line = (scalar as Readonly<Record<string, { readonly float?: string; readonly int?: string }>>)[op]!
  const text = whole ? line.int : line.float
  if (text === undefined) return fail('dtype', op, `the webgl backend has no ${op} of ${from}. Cast to float32 first`)
  return text.replace(/\b[abc]\b/g, name => names[name.charCodeAt(0) - 97]!)
}

/**
 * GLSL statements that leave the results, encoded, in `o0`, `o1`, …; operands come from `load0()`, `load1()`, …, whole numbers from `p` from
 * `firstInt` on and others from `q`, and a step in float16 is rounded as storing it would.
 */
export function statements({ inputs, numbers, steps, outputs }: Chain, firstInt: number): string {
  const types = [...inputs, ...numbers, ...steps.map(({ dtype }) => dtype)]
  const lines = inputs.map((dtype, i) => `${lanesOf(dtype)} v${i} = ${decode(`load${i}()`, dtype)};`)
  let [int, float] = [firstInt, 0]
  numbers.forEach((dtype, i) => lines.push(`${lanesOf(dtype)} v${inputs.length + i} = ${isWhole(dtype) ? `ivec4(p[${int++}])` : `vec4(q[${float++}])`};`))
  steps.forEach((step, i) => {
    const value = expression(step, types)
    const kept = step.dtype === 'float16' ? `toHalf(${value})` : step.dtype === 'uint8' ? `(${value}) & 255` : value
    lines.push(`${lanesOf(step.dtype)} v${inputs.length + numbers.length + i} = ${kept};`)
  })
  outputs.forEach((id, k) => lines.push(`vec4 o${k} = ${encode(`v${id}`, types[id]!)};`))
  return lines.join('\n')
}

/** What is in the GLSL of a chain, for keys. */
export const chainKey = ({ inputs, numbers, steps, outputs }: Chain): string =>
  `${inputs.map(short).join('')};${numbers.map(short).join('')};${steps.map(({ op, args, dtype }) => `${op}(${args.join()})${short(dtype)}`).join('')};${outputs.join()}`

const short = (dtype: DType): string => encodingOf(dtype) === 'float' ? dtype.slice(-2) : dtype[0]!
