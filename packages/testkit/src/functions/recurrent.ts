// Samples of recurrent networks, their cells, and rotary positions.

import { gru, gruCell, lstm, lstmCell, type RecurrentWeights, rnn, rnnCell, rotaryEmbedding } from '@bp/ops'
import type { Tensor } from '@bp/core'
import type { FunctionSample } from '../functions.ts'
import { fixed, operand, whole, type OperandSpec } from '../sample.ts'

/** The operands of one layer: weights and biases of `gates` parts. */
const layer = (gates: number, features: number, hidden: number): OperandSpec[] => [[gates * hidden, features], [gates * hidden, hidden], [gates * hidden], [gates * hidden]].map(shape => operand(shape))

const weightsOf = ([ih, hh, biasIh, biasHh]: readonly Tensor[]): RecurrentWeights => ({ ih: ih!, hh: hh!, biasIh, biasHh })

const x = operand([3, 2, 2])
const state = operand([1, 2, 2])

/** Recurrent networks of one layer, two directions, two lengths, their cells, and positions. */
export const recurrentFunctions: Readonly<Record<string, readonly FunctionSample[]>> = {
  rnn: [
    { f: (xs, h, ...ws) => rnn(xs, [weightsOf(ws)], h), operands: [x, state, ...layer(1, 2, 2)] },
    { f: (xs, ...ws) => rnn(xs, [weightsOf(ws.slice(0, 4)), weightsOf(ws.slice(4))], undefined, { bidirectional: true, lengths: [3, 1] }), operands: [x, ...layer(1, 2, 2), ...layer(1, 2, 2)] },
  ],
  lstm: [
    { f: (xs, h, c, ...ws) => lstm(xs, [weightsOf(ws)], [h, c]).flat(), operands: [x, state, state, ...layer(4, 2, 2)] },
    { f: (xs, ih, hh, hr) => lstm(xs, [{ ih: ih, hh: hh, hr }], undefined, { batchFirst: true }).flat(), operands: [x, operand([8, 2]), operand([8, 1]), operand([1, 2])] },
  ],
  gru: [
    { f: (xs, h, ...ws) => gru(xs, [weightsOf(ws)], h, { lengths: [2, 3] }), operands: [x, state, ...layer(3, 2, 2)] },
    { f: (xs, ...ws) => gru(xs, [weightsOf(ws)]), operands: [operand([2, 2]), ...layer(3, 2, 2)] },
  ],
  rnnCell: [{ f: (xs, h, ...ws) => rnnCell(xs, weightsOf(ws), h), operands: [operand([2, 3]), operand([2, 2]), ...layer(1, 3, 2)] }],
  lstmCell: [{ f: (xs, h, c, ...ws) => lstmCell(xs, weightsOf(ws), [h, c]), operands: [operand([2, 3]), operand([2, 2]), operand([2, 2]), ...layer(4, 3, 2)] }],
  rotaryEmbedding: [
    { f: xs => rotaryEmbedding(xs), operands: [operand([2, 3, 4])] },
    { f: (xs, positions) => rotaryEmbedding(xs, { positions, interleaved: false, base: 100 }), operands: [operand([2, 6]), fixed([2], 'int32', whole(0, 9))] },
  ],
  gruCell: [{ f: (xs, h, ...ws) => gruCell(xs, weightsOf(ws), h), operands: [operand([3]), operand([2]), ...layer(3, 3, 2)] }],
}
