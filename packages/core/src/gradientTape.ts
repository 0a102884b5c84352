// TensorFlow's surface: a tape that is told what to watch, records, and is asked for gradients.

import { isFloat } from './dtype.ts'
import { fail } from './errors.ts'
import { freeing, storagesOf } from './freeing.ts'
import { alike } from './grad.ts'
import { current, withRecording } from './interpreter.ts'
import { leaf, type Node, type Observer, observer, setObserver } from './node.ts'
import { pull } from './pull.ts'
import { describe } from './shape.ts'
import { synchronous } from './synchronous.ts'
import { Tensor } from './tensor.ts'
import { flatten, type Tree } from './tree.ts'
import { onesLike } from './vector.ts'

/** Options of {@link GradientTape}. */
export interface GradientTapeOptions {
  /** Lets `gradient` be called more than once; the graph is kept until the tape is dropped or `reset`. */
  readonly persistent?: boolean
  /** Watches every floating-point variable that is read while recording; `true` unless given. */
  readonly watchAccessedVariables?: boolean
}

/** A tree with `null` where a source does not reach the target. */
export type GradientsOf<T> = T extends Tensor ? Tensor | null : T extends readonly unknown[] ? { readonly [K in keyof T]: GradientsOf<T[K]> } : { readonly [K in keyof T]: GradientsOf<T[K]> }

/** How many tapes are recording now: a gradient taken meanwhile is recorded itself. */
let recordingTapes = 0

/**
 * Records what is computed inside `record` from watched tensors, and gives gradients of it: TensorFlow's `GradientTape`.
 * Variables are watched by themselves, other tensors by `watch`. Tapes nest: a gradient taken inside another tape's
 * `record` can be differentiated by that tape.
 *
 * @example
 * ```ts
 * import { tensor, mul, GradientTape } from '@bp/core'
 * const x = tensor(3)
 * const tape = new GradientTape()
 * const y = tape.record(() => { tape.watch(x); return mul(x, x) })
 * tape.gradient(y, x) // => tensor(6, float32)
 * ```
 */
export class GradientTape {
  private readonly persistent: boolean
  private readonly accessed: boolean
  private watched = new Map<Tensor, Node>()
  /** Tensors that this tape made leaves, for as long as it records. */
  private readonly made = new Set<Tensor>()
  private used = false

  constructor({ persistent = false, watchAccessedVariables = true }: GradientTapeOptions = {}) {
    this.persistent = persistent
    this.accessed = watchAccessedVariables
  }

  /** Runs `f` and records it. May be called again to go on recording. */
  record<R>(f: () => R): R {
    const outer = observer
    const own: Observer = {
      operands: xs => {
        if (this.accessed) for (const x of xs) if ('assign' in x && isFloat(x.dtype)) this.watch(x)
        outer?.operands?.(xs)
      },
      recorded: node => { outer?.recorded?.(node) },
      pulled: (node, cts, out) => { outer?.pulled?.(node, cts, out) },
    }
    this.watch(...this.watched.keys())
    setObserver(own)
    recordingTapes++
    try {
      return withRecording(true, () => synchronous('GradientTape', f()))
    } finally {
      recordingTapes--
      setObserver(outer)
      // what was not a leaf before is none after: ops outside the tape are not recorded for it
      for (const x of this.made) x.node = null
      this.made.clear()
    }
  }

  /** Follows what is computed from these tensors from now on. Call it inside `record`. */
  watch(...xs: readonly Tensor[]): void {
    for (const x of xs) {
      if (!isFloat(x.dtype)) fail('dtype', 'GradientTape', `only floating-point tensors have gradients, got ${describe(x)}. Cast it to float32 first`)
      const known = this.watched.get(x)
      if (x.node === null) {
        x.node = known ?? leaf(x)
        this.made.add(x)
      }
      if (known === undefined) this.watched.set(x, x.node)
    }
  }

  /**
   * The gradients of `target` by the sources, in their form; `null` where the target does not depend on one. A target that
   * is not a scalar is summed, or weighted by `outputGradients`. Throws at a second call unless the tape is persistent.
   */
  gradient<T extends Tree>(target: Tensor, sources: T, { outputGradients }: { readonly outputGradients?: Tensor } = {}): GradientsOf<T> {
    if (this.used && !this.persistent) fail('grad', 'GradientTape', 'a tape gives one set of gradients, and this one has been used. Make it with { persistent: true } for more')
    this.used = true
    if (outputGradients) alike('GradientTape', 'gradient of the target', outputGradients, 'target', target)
    const create = recordingTapes > 0 && current.recording
    const asked = flatten('GradientTape', sources)
    const run = (): (Tensor | null)[] => {
      const ct = outputGradients ?? withRecording(false, () => onesLike(target))
      return pull({ outputs: [target], cts: [ct], inputs: asked.map(x => this.source(x)), retain: this.persistent || create, create, since: 0 }).inputs
    }
    const found = target.node === null ? asked.map(() => null) : create ? run() : freeing(target.backend, 'step', run, storagesOf)
    let next = 0
    const build = (node: Tree): unknown => {
      if (node instanceof Tensor) return found[next++] ?? null
      if (Array.isArray(node)) return node.map((child: Tree) => build(child))
      return Object.fromEntries(Object.entries(node).map(([key, child]) => [key, build(child)]))
    }
    return build(sources) as GradientsOf<T>
  }

  /** A source as the tape knew it while recording. */
  private source(x: Tensor): Tensor {
    const node = this.watched.get(x)
    if (node === undefined || x.node === node) return x
    const y = current.lift(x)
    y.node = node
    return y
  }

  /** Runs `f` without recording. */
  stopRecording<R>(f: () => R): R {
    return withRecording(false, f)
  }

  /** Forgets everything, as if the tape were new. */
  reset(): void {
    this.watched = new Map()
    this.used = false
  }
}
