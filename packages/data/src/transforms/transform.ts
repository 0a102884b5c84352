// Transforms: functions of a sample and a stream of random numbers, put together.

import { fail } from '@bp/core/extend'
import { type NdArray, ndarray } from '../array.ts'
import type { RandomStream } from '../random.ts'

/** What a {@link MapDataset} puts samples through. Any function of a sample is one. */
export type Transform<A, B = A> = (x: A, random: RandomStream) => B

/**
 * Transforms one after another, which draw from one stream.
 *
 * @example
 * ```ts
 * import { compose, RandomStream } from '@bp/data'
 * compose((x: number) => x + 1, x => x * 2)(3, new RandomStream(0)) // => 8
 * ```
 */
export function compose<A, B>(f: Transform<A, B>): Transform<A, B>
export function compose<A, B, C>(f: Transform<A, B>, g: Transform<B, C>): Transform<A, C>
export function compose<A, B, C, D>(f: Transform<A, B>, g: Transform<B, C>, h: Transform<C, D>): Transform<A, D>
export function compose<A, B, C, D, E>(f: Transform<A, B>, g: Transform<B, C>, h: Transform<C, D>, i: Transform<D, E>): Transform<A, E>
export function compose<A, B>(f: Transform<A, B>, ...more: readonly Transform<B>[]): Transform<A, B>
export function compose(...transforms: readonly Transform<unknown>[]): Transform<unknown> {
  return (x, random) => transforms.reduce((value, transform) => transform(value, random), x)
}

/** A sample with another value at one place. */
export type With<T, K extends PropertyKey, B> = { -readonly [P in keyof T]: P extends K | `${K & number}` ? B : T[P] }

/**
 * A transform of one field of a sample, named by its index or key, the others left as they are.
 *
 * @example
 * ```ts
 * import { at, RandomStream } from '@bp/data'
 * const halve = at(0, (x: number) => x / 2)
 * halve([3, 'label'], new RandomStream(0)) // => [1.5, label]
 * ```
 */
export const at = <const K extends string | number, A, B>(key: K, transform: Transform<A, B>) =>
  <T extends Readonly<Record<K, A>>>(sample: T, random: RandomStream): With<T, K, B> => {
    const value = transform(sample[key], random)
    return (Array.isArray(sample) ? sample.with(key as number, value) : { ...sample, [key]: value }) as With<T, K, B>
  }

/** A transform with probability p; 0.5 unless given. */
export const randomApply = <A>(transform: Transform<A>, p = 0.5): Transform<A> => (x, random) => random.bernoulli(p) ? transform(x, random) : x

/** One of several transforms, each as likely as the others unless weights are given. */
export function randomChoice<A, B>(transforms: readonly Transform<A, B>[], weights: readonly number[] = transforms.map(() => 1)): Transform<A, B> {
  const total = weights.reduce((a, b) => a + b, 0)
  if (weights.length !== transforms.length || weights.some(weight => !(weight >= 0)) || !(total > 0)) fail('value', 'randomChoice', `needs a transform, and a weight of at least 0 for each, got ${transforms.length} and [${weights.join(', ')}]`)
  return (x, random) => {
    let left = random.uniform(0, total)
    const k = weights.findIndex(weight => (left -= weight) < 0)
    return transforms[k < 0 ? transforms.length - 1 : k]!(x, random)
  }
}

/**
 * A class index as f32[classes]: 1 at the index, 0 elsewhere.
 *
 * @example
 * ```ts
 * import { classIndex, oneHot, RandomStream } from '@bp/data'
 * oneHot(3)(classIndex(1), new RandomStream(0)).data // => 0,1,0
 * ```
 */
export const oneHot = (classes: number): Transform<NdArray | number, NdArray> => x => {
  const index = typeof x === 'number' ? x : Number(x.data[0])
  if (!Number.isInteger(index) || index < 0 || index >= classes) fail('value', 'oneHot', `the class must be a whole number from 0 to ${classes - 1}, got ${index}`)
  const data = new Float32Array(classes)
  data[index] = 1
  return ndarray(data)
}
