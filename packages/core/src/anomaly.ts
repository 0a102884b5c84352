// Anomaly detection: the backward pass stops at the first NaN, and says which op of the forward pass made it.

import { BpError } from './errors.ts'
import { type Node, type Observer, observer, setObserver } from './node.ts'
import { describe } from './shape.ts'
import { synchronous } from './synchronous.ts'
import type { Tensor } from './tensor.ts'

const hasNaN = (x: Tensor | null): boolean => x?.storage != null && x.backend.readSync !== undefined && (x.dataSync() as Float64Array).some(Number.isNaN)

class Detector implements Observer {
  readonly outer: Observer | null
  private readonly calls = new WeakMap<Node, string>()

  constructor(outer: Observer | null) {
    this.outer = outer
  }

  operands(xs: readonly Tensor[]): void {
    this.outer?.operands?.(xs)
  }

  recorded(node: Node): void {
    this.calls.set(node, new Error('forward').stack?.split('\n').slice(1).join('\n') ?? '')
    this.outer?.recorded?.(node)
  }

  pulled(node: Node, cts: readonly (Tensor | null)[], out: readonly (Tensor | null)[]): void {
    const operand = out.findIndex(hasNaN)
    if (operand >= 0) {
      const name = node.row?.name ?? 'leaf'
      const came = cts.some(hasNaN) ? 'its result had a gradient of NaN already, which came from outside the pass' : 'the gradients of its results had none'
      const call = this.calls.get(node)
      throw new BpError('grad', 'detectAnomaly', `the backward pass of ${name} made the first NaN, in the gradient of operand ${operand} ${describe(out[operand]!)}; ${came}. ${call === undefined ? 'Run the forward pass inside detectAnomaly too, to be told where it was called' : `It was called at\n${call}`}`)
    }
    this.outer?.pulled?.(node, cts, out)
  }
}

/**
 * Runs `f` and throws as soon as a backward pass in it makes a NaN: the error names the op of the forward pass whose rule
 * made it, the operand, and, if the forward pass ran inside too, where the op was called. Every gradient is read, so use it
 * to find a fault, not to train. Backends that read asynchronously are not checked.
 *
 * @example
 * ```ts
 * import { tensor, mul, detectAnomaly } from '@bp/core'
 * import { log, sqrt } from '@bp/ops'
 * const x = tensor(0, { requiresGrad: true })
 * const message = (() => { try { detectAnomaly(() => { sqrt(mul(x, x)).backward() }) } catch (error) { return error.message.split(';')[0] } })()
 * message // => detectAnomaly: the backward pass of mul made the first NaN, in the gradient of operand 0 f32[]
 * ```
 */
export function detectAnomaly<R>(f: () => R): R {
  const before = setObserver(new Detector(observer))
  try {
    return synchronous('detectAnomaly', f())
  } finally {
    setObserver(before)
  }
}
