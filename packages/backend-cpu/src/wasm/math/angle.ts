// Angles as quarter turns and a rest, right for all floats, huge ones too.

import { f64, f64x2, i32, i32x4, type V128, v128 } from '../instructions.ts'
import { type Callee, callFor, type Func, type Local, type ModuleBuilder } from '../module.ts'
import { doubles, type Simd } from '../simd.ts'
import { halves, joined, lowWords, type Widths } from './widths.ts'

type Vector = Local<'v128'>

/** x = quadrant·π/2 + rest with |rest| ≤ π/4; of the quadrant, a whole number in each lane, the last two bits count. */
export interface Angle {
  readonly quadrant: Vector
  readonly rest: Vector
}

const c = f64x2.const

/* π/2 in parts: all but the last have 33 bits, so that up to 2²⁰ times them is exact (Cody & Waite 1980, §8). */
const parts: Widths<readonly number[]> = {
  32: [1.5707963267341256, 6.077100506506192e-11],
  64: [1.5707963267341256, 6.077100506303966e-11, 2.0222662487959506e-21],
}
const most = 2 ** 20

/** The angles x ≥ 0; those of floats are reckoned in doubles. */
export function angleOf(simd: Simd, func: Func, x: Vector): Angle {
  const wide = doubles(simd.relaxed)
  const vectors = simd.bits === 64 ? [x] : halves(func, x)
  const angles = vectors.map(x => nearAngle(wide, func, x, parts[simd.bits]))
  func.if(v128.anyTrue(simd.op.gt(x, simd.op.const(most))), () => { angles.forEach((angle, i) => { farAngle(wide, func, vectors[i]!, angle) }) })
  const [first, second] = angles as [Angle, Angle?]
  return second ? { quadrant: func.let(lowWords(first.quadrant, second.quadrant)), rest: func.let(joined(first.rest, second.rest)) } : first
}

function nearAngle(simd: Simd, func: Func, x: Vector, parts: readonly number[]): Angle {
  // next to this doubles are 1 apart: adding it rounds to a whole number, which the low bits then hold
  const magic = c(1.5 * 2 ** 52)
  const quadrant = func.let(simd.madd(x, c(2 / Math.PI), magic))
  const n = func.let(f64x2.sub(quadrant, magic))
  return { quadrant, rest: func.let(parts.reduce<V128>((rest, part) => simd.nmadd(n, c(part), rest), x)) }
}

/** Puts the angles in the place of near ones where x is large. */
function farAngle(simd: Simd, func: Func, x: Vector, { quadrant, rest }: Angle): void {
  const helper = func.module.helper('angle', module => defineAngle(simd, module))
  const swapped = func.let(v128.shuffle(x, x, [8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7]))
  const found = [x, swapped].map(x => {
    const angle = { quadrant: func.local('v128'), rest: func.local('v128') }
    func.receive([angle.quadrant, angle.rest], helper, x)
    return angle
  }) as [Angle, Angle]
  const far = func.let(f64x2.gt(x, c(most)))
  for (const [name, near] of [['quadrant', quadrant], ['rest', rest]] as const) {
    const both = v128.shuffle(found[0][name], found[1][name], [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23])
    func.set(near, v128.select(both, near, far))
  }
}

/* 2/π = Σ wordsᵢ·2^−26(i + 1), computed with 2500 bits: as many as the largest double needs. */
const words = [
  42722829, 48555073, 21659401, 56087029, 13858563, 28715353, 38736100, 4324945, 26128250, 62674459, 29957006, 37899730,
  58726692, 49193117, 6588223, 35515164, 46442140, 65964067, 24988590, 54822121, 41009306, 54917092, 5137525, 37323603,
  15192690, 4585659, 58608142, 52426903, 67074070, 25231090, 63202006, 34237727, 28629499, 15891632, 40752081, 37709470,
  25143477, 55737260, 33225084, 24853767, 15195689, 19476134, 50255852, 18845021, 2185228, 50622407,
]

/**
 * Defines the angle of a large double, the first lane. Its products with words of 2/π are exact, and so is what is left of them
 * without whole turns: words before those that count are left out, and eight are enough (after Payne & Hanek 1983).
 */
function defineAngle(simd: Simd, module: ModuleBuilder): Callee {
  const word = defineWord(module)
  const func = module.func(['v128'], ['v128', 'v128'])
  const [x] = func.params
  const exponent = func.let(i32.sub(i32.and(i32.shrU(i32x4.lane(x, 1), 20), 0x7ff), 1023))
  const first = func.let(i32.maxS(0, i32.divS(i32.sub(exponent, 54), 26)))
  // 1 ≤ x/2ᵉ < 2 in two parts of at most 27 bits
  const mantissa = func.let(v128.or(v128.and(x, v128.const(repeated(0x000fffffffffffffn))), c(1)))
  const high = func.let(v128.and(mantissa, v128.const(repeated(0xfffffffff8000000n))))
  const low = func.let(f64x2.sub(mantissa, high))
  // 2^(e − 26(i + 1))
  const scale = func.let(simd.bit.shl(i32x4.splat(i32.add(i32.sub(exponent, i32.mul(i32.add(first, 1), 26)), 1023)), 52))
  const turns = func.let(c(0)), below = func.let(c(0)), quadrant = func.let(c(0))
  const term = func.local('v128'), sum = func.local('v128'), part = func.local('v128')
  func.for(first, i32.add(first, 8), 1, i => {
    const factor = func.let(f64x2.mul(f64x2.splat(callFor('f64', word, i)), scale))
    for (const half of [high, low]) {
      func.set(term, f64x2.mul(half, factor))
      func.set(term, f64x2.sub(term, f64x2.mul(f64x2.nearest(f64x2.mul(term, c(0.25))), c(4))))
      // what rounding loses of the sum (Knuth 1969, §4.2.2)
      func.set(sum, f64x2.add(turns, term))
      func.set(part, f64x2.sub(sum, turns))
      func.set(below, f64x2.add(below, f64x2.add(f64x2.sub(turns, f64x2.sub(sum, part)), f64x2.sub(term, part))))
      func.set(turns, sum)
    }
    const whole = func.let(f64x2.nearest(turns))
    func.set(turns, f64x2.sub(turns, whole))
    func.set(quadrant, f64x2.add(quadrant, whole))
    func.set(scale, f64x2.mul(scale, c(2 ** -26)))
  })
  const total = func.let(f64x2.add(turns, below))
  const left = func.let(f64x2.add(f64x2.sub(turns, total), below))
  const rest = f64x2.add(f64x2.mul(total, c(Math.PI / 2)), f64x2.add(f64x2.mul(left, c(Math.PI / 2)), f64x2.mul(total, c(6.123233995736766e-17))))
  // NaN where x is infinite
  func.do(f64x2.add(quadrant, c(1.5 * 2 ** 52)).code, f64x2.add(rest, f64x2.sub(x, x)).code)
  return func
}

const repeated = (bits: bigint): number[] => [...new Uint8Array(BigUint64Array.of(bits, bits).buffer)]

/** Defines the function that gives words by their number. */
function defineWord(module: ModuleBuilder): Callee {
  const func = module.func(['i32'], ['f64'])
  words.forEach((word, i) => { func.if(i32.eq(func.params[0], i), () => { func.return(f64.const(word)) }) })
  func.do(f64.const(0).code)
  return func
}
