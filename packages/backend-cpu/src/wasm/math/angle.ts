// Angles as quarter turns and a rest, right for all floats, huge ones too.

import { f32x4, f64x2, type V128, v128 } from '../instructions.ts'
import type { Func, Local } from '../module.ts'
import type { Simd } from '../simd.ts'
import { halves, joined, lowWords } from './widths.ts'

type Vector = Local<'v128'>

/** x = quadrant·π/2 + rest with |rest| ≤ π/4; of the quadrant, a whole number, the last two bits count. */
export interface Angle {
  readonly quadrant: Vector
  readonly rest: Vector
}

const c = f64x2.const

/** A number next to which doubles are 1 apart: adding it rounds to a whole number. */
const magic = c(1.5 * 2 ** 52)

/* π/2 in two parts: the first has 33 bits, so that up to 2²⁰ times it is exact (Cody & Waite 1980, §8). */
const high = 1.5707963267341256
const low = 6.077100506506192e-11

/** Four floats' angles, reckoned in doubles. */
export function angleOf(doubles: Simd, func: Func, x: V128): Angle {
  const size = func.let(x)
  const quadrant = func.local('v128'), rest = func.local('v128')
  const [a, b] = halves(func, size)
  const [p, q] = [nearAngle(doubles, func, a), nearAngle(doubles, func, b)]
  func.set(quadrant, lowWords(p.quadrant, q.quadrant))
  func.set(rest, joined(p.rest, q.rest))
  const far = f32x4.gt(f32x4.abs(size), f32x4.const(2 ** 20))
  func.if(v128.anyTrue(far), () => {
    const huge = func.module.helper('angle of any float', module => {
      const helper = module.func(['v128'], ['v128', 'v128'])
      const [a, b] = halves(helper, helper.params[0])
      const [p, q] = [anyAngle(doubles, helper, a), anyAngle(doubles, helper, b)]
      helper.do(lowWords(p.quadrant, q.quadrant).code, joined(p.rest, q.rest).code)
      return helper
    })
    func.receive([quadrant, rest], huge, size)
  })
  return { quadrant, rest }
}

/** The angle of two doubles that hold floats up to 2²⁰. */
function nearAngle(simd: Simd, func: Func, x: Vector): { quadrant: V128; rest: V128 } {
  const k = func.let(simd.madd(x, c(2 / Math.PI), magic))
  const n = func.let(f64x2.sub(k, magic))
  return { quadrant: k, rest: simd.nmadd(n, c(low), simd.nmadd(n, c(high), x)) }
}

/* 2/π = Σ wordsᵢ·2^−28(i + 1), computed with 2500 bits: as many as the largest float needs. */
const words = [170891318, 240010261, 44024437, 131200308, 232525238, 43358524, 70845471]

/**
 * The angle of any float, held in a double. Its products with words of 2/π are exact, and so is what is left of them without
 * whole turns, so that only what counts is added up (after Payne & Hanek 1983).
 */
function anyAngle(simd: Simd, func: Func, x: Vector): Angle {
  const turns = func.let(c(0)), quadrant = func.let(c(0))
  words.forEach((word, i) => {
    const term = func.let(f64x2.mul(x, c(word * 2 ** (-28 * (i + 1)))))
    func.set(turns, f64x2.add(turns, simd.nmadd(f64x2.nearest(f64x2.mul(term, c(0.25))), c(4), term)))
    const whole = func.let(f64x2.nearest(turns))
    func.set(turns, f64x2.sub(turns, whole))
    func.set(quadrant, f64x2.add(quadrant, whole))
  })
  return { quadrant: func.let(f64x2.add(quadrant, magic)), rest: func.let(f64x2.mul(turns, c(Math.PI / 2))) }
}
