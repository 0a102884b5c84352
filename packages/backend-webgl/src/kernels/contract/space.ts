// The spatial axes of a convolution as passes take them, and which texels its taps read.

import type { Shape } from '@bp/core'
import type { ConvGeometry } from '@bp/ops/extend'

/** How the taps of an axis find their weights: tap u of phase f takes weight first + f − step·u, and 0 where there is none. */
export interface Selection {
  readonly weights: number
  readonly first: number
  readonly step: number
  readonly phases: number
}

/** One spatial axis of a convolution. */
export interface Axis extends Selection {
  readonly size: number
  /** Taps. */
  readonly kernel: number
  readonly stride: number
  readonly dilation: number
  /** Zeros before; below 0 as many elements are cut off. */
  readonly low: number
  /** Places from one element to the next: more than 1 puts zeros between. */
  readonly gap: number
  readonly out: number
  /** Places that outputs read. */
  readonly padded: number
}

/** The spatial axes. */
export interface Space {
  readonly axes: readonly Axis[]
  readonly last: Axis
  readonly lead: readonly Axis[]
  /** Taps of the leading axes, and outputs of them. */
  readonly leadTaps: number
  readonly leadOuts: number
  /** Phases of all axes together. */
  readonly phases: number
}

const product = (numbers: readonly number[]): number => numbers.reduce((y, x) => y * x, 1)

function spaceOf(axes: readonly Axis[]): Space {
  // a kernel of one tap that moves over everything knows no rows
  const joined = axes.length > 1 && axes.every(({ size, kernel, stride, low, gap, out, phases, weights }) => kernel === 1 && stride === 1 && low === 0 && gap === 1 && out === size && phases === 1 && weights === 1)
  if (joined) {
    const size = product(axes.map(axis => axis.size))
    return spaceOf([{ ...axes[0]!, size, out: size, padded: size }])
  }
  const lead = axes.slice(0, -1)
  return { axes, last: axes.at(-1)!, lead, leadTaps: product(lead.map(({ kernel }) => kernel)), leadOuts: product(lead.map(({ out }) => out)), phases: product(axes.map(({ phases }) => phases)) }
}

const axis = (part: Omit<Axis, 'padded'>): Axis => ({ ...part, padded: (part.out - 1) * part.stride + (part.kernel - 1) * part.dilation + 1 })

/** The space of a convolution of x with a kernel, by the spatial sizes of its operands and its result. */
export const forwardSpace = (x: Shape, w: Shape, y: Shape, { stride, padding, dilation }: ConvGeometry): Space => spaceOf(x.slice(2).map((size, i) => axis({
  size, kernel: w[i + 2]!, stride: stride[i]!, dilation: dilation[i]!, low: padding[i]![0], gap: 1, out: y[i + 2]!, weights: w[i + 2]!, first: 0, step: -1, phases: 1,
})))

/**
 * The space of its transpose: a convolution of y with the kernel turned round. Where outputs were a stride s apart, each place i = f + s·j of x
 * meets every s-th weight only, by its phase f: k = f + low − s·v for the element j + v of y. So the phases are channels of a convolution
 * with about 1/s of the taps, whose results are interleaved (Shi et al., Real-time single image super-resolution using an efficient sub-pixel
 * convolutional neural network, 2016). With a dilation besides a stride there are zeros between the elements of y instead.
 */
export function inputSpace(x: Shape, w: Shape, y: Shape, { stride, padding, dilation }: ConvGeometry): Space {
  const phased = stride.every((s, i) => s === 1 || dilation[i] === 1)
  return spaceOf(y.slice(2).map((size, i) => {
    const [weights, out, s, d, low] = [w[i + 2]!, x[i + 2]!, stride[i]!, dilation[i]!, padding[i]![0]]
    if (!phased || s === 1) return axis({ size, kernel: weights, stride: 1, dilation: d, low: (weights - 1) * d - low, gap: s, out, weights, first: weights - 1, step: 1, phases: 1 })
    const least = Math.ceil((low - weights + 1) / s)
    const kernel = Math.floor((low + s - 1) / s) - least + 1
    return axis({ size, kernel, stride: 1, dilation: 1, low: -least, gap: 1, out: Math.ceil(out / s), weights, first: low - s * least, step: s, phases: s })
  }))
}

/** The texels that the taps of the last axis read for so many texels of outputs. */
export class Taps {
  readonly kernel: number
  private readonly stride: number
  private readonly dilation: number
  /** Names of what is loaded, with its phase and the texel in it. */
  readonly loads = new Map<string, readonly [phase: number, texel: number]>()

  constructor({ kernel, stride, dilation }: Axis, texels: number) {
    this.kernel = kernel
    this.stride = stride
    this.dilation = dilation
    for (let tap = 0; tap < kernel; tap++) for (let e = 0; e < 4 * texels; e++) this.at(tap, e)
  }

  /** GLSL of what a tap of output e reads. */
  at(tap: number, e: number): string {
    const place = tap * this.dilation
    const phase = place % this.stride
    const i = e + Math.floor(place / this.stride)
    const name = `x${phase}_${i >> 2}`
    this.loads.set(name, [phase, i >> 2])
    return `${name}.${'xyzw'[i & 3]!}`
  }

  /** GLSL of what a tap reads for the four outputs of a texel. */
  texel(tap: number, texel: number): string {
    const four = [0, 1, 2, 3].map(lane => this.at(tap, 4 * texel + lane))
    const [name] = four[0]!.split('.') as [string]
    return four.every((text, lane) => text === `${name}.${'xyzw'[lane]!}`) ? name : `vec4(${four.join(', ')})`
  }

  /** GLSL that loads them by `load0` from the texel `x` on, where a phase has `phase` texels. */
  declare(x: string, phase: string): string {
    return [...this.loads].map(([name, [f, i]]) => `vec4 ${name} = load0(${x}${f > 0 ? ` + ${f} * ${phase}` : ''}${i > 0 ? ` + ${i}` : ''});`).join(' ')
  }

  /** What is in the GLSL, for keys. */
  get key(): string {
    return `${this.kernel},${this.stride},${this.dilation}`
  }
}
