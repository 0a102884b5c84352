// Operators that compute with strings: StringConcat, StringSplit, StringNormalizer, RegexFullMatch.

import { broadcastShapes, fail, sizeOf, stridesOf } from '@bp/core/extend'
import { entries } from '../import/budget.ts'
import type { ModelNode } from '../import/load.ts'
import { int64s, Known, StringTensor, type Value } from '../import/value.ts'
import { only, onValues, type Operators } from './operator.ts'
import { fullMatch } from './regex.ts'

const texts = (value: Value, node: ModelNode): StringTensor =>
  value instanceof StringTensor ? value : fail('data', node.operator, 'needs strings, got numbers. The file is damaged')

/** The elements of a tensor repeated along the axes of a shape that it broadcasts to. */
function spread({ shape, data }: StringTensor, full: readonly number[]): string[] {
  const [own, all] = [stridesOf(shape), stridesOf(full)]
  const lead = full.length - shape.length
  return Array.from({ length: entries('StringConcat', sizeOf(full)) }, (_, flat) => data[own.reduce((place, stride, i) => place + (shape[i] === 1 ? 0 : Math.floor(flat / all[i + lead]!) % full[i + lead]! * stride), 0)]!)
}

function join(a: StringTensor, b: StringTensor, node: ModelNode): StringTensor {
  const shape = broadcastShapes(node.operator, a.shape, b.shape)
  const right = spread(b, shape)
  return new StringTensor(shape, spread(a, shape).map((text, i) => text + right[i]!))
}

/** The parts of a text between delimiters, or between runs of white space; after the last cut allowed, all that follows is one part. */
function parts(text: string, delimiter: string, most: number): string[] {
  if (delimiter !== '') {
    const all = text.split(delimiter)
    return all.length <= most + 1 ? all : [...all.slice(0, most), all.slice(most).join(delimiter)]
  }
  const out: string[] = []
  let rest = text.trimStart()
  while (out.length < most) {
    const gap = /\s+/.exec(rest)
    if (!gap) break
    out.push(rest.slice(0, gap.index))
    rest = rest.slice(gap.index + gap[0].length)
  }
  return rest === '' ? out : [...out, rest]
}

/** Lists of different lengths as a tensor with one more axis, filled up with empty strings, and their lengths. */
function split(x: StringTensor, delimiter: string, most: number): [StringTensor, Known] {
  const rows = x.data.map(text => parts(text, delimiter, most))
  const longest = rows.reduce((n, row) => Math.max(n, row.length), 0)
  return [
    new StringTensor([...x.shape, longest], rows.flatMap(row => [...row, ...new Array<string>(longest - row.length).fill('')])),
    int64s(rows.map(row => row.length), x.shape),
  ]
}

/** What `case_change_action` asks for. */
const cases: Readonly<Record<string, (text: string, locale: string | undefined) => string>> = {
  LOWER: (text, locale) => text.toLocaleLowerCase(locale), UPPER: (text, locale) => text.toLocaleUpperCase(locale), NONE: text => text,
}

/** The locale of a name such as `en_US.UTF-8`; where the engine knows none such, its own. */
function localeOf(name: string): string | undefined {
  try {
    return Intl.getCanonicalLocales(name.replace(/\..*$/, '').replaceAll('_', '-'))[0]
  } catch {
    return undefined
  }
}

/** String operators by name. */
export const text: Operators = {
  StringConcat: onValues(2, ([a, b], _attributes, node) => join(texts(a!, node), texts(b!, node), node)),
  StringSplit: onValues(1, ([x], attributes, node) => split(texts(x!, node), attributes.string('delimiter', ''), attributes.has('maxsplit') ? attributes.int('maxsplit', 0) : Infinity)),
  RegexFullMatch: onValues(1, ([x], attributes, node) => {
    const { shape, data } = texts(x!, node)
    const matches = fullMatch(attributes.string('pattern', ''), node.operator)
    return new Known('bool', shape, Uint8Array.from(data, text => matches(text) ? 1 : 0))
  }),
  StringNormalizer: onValues(1, ([x], attributes, node) => {
    const { shape, data } = texts(x!, node)
    if (shape.length !== 1 && !(shape.length === 2 && shape[0] === 1)) fail('shape', node.operator, `takes [c] or [1,c], got strings of shape [${shape.join(',')}]`)
    const action = attributes.string('case_change_action', 'NONE')
    only(node, 'case_change_action', action, ...Object.keys(cases))
    const exact = attributes.int('is_case_sensitive', 0) !== 0
    const locale = attributes.has('locale') ? localeOf(attributes.string('locale', '')) : undefined
    const folded = (word: string): string => exact ? word : word.toLocaleLowerCase(locale)
    const stopwords = new Set((attributes.strings('stopwords') ?? []).map(folded))
    const kept = data.filter(word => !stopwords.has(folded(word))).map(word => cases[action]!(word, locale))
    const out = kept.length === 0 ? [''] : kept
    return new StringTensor(shape.length === 1 ? [out.length] : [1, out.length], out)
  }),
}
