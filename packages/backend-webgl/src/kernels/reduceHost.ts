// The composites that have kernels here, made of the host's kernels: for dtypes that the GPU has not.

import type { Backend, DType, Shape } from '@bp/core'
import { Aval, convert, type Kernel, type Operand } from '@bp/core/extend'
import type { AxisParams, StandardiseParams } from '@bp/ops/extend'

/** Calls kernels of a backend op by op. */
class Calls {
  private readonly host: Backend
  private readonly dtype: DType

  constructor(host: Backend, dtype: DType) {
    this.host = host
    this.dtype = dtype
  }

  call(op: string, xs: readonly Operand[], shape: Shape, p?: unknown, dtype = this.dtype): Operand {
    const aval = new Aval(shape, dtype)
    const storage = this.host.kernels[op]!(xs, p as never, aval as Aval & Aval[]) as object
    return { storage, aval, shape, dtype }
  }

  number(x: number): Operand {
    const aval = new Aval([], this.dtype)
    return { storage: this.host.write(convert([x], this.dtype), aval), aval, shape: [], dtype: this.dtype }
  }

  sum(x: Operand, shape: Shape): Operand {
    return this.call('sumTo', [x], shape, { shape })
  }

  /** x less the largest finite element along axes, and what was taken away. */
  shifted(x: Operand, axes: readonly number[], kept: Shape): [less: Operand, top: Operand] {
    const zero = this.number(0)
    const empty = axes.some(axis => x.shape[axis] === 0)
    const top = empty ? this.sum(x, kept) : this.call('amax', [x], kept, { axes })
    const finite = this.call('less', [this.call('abs', [top], kept), this.number(Infinity)], kept, undefined, 'bool')
    const shift = this.call('select', [finite, top, zero], kept)
    return [this.call('sub', [x, shift], x.shape), shift]
  }
}

const keep = (shape: Shape, axes: readonly number[]): Shape => shape.map((size, axis) => axes.includes(axis) ? 1 : size)

type Made = (xs: readonly Operand[], p: never, out: Aval, host: Backend) => object

const made: Readonly<Record<string, Made>> = {
  softmax: ([x], { axis }: AxisParams, out, host) => {
    const on = new Calls(host, out.dtype)
    const kept = keep(x!.shape, [axis])
    const e = on.call('exp', [on.shifted(x!, [axis], kept)[0]], x!.shape)
    return on.call('div', [e, on.sum(e, kept)], x!.shape).storage
  },
  logSoftmax: ([x], { axis }: AxisParams, out, host) => {
    const on = new Calls(host, out.dtype)
    const kept = keep(x!.shape, [axis])
    const [less] = on.shifted(x!, [axis], kept)
    return on.call('sub', [less, on.call('log', [on.sum(on.call('exp', [less], x!.shape), kept)], kept)], x!.shape).storage
  },
  logSumExp: ([x], { axes }: { readonly axes: readonly number[] }, out, host) => {
    const on = new Calls(host, out.dtype)
    const [less, top] = on.shifted(x!, axes, out.shape)
    return on.call('add', [top, on.call('log', [on.sum(on.call('exp', [less], x!.shape), out.shape)], out.shape)], out.shape).storage
  },
  standardise: ([x], { axes, eps }: StandardiseParams, out, host) => {
    const on = new Calls(host, out.dtype)
    const kept = keep(x!.shape, axes)
    const mean = (y: Operand): Operand => on.call('div', [on.sum(y, kept), on.number(axes.reduce((n, axis) => n * x!.shape[axis]!, 1))], kept)
    const centred = on.call('sub', [x!, mean(x!)], x!.shape)
    const variance = mean(on.call('mul', [centred, centred], x!.shape))
    return on.call('div', [centred, on.call('sqrt', [on.call('add', [variance, on.number(eps)], kept)], kept)], x!.shape).storage
  },
}

/** The kernel of a composite on a host that has none. */
export const madeOnHost = (host: Backend, name: string): Kernel | null => Object.hasOwn(made, name) ? (xs, p, out) => made[name]!(xs, p, out, host) : null
