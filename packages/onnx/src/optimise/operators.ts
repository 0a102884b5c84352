// Patterns that ONNX has one operator for: layer normalisation, GELU, Swish.

import { attributeType, type NodeProto } from '../proto/proto.ts'
import { type Draft, is } from './draft.ts'
import type { Pass } from './simplify.ts'

/** The operand of a node beside one that is known, where there are two. */
const other = (node: NodeProto, name: string): string | null => node.input!.length === 2 ? node.input![0] === name ? node.input![1]! : node.input![1] === name ? node.input![0]! : null : null

/** The next node after a value that nothing else reads, where it is one of these operators. */
function next(draft: Draft, name: string, ...operators: readonly string[]): NodeProto | null {
  const node = draft.soleReader(name)
  return is(node, ...operators) ? node : null
}

/** The axes that a reduction takes, where they are known and kept. */
function keptAxes(draft: Draft, node: NodeProto): number[] | null {
  const a = draft.attributes(node)
  const given = node.input![1] ? draft.literal(node.input![1])?.data : a.ints('axes')
  return given && a.int('keepdims', 1) !== 0 ? Array.from<number | bigint, number>(given, Number) : null
}

/** (x − mean x)/√(mean (x − mean x)² + ε)·γ + β over the last axis as LayerNormalization. */
const layerNorm: Pass = draft => {
  if (draft.opset < 17) return 0
  let count = 0
  for (const centre of [...draft.nodes]) {
    const mean = draft.maker(centre.input?.[1])
    const x = centre.input?.[0] ?? ''
    if (!is(centre, 'Sub') || !is(mean, 'ReduceMean') || mean.input![0] !== x || !draft.soleReader(mean.output![0]!)) continue
    const last = (axes: number[] | null): boolean => axes?.length === 1 && (axes[0] === -1 || axes[0] === (draft.ranks.get(x) ?? 0) - 1)
    const d = centre.output![0]!
    const readers = draft.readersOf(d)
    const square = readers.find(node => is(node, 'Pow') && node.input![0] === d && draft.number(node.input![1]) === 2 || is(node, 'Mul') && node.input![0] === d && node.input![1] === d)
    const quotient = readers.find(node => is(node, 'Div') && node.input![0] === d)
    const variance = square && next(draft, square.output![0]!, 'ReduceMean')
    const sum = variance && next(draft, variance.output![0]!, 'Add')
    const eps = sum && draft.number(other(sum, variance.output![0]!))
    const root = sum && next(draft, sum.output![0]!, 'Sqrt')
    if (!square || !quotient || !variance || !sum || !root || typeof eps !== 'number' || quotient.input![1] !== root.output![0] || !draft.soleReader(root.output![0]!)) continue
    if (draft.outputs.has(d) || new Set(readers).size !== 2 || !last(keptAxes(draft, mean)) || !last(keptAxes(draft, variance))) continue
    const scale = next(draft, quotient.output![0]!, 'Mul')
    const gamma = scale && other(scale, quotient.output![0]!)
    const shift = scale && next(draft, scale.output![0]!, 'Add')
    const beta = shift && other(shift, scale.output![0]!)
    const [g, b] = [draft.floats(gamma), draft.floats(beta)]
    if (!scale || gamma === null || g?.shape.length !== 1) continue
    const biased = shift && beta !== null && b?.shape.length === 1 && b.dtype === g.dtype && b.shape[0] === g.shape[0]
    const swallowed = [mean, centre, square, variance, sum, root, quotient, scale, ...biased ? [shift] : []]
    draft.replace(swallowed, [{
      name: centre.name ?? '', opType: 'LayerNormalization', input: [x, gamma, ...biased ? [beta] : []], output: (biased ? shift : scale).output!,
      attribute: [{ name: 'axis', type: attributeType('INT'), i: -1 }, { name: 'epsilon', type: attributeType('FLOAT'), f: eps }],
    }])
    count++
  }
  return count
}

const near = (a: number | null, b: number): boolean => a !== null && Math.abs(a - b) < 1e-5

/** A value as its product with a number, where it is one: `[x, number]`. */
function multiple(draft: Draft, name: string | null): { readonly node: NodeProto; readonly x: string; readonly by: number } | null {
  const node = draft.maker(name)
  if (!is(node, 'Mul') || !draft.soleReader(name!)) return null
  const side = draft.number(node.input![1]) !== null ? 0 : 1
  const by = draft.number(node.input![1 - side])
  return by === null ? null : { node, x: node.input![side]!, by }
}

/** x·½·(1 + erf(x/√2)), multiplied in any order, as Gelu (Hendrycks and Gimpel 2016). */
const gelu: Pass = draft => {
  if (draft.opset < 20) return 0
  let count = 0
  for (const erf of [...draft.nodes]) {
    const inner = draft.maker(erf.input?.[0])
    if (!is(erf, 'Erf') || !is(inner, 'Div', 'Mul') || !draft.soleReader(erf.input![0]!)) continue
    if (!near(draft.number(inner.input![1]), inner.opType === 'Div' ? Math.SQRT2 : Math.SQRT1_2)) continue
    const x = inner.input![0]!
    const plus = next(draft, erf.output![0]!, 'Add')
    const product = plus && next(draft, plus.output![0]!, 'Mul')
    if (!product || draft.number(other(plus, erf.output![0]!)) !== 1) continue
    const beside = other(product, plus.output![0]!)
    const halved = multiple(draft, beside)
    const after = halved ? null : next(draft, product.output![0]!, 'Mul')
    const last = after && other(after, product.output![0]!)
    const whole = halved?.x === x && near(halved.by, 0.5) ? { swallowed: [halved.node], output: product.output! }
      : after && ((beside === x && near(draft.number(last), 0.5)) || (last === x && near(draft.number(beside), 0.5))) ? { swallowed: [after], output: after.output! } : null
    if (!whole) continue
    draft.replace([inner, erf, plus, product, ...whole.swallowed], [{ name: erf.name ?? '', opType: 'Gelu', input: [x], output: whole.output }])
    count++
  }
  return count
}

/** x·hardSigmoid(x) as HardSwish, and x·sigmoid(x) as Swish. */
const swish: Pass = draft => {
  let count = 0
  for (const node of [...draft.nodes]) {
    if (!is(node, 'Mul') || node.input!.length !== 2) continue
    const gate = [1, 0].map(i => draft.maker(node.input![i])).find(maker => is(maker, 'HardSigmoid', 'Sigmoid') && draft.soleReader(maker.output![0]!) === node)
    if (!gate || other(node, gate.output![0]!) !== gate.input![0]!) continue
    const a = draft.attributes(gate)
    const hard = gate.opType === 'HardSigmoid'
    if (hard ? draft.opset < 14 || Math.abs(a.float('alpha', 0.2) - 1 / 6) > 1e-6 || a.float('beta', 0.5) !== 0.5 : draft.opset < 24) continue
    draft.replace([gate, node], [{ name: node.name ?? '', opType: hard ? 'HardSwish' : 'Swish', input: [gate.input![0]], output: node.output! }])
    count++
  }
  return count
}

/** The patterns by what a report calls them. */
export const intoOperators: Readonly<Record<string, Pass>> = { 'LayerNormalization': layerNorm, 'Gelu': gelu, 'HardSwish and Swish': swish }
