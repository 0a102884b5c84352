// Regular expressions of RE2, matched in time linear in the text whatever the pattern, by following all ways at once (Thompson 1968).

import { fail } from '@bp/core/extend'
import { unsupported } from '../import/errors.ts'
import { escaped, perlClass, readClass } from './regexClass.ts'

/** What a pattern is made of: one character, a condition on the characters around a place, and how these are put together. */
type Part =
  | { readonly kind: 'char'; readonly fits: (char: string) => boolean }
  | { readonly kind: 'place'; readonly holds: (before: string, after: string) => boolean }
  | { readonly kind: 'all'; readonly parts: readonly Part[] }
  | { readonly kind: 'any'; readonly parts: readonly Part[] }
  | { readonly kind: 'repeat'; readonly part: Part; readonly least: number; readonly most: number }

/** RE2's limits on nesting and repetition, and one on the size of all. */
const limits = { depth: 1000, repeat: 1000, states: 20_000 } as const

const isWord = (char: string): boolean => /^[0-9A-Za-z_]$/.test(char)
const places: Readonly<Record<string, (before: string, after: string) => boolean>> = {
  '\\A': before => before === '', '\\z': (_before, after) => after === '',
  '\\b': (before, after) => isWord(before) !== isWord(after), '\\B': (before, after) => isWord(before) === isWord(after),
}
const lines: typeof places = { '^': before => before === '' || before === '\n', $: (_before, after) => after === '' || after === '\n' }

const quantifier = /(?:([*+?])|\{(\d+)(,)?(\d*)\})\??/y
const group = /\((?:\?P?<\w+>|\?([imsU]*)(?:-([imsU]+))?([:)])|(?!\?))/y
const token = /\\Q([^]*?)(?:\\E|$)|\\[pP](?:\{\^?\w+\}|\w)|\\x(?:\{[0-9A-Fa-f]+\}|[0-9A-Fa-f]{2})|\\0[0-7]{0,2}|\\[1-7][0-7]{2}|\\[^]|[^]/uy

/** Reads a pattern from left to right. */
class Reader {
  private readonly pattern: string
  private readonly operator: string
  private at = 0
  private depth = 0
  private flags: ReadonlySet<string> = new Set()

  constructor(pattern: string, operator: string) {
    this.pattern = pattern
    this.operator = operator
  }

  read(): Part {
    const all = this.alternatives()
    return this.at === this.pattern.length ? all : this.wrong('a parenthesis is closed that was not opened')
  }

  private alternatives(): Part {
    if (++this.depth > limits.depth) this.refuse(`nesting deeper than ${limits.depth} levels`)
    const before = this.flags
    const branches = [this.sequence()]
    while (this.pattern[this.at] === '|') {
      this.at++
      branches.push(this.sequence())
    }
    this.flags = before
    this.depth--
    return { kind: 'any', parts: branches }
  }

  private sequence(): Part {
    const parts: Part[] = []
    while (this.at < this.pattern.length && !'|)'.includes(this.pattern[this.at]!)) parts.push(...this.quantified(this.item()))
    return { kind: 'all', parts }
  }

  /** The part repeated as what follows says; of several characters that were quoted, the last. */
  private quantified(parts: readonly Part[]): readonly Part[] {
    const match = this.take(quantifier)
    const last = parts.at(-1)
    if (!match) return parts
    const [, sign, low, comma, high] = match
    const least = sign === undefined ? Number(low) : sign === '+' ? 1 : 0
    const most = sign === undefined ? comma === undefined ? least : high === '' ? Infinity : Number(high) : sign === '?' ? 1 : Infinity
    if (!last || most < least || least > limits.repeat || (most > limits.repeat && most !== Infinity) || this.take(quantifier)) return this.wrong(`${match[0]} cannot repeat what it stands at`)
    return [...parts.slice(0, -1), { kind: 'repeat', part: last, least, most }]
  }

  private item(): readonly Part[] {
    const char = this.pattern[this.at]!
    if (char === '(') return this.group()
    if (char === '[') {
      const { source, end } = readClass(this.pattern, this.at, what => this.refuse(what))
      this.at = end
      return [this.char(source)]
    }
    const [text, quoted] = this.take(token)!
    if (quoted !== undefined) return Array.from(quoted, one => this.literal(one))
    if (text === '.') return [{ kind: 'char', fits: this.flags.has('s') ? () => true : one => one !== '\n' }]
    if (text === '^' || text === '$') return [{ kind: 'place', holds: this.flags.has('m') ? lines[text]! : places[text === '^' ? '\\A' : '\\z']! }]
    if (Object.hasOwn(places, text)) return [{ kind: 'place', holds: places[text]! }]
    if ('*+?'.includes(text)) return this.wrong(`${text} repeats nothing`)
    return [text.length > 1 && text.startsWith('\\') ? this.char(perlClass(text) ?? escaped(text) ?? this.refuse(text)) : this.literal(text)]
  }

  /** A group, with or without a name, or flags for the rest of the one around it. */
  private group(): readonly Part[] {
    const match = this.take(group) ?? this.refuse(this.pattern.slice(this.at, this.at + 3))
    const [, on, off, end] = match
    const outer = this.flags
    if (end !== undefined) this.flags = new Set([...outer, ...Array.from(on!)].filter(flag => !off?.includes(flag)))
    if (end === ')') return []
    const inner = this.alternatives()
    this.flags = outer
    if (this.pattern[this.at++] !== ')') this.wrong('a parenthesis is not closed')
    return [inner]
  }

  private literal(char: string): Part {
    if (!this.flags.has('i')) return { kind: 'char', fits: one => one === char }
    return this.char(/[\^$\\.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char)
  }

  private char(source: string): Part {
    try {
      const expression = new RegExp(`^${source}$`, this.flags.has('i') ? 'ui' : 'u')
      return { kind: 'char', fits: one => expression.test(one) }
    } catch {
      return this.wrong(`there are no characters ${source}`)
    }
  }

  private take(expression: RegExp): RegExpExecArray | null {
    expression.lastIndex = this.at
    const match = expression.exec(this.pattern)
    if (match) this.at += match[0].length
    return match
  }

  private readonly refuse = (what: string): never => unsupported(this.operator, `${what} in the pattern ${JSON.stringify(this.pattern)}`)

  private wrong(what: string): never {
    return fail('data', this.operator, `the pattern ${JSON.stringify(this.pattern)} is no regular expression of RE2: ${what}. Write it anew`)
  }
}

/** A place in the machine: what must be there to go on, and where to; without a condition on to all of several. */
interface State {
  readonly part: Extract<Part, { kind: 'char' | 'place' }> | null
  readonly next: number[]
}

/** Adds the states of a part before the state `next`, at least one, so that their limit bounds the work, and returns where it begins. */
function build(part: Part, next: number, states: State[], tooLarge: () => never): number {
  const add = (state: State): number => states.length < limits.states ? states.push(state) - 1 : tooLarge()
  const on = (inner: Part, to: number): number => build(inner, to, states, tooLarge)
  if (part.kind === 'char' || part.kind === 'place') return add({ part, next: [next] })
  if (part.kind === 'all' && part.parts.length > 0) return part.parts.reduceRight((to, inner) => on(inner, to), next)
  if (part.kind === 'any') return part.parts.length === 1 ? on(part.parts[0]!, next) : add({ part: null, next: part.parts.map(inner => on(inner, next)) })
  if (part.kind === 'all' || part.most === 0) return add({ part: null, next: [next] })
  let to = next
  if (part.most === Infinity) {
    const loop: number[] = [next]
    to = add({ part: null, next: loop })
    loop.push(on(part.part, to))
  } else for (let i = part.least; i < part.most; i++) to = add({ part: null, next: [next, on(part.part, to)] })
  for (let i = 0; i < part.least; i++) to = on(part.part, to)
  return to
}

/** A test of whether all of a text matches a pattern of RE2. Throws where the pattern is none, or asks for what is not implemented. */
export function fullMatch(pattern: string, operator: string): (text: string) => boolean {
  const states: State[] = [{ part: null, next: [] }]
  const start = build(new Reader(pattern, operator).read(), 0, states, () => unsupported(operator, `the size of the pattern ${JSON.stringify(pattern.slice(0, 40))}…`))
  /** All states that are reached from some between two characters. */
  const reach = (from: readonly number[], before: string, after: string): Set<number> => {
    const reached = new Set<number>()
    const open = [...from]
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      if (reached.has(at)) continue
      reached.add(at)
      const { part, next } = states[at]!
      if (part === null || (part.kind === 'place' && part.holds(before, after))) open.push(...next)
    }
    return reached
  }
  return text => {
    const chars = Array.from(text)
    let now = reach([start], '', chars[0] ?? '')
    chars.forEach((char, i) => {
      const following = [...now].flatMap(at => {
        const { part, next } = states[at]!
        return part?.kind === 'char' && part.fits(char) ? next : []
      })
      now = reach(following, char, chars[i + 1] ?? '')
    })
    return now.has(0)
  }
}
