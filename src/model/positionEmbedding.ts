/**
 * Fixed 2-D sin-cos position table with a zero row for the cls token, [1 + grid², width] row-major.
 *
 * Row 1 + r·grid + c belongs to patch (r, c). Its first half encodes the column c, its second half the row r;
 * each half is [sin(p·ω) | cos(p·ω)], ω_k = 10000^(−k/(width/4)). Computed in float64, stored as float32.
 * He et al. 2022, "Masked autoencoders are scalable vision learners".
 */
export function sinCosPositions(width: number, grid: number): Float32Array {
  const table = new Float32Array((1 + grid * grid) * width)
  for (let row = 0; row < grid; row++) {
    for (let column = 0; column < grid; column++) {
      const start = (1 + row * grid + column) * width
      writeHalf(table, start, width / 4, column)
      writeHalf(table, start + width / 2, width / 4, row)
    }
  }
  return table
}

function writeHalf(table: Float32Array, start: number, quarter: number, position: number): void {
  for (let k = 0; k < quarter; k++) {
    const angle = position * 10000 ** (-k / quarter)
    table[start + k] = Math.sin(angle)
    table[start + quarter + k] = Math.cos(angle)
  }
}
