// What apps share: command lines that explain themselves, and charts whose points stand where their values are.

import { describe, expect, test } from 'vitest'
import { choice, flag, plot, positive, readOptions, table, text, UsageError, whole } from './index.ts'

describe('a command line', () => {
  const specs = { steps: whole(10, 'steps'), lr: positive(0.1, 'rate'), decay: positive(0, 'decay', true), model: choice(['lstm', 'gru'], 'which', 'M'), out: text('out', 'where', 'DIR'), resume: flag('go on') }
  const read = (...argv: string[]): unknown => readOptions(argv, specs, 'Trains.', 'npm run it')

  test('gives values of the right types, or the defaults', () => {
    expect(read()).toEqual({ steps: 10, lr: 0.1, decay: 0, model: 'lstm', out: 'out', resume: false })
    expect(read('--steps', '3', '--lr', '1e-2', '--model', 'gru', '--out', 'there', '--resume')).toEqual({ steps: 3, lr: 0.01, decay: 0, model: 'gru', out: 'there', resume: true })
  })

  test('explains itself', () => {
    expect(read('-h')).toMatchInlineSnapshot(`
      "Trains.

        npm run it -- [options]

        --steps N  steps      (10)
        --lr X     rate       (0.1)
        --decay X  decay      (0)
        --model M  which      (lstm)
        --out DIR  where      (out)
        --resume   go on
        --help     this text
      "
    `)
  })

  test.each([
    [['--steps', '0'], "--steps must be a whole number ≥ 1, got '0'"],
    [['--steps', ''], "--steps must be a whole number ≥ 1, got ''"],
    [['--lr', '0'], "--lr must be a number > 0, got '0'"],
    [['--decay', '-1'], undefined],
    [['--decay', 'x'], "--decay must be a number ≥ 0, got 'x'"],
    [['--model', 'tree'], '--model tree is not available; use lstm or gru'],
    [['--colour'], undefined],
  ])('%j is refused', (argv, message) => {
    expect(() => read(...argv)).toThrow(UsageError)
    if (message !== undefined) expect(() => read(...argv)).toThrow(message)
  })
})

describe('a chart', () => {
  const points = (svg: string): [number, number][] => [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [Number(x), Number(y)])
  const line = { name: 'a < b', points: [[1, 10], [10, 100], [100, 1000]] as const }

  test('puts powers of ten at equal distances on logarithmic axes', () => {
    const [a, b, c] = points(plot('t', { name: 'x', log: true }, { name: 'y', log: true }, [line])) as [[number, number], [number, number], [number, number]]
    expect(b[0] - a[0]).toBeCloseTo(c[0] - b[0], 0)
    expect(b[1] - a[1]).toBeCloseTo(c[1] - b[1], 0)
    expect(a[1]).toBeGreaterThan(c[1])
  })

  test('puts values in proportion on linear axes, and names what it shows', () => {
    const svg = plot('title', { name: 'steps' }, { name: 'loss' }, [line])
    const [a, b, c] = points(svg) as [[number, number], [number, number], [number, number]]
    expect((c[0] - a[0]) / (b[0] - a[0])).toBeCloseTo(11, 1)
    for (const word of ['title', 'steps', 'loss', 'a &lt; b', '>1000<', '>0<']) expect(svg).toContain(word)
  })

  test('keeps names of lines that end together apart', () => {
    const svg = plot('t', { name: 'x' }, { name: 'y' }, ['p', 'q', 'r'].map(name => ({ name, points: [[0, 0], [1, 1]] as const })))
    const heights = ['p', 'q', 'r'].map(name => Number(new RegExp(`y="([\\d.]+)"[^>]*>${name}<`).exec(svg)![1]))
    expect(heights[1]! - heights[0]!).toBeGreaterThanOrEqual(18)
    expect(heights[2]! - heights[1]!).toBeGreaterThanOrEqual(18)
  })
})

test('a table aligns its columns', () => {
  expect(table([['unit', 'w'], ['h1', '-1.25'], ['output', '3']], true)).toBe('unit        w\nh1      -1.25\noutput      3')
})
