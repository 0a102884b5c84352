// Contractions: the matrix product and the three faces of convolution.

import { broadcastTo, type Tensor } from '@bp/core'
import { type Abstract, Aval, bind, defineOp, describe, fail, meetsInProduct, pairOf, reshape, sameShape, sizeOf, transpose } from '@bp/core/extend'

/** Which operands of `dot` are read transposed. */
export interface DotParams {
  readonly ta: boolean
  readonly tb: boolean
}

/** C = A·B over the last two axes (each read transposed where asked),   Ā = C̄·Bᵀ,   B̄ = Aᵀ·C̄ */
export const dotRow = /* @__PURE__ */ defineOp({
  name: 'dot', arity: 2, fuse: 'contract',
  infer: ([a, b], p: DotParams) => {
    const rank = a.shape.length
    if (a.dtype !== b.dtype) fail('dtype', 'matmul', `operands must have one dtype, got ${describe(a)} and ${describe(b)}. Convert one with cast`)
    if (rank < 2 || b.shape.length !== rank || !sameShape(a.shape.slice(0, -2), b.shape.slice(0, -2))) {
      fail('shape', 'dot', `needs matrices with equal leading axes, got ${describe(a)} and ${describe(b)}. Use matmul, which broadcasts`)
    }
    const [m, k] = p.ta ? [a.shape[rank - 1]!, a.shape[rank - 2]!] : [a.shape[rank - 2]!, a.shape[rank - 1]!]
    const [l, n] = p.tb ? [b.shape[rank - 1]!, b.shape[rank - 2]!] : [b.shape[rank - 2]!, b.shape[rank - 1]!]
    if (k !== l) innerAxes(a, b, k, l, p)
    return new Aval([...a.shape.slice(0, -2), m, n], a.dtype)
  },
  diff: { kind: 'multilinear', transpose: [
    (ct, [, b], { ta, tb }) => ta ? dot(b, ct, tb, true) : dot(ct, b, false, !tb),
    (ct, [a], { ta, tb }) => tb ? dot(ct, a, true, ta) : dot(a, ct, !ta, false),
  ] },
  flops: ([a], [c], { ta }) => 2 * sizeOf(c!.shape) * a.shape.at(ta ? -2 : -1)!,
  batch: ([a, b], batched, size, { ta, tb }) => {
    // one matrix for all entries: their rows are the rows of one product
    if (batched[0] && !batched[1] && !ta && b.rank === 2) {
      const [m, k] = a.shape.slice(1) as [number, number]
      const y = dot(reshape(a, [size * m, k]), b, false, tb)
      return reshape(y, [size, m, y.shape[1]!])
    }
    return dot(everyEntry(a, batched[0]!, size), everyEntry(b, batched[1]!, size), ta, tb)
  },
})

/** The entries of an operand along its first axis, repeated where all share it. */
const everyEntry = (x: Tensor, batched: boolean, size: number): Tensor => batched ? x : broadcastTo(reshape(x, [1, ...x.shape]), [size, ...x.shape])

function innerAxes(a: Abstract, b: Abstract, k: number, l: number, p: DotParams): never {
  const transposed = b.shape[b.shape.length - 1] === k && !p.tb ? ' Did you mean matmul(a, transpose(b))?' : ' Transpose or reshape one of them'
  return fail('shape', 'matmul', `inner axes must match, got ${describe(a)} and ${describe(b)} (${k} ≠ ${l}).${transposed}`)
}

/** The matrix product of matrices or equal stacks of them; `ta` and `tb` read an operand transposed. */
export const dot = (a: Tensor, b: Tensor, ta = false, tb = false): Tensor => bind(dotRow, meetsInProduct() ? [a, b] : pairOf(a, b), { ta, tb })

/** The geometry of a convolution, one entry per spatial axis. */
export interface ConvGeometry {
  readonly stride: readonly number[]
  /** Zeros before and after. */
  readonly padding: readonly (readonly [number, number])[]
  readonly dilation: readonly number[]
  /** Input and output channels fall into this many independent groups. */
  readonly groups: number
}

/** A convolution's geometry and the spatial sizes of the input to be found. */
export interface ConvInputParams extends ConvGeometry {
  readonly size: readonly number[]
}

/** A convolution's geometry and the spatial sizes of the kernel to be found. */
export interface ConvWeightParams extends ConvGeometry {
  readonly kernel: readonly number[]
}

/** The output size of one spatial axis. */
export const convSize = (size: number, kernel: number, stride: number, [low, high]: readonly [number, number], dilation: number): number =>
  Math.floor((size + low + high - dilation * (kernel - 1) - 1) / stride) + 1

/* With ⟨y, x ∗ w⟩ linear in each of x, w and y, the three rows below are its three partial derivatives; each one's
   derivatives are the other two. x: [n, c, …], w: [o, c/groups, …], y: [n, o, …]. */

/** y = x ∗ w,   x̄ = convInput(ȳ, w),   w̄ = convWeight(x, ȳ) */
export const convRow = /* @__PURE__ */ defineOp({
  name: 'conv', arity: 2, fuse: 'contract',
  infer: ([x, w], p: ConvGeometry) => {
    checkConv('conv', x, w, p)
    const spatial = x.shape.slice(2).map((size, i) => convSize(size, w.shape[i + 2]!, p.stride[i]!, p.padding[i]!, p.dilation[i]!))
    if (spatial.some(size => size < 1)) fail('shape', 'conv', `the kernel ${describe(w)} is larger than the padded input ${describe(x)}. Pad more, or use a smaller kernel`)
    return new Aval([x.shape[0]!, w.shape[0]!, ...spatial], x.dtype)
  },
  diff: { kind: 'multilinear', transpose: [
    (ct, [x, w], p) => convInput(ct, w, { ...p, size: x.shape.slice(2) }),
    (ct, [x, w], p) => convWeight(x, ct, { ...p, kernel: w.shape.slice(2) }),
  ] },
  flops: ([, w], [y]) => convFlops(w, y!),
  batch: ([x, w], batched, size, p) => batched[1]
    ? channelsApart(conv(channelsTogether(x, batched[0]!, size), samplesTogether(w), { ...p, groups: p.groups * size }), size)
    : samplesApart(conv(samplesTogether(x), w, p), size),
})

/** x = the transpose of convolution by w applied to y,   ȳ = x̄ ∗ w,   w̄ = convWeight(x̄, y) */
export const convInputRow = /* @__PURE__ */ defineOp({
  name: 'convInput', arity: 2, fuse: 'contract',
  infer: ([y, w], p: ConvInputParams) => {
    if (y.dtype !== w.dtype) fail('dtype', 'convTranspose', `operands must have one dtype, got ${describe(y)} and ${describe(w)}. Convert one with cast`)
    if (y.shape.length !== w.shape.length || y.shape[1] !== w.shape[0]) fail('shape', 'convTranspose', `channels must match: the input ${describe(y)} has ${y.shape[1]}, the kernel ${describe(w)} takes ${w.shape[0]}`)
    return new Aval([y.shape[0]!, w.shape[1]! * p.groups, ...p.size], y.dtype)
  },
  diff: { kind: 'multilinear', transpose: [
    (ct, [, w], p) => conv(ct, w, p),
    (ct, [y, w], p) => convWeight(ct, y, { ...p, kernel: w.shape.slice(2) }),
  ] },
  flops: ([y, w]) => convFlops(w, y),
  batch: ([y, w], batched, size, p) => batched[1]
    ? channelsApart(convInput(channelsTogether(y, batched[0]!, size), samplesTogether(w), { ...p, groups: p.groups * size }), size)
    : samplesApart(convInput(samplesTogether(y), w, p), size),
})

/** w = the correlation of x with y,   x̄ = convInput(y, w̄),   ȳ = x ∗ w̄ */
export const convWeightRow = /* @__PURE__ */ defineOp({
  name: 'convWeight', arity: 2, fuse: 'contract',
  infer: ([x, y], p: ConvWeightParams) => new Aval([y.shape[1]!, x.shape[1]! / p.groups, ...p.kernel], x.dtype),
  diff: { kind: 'multilinear', transpose: [
    (ct, [x, y], p) => convInput(y, ct, { ...p, size: x.shape.slice(2) }),
    (ct, [x], p) => conv(x, ct, p),
  ] },
  flops: ([, y], [w]) => convFlops(w!, y),
  batch: ([x, y], batched, size, p) => samplesApart(convWeight(channelsTogether(x, batched[0]!, size), channelsTogether(y, batched[1]!, size), { ...p, groups: p.groups * size }), size),
})

/** Each element of y meets the kernel of its channel. */
const convFlops = (w: Abstract, y: Abstract): number => 2 * sizeOf(y.shape) * sizeOf(w.shape.slice(1))

/* A batch of convolutions by one kernel is one convolution of more samples; by a kernel each, one of more groups. */

/** [b, n, …] → [b·n, …] */
const samplesTogether = (x: Tensor): Tensor => reshape(x, [x.shape[0]! * x.shape[1]!, ...x.shape.slice(2)])

/** [b·n, …] → [b, n, …] */
const samplesApart = (y: Tensor, size: number): Tensor => reshape(y, [size, y.shape[0]! / size, ...y.shape.slice(1)])

/** [b, n, c, …] → [n, b·c, …] */
function channelsTogether(x: Tensor, batched: boolean, size: number): Tensor {
  const all = everyEntry(x, batched, size)
  const [b, n, c, ...spatial] = all.shape as [number, number, number, ...number[]]
  return reshape(transpose(all, [1, 0, ...all.shape.slice(2).map((_, i) => i + 2)]), [n, b * c, ...spatial])
}

/** [n, b·o, …] → [b, n, o, …] */
function channelsApart(y: Tensor, size: number): Tensor {
  const [n, c, ...spatial] = y.shape as [number, number, ...number[]]
  const apart = reshape(y, [n, size, c / size, ...spatial])
  return transpose(apart, [1, 0, ...apart.shape.slice(2).map((_, i) => i + 2)])
}

function checkConv(op: string, x: Abstract, w: Abstract, p: ConvGeometry): void {
  if (x.dtype !== w.dtype) fail('dtype', op, `operands must have one dtype, got ${describe(x)} and ${describe(w)}. Convert one with cast`)
  if (x.shape.length !== w.shape.length || x.shape.length < 3) fail('shape', op, `needs input [n, c, …] and kernel [o, c/groups, …] of one rank ≥ 3, got ${describe(x)} and ${describe(w)}`)
  if (x.shape[1] !== w.shape[1]! * p.groups) fail('shape', op, `channels must match: the input ${describe(x)} has ${x.shape[1]}, the kernel ${describe(w)} with ${p.groups} group(s) takes ${w.shape[1]! * p.groups}`)
  if (w.shape[0]! % p.groups !== 0) fail('value', op, `${w.shape[0]} output channels of ${describe(w)} do not divide into ${p.groups} groups`)
}

/** The correlation of x: [n, c, …] with the kernel w: [o, c/groups, …], as deep learning calls convolution. */
export const conv = (x: Tensor, w: Tensor, p: ConvGeometry): Tensor => bind(convRow, [x, w], geometry(p))

/** The transpose of {@link conv} by its input: what spreads y: [n, o, …] back over an input of the sizes in `p.size`. */
export const convInput = (y: Tensor, w: Tensor, p: ConvInputParams): Tensor => bind(convInputRow, [y, w], { ...geometry(p), size: p.size })

/** The transpose of {@link conv} by its kernel: the correlation of x with y over the kernel sizes in `p.kernel`. */
export const convWeight = (x: Tensor, y: Tensor, p: ConvWeightParams): Tensor => bind(convWeightRow, [x, y], { ...geometry(p), kernel: p.kernel })

/** Only the geometry, so that parameters of one face do not travel into another. */
const geometry = ({ stride, padding, dilation, groups }: ConvGeometry): ConvGeometry => ({ stride, padding, dilation, groups })
