// Functions with derivative rules of their own: JAX's customVjp and customJvp, PyTorch's autograd function.

import { fail } from './errors.ts'
import { alike } from './grad.ts'
import { current, type CustomRules } from './interpreter.ts'
import { connect } from './node.ts'
import { handingOut } from './ownership.ts'
import { pullbackOf } from './pull.ts'
import { defineOp } from './row.ts'
import type { Tensor } from './tensor.ts'
import { flatten, type Tree, unflatten } from './tree.ts'
import { zerosLike } from './vector.ts'

/** The node of a call: it saves the residuals, and its parameters are the rules and the operands' own shapes. */
const customRow = /* @__PURE__ */ defineOp({
  name: 'custom', arity: 'n', fuse: 'opaque', saves: 'x',
  infer: xs => xs.map(x => x.aval),
  diff: {
    kind: 'custom', why: 'the rule is the user’s own',
    vjp: (cts, residuals, _ys, p: CustomRules, want) => backwardOf(p, residuals, cts, want),
  },
})

function backwardOf(rules: CustomRules, residuals: Tensor[], cts: Tensor[], want: readonly boolean[]): (Tensor | null)[] {
  return handingOut([...residuals, ...cts], () => {
    if (rules.backward !== null) return rules.backward(residuals, cts, want)
    // t ↦ J·t is linear, so its pullback, at any t, is ct ↦ Jᵀ·ct
    return pullbackOf(ts => rules.pushforward!(residuals, ts), residuals.map(zerosLike)).pullback(cts)
  })
}

/** What a forward pass gives: results, and what the rules read. */
interface Forward {
  readonly ys: Tensor[]
  readonly residuals: Tensor[]
}

/** Runs the forward pass by ordinary ops, then gives its results the rules in place of what was recorded. */
function call(rules: CustomRules, xs: Tensor[], forward: (xs: Tensor[]) => Forward): Tensor[] {
  const { ys, residuals } = forward(xs)
  return seal(rules, xs, residuals, ys)
}

/** {@link Interpreter.seal} in the current interpreter. */
export function seal(rules: CustomRules, xs: Tensor[], residuals: Tensor[], ys: Tensor[]): Tensor[] {
  if (current.seal) return current.seal(rules, xs, residuals, ys)
  const own = ys.map(y => current.lift(y))
  record(rules, xs, residuals, own)
  return own
}

/** Records one node for a call. */
export function record(rules: CustomRules, xs: Tensor[], residuals: Tensor[], ys: Tensor[]): void {
  if (!current.recording || xs.every(x => x.node === null)) return
  connect(customRow, rules, xs, [...residuals], ys.map(y => y.aval), ys)
}

/** The tangents of the results of a call: by the pushforward, or by the transpose of the backward rule. */
export function pushforwardOf(rules: CustomRules, xs: Tensor[], residuals: Tensor[], ys: Tensor[], ts: (Tensor | null)[]): Tensor[] {
  if (rules.pushforward !== null) return rules.pushforward(residuals, ts.map((t, i) => t ?? zerosLike(xs[i]!)))
  const want = ts.map(t => t !== null)
  const moving = xs.filter((_, i) => want[i])
  // ct ↦ Jᵀ·ct is linear, so its pullback, at any ct, is t ↦ J·t
  const { pullback } = pullbackOf(cts => rules.backward!(residuals, cts, want).filter((_, i) => want[i]).map((dx, i) => dx ?? zerosLike(moving[i]!)), ys.map(zerosLike))
  return pullback(ts.filter(t => t !== null))
}

/** What {@link customVjp} is made of. */
export interface CustomVjp<A extends readonly Tree[], R extends Tree, S extends Tree> {
  /** Named in errors. */
  readonly name?: string
  /** The value, and what `backward` reads of the forward pass. Runs with recording on, so that `backward` differentiates again. */
  readonly forward: (...args: A) => readonly [value: R, residuals: S]
  /** The cotangents of the arguments: one tree like each. */
  readonly backward: (residuals: S, ct: R) => readonly [...A]
}

/**
 * A function whose reverse-mode derivative is given: `backward` turns the cotangent of the value into those of the arguments.
 * In forward mode its transpose is used. For gradients that are not those of the forward pass (straight-through), or that are
 * stabler or cheaper than those that would be derived.
 *
 * Throws, in the backward pass, where a cotangent is not like its argument.
 *
 * @example
 * ```ts
 * import { tensor, mul, customVjp, grad } from '@bp/core'
 * import { round } from '@bp/ops'
 * const roundThrough = customVjp({ forward: x => [round(x), []], backward: (_, ct) => [ct] })
 * grad(x => mul(roundThrough(x), 3))(tensor(1.2)) // => tensor(3, float32)
 * ```
 */
export function customVjp<A extends readonly Tree[], R extends Tree, S extends Tree = readonly []>({ name = 'customVjp', forward, backward }: CustomVjp<A, R, S>): (...args: A) => R {
  return (...args) => {
    let value!: R
    let kept!: S
    const primals = flatten(name, args)
    const ys = call({
      name,
      backward: (residuals, cts) => {
        const out = backward(unflatten(kept, residuals), unflatten(value, cts))
        const list = flatten(name, out)
        if (list.length !== primals.length) fail('value', name, `backward returned ${list.length} cotangents for ${primals.length} arguments. Return one for each, zerosLike(x) where there is none`)
        list.forEach((ct, i) => { alike(name, 'cotangent that backward returned', ct, 'argument', primals[i]!) })
        return list
      },
      pushforward: null,
    }, primals, xs => {
      [value, kept] = forward(...unflatten(args, xs))
      return { ys: flatten(name, value), residuals: flatten(name, kept) }
    })
    return unflatten(value, ys)
  }
}

/** What {@link customJvp} is made of. */
export interface CustomJvp<A extends readonly Tree[], R extends Tree> {
  /** Named in errors. */
  readonly name?: string
  readonly forward: (...args: A) => R
  /** The tangent of the value: linear in the tangents, which are trees like the arguments. */
  readonly pushforward: (primals: A, tangents: A) => R
}

/**
 * A function whose forward-mode derivative is given: `pushforward` turns tangents of the arguments into the tangent of the
 * value. In reverse mode its transpose is used.
 *
 * @example
 * ```ts
 * import { tensor, mul, customJvp, grad, jvp } from '@bp/core'
 * import { sin, cos } from '@bp/ops'
 * const f = customJvp({ forward: x => sin(x), pushforward: ([x], [t]) => mul(t, mul(2, cos(x))) })
 * jvp(f, [tensor(0)], [tensor(1)])[1] // => tensor(2, float32)
 * grad(f)(tensor(0)) // => tensor(2, float32)
 * ```
 */
export function customJvp<A extends readonly Tree[], R extends Tree>({ name = 'customJvp', forward, pushforward }: CustomJvp<A, R>): (...args: A) => R {
  return (...args) => {
    let value!: R
    const primals = flatten(name, args)
    const ys = call({
      name,
      backward: null,
      pushforward: (xs, ts) => {
        const out = flatten(name, pushforward(unflatten(args, xs), unflatten(args, ts)))
        const like = flatten(name, value)
        if (out.length !== like.length) fail('value', name, `pushforward returned ${out.length} tangents for ${like.length} results. Return one for each`)
        out.forEach((t, i) => { alike(name, 'tangent that pushforward returned', t, 'result', like[i]!) })
        return out
      },
    }, primals, xs => {
      value = forward(...unflatten(args, xs))
      return { ys: flatten(name, value), residuals: xs }
    })
    return unflatten(value, ys)
  }
}

/** What the two halves of a {@link customFunction} share. */
export interface FunctionContext {
  /** Keeps tensors for `backward`. */
  saveForBackward(...xs: readonly Tensor[]): void
  /** The tensors kept, in their order. */
  readonly savedTensors: readonly Tensor[]
  /** Which inputs want a gradient. */
  readonly needsInputGrad: readonly boolean[]
}

/** What {@link customFunction} is made of. */
export interface CustomFunction<A extends readonly Tensor[]> {
  /** Named in errors. */
  readonly name?: string
  readonly forward: (ctx: FunctionContext, ...xs: A) => Tensor
  /** The gradients of the inputs, `null` for none; a single input's may stand by itself. */
  readonly backward: (ctx: FunctionContext, gradOutput: Tensor) => Tensor | readonly (Tensor | null)[]
}

/**
 * A function with a backward pass of its own, in the manner of PyTorch's `torch.autograd.Function`: `forward` keeps tensors in
 * the context, `backward` finds them there.
 *
 * @example
 * ```ts
 * import { tensor, mul, customFunction } from '@bp/core'
 * import { abs, cast, lessEqual, less } from '@bp/ops'
 * // y = 1 where x > 0, else 0; its gradient passes straight through where |x| ≤ 1
 * const step = customFunction({
 *   forward: (ctx, x) => { ctx.saveForBackward(x); return cast(less(0, x), x.dtype) },
 *   backward: (ctx, grad) => { const [x] = ctx.savedTensors; return mul(grad, cast(lessEqual(abs(x), 1), x.dtype)) },
 * })
 * const x = tensor([0.5, 2], { requiresGrad: true })
 * step(x).backward({ gradient: tensor([3, 3]) })
 * x.grad // => tensor([3, 0], float32)
 * ```
 */
export function customFunction<A extends readonly Tensor[]>({ name = 'customFunction', forward, backward }: CustomFunction<A>): (...xs: A) => Tensor {
  return (...inputs) => call({
    name,
    backward: (residuals, [ct], want) => {
      const context = new Context(want)
      context.saveForBackward(...residuals)
      const made = backward(context, ct!)
      const out = Array.isArray(made) ? [...made as readonly (Tensor | null)[]] : [made as Tensor]
      if (out.length !== inputs.length) fail('value', name, `backward returned ${out.length} gradients for ${inputs.length} inputs. Return one for each, null where there is none`)
      out.forEach((dx, i) => { if (dx) alike(name, 'gradient that backward returned', dx, 'input', inputs[i]!) })
      return out
    },
    pushforward: null,
  }, [...inputs], xs => {
    const context = new Context(xs.map(x => x.node !== null))
    const y = forward(context, ...xs as unknown as A)
    return { ys: [y], residuals: [...context.savedTensors] }
  })[0]!
}

class Context implements FunctionContext {
  savedTensors: readonly Tensor[] = []
  readonly needsInputGrad: readonly boolean[]

  constructor(needsInputGrad: readonly boolean[]) {
    this.needsInputGrad = needsInputGrad
  }

  saveForBackward(...xs: readonly Tensor[]): void {
    this.savedTensors = xs
  }
}
