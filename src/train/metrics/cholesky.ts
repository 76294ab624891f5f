/** Factor L of a symmetric positive definite matrix A = L·Lᵀ, both [n, n] row-major; only A's lower half is read. */
export function cholesky(matrix: Float64Array, n: number): Float64Array {
  const factor = new Float64Array(n * n)
  for (let row = 0; row < n; row++)
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * n + column]
      for (let k = 0; k < column; k++) sum -= factor[row * n + k] * factor[column * n + k]
      factor[row * n + column] = row === column ? Math.sqrt(sum) : sum / factor[column * n + column]
    }
  return factor
}

/** Solves L·Lᵀ·X = B in place for B [n, columns] row-major. */
export function solveCholesky(factor: Float64Array, n: number, values: Float64Array, columns: number): void {
  const eliminate = (row: number, other: number, weight: number) => {
    for (let c = 0; c < columns; c++) values[row * columns + c] -= weight * values[other * columns + c]
  }
  const divide = (row: number) => {
    const scale = 1 / factor[row * n + row]
    for (let c = 0; c < columns; c++) values[row * columns + c] *= scale
  }
  for (let row = 0; row < n; row++) {
    for (let k = 0; k < row; k++) eliminate(row, k, factor[row * n + k])
    divide(row)
  }
  for (let row = n - 1; row >= 0; row--) {
    for (let k = row + 1; k < n; k++) eliminate(row, k, factor[k * n + row])
    divide(row)
  }
}
