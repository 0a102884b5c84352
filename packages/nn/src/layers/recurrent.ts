// Recurrent layers: RNN, LSTM and GRU, of several layers in one or both directions.

import type { DType, Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import { type Generator, gru, lstm, type RecurrentOptions as Run, type RecurrentWeights, rnn } from '@bp/ops'
import { uniform } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import { defaultGenerator } from '../random.ts'
import { PackedSequence, packPaddedSequence, padPackedSequence } from './packed.ts'

/** Options of {@link GRU}, and of {@link RNN} and {@link LSTM} beside their own. */
export interface RecurrentOptions {
  /** How many layers, each on the outputs of the one before; 1 unless given. */
  readonly numLayers?: number
  /** Whether to add learned biases; true unless given. */
  readonly bias?: boolean
  /** Sequences are [n, steps, features] instead of [steps, n, features]. States are not: they stay [layers·directions, n, hidden]. */
  readonly batchFirst?: boolean
  /** How much of every layer's output but the last one's is dropped in training; 0 unless given. */
  readonly dropout?: number
  /** Whether each layer also runs from the end to the start; outputs lie side by side. */
  readonly bidirectional?: boolean
  readonly generator?: Generator
  readonly dtype?: DType
}

/** Options of {@link RNN}. */
export interface RNNOptions extends RecurrentOptions {
  /** tanh unless given. */
  readonly nonlinearity?: 'tanh' | 'relu'
}

/** Options of {@link LSTM}. */
export interface LSTMOptions extends RecurrentOptions {
  /** The size that outputs are projected to (Sak et al. 2014); 0 unless given: not at all. */
  readonly projSize?: number
}

/** What a recurrent layer is told beside its input and state. */
export interface SequenceOptions {
  /** How many steps of each sequence count; all unless given. See {@link packPaddedSequence} for the other way to say so. */
  readonly lengths?: Run['lengths']
}

type Sequence = Tensor | PackedSequence
/** The parameters of one layer in one direction, under the names of their state dict without the layer's suffix. */
type Named = Readonly<Partial<Record<'weight_ih' | 'weight_hh' | 'bias_ih' | 'bias_hh' | 'weight_hr', Parameter>>>

/** What RNN, LSTM and GRU share: parameters and how sequences come and go. The state is a tensor, or several. */
abstract class Recurrent<State> extends Module<[x: Sequence, state?: State, options?: SequenceOptions], [y: Sequence, state: State]> {
  readonly inputSize: number
  readonly hiddenSize: number
  /** By layer and direction: `_l0`, `_l0_reverse`, `_l1`, … */
  private readonly layers: ReadonlyMap<string, Named>
  private readonly options: RecurrentOptions

  constructor(layer: string, gates: number, inputSize: number, hiddenSize: number, options: LSTMOptions) {
    super()
    const { numLayers = 1, bias = true, bidirectional = false, dropout = 0, projSize = 0 } = options
    for (const size of [inputSize, hiddenSize, numLayers]) if (!Number.isInteger(size) || size < 1) fail('value', layer, `sizes and the number of layers must be whole numbers ≥ 1, got ${[inputSize, hiddenSize, numLayers].join(', ')}`)
    if (!(dropout >= 0 && dropout <= 1)) fail('value', layer, `dropout must be between 0 and 1, got ${dropout}`)
    if (projSize < 0 || projSize >= hiddenSize) fail('value', layer, `projSize must be smaller than the ${hiddenSize} of the hidden size, got ${projSize}`)
    this.inputSize = inputSize
    this.hiddenSize = hiddenSize
    this.options = options
    const out = projSize || hiddenSize
    const make = (...shape: number[]): Parameter => new Parameter(uniform(shape, 1 / Math.sqrt(hiddenSize), options))
    const weights = (features: number): Named => ({
      weight_ih: make(gates * hiddenSize, features), weight_hh: make(gates * hiddenSize, out),
      ...bias && { bias_ih: make(gates * hiddenSize), bias_hh: make(gates * hiddenSize) },
      ...projSize > 0 && { weight_hr: make(projSize, hiddenSize) },
    })
    const directions = bidirectional ? ['', '_reverse'] : ['']
    this.layers = new Map(Array.from({ length: numLayers }, (_, i) => directions.map(direction => [`_l${i}${direction}`, weights(i === 0 ? inputSize : out * directions.length)] as const)).flat())
  }

  protected override fields(): Iterable<readonly [string, unknown]> {
    return [...this.layers].flatMap(([suffix, named]) => Object.entries(named).map(([name, parameter]) => [name + suffix, parameter] as const))
  }

  /** The weights of all layers and directions, as the functions of @bp/ops take them. */
  weights(): RecurrentWeights[] {
    return [...this.layers.values()].map(({ weight_ih, weight_hh, bias_ih, bias_hh, weight_hr }) => ({ ih: weight_ih!, hh: weight_hh!, biasIh: bias_ih, biasHh: bias_hh, hr: weight_hr }))
  }

  /** Runs on a tensor, or on a packed sequence, which comes back packed. */
  protected over(x: Sequence, { lengths }: SequenceOptions, run: (x: Tensor, options: Run) => [y: Tensor, state: State]): [y: Sequence, state: State] {
    const { bidirectional = false, batchFirst = false, dropout = 0, generator = defaultGenerator() } = this.options
    const options: Run = { bidirectional, batchFirst, dropout, training: this.training, generator, lengths }
    if (!(x instanceof PackedSequence)) return run(x, options)
    const [padded, own] = padPackedSequence(x)
    const [y, state] = run(padded, { ...options, batchFirst: false, lengths: own })
    return [packPaddedSequence(y, own, { enforceSorted: false }), state]
  }
}

/**
 * A plain recurrent network (Elman 1990): [steps, n, features] → the outputs [steps, n, hidden·directions] and the last states
 * [layers·directions, n, hidden]. One sequence may come without n. Parameters are named as in PyTorch, and begin even in ±1/√hidden.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { RNN } from '@bp/nn'
 * const model = new RNN(3, 4, { bidirectional: true })
 * const [y, h] = model.forward(ones([5, 2, 3]))
 * y.shape // => [5, 2, 8]
 * h.shape // => [2, 2, 4]
 * model.namedParameters().map(([name]) => name).slice(3, 6) // => [bias_hh_l0, weight_ih_l0_reverse, weight_hh_l0_reverse]
 * ```
 */
export class RNN extends Recurrent<Tensor> {
  private readonly nonlinearity: 'tanh' | 'relu'

  constructor(inputSize: number, hiddenSize: number, { nonlinearity = 'tanh', ...options }: RNNOptions = {}) {
    super('RNN', 1, inputSize, hiddenSize, options)
    this.nonlinearity = nonlinearity
  }

  override forward(x: Tensor, h0?: Tensor, options?: SequenceOptions): [y: Tensor, h: Tensor]
  override forward(x: PackedSequence, h0?: Tensor): [y: PackedSequence, h: Tensor]
  override forward(x: Sequence, h0?: Tensor, options?: SequenceOptions): [y: Sequence, h: Tensor]
  override forward(x: Sequence, h0?: Tensor, options: SequenceOptions = {}): [y: Sequence, h: Tensor] {
    return this.over(x, options, (padded, run) => rnn(padded, this.weights(), h0, { ...run, nonlinearity: this.nonlinearity }))
  }
}

/**
 * Long short-term memory (Hochreiter & Schmidhuber 1997): as {@link RNN}, with a state of two tensors, h and c.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { LSTM } from '@bp/nn'
 * const model = new LSTM(3, 4, { batchFirst: true })
 * const [y, [h, c]] = model.forward(ones([2, 5, 3]), undefined, { lengths: [5, 2] })
 * y.shape // => [2, 5, 4]
 * c.shape // => [1, 2, 4]
 * ```
 */
export class LSTM extends Recurrent<readonly [h: Tensor, c: Tensor]> {
  constructor(inputSize: number, hiddenSize: number, options: LSTMOptions = {}) {
    super('LSTM', 4, inputSize, hiddenSize, options)
  }

  override forward(x: Tensor, state?: readonly [h0: Tensor, c0: Tensor], options?: SequenceOptions): [y: Tensor, state: readonly [h: Tensor, c: Tensor]]
  override forward(x: PackedSequence, state?: readonly [h0: Tensor, c0: Tensor]): [y: PackedSequence, state: readonly [h: Tensor, c: Tensor]]
  override forward(x: Sequence, state?: readonly [h0: Tensor, c0: Tensor], options?: SequenceOptions): [y: Sequence, state: readonly [h: Tensor, c: Tensor]]
  override forward(x: Sequence, state?: readonly [h0: Tensor, c0: Tensor], options: SequenceOptions = {}): [y: Sequence, state: readonly [h: Tensor, c: Tensor]] {
    return this.over(x, options, (padded, run) => lstm(padded, this.weights(), state, run))
  }
}

/**
 * Gated recurrent units (Cho et al. 2014): as {@link RNN}, with the reset after the product, as in PyTorch.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { GRU } from '@bp/nn'
 * new GRU(3, 4).forward(ones([5, 3]))[0].shape // => [5, 4]
 * ```
 */
export class GRU extends Recurrent<Tensor> {
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions = {}) {
    super('GRU', 3, inputSize, hiddenSize, options)
  }

  override forward(x: Tensor, h0?: Tensor, options?: SequenceOptions): [y: Tensor, h: Tensor]
  override forward(x: PackedSequence, h0?: Tensor): [y: PackedSequence, h: Tensor]
  override forward(x: Sequence, h0?: Tensor, options?: SequenceOptions): [y: Sequence, h: Tensor]
  override forward(x: Sequence, h0?: Tensor, options: SequenceOptions = {}): [y: Sequence, h: Tensor] {
    return this.over(x, options, (padded, run) => gru(padded, this.weights(), h0, run))
  }
}
