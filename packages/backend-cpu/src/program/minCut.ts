// The cheapest cut through a network: what must be taken away so that nothing leads from its source to its sink.

/** A directed network whose vertices are numbers. */
export class Network {
  readonly source = 0
  readonly sink = 1
  /** Edges out of each vertex, each followed by its reverse in the list of edges. */
  private readonly out: number[][] = [[], []]
  private readonly to: number[] = []
  private readonly room: number[] = []

  /** A new vertex. */
  vertex(): number {
    return this.out.push([]) - 1
  }

  /** Connects two vertices; taking the edge away costs `capacity`. */
  edge(from: number, to: number, capacity: number): void {
    this.out[from]!.push(this.to.push(to) - 1)
    this.room.push(capacity)
    this.out[to]!.push(this.to.push(from) - 1)
    this.room.push(0)
  }

  /**
   * Whether each vertex is on the source's side of the cheapest cut, the one nearest to the source. Found by maximal flow, along
   * shortest paths (Dinic, Algorithm for Solution of a Problem of Maximum Flow in a Network with Power Estimation, 1970).
   */
  cut(): boolean[] {
    for (;;) {
      const level = this.levels()
      if (level[this.sink] === -1) return level.map(depth => depth !== -1)
      const next = new Array<number>(this.out.length).fill(0)
      while (this.push(level, next) > 0);
    }
  }

  /** How many edges with room lead from the source to each vertex; −1 where none do. */
  private levels(): number[] {
    const level = new Array<number>(this.out.length).fill(-1)
    level[this.source] = 0
    const queue = [this.source]
    for (const vertex of queue) {
      for (const edge of this.out[vertex]!) {
        const to = this.to[edge]!
        if (this.room[edge]! <= 0 || level[to] !== -1) continue
        level[to] = level[vertex]! + 1
        queue.push(to)
      }
    }
    return level
  }

  /** Sends what one more shortest path holds, found depth first without recursion; `next` is the first edge of each vertex worth trying. */
  private push(level: readonly number[], next: number[]): number {
    const path: number[] = []
    let vertex = this.source
    while (vertex !== this.sink) {
      const edge = this.out[vertex]![next[vertex]!]
      if (edge === undefined) {
        const back = path.pop()
        if (back === undefined) return 0
        vertex = this.to[back ^ 1]!
        next[vertex]!++
      } else if (this.room[edge]! > 0 && level[this.to[edge]!] === level[vertex]! + 1) {
        path.push(edge)
        vertex = this.to[edge]!
      } else next[vertex]!++
    }
    const flow = Math.min(...path.map(edge => this.room[edge]!))
    for (const edge of path) {
      this.room[edge]! -= flow
      this.room[edge ^ 1]! += flow
    }
    return flow
  }
}
