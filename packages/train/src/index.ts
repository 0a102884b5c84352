// @bp/train: a training run from first step to resumed one.

export {}
