// Layers that put a margin around their input.

import { describe, fail } from '@bp/core/extend'
import { pad, type PadOptions } from '@bp/ops'
import { FunctionModule } from './function.ts'

/**
 * The margin: one number for all sides, or before and after each axis beginning with the last: left, right, top, bottom, front,
 * back, as in PyTorch. Negative numbers crop.
 */
export type Margin = number | readonly number[]

/** The modes that take elements of the input ask for [c, …] or [n, c, …]; a constant margin goes around anything. */
class Pad extends FunctionModule {
  constructor(axes: number, name: string, margin: Margin, options: PadOptions) {
    const layer = `${name}${axes}d`
    const sides = typeof margin === 'number' ? new Array<number>(2 * axes).fill(margin) : margin
    if (sides.length !== 2 * axes || !sides.every(Number.isInteger)) fail('value', layer, `needs one whole number or ${2 * axes}, got [${sides.join(',')}]`)
    const pairs = Array.from({ length: axes }, (_, i): [number, number] => [sides[2 * (axes - 1 - i)]!, sides[2 * (axes - 1 - i) + 1]!])
    super(x => {
      const lead = x.rank - axes
      if (lead < 0 || (options.mode && (lead < 1 || lead > 2))) fail('shape', layer, `needs ${options.mode ? '[n, c, …] or [c, …] with' : 'at least'} ${axes} spatial axes, got ${describe(x)}`)
      return pad(x, [...new Array<[number, number]>(lead).fill([0, 0]), ...pairs], options)
    })
  }
}

/** A margin of zeros around the last axis. */
export class ZeroPad1d extends Pad {
  constructor(margin: Margin) {
    super(1, 'ZeroPad', margin, {})
  }
}

/** A margin of zeros around the last two axes. */
export class ZeroPad2d extends Pad {
  constructor(margin: Margin) {
    super(2, 'ZeroPad', margin, {})
  }
}

/** A margin of zeros around the last three axes. */
export class ZeroPad3d extends Pad {
  constructor(margin: Margin) {
    super(3, 'ZeroPad', margin, {})
  }
}

/** A margin of one value around the last axis. */
export class ConstantPad1d extends Pad {
  constructor(margin: Margin, value: number) {
    super(1, 'ConstantPad', margin, { value })
  }
}

/** A margin of one value around the last two axes. */
export class ConstantPad2d extends Pad {
  constructor(margin: Margin, value: number) {
    super(2, 'ConstantPad', margin, { value })
  }
}

/** A margin of one value around the last three axes. */
export class ConstantPad3d extends Pad {
  constructor(margin: Margin, value: number) {
    super(3, 'ConstantPad', margin, { value })
  }
}

/** A margin that mirrors the last axis at the edges, without repeating these. */
export class ReflectionPad1d extends Pad {
  constructor(margin: Margin) {
    super(1, 'ReflectionPad', margin, { mode: 'reflect' })
  }
}

/** A margin that mirrors the last two axes at the edges, without repeating these. */
export class ReflectionPad2d extends Pad {
  constructor(margin: Margin) {
    super(2, 'ReflectionPad', margin, { mode: 'reflect' })
  }
}

/** A margin that mirrors the last three axes at the edges, without repeating these. */
export class ReflectionPad3d extends Pad {
  constructor(margin: Margin) {
    super(3, 'ReflectionPad', margin, { mode: 'reflect' })
  }
}

/** A margin that repeats the edges of the last axis. */
export class ReplicationPad1d extends Pad {
  constructor(margin: Margin) {
    super(1, 'ReplicationPad', margin, { mode: 'replicate' })
  }
}

/** A margin that repeats the edges of the last two axes. */
export class ReplicationPad2d extends Pad {
  constructor(margin: Margin) {
    super(2, 'ReplicationPad', margin, { mode: 'replicate' })
  }
}

/** A margin that repeats the edges of the last three axes. */
export class ReplicationPad3d extends Pad {
  constructor(margin: Margin) {
    super(3, 'ReplicationPad', margin, { mode: 'replicate' })
  }
}

/** A margin that goes on with the other end of the last axis. */
export class CircularPad1d extends Pad {
  constructor(margin: Margin) {
    super(1, 'CircularPad', margin, { mode: 'circular' })
  }
}

/** A margin that goes on with the other end of the last two axes. */
export class CircularPad2d extends Pad {
  constructor(margin: Margin) {
    super(2, 'CircularPad', margin, { mode: 'circular' })
  }
}

/** A margin that goes on with the other end of the last three axes. */
export class CircularPad3d extends Pad {
  constructor(margin: Margin) {
    super(3, 'CircularPad', margin, { mode: 'circular' })
  }
}
