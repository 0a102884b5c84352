// Tasks to learn to learn: sine waves of different amplitude and phase, of which a few points are shown.

import { mul, type Tensor } from '@bp/core'
import { type Generator, sin, sub } from '@bp/ops'

/** Sine waves: amplitudes and phases, both [tasks, 1, 1]. */
export interface Waves {
  readonly amplitude: Tensor
  readonly phase: Tensor
}

/** Points on sine waves, both [tasks, points, 1]. */
export interface Points {
  readonly x: Tensor
  readonly y: Tensor
}

/** Waves as in Finn, Abbeel & Levine 2017, section 5.1: amplitudes in [0.1, 5), phases in [0, π). */
export const drawWaves = (random: Generator, tasks: number): Waves => ({
  amplitude: random.uniform([tasks, 1, 1], { low: 0.1, high: 5 }),
  phase: random.uniform([tasks, 1, 1], { high: Math.PI }),
})

/** Where waves go at given places: y = A·sin(x − φ). */
export const onWaves = ({ amplitude, phase }: Waves, x: Tensor): Points => ({ x, y: mul(amplitude, sin(sub(x, phase))) })

/** Points of each wave at random x in [−5, 5). */
export const drawPoints = (random: Generator, waves: Waves, points: number): Points =>
  onWaves(waves, random.uniform([waves.phase.shape[0]!, points, 1], { low: -5, high: 5 }))
