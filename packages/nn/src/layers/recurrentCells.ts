// Recurrent cells, one step at a time: RNNCell, LSTMCell and GRUCell.

import type { Tensor } from '@bp/core'
import { gruCell, lstmCell, type RecurrentWeights, rnnCell } from '@bp/ops'
import { uniform } from '../init.ts'
import { Module, Parameter } from '../module.ts'
import type { LayerOptions } from './linear.ts'

/** Parameters of a cell, named as in PyTorch; even in ±1/√hidden at first. */
abstract class Cell<State> extends Module<[x: Tensor, state?: State], State> {
  readonly weight_ih: Parameter
  readonly weight_hh: Parameter
  readonly bias_ih: Parameter | null
  readonly bias_hh: Parameter | null

  constructor(gates: number, inputSize: number, hiddenSize: number, options: LayerOptions) {
    super()
    const make = (...shape: number[]): Parameter => new Parameter(uniform(shape, 1 / Math.sqrt(hiddenSize), options))
    const bias = options.bias ?? true
    this.weight_ih = make(gates * hiddenSize, inputSize)
    this.weight_hh = make(gates * hiddenSize, hiddenSize)
    this.bias_ih = bias ? make(gates * hiddenSize) : null
    this.bias_hh = bias ? make(gates * hiddenSize) : null
  }

  protected weights(): RecurrentWeights {
    return { ih: this.weight_ih, hh: this.weight_hh, biasIh: this.bias_ih ?? undefined, biasHh: this.bias_hh ?? undefined }
  }
}

/** Options of {@link RNNCell}. */
export interface RNNCellOptions extends LayerOptions {
  /** tanh unless given. */
  readonly nonlinearity?: 'tanh' | 'relu'
}

/**
 * One step of an RNN: x [n, features] and h [n, hidden], zeros unless given, to the next h. Both may come without n.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { RNNCell } from '@bp/nn'
 * new RNNCell(3, 4).forward(ones([2, 3])).shape // => [2, 4]
 * ```
 */
export class RNNCell extends Cell<Tensor> {
  private readonly nonlinearity: 'tanh' | 'relu'

  constructor(inputSize: number, hiddenSize: number, { nonlinearity = 'tanh', ...options }: RNNCellOptions = {}) {
    super(1, inputSize, hiddenSize, options)
    this.nonlinearity = nonlinearity
  }

  override forward(x: Tensor, h?: Tensor): Tensor {
    return rnnCell(x, this.weights(), h, { nonlinearity: this.nonlinearity })
  }
}

/**
 * One step of an LSTM: x [n, features] and the state h and c, each [n, hidden], to the next state.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { LSTMCell } from '@bp/nn'
 * const [h, c] = new LSTMCell(3, 4).forward(ones([2, 3]))
 * c.shape // => [2, 4]
 * ```
 */
export class LSTMCell extends Cell<readonly [h: Tensor, c: Tensor]> {
  constructor(inputSize: number, hiddenSize: number, options: LayerOptions = {}) {
    super(4, inputSize, hiddenSize, options)
  }

  override forward(x: Tensor, state?: readonly [h: Tensor, c: Tensor]): [h: Tensor, c: Tensor] {
    return lstmCell(x, this.weights(), state)
  }
}

/**
 * One step of a GRU: x [n, features] and h [n, hidden] to the next h.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { GRUCell } from '@bp/nn'
 * new GRUCell(3, 4).forward(ones([3])).shape // => [4]
 * ```
 */
export class GRUCell extends Cell<Tensor> {
  constructor(inputSize: number, hiddenSize: number, options: LayerOptions = {}) {
    super(3, inputSize, hiddenSize, options)
  }

  override forward(x: Tensor, h?: Tensor): Tensor {
    return gruCell(x, this.weights(), h)
  }
}
