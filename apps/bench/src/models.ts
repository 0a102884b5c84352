// The three networks of the training jobs, with the shared weights.

import { add, type Tensor, tensor } from '@bp/core'
import { Parameter } from '@bp/nn'
import { convolve, gelu, layerNorm, linear, maxPool, relu, reshape, scaledDotProductAttention, split, take, transpose } from '@bp/ops'
import { gpt, type Inputs } from './data.ts'

/** A network: what it computes, and what is trained. */
export interface Network {
  readonly forward: (x: Tensor) => Tensor
  readonly parameters: readonly Parameter[]
}

/** The arrays that are not input or target, as parameters. */
function parametersOf(data: Inputs): Record<string, Parameter> {
  return Object.fromEntries(Object.entries(data).flatMap(([name, { values, shape }]) => name === 'x' || name === 'y' ? [] : [[name, new Parameter(tensor(values, { shape }))]]))
}

/** 784-256-128-10 with ReLU. */
export function mlp(data: Inputs): Network {
  const p = parametersOf(data)
  return {
    parameters: Object.values(p),
    forward: x => linear(relu(linear(relu(linear(x, p.w1!, p.b1)), p.w2!, p.b2)), p.w3!, p.b3),
  }
}

/** Two 5 × 5 convolutions with ReLU and pooling, then one dense layer. */
export function cnn(data: Inputs): Network {
  const p = parametersOf(data)
  const layer = (x: Tensor, w: Parameter, b: Parameter): Tensor => maxPool(relu(add(convolve(x, w, { padding: 2 }), reshape(b, [b.size, 1, 1]))), { kernel: 2 })
  return {
    parameters: Object.values(p),
    forward: x => linear(reshape(layer(layer(x, p.w1!, p.b1!), p.w2!, p.b2!), [x.shape[0]!, 784]), p.w3!, p.b3),
  }
}

/** A causal transformer, normalising first, with gelu by tanh; logits [batch · context, vocabulary]. */
export function gptModel(data: Inputs): Network {
  const p = parametersOf(data)
  const { layers, dim, heads, context, batch, vocabulary } = gpt
  const norm = (x: Tensor, name: string): Tensor => layerNorm(x, 1, p[`${name}.weight`], p[`${name}.bias`])
  const dense = (x: Tensor, name: string): Tensor => linear(x, p[`${name}.weight`]!, p[`${name}.bias`])
  const apart = (x: Tensor): Tensor => transpose(reshape(x, [batch, context, heads, dim / heads]), [0, 2, 1, 3])
  return {
    parameters: Object.values(p),
    forward: x => {
      let h = add(take(p.tokens!, x), p.positions!)
      for (let l = 0; l < layers; l++) {
        const [q, k, v] = split(dense(norm(h, `${l}.ln1`), `${l}.qkv`), dim, 2).map(apart) as [Tensor, Tensor, Tensor]
        const seen = reshape(transpose(scaledDotProductAttention(q, k, v, { causal: true }), [0, 2, 1, 3]), [batch, context, dim])
        h = add(h, dense(seen, `${l}.out`))
        h = add(h, dense(gelu(dense(norm(h, `${l}.ln2`), `${l}.up`), { approximate: 'tanh' }), `${l}.down`))
      }
      return reshape(linear(norm(h, 'ln'), p.head!), [batch * context, vocabulary])
    },
  }
}
