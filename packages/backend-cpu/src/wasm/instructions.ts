// The instructions of WebAssembly that kernels are written in, as typed expressions (WebAssembly Core Specification 2.0, §5.4).

import { type Code, float32Bytes, float64Bytes, signed, unsigned } from './encode.ts'

/** The types of values. */
export type Type = 'i32' | 'f32' | 'f64' | 'v128'

/** An expression: what it leaves on the stack, and its code. */
export interface Expr<T extends Type = Type> {
  readonly type: T
  readonly code: Code
}

export type I32 = Expr<'i32'>
export type F32 = Expr<'f32'>
export type F64 = Expr<'f64'>
/** 16 bytes; how they are taken is up to each instruction. */
export type V128 = Expr<'v128'>

/** A number where an i32 is meant. */
export type Int = I32 | number

/** An expression of any code. */
export const expr = <T extends Type>(type: T, code: Code): Expr<T> => ({ type, code })

const int = (x: Int): I32 => typeof x === 'number' ? expr('i32', [0x41, signed(x)]) : x

type Unary<A extends Type, R extends Type> = (a: Expr<A>) => Expr<R>
type Binary<A extends Type, R extends Type> = (a: Expr<A>, b: Expr<A>) => Expr<R>
type Ints = (a: Int, b: Int) => I32

const un = <A extends Type, R extends Type>(type: R, ...op: number[]): Unary<A, R> => a => expr(type, [a.code, op])
const bin = <A extends Type, R extends Type>(type: R, ...op: number[]): Binary<A, R> => (a, b) => expr(type, [a.code, b.code, op])
const ints = (op: number): Ints => (a, b) => expr('i32', [int(a).code, int(b).code, op])

/* An address is a base, which may be computed, and a constant offset in bytes. */
const load = <T extends Type>(type: T, align: number, ...op: number[]) => (base: Int, offset = 0): Expr<T> =>
  expr(type, [int(base).code, op, align, unsigned(offset)])
const store = <T extends Type>(align: number, ...op: number[]) => (base: Int, value: Expr<T>, offset = 0): Code =>
  [int(base).code, value.code, op, align, unsigned(offset)]

/** Whole numbers and addresses. */
export const i32 = {
  const: int,
  add: ints(0x6a), sub: ints(0x6b), mul: ints(0x6c), divS: ints(0x6d), divU: ints(0x6e), remU: ints(0x70),
  and: ints(0x71), or: ints(0x72), xor: ints(0x73), shl: ints(0x74), shrS: ints(0x75), shrU: ints(0x76),
  eq: ints(0x46), ne: ints(0x47), ltS: ints(0x48), ltU: ints(0x49), gtS: ints(0x4a), gtU: ints(0x4b), leS: ints(0x4c), leU: ints(0x4d), geS: ints(0x4e), geU: ints(0x4f),
  eqz: (a: Int): I32 => expr('i32', [int(a).code, 0x45]),
  load: load('i32', 2, 0x28), load8: load('i32', 0, 0x2d),
  store: (base: Int, value: Int, offset = 0): Code => store<'i32'>(2, 0x36)(base, int(value), offset),
  store8: (base: Int, value: Int, offset = 0): Code => store<'i32'>(0, 0x3a)(base, int(value), offset),
  atomicLoad: load('i32', 2, 0xfe, 0x10),
  atomicStore: (base: Int, value: Int, offset = 0): Code => store<'i32'>(2, 0xfe, 0x17)(base, int(value), offset),
  /** Adds, and gives the value before. */
  atomicAdd: (base: Int, value: Int, offset = 0): I32 => expr('i32', [int(base).code, int(value).code, 0xfe, 0x1e, 2, unsigned(offset)]),
  /** Writes `next` where the word holds `expected`, and gives the value before. */
  atomicCompareExchange: (base: Int, expected: Int, next: Int, offset = 0): I32 => expr('i32', [int(base).code, int(expected).code, int(next).code, 0xfe, 0x48, 2, unsigned(offset)]),
  truncF32: un<'f32', 'i32'>('i32', 0xfc, 0x00),
  /** The smaller or larger of two, without a branch. */
  minS: (a: Int, b: Int): I32 => choose(i32.ltS(a, b), int(a), int(b)),
  maxS: (a: Int, b: Int): I32 => choose(i32.gtS(a, b), int(a), int(b)),
}

/** `a` where the condition is not 0, else `b`; both are computed. */
export const choose = <T extends Type>(condition: I32, a: Expr<T>, b: Expr<T>): Expr<T> => expr(a.type, [a.code, b.code, condition.code, 0x1b])

/** Floats of 32 bits. */
export const f32 = {
  const: (x: number): F32 => expr('f32', [0x43, float32Bytes(x)]),
  add: bin<'f32', 'f32'>('f32', 0x92), sub: bin<'f32', 'f32'>('f32', 0x93), mul: bin<'f32', 'f32'>('f32', 0x94), div: bin<'f32', 'f32'>('f32', 0x95),
  eq: bin<'f32', 'i32'>('i32', 0x5b), ne: bin<'f32', 'i32'>('i32', 0x5c), gt: bin<'f32', 'i32'>('i32', 0x5e),
  min: bin<'f32', 'f32'>('f32', 0x96), max: bin<'f32', 'f32'>('f32', 0x97),
  convertI32: un<'i32', 'f32'>('f32', 0xb2), demote: un<'f64', 'f32'>('f32', 0xb6),
  load: load('f32', 2, 0x2a), store: store<'f32'>(2, 0x38),
}

/** Floats of 64 bits. */
export const f64 = {
  const: (x: number): F64 => expr('f64', [0x44, float64Bytes(x)]),
  add: bin<'f64', 'f64'>('f64', 0xa0), sub: bin<'f64', 'f64'>('f64', 0xa1), mul: bin<'f64', 'f64'>('f64', 0xa2), div: bin<'f64', 'f64'>('f64', 0xa3),
  eq: bin<'f64', 'i32'>('i32', 0x61), ne: bin<'f64', 'i32'>('i32', 0x62), gt: bin<'f64', 'i32'>('i32', 0x64),
  promote: un<'f32', 'f64'>('f64', 0xbb),
  load: load('f64', 3, 0x2b), store: store<'f64'>(3, 0x39),
}

const simd = (op: number): number[] => [0xfd, ...unsigned(op)]
const v1 = (op: number): Unary<'v128', 'v128'> => un('v128', ...simd(op))
const v2 = (op: number): Binary<'v128', 'v128'> => bin('v128', ...simd(op))
const v3 = (op: number) => (a: V128, b: V128, c: V128): V128 => expr('v128', [a.code, b.code, c.code, simd(op)])
const shift = (op: number) => (a: V128, n: Int): V128 => expr('v128', [a.code, int(n).code, simd(op)])
const lane = <T extends Type>(type: T, op: number) => (a: V128, i: number): Expr<T> => expr(type, [a.code, simd(op), i])
const replace = <T extends Type>(op: number) => (a: V128, i: number, x: Expr<T>): V128 => expr('v128', [a.code, x.code, simd(op), i])

/** The code of vector constants that are worth keeping in a local, and by what they are alike. */
export const constants = /* @__PURE__ */ new WeakMap<Code, string>()

/** 16 bytes as they are. */
export const v128 = {
  load: load('v128', 2, ...simd(0)), load32Splat: load('v128', 2, ...simd(9)), load64Splat: load('v128', 2, ...simd(10)),
  /** One element in the first lane, the others 0. */
  load32Zero: load('v128', 2, ...simd(92)), load64Zero: load('v128', 2, ...simd(93)),
  store: store<'v128'>(2, ...simd(11)),
  storeLane32: (base: Int, value: V128, i: number, offset = 0): Code => [int(base).code, value.code, simd(90), 2, unsigned(offset), i],
  storeLane16: (base: Int, value: V128, i: number, offset = 0): Code => [int(base).code, value.code, simd(89), 1, unsigned(offset), i],
  storeLane64: (base: Int, value: V128, i: number, offset = 0): Code => [int(base).code, value.code, simd(91), 2, unsigned(offset), i],
  loadLane32: (base: Int, value: V128, i: number, offset = 0): V128 => expr('v128', [int(base).code, value.code, simd(86), 2, unsigned(offset), i]),
  loadLane64: (base: Int, value: V128, i: number, offset = 0): V128 => expr('v128', [int(base).code, value.code, simd(87), 2, unsigned(offset), i]),
  not: v1(77), and: v2(78), andNot: v2(79), or: v2(80), xor: v2(81),
  /** Bits of `a` where the mask is 1, else of `b`. */
  select: (a: V128, b: V128, mask: V128): V128 => v3(82)(a, b, mask),
  anyTrue: un<'v128', 'i32'>('i32', ...simd(83)),
  /** Bytes picked from two vectors seen as 32 bytes. */
  shuffle: (a: V128, b: V128, bytes: readonly number[]): V128 => expr('v128', [a.code, b.code, simd(13), bytes]),
  const: (bytes: readonly number[]): V128 => {
    const code: Code = [simd(12), bytes]
    // nothing is cheaper to make than zeros and ones
    if (!bytes.every(byte => byte === bytes[0] && (byte === 0 || byte === 255))) constants.set(code, bytes.join())
    return expr('v128', code)
  },
}

/** Four floats of 32 bits. */
export const f32x4 = {
  const: (x: number): V128 => {
    const one = float32Bytes(x)
    return v128.const([...one, ...one, ...one, ...one])
  },
  splat: un<'f32', 'v128'>('v128', ...simd(19)), lane: lane('f32', 31), replace: replace<'f32'>(32),
  eq: v2(65), ne: v2(66), lt: v2(67), gt: v2(68), le: v2(69), ge: v2(70),
  ceil: v1(103), floor: v1(104), trunc: v1(105), nearest: v1(106), abs: v1(224), neg: v1(225), sqrt: v1(227),
  add: v2(228), sub: v2(229), mul: v2(230), div: v2(231), min: v2(232), max: v2(233),
  /** b < a ? b : a, and a < b ? b : a: what x86 has an instruction for. */
  pmin: v2(234), pmax: v2(235),
  convertI32: v1(250), demote: v1(94),
  /** a·b + c, rounded once or twice as the machine likes. */
  relaxedMadd: v3(0x105), relaxedNmadd: v3(0x106),
}

/** Two floats of 64 bits. */
export const f64x2 = {
  const: (x: number): V128 => v128.const([0, 1].flatMap(() => float64Bytes(x))),
  splat: un<'f64', 'v128'>('v128', ...simd(20)), lane: lane('f64', 33), replace: replace<'f64'>(34),
  eq: v2(71), ne: v2(72), lt: v2(73), gt: v2(74), le: v2(75), ge: v2(76),
  ceil: v1(116), floor: v1(117), trunc: v1(122), nearest: v1(148), abs: v1(236), neg: v1(237), sqrt: v1(239),
  add: v2(240), sub: v2(241), mul: v2(242), div: v2(243), min: v2(244), max: v2(245), pmin: v2(246), pmax: v2(247),
  promote: v1(95), convertLowI32: v1(254),
  relaxedMadd: v3(0x107), relaxedNmadd: v3(0x108),
}

/** Four whole numbers of 32 bits. */
export const i32x4 = {
  const: (x: number): V128 => v128.const([0, 1, 2, 3].flatMap(() => [...new Uint8Array(Int32Array.of(x).buffer)])),
  splat: un<'i32', 'v128'>('v128', ...simd(17)), lane: lane('i32', 27),
  eq: v2(55), ne: v2(56), ltS: v2(57), gtS: v2(59), leS: v2(61), geS: v2(63),
  abs: v1(160), neg: v1(161), shl: shift(171), shrS: shift(172), shrU: shift(173),
  add: v2(174), sub: v2(177), mul: v2(181), minS: v2(182), maxS: v2(184),
  /** Rounded towards zero, kept in range, NaN to 0. */
  truncF32: v1(248), truncF64: v1(252),
  /** The first four bytes, each as a number from 0 to 255. */
  fromBytes: (a: V128): V128 => v1(169)(v1(137)(a)),
  bitmask: un<'v128', 'i32'>('i32', ...simd(164)),
}

/** Two whole numbers of 64 bits. */
export const i64x2 = {
  const: (x: bigint): V128 => v128.const([0, 1].flatMap(() => [...new Uint8Array(BigInt64Array.of(x).buffer)])),
  eq: v2(214), ne: v2(215), shl: shift(203), shrS: shift(204), shrU: shift(205), add: v2(206), sub: v2(209),
  extendLowS: v1(199), extendLowU: v1(201),
  bitmask: un<'v128', 'i32'>('i32', ...simd(196)),
}

/** Whole blocks of memory. */
export const memory = {
  copy: (to: Int, from: Int, bytes: Int): Code => [int(to).code, int(from).code, int(bytes).code, 0xfc, 10, 0, 0],
  fill: (to: Int, byte: Int, bytes: Int): Code => [int(to).code, int(byte).code, int(bytes).code, 0xfc, 11, 0],
  /** Sleeps while the word holds `expected`, at most `nanoseconds` (no limit where negative); drops why it woke. */
  wait: (base: Int, expected: Int, nanoseconds: number): Code => [int(base).code, int(expected).code, 0x42, signed(nanoseconds), 0xfe, 0x01, 2, 0, 0x1a],
  /** Wakes all who sleep on the word. */
  notify: (base: Int): Code => [int(base).code, int(-1).code, 0xfe, 0x00, 2, 0, 0x1a],
}
