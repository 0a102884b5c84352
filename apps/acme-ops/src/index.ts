// @acme/ops: what a package of ops by other people looks like. It needs no registration and no change anywhere else.

export { charbonnierLoss, charbonnierRow, type CharbonnierParams } from './charbonnier.ts'
export { snake, snakeRow, type SnakeParams } from './snake.ts'
