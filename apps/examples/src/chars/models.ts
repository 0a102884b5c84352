// Networks that read characters and say, at each place, how likely every character is to come next.

import { add, type Tensor } from '@bp/core'
import { Embedding, LayerNorm, Linear, LSTM, Module, TransformerEncoderLayer } from '@bp/nn'
import { type Generator, iota } from '@bp/ops'

/** The kinds of networks. */
export const modelKinds = ['transformer', 'lstm'] as const

/** How large a network is. */
export interface ModelOptions {
  readonly model: typeof modelKinds[number]
  /** Characters that it sees at once. */
  readonly context: number
  readonly dim: number
  readonly layers: number
  /** Of the transformer. */
  readonly heads: number
}

/** Numbers of characters i32[n, length] → logits [n, length, alphabet]. */
export type CharModel = Module

/** A transformer that looks back only (Vaswani et al. 2017; layer normalisation first and GELU, as in GPT-2, Radford et al. 2019). */
export class CharTransformer extends Module {
  private readonly characters: Embedding
  private readonly places: Embedding
  private readonly blocks: readonly TransformerEncoderLayer[]
  private readonly norm: LayerNorm
  private readonly head: Linear

  constructor(alphabetSize: number, { context, dim, layers, heads }: ModelOptions, generator: Generator) {
    super()
    this.characters = new Embedding(alphabetSize, dim, { generator })
    this.places = new Embedding(context, dim, { generator })
    this.blocks = Array.from({ length: layers }, () => new TransformerEncoderLayer(dim, heads, { feedForward: 4 * dim, dropout: 0, activation: 'gelu', normFirst: true, batchFirst: true, generator }))
    this.norm = new LayerNorm(dim)
    this.head = new Linear(dim, alphabetSize, { generator })
    // unit deviation is too much for what every block adds to
    for (const { weight } of [this.characters, this.places]) weight.assign(generator.normal(weight.shape, { std: 0.1 }))
  }

  override forward(x: Tensor): Tensor {
    const embedded = add(this.characters.forward(x), this.places.forward(iota(x.shape[1]!, 'int32')))
    return this.head.forward(this.norm.forward(this.blocks.reduce((h, block) => block.forward(h, { causal: true }), embedded)))
  }
}

/** Long short-term memory (Hochreiter & Schmidhuber 1997), which begins every window with an empty one. */
export class CharLSTM extends Module {
  private readonly characters: Embedding
  private readonly lstm: LSTM
  private readonly head: Linear

  constructor(alphabetSize: number, { dim, layers }: ModelOptions, generator: Generator) {
    super()
    this.characters = new Embedding(alphabetSize, dim, { generator })
    this.lstm = new LSTM(dim, dim, { numLayers: layers, batchFirst: true, generator })
    this.head = new Linear(dim, alphabetSize, { generator })
  }

  override forward(x: Tensor): Tensor {
    return this.head.forward(this.lstm.forward(this.characters.forward(x))[0])
  }
}

const models = { transformer: CharTransformer, lstm: CharLSTM }

/** The network that the options ask for, its first values drawn from the generator. */
export const charModel = (alphabetSize: number, options: ModelOptions, generator: Generator): CharModel => new models[options.model](alphabetSize, options, generator)
