// npm run experiment -- memory|cost: measures what theory says of checkpointing and of the price of a gradient.

import { writeFileSync } from 'node:fs'
import { cpu } from '@bp/backend-cpu'
import { use } from '@bp/core'
import { plot, table } from '@bp/kit'
import { type Cost, measureCost, plan } from './cost.ts'
import { exponent, measureMemory } from './memory.ts'

const megabytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(2)

const print = (text: string): void => { process.stdout.write(`${text}\n`) }

function memory(): void {
  const backend = cpu()
  const rows = [4, 16, 25, 49, 100].map(layers => measureMemory(backend, layers, 9))
  print('A network of dense layers with ReLU, 32 wide, batch 2048, float32: one forward and backward pass.')
  print('Peak MiB over parameters and gradients, counted by the allocator after a full collection at every op.\n')
  print(table([
    ['layers', 'plain MiB', '√L MiB', 'saved', 'MiB/√L', 'time', 'gradients'],
    ...rows.map(({ layers, plain, checkpointed, slowdown, identical }) => [
      String(layers), megabytes(plain), megabytes(checkpointed), `${(plain / checkpointed).toFixed(1)}×`, megabytes(checkpointed / Math.sqrt(layers)), `${slowdown.toFixed(2)}×`, identical ? 'identical' : 'DIFFER',
    ]),
  ]))
  const deep = rows.filter(({ layers }) => layers >= 16)
  const law = (of: 'plain' | 'checkpointed'): string => exponent(deep.map(({ layers }) => layers), deep.map(row => row[of])).toFixed(2)
  print(`\nFrom 16 layers on, plain grows as L^${law('plain')}, checkpointed as L^${law('checkpointed')}.`)
}

function cost(file: string | undefined): void {
  use(cpu())
  const rows = plan.map(([depth, width]) => measureCost(depth, width, 128, 15))
  print('A perceptron with ReLU, batch 128, float32: the gradient by all parameters, in forward passes (medians of ratios).\n')
  print(table([
    ['layers', 'width', 'parameters', 'forward ms', 'gradient ms', 'ratio', 'finite differences'],
    ...rows.map(({ depth, width, parameters, forward, gradient, ratio }) => [
      String(depth), String(width), String(parameters), forward.toFixed(3), gradient.toFixed(3), ratio.toFixed(2), String(2 * parameters),
    ]),
  ]))
  if (file === undefined) return
  const line = (name: string, chosen: readonly Cost[], y: (row: Cost) => number) => ({ name, points: chosen.toSorted((a, b) => a.parameters - b.parameters).map(row => [row.parameters, y(row)] as const) })
  writeFileSync(file, plot('What a gradient costs', { name: 'parameters', log: true }, { name: 'forward passes', log: true }, [
    line('finite differences', rows, ({ parameters }) => 2 * parameters),
    line('backpropagation, by width', rows.filter(({ depth }) => depth === 8), ({ ratio }) => ratio),
    line('backpropagation, by depth', rows.filter(({ width }) => width === 128), ({ ratio }) => ratio),
  ]))
  print(`\nPlotted in ${file}`)
}

const [name, file] = process.argv.slice(2)
if (name === 'memory') memory()
else if (name === 'cost') cost(file)
else {
  process.stderr.write('usage: npm run -s experiment -- memory | cost [FILE.svg]\n')
  process.exitCode = 2
}
