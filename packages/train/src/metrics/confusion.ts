// Which classes are taken for which.

import type { Tensor } from '@bp/core'
import { fail } from '@bp/core/extend'
import type { ClassOptions } from './accuracy.ts'
import { classesOf } from './classes.ts'
import { type Metric, Sums } from './metric.ts'

/** Options of {@link ConfusionMatrix}. */
export interface ConfusionOptions extends ClassOptions {
  /** What the classes are called; their numbers unless given. */
  readonly names?: readonly string[]
}

/** How often each class (row) was taken for each (column); prints as a table. */
export class Confusion {
  readonly counts: readonly (readonly number[])[]
  readonly names: readonly string[]

  constructor(counts: readonly (readonly number[])[], names: readonly string[]) {
    this.counts = counts
    this.names = names
  }

  toString(): string {
    const cells = [['', ...this.names], ...this.counts.map((row, c) => [this.names[c]!, ...row.map(String)])]
    const widths = cells[0]!.map((_, column) => Math.max(...cells.map(row => row[column]!.length)))
    return cells.map(row => row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join('  ').trimEnd()).join('\n')
  }
}

/**
 * Counts which classes are taken for which: rows are what was right, columns what was predicted, as in scikit-learn.
 *
 * @example
 * ```ts
 * import { tensor } from '@bp/core'
 * import { ConfusionMatrix } from '@bp/train'
 * const matrix = new ConfusionMatrix(2)
 * matrix.update(tensor([0, 1, 1], { dtype: 'int32' }), tensor([0, 1, 0], { dtype: 'int32' }))
 * JSON.stringify(matrix.compute().counts) // => [[1,1],[0,1]]
 * ```
 */
export class ConfusionMatrix extends Sums<Confusion> implements Metric<Confusion> {
  private readonly classes: number
  private readonly options: ConfusionOptions

  constructor(classes: number, options: ConfusionOptions = {}) {
    super()
    if (options.names && options.names.length !== classes) fail('value', 'ConfusionMatrix', `there are ${classes} classes and ${options.names.length} names. Give each a name`)
    this.classes = classes
    this.options = options
  }

  update(prediction: Tensor, target: Tensor): void {
    const { predicted, right } = classesOf('ConfusionMatrix', prediction, target, this.options.threshold)
    for (let i = 0; i < right.length; i++) {
      const [guess, truth] = [predicted[i]!, right[i]!]
      if (truth === this.options.ignoreIndex) continue
      if (!(guess < this.classes && truth >= 0 && truth < this.classes)) fail('value', 'ConfusionMatrix', `there is a class ${guess < this.classes ? truth : guess}, and the matrix has ${this.classes} classes, from 0 on`)
      this.add(truth * this.classes + guess, 1)
    }
  }

  override compute(): Confusion {
    const { classes, options: { names = Array.from({ length: classes }, (_, c) => String(c)) } } = this
    return new Confusion(names.map((_, row) => names.map((_name, column) => this.sums[row * classes + column] ?? 0)), names)
  }
}
