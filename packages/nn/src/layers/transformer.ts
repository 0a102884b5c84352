// A whole transformer: an encoder of one sequence and a decoder of another that attends to it.

import { noGrad, type Tensor } from '@bp/core'
import { xavierUniform } from '../init.ts'
import { Module } from '../module.ts'
import { LayerNorm } from './norm.ts'
import { type DecoderMasks, TransformerDecoder, TransformerDecoderLayer } from './transformerDecoder.ts'
import { type EncoderMasks, TransformerEncoder, TransformerEncoderLayer, type TransformerOptions } from './transformerEncoder.ts'

/** Options of {@link Transformer}. */
export interface WholeTransformerOptions extends TransformerOptions {
  /** 6 unless given. */
  readonly numEncoderLayers?: number
  /** 6 unless given. */
  readonly numDecoderLayers?: number
}

/** Masks of both parts of a {@link Transformer}. */
export interface TransformerMasks extends DecoderMasks, Pick<EncoderMasks, 'srcMask' | 'srcKeyPaddingMask'> {
  /** A place of the source sees itself and what comes before. */
  readonly srcIsCausal?: boolean | undefined
}

/**
 * An encoder and a decoder, each normalised at its end (Vaswani et al. 2017): source [s, n, dim] and target [l, n, dim] → [l, n, dim],
 * or n first with `batchFirst`. PyTorch's `nn.Transformer`; matrices begin by Glorot's rule.
 *
 * @example
 * ```ts
 * import { ones } from '@bp/core'
 * import { Transformer } from '@bp/nn'
 * const model = new Transformer(4, 2, { numEncoderLayers: 1, numDecoderLayers: 1, feedForward: 8, batchFirst: true })
 * model.forward(ones([2, 5, 4]), ones([2, 3, 4]), { tgtIsCausal: true }).shape // => [2, 3, 4]
 * ```
 */
export class Transformer extends Module<[source: Tensor, target: Tensor, masks?: TransformerMasks]> {
  readonly encoder: TransformerEncoder
  readonly decoder: TransformerDecoder

  constructor(dim = 512, heads = 8, { numEncoderLayers = 6, numDecoderLayers = 6, ...layer }: WholeTransformerOptions = {}) {
    super()
    const norm = (): LayerNorm => new LayerNorm(dim, { ...layer, eps: layer.layerNormEps ?? 1e-5 })
    this.encoder = new TransformerEncoder(() => new TransformerEncoderLayer(dim, heads, layer), numEncoderLayers, norm())
    this.decoder = new TransformerDecoder(() => new TransformerDecoderLayer(dim, heads, layer), numDecoderLayers, norm())
    noGrad(() => { for (const p of this.parameters()) if (p.rank > 1) p.assign(xavierUniform(p.shape, layer)) })
  }

  override forward(source: Tensor, target: Tensor, { srcMask, srcKeyPaddingMask, srcIsCausal, ...masks }: TransformerMasks = {}): Tensor {
    return this.decoder.forward(target, this.encoder.forward(source, { srcMask, srcKeyPaddingMask, isCausal: srcIsCausal }), masks)
  }
}
