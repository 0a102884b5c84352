// Holds models of one node against onnxruntime.

import type { DType, Tensor } from '@bp/core'
import proto, { type onnx } from 'onnx-proto'
import * as runtime from 'onnxruntime-node'
import { expect } from 'vitest'
import { importOnnx } from '../src/index.ts'

const kinds = proto.onnx.AttributeProto.AttributeType

/** What an attribute is set to, where its type must be said: a number that stands alone is an INT. */
export type Typed = number | string | readonly number[] | { readonly float: number } | { readonly floats: readonly number[] } | { readonly strings: readonly string[] }

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** An attribute. */
export function typed(name: string, setting: Typed): onnx.IAttributeProto {
  if (typeof setting === 'number') return { name, type: kinds.INT, i: setting }
  if (typeof setting === 'string') return { name, type: kinds.STRING, s: bytes(setting) }
  if (isList(setting)) return { name, type: kinds.INTS, ints: [...setting] }
  if ('float' in setting) return { name, type: kinds.FLOAT, f: setting.float }
  return 'floats' in setting ? { name, type: kinds.FLOATS, floats: [...setting.floats] } : { name, type: kinds.STRINGS, strings: setting.strings.map(bytes) }
}

const isList = (setting: Typed): setting is readonly number[] => Array.isArray(setting)

const codes: Readonly<Record<DType, number>> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9, float16: 10, float64: 11 }

/** A node whose operands are all inputs of the model, but for those left out (`null`). */
export interface Single {
  /** With its domain where it has one: `ai.onnx.ml:Scaler`. */
  readonly operator: string
  readonly opset: number
  readonly settings?: Readonly<Record<string, Typed>> | undefined
  /** The dtypes of the outputs; one of float32 unless given. */
  readonly outputs?: readonly DType[]
}

/** The bytes of the model, whose inputs are a, b, c … and whose outputs y0, y1 … */
export function singleBytes({ operator, opset, settings = {}, outputs = ['float32'] }: Single, operands: readonly (Tensor | null)[]): Uint8Array {
  const [opType, domain] = operator.split(':').reverse() as [string, string?]
  const input = operands.flatMap((x, i) => x ? [{ name: nameOf(i), type: { tensorType: { elemType: codes[x.dtype], shape: { dim: x.shape.map(dimValue => ({ dimValue })) } } } }] : [])
  const graph = {
    name: 'g', input, output: outputs.map((dtype, i) => ({ name: `y${i}`, type: { tensorType: { elemType: codes[dtype] } } })),
    node: [{ opType, domain: domain ?? '', input: operands.map((x, i) => x ? nameOf(i) : ''), output: outputs.map((_, i) => `y${i}`), attribute: Object.entries(settings).map(([name, setting]) => typed(name, setting)) }],
  }
  const opsetImport = [{ domain: domain ?? '', version: opset }, ...domain ? [{ domain: '', version: 17 }] : []]
  return Uint8Array.from(proto.onnx.ModelProto.encode({ irVersion: 8, opsetImport, graph }).finish())
}

const nameOf = (i: number): string => String.fromCharCode(97 + i)

/** What the node gives here. */
export function single(node: Single, ...operands: readonly (Tensor | null)[]): Tensor[] {
  const y = importOnnx(singleBytes(node, operands)).forward(...operands.filter(x => x !== null))
  return Array.isArray(y) ? y : [y]
}

/** Expects the node to give here what it gives in onnxruntime, to within `atol` and as much of each number. */
export async function agrees(node: Single, operands: readonly (Tensor | null)[], atol = 1e-5): Promise<void> {
  const session = await runtime.InferenceSession.create(singleBytes(node, operands), { logSeverityLevel: 4 })
  const feeds = Object.fromEntries(operands.flatMap((x, i) => x ? [[nameOf(i), new runtime.Tensor(x.dtype as 'float32', x.dataSync() as Float32Array, x.shape)] as const] : []))
  const theirs = await session.run(feeds)
  single(node, ...operands).forEach((y, i) => {
    const want = theirs[`y${i}`]!
    expect(`${y.dtype}[${y.shape.join(',')}]`, `output ${i}`).toBe(`${want.type}[${want.dims.join(',')}]`)
    const [got, data] = [y.dataSync(), want.data as Float32Array]
    for (let k = 0; k < data.length; k++) {
      const [a, b] = [Number(got[k]), Number(data[k])]
      if (!Object.is(a, b)) expect(Math.abs(a - b), `output ${i}, element ${k}: ${a}, onnxruntime has ${b}`).toBeLessThanOrEqual(atol * (1 + Math.abs(b)))
    }
  })
}
