// L-BFGS: quasi-Newton steps from the last few changes of the gradient.

import { add, mul, noGrad, type Tensor, tensor, zerosLike } from '@bp/core'
import { fail, live } from '@bp/core/extend'
import { abs, amax, concat, detach, narrow, reshape, sub, sum } from '@bp/ops'
import type { Parameter } from '../module.ts'
import { type Closure, Optimizer, type OptimizerOptions, type OptimizerState, type ParameterGroup } from './optimizer.ts'
import { type LinePoint, strongWolfe } from './strongWolfe.ts'

/** Options of {@link LBFGS}. */
export interface LBFGSOptions extends OptimizerOptions {
  /** Iterations in one step. */
  maxIter: number
  /** Evaluations of the closure in one step; 1.25·maxIter unless given. */
  maxEval: number
  /** Ends a step where no element of the gradient is larger. */
  toleranceGrad: number
  /** Ends a step where neither the loss nor any parameter changes by more. */
  toleranceChange: number
  /** How many changes are remembered; each takes twice the memory of the parameters. */
  historySize: number
  /** Searches along the direction for the strong Wolfe conditions; else each iteration goes lr along it. */
  lineSearch: 'strong_wolfe' | null
}

/** What goes on from step to step; vectors are all parameters end to end. */
interface Memory {
  iterations: number
  /** The last direction, and how far it was followed. */
  direction: Tensor
  t: number
  /** The gradient and the loss where the last direction began. */
  gradient: Tensor
  loss: number
  /** The first guess of the inverse Hessian is this times the identity. */
  scale: number
  /** Changes of the gradient y and of the parameters s, the oldest first, with 1/(y·s). */
  history: { readonly y: Tensor; readonly s: Tensor; readonly rho: number }[]
}

const dot = (a: Tensor, b: Tensor): number => sum(mul(a, b)).item()
const largest = (x: Tensor): number => amax(abs(x)).item()

/**
 * d = −H·g with H from the last changes by the two-loop recursion, p ← p + t·d (Liu & Nocedal 1989, "On the limited memory BFGS
 * method"), as `torch.optim.LBFGS`: `step(closure)` calls the closure as often as it needs to. For smooth losses on whole
 * batches, with all parameters in one group. The step itself cannot be compiled, for it decides by values when it is done; its
 * closure can.
 *
 * @example
 * ```ts
 * import { add, tensor } from '@bp/core'
 * import { LBFGS, Parameter } from '@bp/nn'
 * import { square, sub, sum } from '@bp/ops'
 * const w = new Parameter(tensor([5, -5]))
 * const optimiser = new LBFGS([w], { lineSearch: 'strong_wolfe' })
 * optimiser.step(() => {
 *   optimiser.zeroGrad()
 *   const loss = sum(square(sub(w, tensor([1, 2]))))
 *   loss.backward()
 *   return loss
 * })
 * w // => tensor([1, 2], float32)
 * ```
 */
export class LBFGS extends Optimizer<LBFGSOptions> {
  private memory: Memory | null = null

  constructor(params: readonly Parameter[], options: Partial<LBFGSOptions> = {}) {
    const maxIter = options.maxIter ?? 20
    super(params, { lr: 1, maxIter, maxEval: Math.floor(maxIter * 5 / 4), toleranceGrad: 1e-7, toleranceChange: 1e-9, historySize: 100, lineSearch: null, maximize: false, ...options }, {
      lineSearch: ['\'strong_wolfe\' or null', name => [null, 'strong_wolfe'].includes(name)],
      historySize: ['at least 1', size => size >= 1],
    })
  }

  override addParamGroup(group: ParameterGroup<LBFGSOptions>): void {
    if (this.groups.length > 0) fail('value', 'LBFGS', 'all parameters must be in one group, for it takes them as one vector. Make one optimiser of all parameters')
    super.addParamGroup(group)
  }

  /** Takes up to `maxIter` iterations, and returns the loss from before. */
  override step(closure?: Closure): Tensor {
    if (!closure) return fail('value', 'LBFGS', 'needs a closure that computes the loss and its gradients anew. Call step(() => { zeroGrad(); …; loss.backward(); return loss })')
    if (typeof live(() => 0) !== 'number') fail('data', 'LBFGS', 'its step decides by the values of the loss when it is done, and cannot be compiled. Compile the closure instead: let it return [loss, grads], and call step(closure) outside')
    return noGrad(() => this.iterate(closure))
  }

  /** What to save: vectors, and all numbers as one. */
  override stateDict(): OptimizerState {
    const { memory } = this
    const tensors = new Map<string, Tensor>()
    if (memory) {
      const { direction, gradient, history, iterations, t, loss, scale } = memory
      tensors.set('d', direction).set('prev_flat_grad', gradient)
      tensors.set('numbers', tensor([iterations, t, loss, scale, ...history.map(({ rho }) => rho)], { dtype: 'float64' }))
      history.forEach(({ y, s }, i) => tensors.set(`old_dirs.${i}`, y).set(`old_stps.${i}`, s))
    }
    return { ...super.stateDict(), tensors }
  }

  override stepWith(): never {
    return fail('value', 'LBFGS', 'its step calls the loss as often as the values of the loss demand, and cannot be written to a file. Take SGD, Adam or AdamW')
  }

  override loadStateDict(state: OptimizerState): void {
    const vector = (name: string): Tensor => {
      const value = state.tensors.get(name)
      const size = this.parameters().reduce((all, p) => all + p.size, 0)
      return value?.size === size ? detach(value) : fail('data', 'loadStateDict', `the state ${name} must be a vector of ${size} elements, the parameters end to end. Use the same model`)
    }
    const numbers = state.tensors.get('numbers')
    let memory: Memory | null = null
    if (numbers) {
      const [iterations = 0, t = 0, loss = 0, scale = 1, ...rhos] = Array.from(numbers.dataSync(), Number)
      memory = { iterations, t, loss, scale, direction: vector('d'), gradient: vector('prev_flat_grad'), history: rhos.map((rho, i) => ({ y: vector(`old_dirs.${i}`), s: vector(`old_stps.${i}`), rho })) }
    }
    super.loadStateDict({ ...state, tensors: new Map() })
    this.memory = memory
  }

  protected override update(p: Parameter, step: Tensor): Tensor {
    return add(p, step)
  }

  private iterate(closure: Closure): Tensor {
    const { lr, maxIter, maxEval, toleranceGrad, toleranceChange, lineSearch, maximize } = this.groups[0]!
    const evaluate = (): { loss: Tensor; f: number; g: Tensor } => {
      const loss = this.evaluate(closure)
      evaluations++
      return { loss, f: maximize ? -loss.item() : loss.item(), g: this.flatGradient(maximize) }
    }
    let evaluations = 0
    const first = evaluate()
    let { f, g } = first
    if (largest(g) <= toleranceGrad) return first.loss
    for (let n = 1; n <= maxIter; n++) {
      const memory = this.memory = this.remember(f, g)
      const d = memory.direction
      memory.t = memory.iterations === 1 ? Math.min(1, 1 / sum(abs(g)).item()) * lr : lr
      const slope = dot(g, d)
      if (slope > -toleranceChange) break
      const from = this.parameters().map(p => detach(p))
      const move = (t: number): void => { this.moveTo(from, mul(d, t)) }
      const before = f
      if (lineSearch !== null) {
        const at = (t: number): LinePoint<Tensor> => {
          move(t)
          const { f, g } = evaluate()
          return { t, f, slope: dot(g, d), at: g }
        }
        const { best } = strongWolfe(at, { t: 0, f, slope, at: g }, memory.t, { size: largest(d), maxEvaluations: maxEval - evaluations })
        ;({ f, at: g, t: memory.t } = best)
        move(memory.t)
      } else {
        move(memory.t)
        if (n === maxIter) break
        ;({ f, g } = evaluate())
      }
      if (evaluations >= maxEval || largest(g) <= toleranceGrad || largest(d) * memory.t <= toleranceChange || Math.abs(f - before) < toleranceChange) break
    }
    return first.loss
  }

  /** The memory after one more gradient, with the next direction. */
  private remember(loss: number, gradient: Tensor): Memory {
    const last = this.memory
    if (!last) return { iterations: 1, direction: mul(gradient, -1), t: 0, gradient, loss, scale: 1, history: [] }
    const [y, s] = [sub(gradient, last.gradient), mul(last.direction, last.t)]
    const curvature = dot(y, s)
    // a change along which the loss does not curve upwards would spoil H
    const fresh = curvature > 1e-10
    const history = fresh ? [...last.history, { y, s, rho: 1 / curvature }].slice(-this.groups[0]!.historySize) : last.history
    const scale = fresh ? curvature / dot(y, y) : last.scale
    return { ...last, iterations: last.iterations + 1, direction: newtonDirection(gradient, history, scale), gradient, loss, scale, history }
  }

  private moveTo(from: readonly Tensor[], by: Tensor): void {
    let at = 0
    this.parameters().forEach((p, i) => {
      p.assign(from[i]!)
      p.assign(this.update(p, reshape(narrow(by, 0, at, p.size), p.shape)))
      at += p.size
    })
  }

  private flatGradient(maximize: boolean): Tensor {
    const flat = concat(this.parameters().map(p => reshape(p.grad ?? zerosLike(p), [p.size])))
    return maximize ? mul(flat, -1) : flat
  }
}

/** −H·g by the two-loop recursion (Nocedal & Wright 2006, algorithm 7.4). */
function newtonDirection(gradient: Tensor, history: Memory['history'], scale: number): Tensor {
  let q = mul(gradient, -1)
  const alphas = history.toReversed().map(({ y, s, rho }) => {
    const alpha = dot(s, q) * rho
    q = sub(q, mul(y, alpha))
    return alpha
  }).reverse()
  return history.reduce((r, { y, s, rho }, i) => add(r, mul(s, alphas[i]! - dot(y, r) * rho)), mul(q, scale))
}
