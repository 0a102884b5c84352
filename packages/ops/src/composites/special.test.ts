// Special functions against values computed to 60 digits with mpmath, their derivatives at small and large arguments, and
// the ends of their domains.

import { cpu } from '@bp/backend-cpu'
import { grad, type Tensor, tensor, use } from '@bp/core'
import { describe, expect, test } from 'vitest'
import * as ops from '../index.ts'

use(cpu())

const t = (data: readonly number[]): Tensor => tensor([...data], { dtype: 'float64' })
const values = (x: Tensor): number[] => Array.from(x.dataSync(), Number)
const near = (got: readonly number[], want: readonly number[], tolerance = 4e-15): void => {
  expect(got).toHaveLength(want.length)
  got.forEach((value, i) => { expect(Math.abs(value - want[i]!), `${value} ≈ ${want[i]!}`).toBeLessThanOrEqual(tolerance * Math.abs(want[i]!)) })
}
const slope = (f: (x: Tensor) => Tensor, order = 1): (x: Tensor) => Tensor =>
  order === 0 ? f : grad(x => ops.sum(slope(f, order - 1)(x)))

describe('to double precision', () => {
  test.each<[string, (x: Tensor) => Tensor, number[], number[]]>([
    ['erfc', ops.erfc, [-3, -0.25, 1e-9, 0.5, 2, 10, 26], [1.9999779095030015, 1.276326390168237, 0.9999999988716208, 0.4795001221869535, 0.004677734981047266, 2.088487583762545e-45, 5.663192408856143e-296]],
    ['erfcx', ops.erfcx, [-5, -0.25, 0.5, 3, 50, 1e8], [144009798674.66104, 1.358642370104722, 0.6156903441929259, 0.17900115118138996, 0.011281536265323773, 5.641895835477563e-9]],
    ['erfinv', ops.erfinv, [1e-9, 0.25, -0.85, 0.999999], [8.86226925452758e-10, 0.2253120550121781, -1.0179024648320276, 3.458910737275499]],
    ['ndtri', ops.ndtri, [1e-200, 1e-9, 0.0625, 0.3, 0.75], [-30.20559417957964, -5.9978070150076865, -1.5341205443525463, -0.5244005127080408, 0.6744897501960817]],
    ['logNdtr', ops.logNdtr, [-200, -3, -0.5, 2], [-20006.21728089819, -6.607726221510349, -1.1759117615936185, -0.02301290932896349]],
    ['lgamma', ops.lgamma, [1e-9, 0.4375, 1.0009765625, 1.9990234375, 2.75, 9.5, 150, -0.375, -2.25], [20.723265836369194, 0.7054761459854453, -0.0005629031799912047, -0.0004125677359714894, 0.47521466691493713, 11.689333420797269, 600.0094705553274, 1.3416587485006664, 0.5555015450206475]],
    ['digamma', ops.digamma, [0.001, 0.75, 3.5, 42, -0.25, -5.625], [-1000.5755719318103, -1.0858608797864722, 1.103156640645243, 3.725717617937282, 2.9141391202135276, 0.512194010151368]],
    ['polygamma 1', x => ops.polygamma(1, x), [0.125, 2.5, 30, -1.75], [65.38813344498803, 0.49035775610023485, 0.033895060357739946, 19.301637544529786]],
    ['polygamma 4', x => ops.polygamma(4, x), [0.125, 2.5, 30, -1.75], [-786445.9854310638, -0.3137559995067314, -7.914941340181023e-06, -24481.777338295888]],
    ['mvlgamma', x => ops.mvlgamma(x, 3), [2.25], [1.6592935862241982]],
    ['i0', ops.i0, [0.5, -3, 24, 30, 700], [1.0634833707413236, 4.8807925858650245, 2168619088.2413764, 781672297823.9775, 1.5295933476718737e302]],
    ['i0e', ops.i0e, [0.5, -3, 24, 30, 2000], [0.6450352704491501, 0.2430003541618254, 0.08186828833403062, 0.0731459464822373, 0.00892117827643967]],
    ['i1', ops.i1, [0.5, -3, 24, 30, 700], [0.2578943053908963, -3.9533702174026093, 2122947893.2873137, 768532038938.957, 1.5285003902339006e302]],
    ['i1e', ops.i1e, [0.5, -3, 24, 30, 2000], [0.1564208031848717, -0.19682671329730086, 0.08014413927653474, 0.07191633059864755, 0.008918947702944238]],
    ['sinc', ops.sinc, [1e-6, 0.25, -1.75, 7.125], [0.9999999999983551, 0.9003163161571061, -0.1286166165938723, -0.017096409796568995]],
    ['sinh', ops.sinh, [1e-9, -0.5, 20, -700], [1e-9, -0.5210953054937474, 242582597.70489514, -5.0711602736750225e303]],
    ['cosh', ops.cosh, [0.5, -20, 700], [1.1276259652063807, 242582597.70489514, 5.0711602736750225e303]],
    ['asinh', ops.asinh, [1e-9, -0.5, 20, -1e10, 1e300], [1e-9, -0.48121182505960347, 3.6895038689889055, -23.7189981105004, 691.4686750787737]],
    ['acosh', ops.acosh, [1.0000001, 1.5, 1e10, 1e300], [0.0004472135919037347, 0.9624236501192069, 23.7189981105004, 691.4686750787737]],
    ['atanh', ops.atanh, [1e-9, -0.5, 0.999999], [1e-9, -0.5493061443340549, 7.254328619247669]],
    ['logit', ops.logit, [1e-9, 0.3, 0.5000001, 0.999], [-20.72326583594641, -0.8472978603872037, 3.99999999789463e-7, 6.906754778648553]],
    ['exp2', ops.exp2, [0.5, -1000.25, 900.125], [1.4142135623730951, 7.847780312860669e-302, 9.217748341251355e270]],
  ])('%s', (_, f, xs, want) => { near(values(f(t(xs))), want) })

  test('ndtr, whose far tails magnify the rounding of x/√2', () => {
    near(values(ops.ndtr(t([-8, -0.5, 0.75, 3]))), [6.220960574271784e-16, 0.3085375387259869, 0.7733726476231318, 0.9986501019683699], 3e-14)
  })

  test('derivatives that the textbook formula would cancel', () => {
    near(values(slope(ops.sinc)(t([1e-5]))), [-3.289868133371756e-5])
    near(values(slope(ops.sinc, 2)(t([0]))), [-3.289868133696453])
    near(values(slope(ops.erfcx)(t([1e4]))), [-5.641895750849127e-9])
    near(values(slope(ops.logNdtr)(t([-200]))), [200.00499975003123])
    expect(values(slope(ops.logNdtr, 2)(t([50])))).toEqual([0])
    expect(values(slope(ops.i1)(t([0])))).toEqual([0.5])
    expect(values(slope(ops.i1, 2)(t([0])))).toEqual([0])
  })
})

test.each<[string, (x: Tensor) => Tensor, number[], number[]]>([
  ['erfc', ops.erfc, [-Infinity, 0, Infinity, NaN], [2, 1, 0, NaN]],
  ['erfcx', ops.erfcx, [-Infinity, -30, 0, Infinity, NaN], [Infinity, Infinity, 1, 0, NaN]],
  ['erfinv', ops.erfinv, [-1, 0, 1, 1.5, NaN], [-Infinity, 0, Infinity, NaN, NaN]],
  ['ndtri', ops.ndtri, [0, 0.5, 1, -0.1, NaN], [-Infinity, 0, Infinity, NaN, NaN]],
  ['logNdtr', ops.logNdtr, [-Infinity, Infinity, NaN], [-Infinity, 0, NaN]],
  ['lgamma', ops.lgamma, [0, 1, 2, -3, Infinity, NaN], [Infinity, 0, 0, Infinity, Infinity, NaN]],
  ['digamma', ops.digamma, [0, -0, -2, Infinity, NaN], [-Infinity, Infinity, NaN, Infinity, NaN]],
  ['polygamma 1', x => ops.polygamma(1, x), [0, -2, Infinity, NaN], [Infinity, Infinity, 0, NaN]],
  ['polygamma 2', x => ops.polygamma(2, x), [0, -2], [-Infinity, -Infinity]],
  ['i0', ops.i0, [0, Infinity, NaN], [1, Infinity, NaN]],
  ['i1', ops.i1, [0, -Infinity, NaN], [0, -Infinity, NaN]],
  ['i0e', ops.i0e, [0, Infinity, NaN], [1, 0, NaN]],
  ['sinc', ops.sinc, [0, 1, -3, Infinity, NaN], [1, 0, 0, 0, NaN]],
  ['sinh', ops.sinh, [-Infinity, 0, Infinity, NaN], [-Infinity, 0, Infinity, NaN]],
  ['asinh', ops.asinh, [-Infinity, 0, Infinity, NaN], [-Infinity, 0, Infinity, NaN]],
  ['acosh', ops.acosh, [1, Infinity, 0.5, -2, -Infinity, NaN], [0, Infinity, NaN, NaN, NaN, NaN]],
  ['atanh', ops.atanh, [-1, 1, 2], [-Infinity, Infinity, NaN]],
  ['entr', ops.entr, [-1, 0, 1, NaN], [-Infinity, 0, 0, NaN]],
  ['logit', ops.logit, [0, 1, -1, NaN], [-Infinity, Infinity, NaN, NaN]],
])('%s at the ends of its domain', (_, f, xs, want) => {
  values(f(t(xs))).forEach((value, i) => { expect(value + 0).toBe(want[i]) })
})

test('orders and dimensions must be whole', () => {
  expect(() => ops.polygamma(-1, t([1]))).toThrow('polygamma: n must be a whole number ≥ 0, got -1')
  expect(() => ops.mvlgamma(t([1]), 0)).toThrow('mvlgamma: p must be a whole number ≥ 1, got 0')
  expect(ops.lgamma(tensor([1], { dtype: 'int32' })).dtype).toBe('float32')
})
