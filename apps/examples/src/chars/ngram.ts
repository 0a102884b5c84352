// What counting runs of characters achieves: the bar that a network has to pass.

/**
 * Bits for each character of `validation` by a model of order n: a character's share of what followed the n − 1 before it in
 * `train`, with every count 1 higher (Laplace). The first n − 1 characters are not judged.
 */
export function ngramBits(order: number, train: Int32Array, validation: Int32Array, alphabetSize: number): number {
  const counts = new Map<number, number>()
  /** The characters up to place i as one number, in base `alphabetSize`. */
  const run = (text: Int32Array, i: number, length: number): number => {
    let number = 0
    for (let j = i - length + 1; j <= i; j++) number = number * alphabetSize + text[j]!
    return number
  }
  // runs of both lengths share the map: the shorter ones, what comes before, are below 0
  const before = (text: Int32Array, i: number): number => -1 - run(text, i - 1, order - 1)
  for (let i = order - 1; i < train.length; i++) for (const key of [run(train, i, order), before(train, i)]) counts.set(key, (counts.get(key) ?? 0) + 1)
  let bits = 0
  for (let i = order - 1; i < validation.length; i++) {
    bits -= Math.log2(((counts.get(run(validation, i, order)) ?? 0) + 1) / ((counts.get(before(validation, i)) ?? 0) + alphabetSize))
  }
  return bits / (validation.length - order + 1)
}
