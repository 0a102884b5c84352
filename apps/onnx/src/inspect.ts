// bp-onnx inspect: what a model is made of, as a table and as a picture.

import { writeFileSync } from 'node:fs'
import { sizeOf } from '@bp/core/extend'
import { type InferredShapes, inferShapes, type ModelValue, type NodeShapes, type OnnxModule, type ValueShape } from '@bp/onnx'
import { bytes, columns, count, typed } from './columns.ts'
import type { Command } from './command.ts'
import { dimsOf, loadModel } from './model.ts'
import { type Arrow, type Box, type Kind, picture } from './picture.ts'

const shapeText = (value: ValueShape | null): string => value === null ? '' : value.shape === null ? `${value.type ?? '?'}[…]` : typed(value.type ?? '?', value.shape)

const valueText = ({ name, kind, type, shape }: ModelValue): string => `${name} ${kind === 'tensor' ? '' : `${kind} of `}${shape === null ? `${type ?? '?'}[…]` : typed(type ?? '?', shape)}`

/** One line a node: number, name, operator, results, parameters, operations, memory. */
function nodeRows(nodes: readonly NodeShapes[]): string[][] {
  return nodes.map(({ node, outputs, parameters, flops, bytes: memory }, i) =>
    [String(i), node.name, node.operator, outputs.map(shapeText).join(' '), parameters === 0 ? '' : count(parameters), flops === null ? '?' : flops === 0 ? '' : count(flops), memory === null ? '?' : bytes(memory)])
}

/** A sum over nodes, with a sign for what is unknown. */
function total(nodes: readonly NodeShapes[], of: (node: NodeShapes) => number | null, text: (n: number) => string): string {
  const known = nodes.map(of)
  return `${text(known.reduce<number>((sum, n) => sum + (n ?? 0), 0))}${known.includes(null) ? ' and what depends on data' : ''}`
}

function overview(model: OnnxModule, { nodes, at, contradictions }: InferredShapes): string {
  const parameters = model.parameters()
  const size = parameters.reduce((sum, p) => sum + sizeOf(p.shape), 0)
  const counts = new Map<string, number>()
  for (const { node } of nodes) counts.set(node.operator, (counts.get(node.operator) ?? 0) + 1)
  const operators = [...counts].sort(([, a], [, b]) => b - a)
  const open = Object.entries(at).map(([name, n]) => `${name} = ${n}`).join(', ')
  return columns([
    ['producer', [model.producer.name, model.producer.version].filter(text => text !== '').join(' ') || '(not said)'],
    ['inputs', model.inputs.map(valueText).join('; ')],
    ['outputs', model.outputs.map(valueText).join('; ')],
    ['parameters', `${count(size)} in ${parameters.length} tensors`],
    ['nodes', `${nodes.length}: ${operators.map(([name, times]) => `${times} ${name}`).join(', ')}`],
    ['operations', total(nodes, ({ flops }) => flops, count)],
    ['results', `${total(nodes, ({ bytes: memory }) => memory, bytes)} if all were kept`],
    ...open === '' ? [] : [['open sizes', `counted at ${open}; choose others with --dims`]],
    ...contradictions.map(text => ['contradicts', text]),
  ])
}

const moves = /^(Reshape|Transpose|Squeeze|Unsqueeze|Flatten|Slice|Concat|Split|Expand|Gather|Shape|Cast|Identity|Pad|Tile)$/

const kindOf = ({ node, parameters }: NodeShapes): Kind => parameters > 0 ? 'weights' : moves.test(node.operator) ? 'move' : 'other'

/** Boxes for the model's ends and its nodes, arrows for the values that run between them. */
function drawing(model: OnnxModule, { nodes, values }: InferredShapes): string {
  const outer = new Set(model.nodes)
  const drawn = nodes.filter(({ node }) => outer.has(node))
  const makers = new Map<string, string>(model.inputs.map(({ name }) => [name, `in ${name}`]))
  drawn.forEach(({ node }, i) => { for (const name of node.outputs) if (name !== '') makers.set(name, `node ${i}`) })
  const boxes: Box[] = [
    ...model.inputs.map(({ name }): Box => ({ id: `in ${name}`, lines: [name], kind: 'end' })),
    ...drawn.map((shapes, i): Box => ({ id: `node ${i}`, lines: [shapes.node.operator, ...shapes.parameters > 0 ? [`${count(shapes.parameters)} parameters`] : []], kind: kindOf(shapes) })),
    ...model.outputs.map(({ name }): Box => ({ id: `out ${name}`, lines: [name], kind: 'end' })),
  ]
  const arrow = (name: string, to: string): Arrow[] => makers.has(name) ? [{ from: makers.get(name)!, to, label: values.has(name) ? shapeText(values.get(name)!).replace(/^\w+/, '') : '' }] : []
  const arrows = [...drawn.flatMap(({ node }, i) => [...new Set(node.inputs)].flatMap(name => arrow(name, `node ${i}`))), ...model.outputs.flatMap(({ name }) => arrow(name, `out ${name}`))]
  return picture(boxes, arrows)
}

export const inspect: Command = {
  usage: 'MODEL [options]', about: 'Prints the nodes of a model with shapes, parameters, operations and memory.',
  options: { dims: ['NAME=N', 'a size for an open axis'], svg: ['FILE', 'a picture of the graph'] },
  flags: { brief: 'only the overview' },
  run: (args, say) => {
    const model = loadModel(args.files[0])
    const shapes = inferShapes(model, { dims: Object.fromEntries(dimsOf(args)) })
    if (!args.on('brief')) say(`${columns([['', 'node', 'operator', 'results', 'parameters', 'operations', 'memory'], ...nodeRows(shapes.nodes)], [0, 4, 5, 6])}\n`)
    say(overview(model, shapes))
    const file = args.last('svg')
    if (file !== undefined) {
      writeFileSync(file, drawing(model, shapes))
      say(`drawn to ${file}`)
    }
    return 0
  },
}
