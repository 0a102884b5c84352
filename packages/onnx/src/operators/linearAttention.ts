// Recurrent forms of attention: LinearAttention, and the causal convolution that stands before it.

import { add, full, mul, type Tensor } from '@bp/core'
import { describe, fail, isFloat } from '@bp/core/extend'
import { cast, concat, convolve, exp, matmul, narrow, reshape, silu, sub, transpose } from '@bp/ops'
import { entries } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { forHeads, joinHeads } from './attention.ts'
import { perPart } from './geometry.ts'
import { only, onTensors, type Operator, type Operators } from './operator.ts'

/** [n, length, heads·d] as [n, heads, 1, d] for each place. */
function steps(x: Tensor, heads: number, node: ModelNode): Tensor[] {
  const [n, length, width] = x.shape as [number, number, number]
  if (x.rank !== 3 || heads < 1 || width % heads !== 0) fail('shape', node.operator, `needs [n, length, heads·d], got ${describe(x)} of ${heads} head(s). The file does not fit its input`)
  entries(node.operator, perPart * length)
  return Array.from({ length }, (_, t) => reshape(narrow(x, 1, t, 1), [n, heads, 1, width / heads]))
}

const upright = (x: Tensor): Tensor => transpose(x, [0, 1, 3, 2])

/** Short floats are computed in float32. */
const long = (x: Tensor): Tensor => isFloat(x.dtype) && x.dtype !== 'float64' ? cast(x, 'float32') : x

/**
 * A state S that remembers values by keys, place by place (Katharopoulos et al. 2020, "Transformers are RNNs", eq. 18; with decay Yang et al.
 * 2024, "Gated Linear Attention", eq. 3; the delta rule Schlag et al. 2021; both Yang et al. 2025, "Gated Delta Networks", eq. 10):
 *
 * S ← exp(g)·S,   u = v, or with the delta rule β·(v − Sᵀ·k),   S ← S + k·uᵀ,   o = scale·Sᵀ·q
 */
const linearAttention: Operator = onTensors(3, ([query, key, value, past, decay, beta], attributes, node) => {
  const rule = attributes.string('update_rule', 'gated_delta')
  only(node, 'update_rule', rule, 'linear', 'gated', 'delta', 'gated_delta')
  for (const [name, given, wanted] of [['decay', decay, rule.startsWith('gated')], ['beta', beta, rule.endsWith('delta')]] as const) {
    if ((given !== undefined) !== wanted) fail('data', node.operator, `update_rule ${JSON.stringify(rule)} goes ${wanted ? 'with' : 'without'} ${name}. The file is damaged`)
  }
  const [heads, own] = [attributes.int('q_num_heads', 0), attributes.int('kv_num_heads', 0)]
  const [qs, ks, vs] = [steps(long(query!), heads, node), steps(long(key!), own, node), steps(long(value!), own, node)]
  const gs = decay && steps(exp(long(decay)), own, node)
  const betas = beta && steps(long(beta), beta.shape[2] === 1 ? 1 : own, node)
  const [n, dk, dv] = [query!.shape[0]!, query!.shape[2]! / heads, value!.shape[2]! / own]
  const given = attributes.float('scale', 0)
  const scale = given === 0 ? 1 / Math.sqrt(dk) : given
  let state = past ? long(past) : full([n, own, dk, dv], 0, long(query!).dtype, query!.backend)
  const rows = qs.map((q, t) => {
    const k = upright(ks[t]!)
    const kept = gs ? mul(state, upright(gs[t]!)) : state
    const u = betas ? mul(betas[t]!, sub(vs[t]!, matmul(ks[t]!, kept))) : vs[t]!
    state = add(kept, mul(k, u))
    return mul(matmul(q, forHeads(state, heads, node)), scale)
  })
  const y = rows.length === 0 ? full([n, heads, 0, dv], 0, state.dtype, state.backend) : concat(rows, 2)
  return [cast(joinHeads(y), query!.dtype), cast(state, (past ?? query!).dtype)]
})

/** A convolution of each channel that looks back only; what came before is given, else zeros, and its end is given on. */
const causalConvolution: Operator = onTensors(2, ([x, w, bias, past], attributes, node) => {
  const activation = attributes.string('activation', 'none')
  only(node, 'activation', activation, 'none', 'silu', 'swish')
  if (x!.rank !== 3 || w!.rank !== 3) fail('shape', node.operator, `needs x [n, c, length] and weights [c, 1, k], got ${describe(x!)} and ${describe(w!)}. The file does not fit its input`)
  const [n, channels] = x!.shape as [number, number]
  const back = w!.shape[2]! - 1
  const whole = concat([past ?? full([n, channels, back], 0, x!.dtype, x!.backend), x!], 2)
  const y = convolve(whole, w!, { bias, groups: channels })
  return [activation === 'none' ? y : silu(y), narrow(whole, 2, whole.shape[2]! - back, back)]
})

/** Recurrent attention by name. */
export const recurrentAttention: Operators = { LinearAttention: linearAttention, CausalConvWithState: causalConvolution }
