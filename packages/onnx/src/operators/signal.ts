// Signals: DFT, STFT, windows and the matrix of mel bands.

import { add, full, mul, type Tensor, tensor } from '@bp/core'
import { cast, concat, flip, iota, narrow, reshape, stack, take, transpose } from '@bp/ops'
import { describe, fail, normaliseAxis } from '@bp/core/extend'
import { entries } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { toNumbers, toTensor } from '../import/value.ts'
import { type Complex, conjugate, extended, fourier, parts } from './fourier.ts'
import { onValues, type Operator, type Operators } from './operator.ts'
import { inTypeOf } from './result.ts'

/** Signals whose last axis holds the number, or its real and imaginary part, as a complex tensor without that axis. */
function complexOf(x: Tensor, node: ModelNode): Complex {
  const width = x.shape.at(-1)
  if (x.rank < 2 || (width !== 1 && width !== 2)) fail('shape', node.operator, `the last axis must hold real numbers (1) or real and imaginary parts (2), got ${describe(x)}`)
  const part = (i: number): Tensor => reshape(narrow(x, -1, i, 1), x.shape.slice(0, -1))
  return { re: part(0), im: width === 2 ? part(1) : null }
}

const packed = ({ re, im }: Complex): Tensor => stack([re, im ?? full(re.shape, 0, re.dtype, re.backend)], re.rank)

/** Transforms along the last axis. */
function transformed(x: Complex, length: number, inverse: boolean, oneSided: boolean): Complex {
  if (!inverse) {
    const y = fourier(parts(x, part => extended(part, -1, length)), -1)
    return oneSided ? parts(y, part => narrow(part, -1, 0, Math.floor(length / 2) + 1)) : y
  }
  const y = fourier(oneSided ? mirrored(x, length) : parts(x, part => extended(part, -1, length)), 1)
  const scaled = parts(y, part => mul(part, 1 / length))
  return oneSided ? { re: scaled.re, im: null } : scaled
}

/** The whole spectrum of a real signal of the length from its first half: X[N − k] is the conjugate of X[k]. */
function mirrored(x: Complex, length: number): Complex {
  const half = parts(x, part => extended(part, -1, Math.floor(length / 2) + 1))
  const rest = Math.ceil(length / 2) - 1
  if (rest === 0) return half
  const others = conjugate(parts(half, part => flip(narrow(part, -1, 1, rest), -1)))
  return { re: concat([half.re, others.re], -1), im: half.im && concat([half.im, others.im!], -1) }
}

/** Computes in float32 what is shorter. */
const precisely = (x: Tensor, f: (x: Tensor) => Tensor): Tensor => x.dtype === 'float64' ? f(x) : cast(f(cast(x, 'float32')), x.dtype)

const swapped = (x: Complex, axis: number): Complex => {
  const order = [...x.re.shape.keys()]
  return axis === x.re.rank - 1 ? x : parts(x, part => transpose(part, order.with(axis, order.length - 1).with(-1, axis)))
}

/** The axis is an attribute before version 20, an input since. */
const dft: Operator = onValues(1, ([x, size, along], attributes, node) => precisely(toTensor(x!), signal => {
  const given = node.opset < 20 ? attributes.int('axis', 1) : along ? toNumbers(along)[0]! : -2
  const axis = normaliseAxis(node.operator, given, signal.rank)
  if (axis === signal.rank - 1) fail('value', node.operator, `axis ${given} of ${describe(signal)} holds the real and imaginary parts. Name one before it`)
  const [inverse, oneSided] = ['inverse', 'onesided'].map(name => attributes.int(name, 0) !== 0) as [boolean, boolean]
  const n = signal.shape[axis]!
  const length = size ? toNumbers(size)[0]! : inverse && oneSided ? 2 * (n - 1) : n
  if (!(length >= 1)) fail('value', node.operator, `the length must be at least 1, got ${length}`)
  const y = swapped(transformed(swapped(complexOf(signal, node), axis), length, inverse, oneSided), axis)
  return inverse && oneSided ? reshape(y.re, [...y.re.shape, 1]) : packed(y)
}))

/** Transforms of windows of a signal [n, length, 1 or 2], `frame_step` apart. */
const shortTime: Operator = onValues(2, ([x, step, window, size], attributes, node) => precisely(toTensor(x!), signal => {
  if (signal.rank !== 3) fail('shape', node.operator, `needs a signal [n, length, 1 or 2], got ${describe(signal)}`)
  const stride = toNumbers(step!)[0]!
  const length = size ? toNumbers(size)[0]! : window?.shape[0] ?? signal.shape[1]!
  const frames = Math.floor((signal.shape[1]! - length) / stride) + 1
  if (!(stride >= 1 && length >= 1 && frames >= 1)) fail('value', node.operator, `${describe(signal)} holds no frame of length ${length} and step ${stride}`)
  if (window && window.shape[0] !== length) fail('shape', node.operator, `the window ${describe(window)} must have the frame's length ${length}`)
  const starts = reshape(mul(iota(frames), stride), [frames, 1])
  const weights = window && cast(toTensor(window), signal.dtype)
  const cut = parts(complexOf(signal, node), part => {
    const frame = take(part, add(starts, iota(length)), 1)
    return weights ? mul(frame, weights) : frame
  })
  return packed(transformed(cut, length, false, attributes.int('onesided', 1) !== 0))
}))

/** Σᵢ (−1)ⁱ·aᵢ·cos(2πin/N), where N is the size, or one less where it is symmetric rather than periodic. */
const window = (...a: readonly number[]): Operator => onValues(1, ([size], attributes, node) => {
  const count = toNumbers(size!)[0]!
  if (!(Number.isSafeInteger(count) && count >= 0)) fail('value', node.operator, `the size must be a whole number ≥ 0, got ${count}`)
  const n = attributes.int('periodic', 1) !== 0 ? count : count - 1
  const weight = (i: number): number => n === 0 ? 1 : a.reduce((sum, factor, k) => sum + (-1) ** k * factor * Math.cos(2 * Math.PI * k * i / n), 0)
  return inTypeOf(tensor(Array.from({ length: entries(node.operator, count) }, (_, i) => weight(i)), { shape: [count], dtype: 'float64' }), 'output_datatype', 'float32', attributes, node)
})

/** Triangles over the bins of a spectrum whose corners are even on the mel scale, 2595·log₁₀(1 + f/700) (O'Shaughnessy 1987). */
const melWeights: Operator = onValues(5, (inputs, attributes, node) => {
  const [bands, length, rate, low, high] = inputs.map(value => toNumbers(value!)[0]!) as [number, number, number, number, number]
  const bins = Math.floor(length / 2) + 1
  if (!(bands >= 1 && length >= 1 && rate > 0)) fail('value', node.operator, `needs at least one band, a length and a sample rate, got ${bands}, ${length} and ${rate}`)
  const [from, to] = [low, high].map(f => 2595 * Math.log10(1 + f / 700)) as [number, number]
  entries(node.operator, (bins + 1) * (bands + 2))
  const corners = Array.from({ length: bands + 2 }, (_, i) => {
    const hertz = 700 * (10 ** ((from + i * (to - from) / (bands + 2)) / 2595) - 1)
    return Math.floor((length + 1) * hertz / rate)
  })
  const weight = (bin: number, band: number): number => {
    const [left, centre, right] = corners.slice(band, band + 3) as [number, number, number]
    if (bin === centre) return 1
    return bin < centre ? Math.max(0, (bin - left) / (centre - left)) : Math.max(0, (right - bin) / (right - centre))
  }
  const values = Array.from({ length: bins * bands }, (_, at) => weight(Math.floor(at / bands), at % bands))
  return inTypeOf(tensor(values, { shape: [bins, bands], dtype: 'float64' }), 'output_datatype', 'float32', attributes, node)
})

/** Operators on signals by name. */
export const signals: Operators = {
  DFT: dft, STFT: shortTime, MelWeightMatrix: melWeights,
  HannWindow: window(0.5, 0.5), HammingWindow: window(25 / 46, 21 / 46), BlackmanWindow: window(0.42, 0.5, 0.08),
}
