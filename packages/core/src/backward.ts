// PyTorch's surface over the backward pass: backward, gradients, noGrad.

import { fail } from './errors.ts'
import { freeing, storagesOf } from './freeing.ts'
import { current, type Interpreter } from './interpreter.ts'
import type { Node } from './node.ts'
import { regraded } from './ownership.ts'
import { pull, type PullResult } from './pull.ts'
import { describe, sameShape } from './shape.ts'
import { synchronous } from './synchronous.ts'
import type { Tensor } from './tensor.ts'
import { add, onesLike } from './vector.ts'

/** Options of {@link backward}. */
export interface BackwardOptions {
  /** The cotangent to start from; ones for a scalar. Needed where the tensor is not a scalar. */
  readonly gradient?: Tensor
  /** Keeps the graph, so that another backward pass can use it. `createGraph` implies it. */
  readonly retainGraph?: boolean
  /** Records the backward pass too, for derivatives of a higher order. */
  readonly createGraph?: boolean
  /** Accumulates only into these leaves. */
  readonly inputs?: readonly Tensor[]
}

/** Options of {@link gradients}. */
export interface GradientsOptions extends Omit<BackwardOptions, 'gradient' | 'inputs'> {
  /** One cotangent per output; ones for scalars. */
  readonly gradOutputs?: readonly Tensor[]
}

/**
 * Computes the gradients of `y` and adds them to the `.grad` of every leaf that it depends on.
 *
 * Throws where `y` is not a scalar and no `gradient` is given, where nothing requires grad, and where an earlier pass has
 * freed the graph.
 *
 * @example
 * ```ts
 * import { tensor, mul, backward } from '@bp/core'
 * const x = tensor([1, 2], { requiresGrad: true })
 * backward(mul(x, x), { gradient: tensor([1, 1]) })
 * x.grad // => tensor([2, 4], float32)
 * ```
 */
export function backward(y: Tensor, options: BackwardOptions = {}): void {
  const { createGraph = false, retainGraph = createGraph, inputs = null } = options
  if (y.node === null) notRecorded('backward')
  for (const x of inputs ?? []) if (!x.isLeaf || x.node === null) fail('grad', 'backward', `inputs must be leaves that require grad, got ${describe(x)}. Use gradients(y, [x]) for other tensors`)
  const run = (): (Tensor | null)[] => {
    const { leaves } = pull({ outputs: [y], cts: [seed('backward', y, options.gradient)], inputs, retain: retainGraph, create: createGraph, since: 0 })
    accumulate(leaves, createGraph)
    return leaves.map(({ node }) => node.grad)
  }
  if (createGraph) run()
  else freeing(y.backend, 'step', run, storagesOf)
}

function accumulate(leaves: PullResult['leaves'], createGraph: boolean): void {
  const recording = current.recording
  current.recording = createGraph
  try {
    for (const { node, ct } of leaves) {
      if (current.grads) collect(current.grads, node)
      const before = node.grad
      node.grad = before ? add(before, ct) : ct
      if (ct.backend.free) regraded(node, before, node.grad)
    }
  } finally {
    current.recording = recording
  }
}

/**
 * The gradients of `ys` with respect to `xs`, without touching any `.grad`: PyTorch's `autograd.grad`. `null` where a
 * result does not depend on an input.
 *
 * @example
 * ```ts
 * import { tensor, mul, gradients } from '@bp/core'
 * const x = tensor(2, { requiresGrad: true })
 * const [dx] = gradients(mul(x, mul(x, x)), [x], { createGraph: true })
 * const [ddx] = gradients(dx!, [x])
 * ddx // => tensor(12, float32)
 * ```
 */
export function gradients(ys: Tensor | readonly Tensor[], xs: readonly Tensor[], options: GradientsOptions = {}): (Tensor | null)[] {
  const { createGraph = false, retainGraph = createGraph, gradOutputs } = options
  const outputs = Array.isArray(ys) ? ys as readonly Tensor[] : [ys as Tensor]
  for (const x of xs) if (x.node === null) fail('grad', 'gradients', `an input ${describe(x)} does not require grad. Set requiresGrad = true before the forward pass`)
  if (outputs.every(y => y.node === null)) notRecorded('gradients')
  if (gradOutputs && gradOutputs.length !== outputs.length) fail('value', 'gradients', `got ${outputs.length} outputs and ${gradOutputs.length} gradOutputs. Give one for each output`)
  const run = (): (Tensor | null)[] => {
    const cts = outputs.map((y, i) => seed('gradients', y, gradOutputs?.[i]))
    return pull({ outputs, cts, inputs: xs, retain: retainGraph, create: createGraph, since: 0 }).inputs
  }
  return createGraph ? run() : freeing(outputs[0]?.backend, 'step', run, storagesOf)
}

function seed(op: string, y: Tensor, given: Tensor | undefined): Tensor {
  if (given) {
    if (!sameShape(given.shape, y.shape) || given.dtype !== y.dtype) fail('shape', op, `the cotangent is ${describe(given)}, the tensor ${describe(y)}. They must be alike`)
    return given
  }
  if (y.size !== 1) fail('grad', op, `needs a scalar, got ${describe(y)}. Reduce it with sum or mean, or pass ${op === 'backward' ? '{ gradient }' : '{ gradOutputs }'}`)
  return onesLike(y)
}

/** In a function being compiled, gradients live from its zeroGrad to its end. */
function collect(grads: Set<Node>, node: Node): void {
  if (node.grad?.storage) fail('grad', 'compile', "a parameter already has a gradient from outside the compiled function, which would be added in every run. Call optimiser.zeroGrad() at the start of the compiled function")
  grads.add(node)
}

function notRecorded(op: string): never {
  return fail('grad', op, 'the tensor does not require grad. Set requiresGrad = true on an input before the forward pass, outside noGrad; if it is itself a gradient, compute that with { createGraph: true }')
}

/**
 * Runs `f` without recording: results inside do not require grad. `f` must not be async.
 *
 * @example
 * ```ts
 * import { tensor, mul, noGrad } from '@bp/core'
 * const x = tensor(2, { requiresGrad: true })
 * noGrad(() => mul(x, x)).requiresGrad // => false
 * ```
 */
export const noGrad = <R>(f: () => R): R => recordingEverywhere('noGrad', false, f)

/** Runs `f` with recording on, also inside {@link noGrad}; inside {@link inferenceMode} it stays off. */
export const enableGrad = <R>(f: () => R): R => recordingEverywhere('enableGrad', !inferring, f)

let inferring = false

/**
 * Runs `f` without recording, and without letting {@link enableGrad} turn it on again: for code that only ever infers.
 * Tensors are values here, so what it makes may be used in training later, unlike in PyTorch.
 *
 * @example
 * ```ts
 * import { tensor, mul, enableGrad, inferenceMode } from '@bp/core'
 * const x = tensor(2, { requiresGrad: true })
 * inferenceMode(() => enableGrad(() => mul(x, x))).requiresGrad // => false
 * ```
 */
export function inferenceMode<R>(f: () => R): R {
  const before = inferring
  inferring = true
  try {
    return recordingEverywhere('inferenceMode', false, f)
  } finally {
    inferring = before
  }
}

/** Whether ops on tensors that require grad are being recorded. */
export const isGradEnabled = (): boolean => current.recording

function recordingEverywhere<R>(op: string, on: boolean, f: () => R): R {
  const levels: { readonly level: Interpreter; readonly before: boolean }[] = []
  for (let level: Interpreter | null = current; level !== null; level = level.outer) {
    levels.push({ level, before: level.recording })
    level.recording = on
  }
  try {
    return synchronous(op, f())
  } finally {
    for (const { level, before } of levels) level.recording = before
  }
}
