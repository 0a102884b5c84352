// The progress bar on a terminal and in a file, and its parts.

import { cpu } from '@bp/backend-cpu'
import { tensor, use } from '@bp/core'
import { Linear, mseLoss, SGD } from '@bp/nn'
import { expect, test } from 'vitest'
import { bar, clock, fit, type FitOptions, formatLog, ProgressBar } from '../index.ts'

use(cpu())

/** What a run writes, with speeds and times blanked. */
async function shown(terminal: { readonly isTTY?: boolean; readonly columns?: number }, limits: Partial<FitOptions<Linear, unknown>>): Promise<string[]> {
  const parts: string[] = []
  const model = new Linear(1, 1, { bias: false })
  model.loadStateDict(new Map([['weight', tensor([[1]])]]))
  const data = [1, 2, 3].map(() => [tensor([[1], [1]]), tensor([[2], [2]])])
  await fit<Linear, unknown>(model, { data, loss: mseLoss, optimiser: new SGD(model.parameters(), { lr: 0.25 }), callbacks: [new ProgressBar({ ...terminal, write: text => parts.push(text) })], ...limits })
  return parts.map(text => text.replace('\r\x1b[2K', '⟲').replace(/[\d,]+\/s/, 'N/s').replace(/[\d:–]+ left/, 'T left'))
}

test('a file gets a line for each epoch', async () => {
  expect((await shown({}, { epochs: 2 })).join('')).toMatchInlineSnapshot(`
    "epoch 1/2  loss 0.4375  N/s  T left
    epoch 2/2  loss 0.0068  N/s  T left
    "
  `)
})

test('a terminal gets a bar as wide as it is, redrawn, which a line replaces', async () => {
  const [first, ...rest] = await shown({ isTTY: true, columns: 36 }, { epochs: 1 })
  expect(first).toMatchInlineSnapshot(`"⟲epoch 1/1  ████████░░░░░░░░░░░░░░░░ "`)
  expect(rest.at(-1)).toMatchInlineSnapshot(`
    "⟲epoch 1/1  loss 0.4375  N/s  T left
    "
  `)
})

test('where steps are the limit, they are counted', async () => {
  const [first] = await shown({ isTTY: true, columns: 100 }, { steps: 4 })
  expect(first).toMatchInlineSnapshot(`"⟲step 1/4  ██████░░░░░░░░░░░░░░░░░░  loss 1.0000  N/s  T left"`)
})

test('numbers and times are short', () => {
  expect(bar({ label: 'step 12', logs: {}, samplesPerSecond: 3, secondsLeft: Infinity })).toBe('step 12  3/s')
  expect([clock(59.6), clock(3600), clock(NaN)]).toEqual(['1:00', '60:00', '–'])
  expect([0, 0.5, -12.345678, 1e-5, 123456, NaN].map(value => formatLog('x', value))).toEqual(['x 0.0000', 'x 0.5000', 'x -12.3457', 'x 1.00e-5', 'x 1.23e+5', 'x NaN'])
})
