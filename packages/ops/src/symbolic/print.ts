// Printing an expression as people write it: signs, powers, and no parenthesis that is not needed.

import { addRow, type AnyRow, mulRow } from '@bp/core/extend'
import { divRow, negRow, subRow } from '../rows/arithmetic.ts'
import { castRow, equalRow, lessEqualRow, lessRow } from '../rows/compare.ts'
import { powRow } from '../rows/exponential.ts'
import type { Expression } from './expression.ts'

/** A printed part and how strongly it holds together: 1 comparison, 2 sum, 3 product, 4 power, 5 whole. */
interface Printed {
  readonly text: string
  readonly bind: number
}

const infix: ReadonlyMap<AnyRow, { readonly sign: string; readonly bind: number; readonly left: number; readonly right: number }> = /* @__PURE__ */ new Map<AnyRow, { sign: string; bind: number; left: number; right: number }>([
  [equalRow, { sign: ' = ', bind: 1, left: 2, right: 2 }],
  [lessRow, { sign: ' < ', bind: 1, left: 2, right: 2 }],
  [lessEqualRow, { sign: ' ≤ ', bind: 1, left: 2, right: 2 }],
  [addRow, { sign: ' + ', bind: 2, left: 2, right: 2 }],
  [subRow, { sign: ' - ', bind: 2, left: 2, right: 3 }],
  [mulRow, { sign: '*', bind: 3, left: 3, right: 3 }],
  [divRow, { sign: '/', bind: 3, left: 3, right: 4 }],
  [powRow, { sign: '^', bind: 4, left: 5, right: 5 }],
])

const within = ({ text, bind }: Printed, least: number): string => bind < least ? `(${text})` : text

/** Prints an expression in full: a part that is shared is written each time. */
export function print(expression: Expression): string {
  return printed(expression).text
}

function printed(e: Expression): Printed {
  if (e.kind === 'variable') return { text: e.name, bind: 5 }
  if (e.kind === 'number') return { text: String(Number(e.value.toPrecision(7))), bind: e.value < 0 ? 2 : 5 }
  const [a, b] = e.args.map(printed)
  const row = e.row!
  if (row === negRow || (row === mulRow && e.args[0]!.value === -1)) return { text: `-${within(row === negRow ? a! : b!, 3)}`, bind: 2 }
  if (row === addRow && b!.text.startsWith('-') && e.args[1]!.row !== addRow) return { text: `${within(a!, 2)} - ${b!.text.slice(1)}`, bind: 2 }
  const sign = infix.get(row)
  // a number's sign may stand in front of the whole product
  if (sign?.bind === 3 && e.args[0]!.value < 0) return { text: a!.text + sign.sign + within(b!, sign.right), bind: 2 }
  if (sign) return { text: within(a!, sign.left) + sign.sign + within(b!, sign.right), bind: sign.bind }
  if (row === castRow) return { text: `[${a!.text}]`, bind: 5 }
  const params = e.params === undefined ? '' : `; ${Object.entries(e.params as object).map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(', ')}`
  return { text: `${row.name}(${e.args.map(arg => printed(arg).text).join(', ')}${params})`, bind: 5 }
}
