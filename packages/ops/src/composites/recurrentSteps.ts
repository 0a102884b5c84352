// Steps of recurrent cells: from what the gates get of the input and of the state before, to the state after.

import { add, mul, type Tensor } from '@bp/core'
import { bind, bindMany, defineComposite } from '@bp/core/extend'
import { sub } from '../rows/arithmetic.ts'
import { sigmoid, tanh } from '../rows/exponential.ts'
import { narrow, padInterior } from '../rows/view.ts'
import { clamp } from './activations.ts'
import { split } from './arrange.ts'
import { matmulTransposed } from './matmul.ts'

/** A function of each element: what a gate, or the state, goes through. */
export type Activation = (x: Tensor) => Tensor

/** How a cell departs from the usual one. The functions must be the same ones in every step, for fused steps are kept by them. */
export interface CellRule {
  /** Of the gates; the logistic function unless given. In a plain cell, of the state: tanh unless given. */
  readonly gate?: Activation | undefined
  /** Of the candidate for the new state; tanh unless given. */
  readonly candidate?: Activation | undefined
  /** Of an LSTM's cell state on its way out; tanh unless given. */
  readonly output?: Activation | undefined
  /** Cuts what goes into the gates and the candidate to [−clip, clip]; an LSTM's cell state on its way out is not cut, as in onnxruntime. */
  readonly clip?: number | undefined
  /** Couples an LSTM's gates: it forgets as much as it takes in, f = 1 − i. */
  readonly coupled?: boolean | undefined
}

/** Splits [n, count·hidden] into the parts of its gates. */
const gates = (x: Tensor, count: number): Tensor[] => split(x, x.shape.at(-1)! / count, -1)

const through = (f: Activation, { clip }: CellRule): Activation => clip === undefined ? f : x => f(clamp(x, -clip, clip))

/**
 * (i, f, g, o) = x + r,   c = σ(f)⊙c₋ + σ(i)⊙tanh g,   h = σ(o)⊙tanh c
 * (Hochreiter & Schmidhuber 1997, "Long Short-Term Memory"; Gers et al. 2000, "Learning to Forget"). With peepholes p, i and f get
 * p⊙c₋ and o gets p⊙c (Gers & Schmidhuber 2000, "Recurrent Nets that Time and Count"). Operands: x, r: [n, 4·hidden]; c₋: [n,
 * hidden]; where there are peepholes those of i, f and o. Results: h, c.
 */
export const lstmStepRow = /* @__PURE__ */ defineComposite({
  name: 'lstmStep', arity: 'n',
  decompose: ([x, r, before, pi, pf, po], rule: CellRule) => {
    const [gate, candidate] = [rule.gate ?? sigmoid, rule.candidate ?? tanh].map(f => through(f, rule)) as [Activation, Activation]
    const output = rule.output ?? tanh
    const [i, f, g, o] = gates(add(x!, r!), 4) as [Tensor, Tensor, Tensor, Tensor]
    const peek = (z: Tensor, p: Tensor | undefined, c: Tensor): Tensor => p ? add(z, mul(p, c)) : z
    const taken = gate(peek(i, pi, before!))
    const kept = rule.coupled ? sub(1, taken) : gate(peek(f, pf, before!))
    const c = add(mul(kept, before!), mul(taken, candidate(g)))
    return [mul(gate(peek(o, po, c)), output(c)), c]
  },
})

/**
 * r = σ(xᵣ + uᵣ),   z = σ(x_z + u_z),   n = tanh(xₙ + r⊙(uₙ + b)),   h = (1 − z)⊙n + z⊙h₋
 * (Cho et al. 2014, "Learning Phrase Representations using RNN Encoder–Decoder", with the reset after the product as in cuDNN).
 * Operands: x, u = h₋·Wᵀ: [n, 3·hidden]; h₋: [n, hidden]; where there is one, the bias b of the candidate: [hidden].
 */
export const gruStepRow = /* @__PURE__ */ defineComposite({
  name: 'gruStep', arity: 'n',
  decompose: ([x, u, before, bias], rule: CellRule) => {
    const [xr, xz, xn] = gates(x!, 3)
    const [ur, uz, un] = gates(u!, 3)
    const gate = through(rule.gate ?? sigmoid, rule)
    const recalled = mul(gate(add(xr!, ur!)), bias ? add(un!, bias) : un!)
    return mixed(gate(add(xz!, uz!)), through(rule.candidate ?? tanh, rule)(add(xn!, recalled)), before!)
  },
})

const mixed = (z: Tensor, n: Tensor, before: Tensor): Tensor => add(mul(sub(1, z), n), mul(z, before))

/** What the state of before is multiplied by, beside the weights of the input. */
export interface StateWeights {
  /** [gates·hidden, size of the output] */
  readonly hh: Tensor
  /** [gates·hidden] */
  readonly biasHh?: Tensor | undefined
  /** An LSTM's projection of its output, [projected, hidden] (Sak et al. 2014, "Long Short-Term Memory Based Recurrent Neural Network Architectures"). */
  readonly hr?: Tensor | undefined
  /** An LSTM's peepholes of i, f and o, each [hidden]. */
  readonly peepholes?: readonly [Tensor, Tensor, Tensor] | undefined
}

/** One step: from the input's part of the gates, [n, gates·hidden], and the state before to the state after. The first of a state is the output. */
export type Step = (x: Tensor, state: readonly Tensor[]) => Tensor[]

/** A kind of recurrent cell. */
export interface Cell {
  /** How many parts its weights have. */
  readonly gates: number
  /** How many tensors its state is. */
  readonly states: number
  /** What of `biasHh` is added to the input's part of the gates for all steps at once. */
  readonly early: (biasHh: Tensor) => Tensor
  readonly step: (weights: StateWeights) => Step
}

/** h = tanh(x + h₋·Wᵀ) (Elman 1990, "Finding Structure in Time"). */
export function rnnOf(rule: CellRule = {}): Cell {
  const f = through(rule.gate ?? tanh, rule)
  return { gates: 1, states: 1, early: b => b, step: ({ hh }) => (x, [h]) => [f(add(x, matmulTransposed(h!, hh)))] }
}

/** An LSTM, gates in the order i, f, g, o; its state is h and c. See {@link lstmStepRow}. */
export const lstmOf = (rule: CellRule = {}): Cell => ({
  gates: 4, states: 2, early: b => b,
  step: ({ hh, hr, peepholes }) => (x, [h, c]) => {
    const [out, cell] = bindMany(lstmStepRow, [x, matmulTransposed(h!, hh), c!, ...peepholes ?? []], rule) as [Tensor, Tensor]
    return [hr ? matmulTransposed(out, hr) : out, cell]
  },
})

/** A GRU, gates in the order r, z, n. See {@link gruStepRow}. */
export const gruOf = (rule: CellRule = {}): Cell => ({
  gates: 3, states: 1,
  early: b => padInterior(narrow(b, 0, 0, 2 * b.size / 3), [0], [b.size / 3], [0]),
  step: ({ hh, biasHh }) => {
    const bias = biasHh ? [candidatePart(biasHh)] : []
    return (x, [h]) => [bind(gruStepRow, [x, matmulTransposed(h!, hh), h!, ...bias], rule)]
  },
})

/** A GRU that resets the state before it is multiplied, n = tanh(xₙ + (r⊙h₋)·Wₙᵀ + b), as first published. */
export function gruResetFirstOf(rule: CellRule = {}): Cell {
  const [gate, candidate] = [through(rule.gate ?? sigmoid, rule), through(rule.candidate ?? tanh, rule)]
  return {
    gates: 3, states: 1, early: b => b,
    step: ({ hh }) => {
      const size = hh.shape[0]! / 3
      const [ofGates, ofCandidate] = [narrow(hh, 0, 0, 2 * size), candidatePart(hh)]
      return (x, [h]) => {
        const [r, z] = gates(gate(add(narrow(x, 1, 0, 2 * size), matmulTransposed(h!, ofGates))), 2) as [Tensor, Tensor]
        return [mixed(z, candidate(add(narrow(x, 1, 2 * size, size), matmulTransposed(mul(r, h!), ofCandidate))), h!)]
      }
    },
  }
}

/** The part of a GRU's weight or bias that belongs to the candidate. */
const candidatePart = (w: Tensor): Tensor => narrow(w, 0, 2 * w.shape[0]! / 3, w.shape[0]! / 3)
