// The assembler against the engine: what it writes is valid, and computes what it says.

import { describe, expect, it } from 'vitest'
import { signed, unsigned } from './encode.ts'
import { engine } from './engine.ts'
import { features } from './features.ts'
import { callFor, ModuleBuilder } from './module.ts'
import { f32, f32x4, f64, f64x2, i32, i32x4, i64x2, type V128, v128 } from './instructions.ts'
import { doubles, floats } from './simd.ts'

const memory = { pages: 1, maxPages: 1, shared: false }

/** The exports of a module that `build` fills. */
function exportsOf(build: (module: ModuleBuilder) => void): { readonly words: Int32Array; readonly numbers: Float32Array; readonly call: (name: string, ...args: number[]) => unknown } {
  const module = new ModuleBuilder(memory)
  build(module)
  const bytes = module.encode()
  expect(engine().validate(bytes)).toBe(true)
  const own = new (engine().Memory)({ initial: 1, maximum: 1, shared: false })
  const { exports } = new (engine().Instance)(new (engine().Module)(bytes), { env: { memory: own } })
  return { words: new Int32Array(own.buffer), numbers: new Float32Array(own.buffer), call: (name, ...args) => (exports[name] as (...args: number[]) => unknown)(...args) }
}

describe('the binary format', () => {
  it('writes LEB128 as the specification does', () => {
    expect([unsigned(0), unsigned(127), unsigned(128), unsigned(624485)]).toEqual([[0], [127], [128, 1], [0xe5, 0x8e, 0x26]])
    expect([signed(0), signed(-1), signed(63), signed(64), signed(-123456)]).toEqual([[0], [0x7f], [63], [0xc0, 0], [0xc0, 0xbb, 0x78]])
    expect(signed(2 ** 31)).toEqual(signed(-(2 ** 31)))
  })
})

describe('control flow', () => {
  it('loops, branches and calls', () => {
    const { call } = exportsOf(module => {
      const square = module.func(['i32'], ['i32'])
      square.do(i32.mul(square.params[0], square.params[0]).code)
      const sum = module.func(['i32'], ['i32'], 'sum')
      const total = sum.int(0)
      sum.for(0, sum.params[0], 1, i => { sum.if(i32.and(i, 1), () => { sum.add(total, callFor('i32', square, i)) }, () => { sum.add(total, 1) }) })
      sum.return(total)
      sum.do([0x00])
    })
    expect([call('sum', 0), call('sum', 1), call('sum', 6)]).toEqual([0, 1, 1 + 9 + 25 + 3])
  })

  it('makes a helper once, and keeps several results', () => {
    const { call } = exportsOf(module => {
      const divide = (): ReturnType<ModuleBuilder['helper']> => module.helper('divide', module => {
        const func = module.func(['i32', 'i32'], ['i32', 'i32'])
        func.do(i32.divS(func.params[0], func.params[1]).code, i32.remU(func.params[0], func.params[1]).code)
        return func
      })
      const digits = module.func(['i32'], ['i32'], 'digits')
      const [quotient, rest] = [digits.local('i32'), digits.local('i32')]
      digits.receive([quotient, rest], divide(), digits.params[0], i32.const(7))
      expect(divide()).toBe(divide())
      digits.return(i32.add(i32.mul(quotient, 10), rest))
      digits.do([0x00])
    })
    expect([call('digits', 20), call('digits', 48)]).toEqual([26, 66])
  })

  it('counts atomically, and gives the value before', () => {
    const { call, words } = exportsOf(module => {
      const func = module.func([], ['i32'], 'next')
      func.do(i32.atomicAdd(16, 3).code)
    })
    expect([call('next'), call('next'), words[4]]).toEqual([0, 3, 6])
  })
})

describe('vectors', () => {
  const apply = (f: (a: V128, b: V128) => V128, a: readonly number[], b: readonly number[]): number[] => {
    const { numbers, call } = exportsOf(module => {
      const func = module.func([], [], 'run')
      func.do(v128.store(32, f(v128.load(0), v128.load(16))))
    })
    numbers.set([...a, ...b])
    call('run')
    return [...numbers.subarray(8, 12)]
  }

  it('computes four floats at once', () => {
    expect(apply(f32x4.add, [1, 2, 3, 4], [10, 20, 30, 40])).toEqual([11, 22, 33, 44])
    expect(apply((a, b) => v128.select(a, b, f32x4.lt(a, b)), [1, 5, 3, 7], [2, 4, 6, 6])).toEqual([1, 4, 3, 6])
    expect(apply((a, b) => v128.shuffle(a, b, [0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23]), [1, 2, 3, 4], [5, 6, 7, 8])).toEqual([1, 5, 2, 6])
    expect(apply((a, b) => f32x4.convertI32(i32x4.add(i32x4.truncF32(a), i32x4.truncF32(b))), [1.9, -1.9, NaN, 3], [1, 1, 1, 1])).toEqual([2, 0, 1, 4])
  })

  it('has the same operations on doubles', () => {
    const { call, words } = exportsOf(module => {
      const func = module.func([], [], 'run')
      const sum = func.let(f64x2.add(f64x2.const(1.5), f64x2.const(2.25)))
      func.do(f64.store(0, f64x2.lane(sum, 1)), f32.store(8, f32.demote(f64x2.lane(sum, 0))), v128.store(16, i64x2.add(i64x2.const(-1n), i64x2.const(3n))))
    })
    call('run')
    expect(new Float64Array(words.buffer, 0, 1)[0]).toBe(3.75)
    expect(new Float32Array(words.buffer, 8, 1)[0]).toBe(3.75)
    expect(new BigInt64Array(words.buffer, 16, 2)).toEqual(BigInt64Array.of(2n, 2n))
  })

  it.each([false, ...features()?.relaxed ? [true] : []])('multiplies and adds (in one instruction: %s)', relaxed => {
    expect(apply((a, b) => floats(relaxed).madd(a, b, f32x4.const(1)), [1, 2, 3, 4], [2, 2, 2, 2])).toEqual([3, 5, 7, 9])
    expect(apply((a, b) => floats(relaxed).nmadd(a, b, f32x4.const(1)), [1, 2, 3, 4], [2, 2, 2, 2])).toEqual([-1, -3, -5, -7])
    expect(doubles(relaxed).lanes).toBe(2)
  })
})
