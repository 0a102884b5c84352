// Damages model files in every way that a bad disk, a bad exporter or an attacker might.

import * as fc from 'fast-check'
import proto from 'onnx-proto'
import { join } from './wire.ts'

/** One damage: what is done, and numbers that choose where and how. */
export interface Mutation {
  readonly kind: keyof typeof damages
  readonly at: number
  readonly by: number
}

type Slot = readonly [holder: Record<string | number, unknown>, key: string | number, value: unknown]

/** Everything in a message that holds something, from the outside in. */
function slotsOf(message: unknown, slots: Slot[] = []): Slot[] {
  if (typeof message !== 'object' || message === null || message instanceof Uint8Array || 'low' in message) return slots
  for (const [key, value] of Object.entries(message)) {
    if (value === null || value === undefined) continue
    slots.push([message as Slot[0], Array.isArray(message) ? Number(key) : key, value])
    slotsOf(value, slots)
  }
  return slots
}

const kindOf = (value: unknown): string => {
  if (typeof value !== 'object' || value === null) return typeof value
  return value instanceof Uint8Array ? 'bytes' : 'low' in value ? 'int64' : Array.isArray(value) ? 'list' : value.constructor.name
}

const numbers = [0, 1, -1, 2, 3, 7, 64, 255, 65536, 2 ** 31 - 1, -(2 ** 31), 2 ** 40, 2 ** 53, 2 ** 62, -(2 ** 62), 1e9, 0.5, NaN, Infinity, -Infinity]
const operators = ['ConstantOfShape', 'Range', 'Expand', 'Tile', 'Pad', 'OneHot', 'EyeLike', 'Resize', 'Upsample', 'Reshape', 'Gather', 'Concat', 'Slice', 'Transpose', 'Einsum', 'Conv', 'ConvTranspose', 'MatMul', 'Gemm', 'Loop', 'If', 'Scan', 'SequenceMap',
  'Twice', 'Scaled', 'Constant', 'Identity', 'Cast', 'Softmax', 'ReduceSum', 'TopK', 'NonZero', 'ScatterND', 'GatherND', 'CumSum', 'LSTM', 'GRU', 'BatchNormalization', 'MaxPool', 'AveragePool', 'DepthToSpace', 'Trilu', 'Where', 'Split', 'QuantizeLinear', 'RandomNormal']

/** Rewrites the message in a file; what is no message any more stays as it is. */
const rewritten = (change: (slots: readonly Slot[], at: number, by: number) => void) => (bytes: Uint8Array, at: number, by: number): Uint8Array => {
  try {
    const model = proto.onnx.ModelProto.decode(bytes)
    change(slotsOf(model), at, by)
    return Uint8Array.from(proto.onnx.ModelProto.encode(model).finish())
  } catch {
    return bytes
  }
}

const pick = <T>(list: readonly T[], n: number): T | undefined => list[n % Math.max(1, list.length)]

const damages = {
  flip: (bytes: Uint8Array, at: number, by: number): Uint8Array => bytes.length === 0 ? bytes : bytes.with(at % bytes.length, bytes[at % bytes.length]! ^ (1 << by % 8)),
  set: (bytes: Uint8Array, at: number, by: number): Uint8Array => bytes.length === 0 ? bytes : bytes.with(at % bytes.length, [0, 1, 127, 128, 255][by % 5]!),
  cut: (bytes: Uint8Array, at: number): Uint8Array => bytes.subarray(0, at % (bytes.length + 1)),
  drop: (bytes: Uint8Array, at: number, by: number): Uint8Array => join(bytes.subarray(0, at % (bytes.length + 1)), bytes.subarray(at % (bytes.length + 1) + by % 20)),
  repeat: (bytes: Uint8Array, at: number, by: number): Uint8Array => join(bytes.subarray(0, at % (bytes.length + 1)), ...new Array<Uint8Array>(1 + by % 50).fill(bytes.subarray(at % (bytes.length + 1), at % (bytes.length + 1) + by % 97))),
  swap: (bytes: Uint8Array, at: number, by: number): Uint8Array => bytes.length === 0 ? bytes : bytes.with(at % bytes.length, bytes[by % bytes.length]!).with(by % bytes.length, bytes[at % bytes.length]!),
  splice: (bytes: Uint8Array, at: number, by: number, other: Uint8Array): Uint8Array => join(bytes.subarray(0, at % (bytes.length + 1)), other.subarray(by % (other.length + 1))),
  /** A number or a text becomes another, an extreme one or one from elsewhere in the file. */
  leaf: rewritten((slots, at, by) => {
    const slot = pick(slots.filter(([, , value]) => typeof value !== 'object' || kindOf(value) === 'int64'), at)
    if (!slot) return
    const [holder, key, value] = slot
    const others = slots.filter(([, , other]) => kindOf(other) === kindOf(value))
    holder[key] = typeof value === 'string' || typeof value === 'boolean' || by % 2 === 0 ? pick(others, by >> 1)![2] : pick(numbers, by >> 1)
  }),
  /** A part becomes a copy of another of its kind: graphs stand in graphs, nodes read themselves. */
  graft: rewritten((slots, at, by) => {
    const [holder, key, value] = pick(slots.filter(([, , part]) => /Proto|bytes|list/.test(kindOf(part))), at) ?? [{}, '', null]
    const others = slots.filter(([, name, other]) => kindOf(other) === kindOf(value) && (kindOf(value) !== 'list' || name === key))
    holder[key] = structuredCopy(pick(others, by)?.[2] ?? value)
  }),
  /** An entry of a list stands there many times. */
  copies: rewritten((slots, at, by) => {
    const list = pick(slots.filter(([, , value]) => Array.isArray(value) && value.length > 0), at)?.[2] as unknown[] | undefined
    if (list) list.push(...new Array<unknown>(1 + by % 60).fill(pick(list, by)))
  }),
  without: rewritten((slots, at, by) => {
    const list = pick(slots.filter(([, , value]) => Array.isArray(value) && value.length > 0), at)?.[2] as unknown[] | undefined
    list?.splice(by % list.length, 1)
  }),
  operator: rewritten((slots, at, by) => {
    const found = pick(slots.filter(([, key]) => key === 'opType'), at)
    if (found) found[0].opType = pick(operators, by)
  }),
}

/** A copy by way of the bytes of a message, so that nothing holds itself. */
function structuredCopy(part: unknown): unknown {
  const type = (proto.onnx as unknown as Record<string, { encode?: (message: unknown) => { finish: () => Uint8Array }; decode?: (bytes: Uint8Array) => unknown }>)[kindOf(part)]
  if (Array.isArray(part)) return part.map(structuredCopy)
  return type?.encode && type.decode ? type.decode(type.encode(part).finish()) : part
}

/** The file with all the damages done, one after another; splices take from `other`. */
export const damaged = (bytes: Uint8Array, mutations: readonly Mutation[], other: Uint8Array): Uint8Array => mutations.reduce((file, { kind, at, by }) => damages[kind](file, at, by, other), bytes)

const nat = fc.nat(2 ** 30)
const kinds = Object.keys(damages) as Mutation['kind'][]

/** One to three damages. */
export const mutations = fc.array(fc.record({ kind: fc.constantFrom(...kinds), at: nat, by: nat }), { minLength: 1, maxLength: 3 })

