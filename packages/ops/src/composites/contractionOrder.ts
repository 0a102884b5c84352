// In which order to contract several tensors, two at a time.

/** Up to how many operands every order is compared: 3⁸ pairs of subsets take about a millisecond. */
const exhaustive = 8

/** Pairs to contract, and what they cost. */
export interface ContractionOrder {
  /** Positions in the list of operands; the two are taken out of it and what they give is put at its end. */
  readonly path: readonly (readonly [number, number])[]
  /** Multiplications in all. */
  readonly multiplications: number
}

/** The labels of one operand, each once. */
type Labels = readonly string[]

/** How much each label counts. */
type Sizes = ReadonlyMap<string, number>

/** How many elements the labels span. */
export const span = (labels: Iterable<string>, sizes: Sizes): number => {
  let n = 1
  for (const label of labels) n *= sizes.get(label)!
  return n
}

const union = (a: Labels, b: Labels): Labels => [...a, ...b.filter(label => !a.includes(label))]

/** The cheapest order where there are few operands, else a greedy one. */
export const contractionOrder = (operands: readonly Labels[], result: Labels, sizes: Sizes): ContractionOrder =>
  operands.length <= exhaustive ? cheapest(operands, result, sizes) : greedy(operands, result, sizes)

/** How to contract a subset of the operands: its two halves, which are subsets themselves. */
interface Plan {
  readonly cost: number
  readonly labels: Labels
  readonly halves: readonly [number, number] | null
}

/** The cheapest order of all, subset by subset (Pfeifer et al. 2014, "Faster identification of optimal contraction sequences for tensor networks"). */
function cheapest(operands: readonly Labels[], result: Labels, sizes: Sizes): ContractionOrder {
  const every = 2 ** operands.length - 1
  const plans: Plan[] = []
  for (let set = 1; set <= every; set++) {
    const members = operands.filter((_, i) => set & 1 << i)
    const outside = new Set([...result, ...operands.filter((_, i) => !(set & 1 << i)).flat()])
    const labels = members.reduce(union).filter(label => outside.has(label))
    let best: Plan = { cost: members.length === 1 ? 0 : Infinity, labels, halves: null }
    for (let half = (set - 1) & set; half > (set ^ half); half = (half - 1) & set) {
      const [a, b] = [plans[half]!, plans[set ^ half]!]
      const cost = a.cost + b.cost + span(union(a.labels, b.labels), sizes)
      if (cost < best.cost) best = { cost, labels, halves: [set ^ half, half] }
    }
    plans[set] = best
  }
  const path: [number, number][] = []
  const left = operands.map((_, i) => 1 << i)
  const contract = (set: number): void => {
    const { halves } = plans[set]!
    if (!halves) return
    halves.forEach(contract)
    const [i, j] = halves.map(half => left.indexOf(half)).sort((a, b) => a - b) as [number, number]
    path.push([i, j])
    left.splice(j, 1)
    left.splice(i, 1)
    left.push(set)
  }
  contract(every)
  return { path, multiplications: plans[every]!.cost }
}

/** Always the pair that shrinks the total size most, ties by cost (Smith & Gray 2018, "opt_einsum"). */
function greedy(operands: readonly Labels[], result: Labels, sizes: Sizes): ContractionOrder {
  const left = [...operands]
  const path: [number, number][] = []
  let multiplications = 0
  while (left.length > 1) {
    let best = { i: 0, j: 1, growth: Infinity, cost: Infinity, labels: [] as Labels }
    for (let j = 1; j < left.length; j++) {
      for (let i = 0; i < j; i++) {
        const outside = new Set([...result, ...left.filter((_, k) => k !== i && k !== j).flat()])
        const both = union(left[i]!, left[j]!)
        const labels = both.filter(label => outside.has(label))
        const growth = span(labels, sizes) - span(left[i]!, sizes) - span(left[j]!, sizes)
        const cost = span(both, sizes)
        if (growth < best.growth || (growth === best.growth && cost < best.cost)) best = { i, j, growth, cost, labels }
      }
    }
    path.push([best.i, best.j])
    multiplications += best.cost
    left.splice(best.j, 1)
    left.splice(best.i, 1)
    left.push(best.labels)
  }
  return { path, multiplications }
}
