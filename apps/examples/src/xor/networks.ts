// Networks of two inputs, two hidden units and an output that learn exclusive or by gradient descent, all at once.

import { add, compile, mul, tensor, type Tensor } from '@bp/core'
import { Parameter, SGD } from '@bp/nn'
import { Generator, matmulTransposed, sigmoid, square, sub, sum } from '@bp/ops'

/** How the networks learn. */
export interface XorOptions {
  readonly networks: number
  /** η */
  readonly rate: number
  /** α */
  readonly momentum: number
  /** Times that each network sees the four patterns. */
  readonly sweeps: number
  readonly seed: number
}

/** A unit: the weights from the two below it, and its bias. */
export type Unit = readonly [first: number, second: number, bias: number]

/** What became of a network. */
export interface Outcome {
  /** The sweeps after which every output was first within {@link tolerance} of its target; `null` where that never was. */
  readonly solvedAfter: number | null
  /** The two hidden units and the output, in the end. */
  readonly units: readonly [Unit, Unit, Unit]
  /** Of each pattern: what the hidden units and the output say, in the end. */
  readonly activations: readonly (readonly [first: number, second: number, output: number])[]
  /** The norm of ∂E/∂(weights and biases) in the end. */
  readonly gradient: number
}

/** The four patterns. */
export const patterns = [[0, 0], [0, 1], [1, 0], [1, 1]] as const

/** 0.1 for 0 and 0.9 for 1, which a sigmoid unit reaches with finite weights. */
export const targets = [0.1, 0.9, 0.9, 0.1] as const

/** An output this near to its target counts as right. */
export const tolerance = 0.1

/** First weights are drawn evenly from [−bound, bound]. */
const bound = 1

/**
 * Trains networks that share nothing but the program: their weights are stacked, so that one compiled step is a sweep of all.
 *
 *     E = ½ Σ (t − o)²,   Δw(n) = −η ∂E/∂w + α Δw(n − 1)
 */
export function trainXor({ networks, rate, momentum, sweeps, seed }: XorOptions): Outcome[] {
  const random = new Generator(seed)
  const draw = (...shape: number[]): Parameter => new Parameter(random.uniform([networks, ...shape], { low: -bound, high: bound, dtype: 'float64' }))
  const parameters = [draw(2, 2), draw(1, 2), draw(1, 2), draw(1, 1)] as const
  const [hiddenWeights, hiddenBiases, outputWeights, outputBias] = parameters
  const inputs = tensor(patterns, { dtype: 'float64' })
  const wanted = tensor(targets.map(t => [t]), { dtype: 'float64' })
  const forward = (): [hidden: Tensor, output: Tensor] => {
    const hidden = sigmoid(add(matmulTransposed(inputs, hiddenWeights), hiddenBiases))
    return [hidden, sigmoid(add(matmulTransposed(hidden, outputWeights), outputBias))]
  }
  const backward = (output: Tensor): void => {
    for (const parameter of parameters) parameter.grad = null
    mul(0.5, sum(square(sub(wanted, output)))).backward()
  }
  // SGD steps by lr·v with v(n) = α·v(n − 1) + ∂E/∂w, so that −lr·v is Δw
  const optimiser = new SGD([...parameters], { lr: rate, momentum })
  const sweep = compile(() => {
    const [, output] = forward()
    backward(output)
    optimiser.step()
    return output
  })
  const solvedAfter = Array.from({ length: networks }, (): number | null => null)
  for (let n = 0; n < sweeps; n++) {
    const outputs = sweep().dataSync() as Float64Array
    solvedAfter.forEach((already, i) => {
      if (already === null && targets.every((target, j) => Math.abs(outputs[4 * i + j]! - target) < tolerance)) solvedAfter[i] = n
    })
  }
  const [hidden, output] = forward()
  backward(output)
  const [h, o, w, b, v, c] = [hidden, output, ...parameters].map(x => x.dataSync() as Float64Array) as [Float64Array, Float64Array, Float64Array, Float64Array, Float64Array, Float64Array]
  const slopes = parameters.map(parameter => sum(square(parameter.grad!), [1, 2]).dataSync() as Float64Array)
  return solvedAfter.map((after, i) => ({
    solvedAfter: after,
    units: [[w[4 * i]!, w[4 * i + 1]!, b[2 * i]!], [w[4 * i + 2]!, w[4 * i + 3]!, b[2 * i + 1]!], [v[2 * i]!, v[2 * i + 1]!, c[i]!]],
    activations: patterns.map((_, j) => [h[8 * i + 2 * j]!, h[8 * i + 2 * j + 1]!, o[4 * i + j]!]),
    gradient: Math.sqrt(slopes.reduce((total, slope) => total + slope[i]!, 0)),
  }))
}
