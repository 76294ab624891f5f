import type { MatrixPlan, MatrixUnit } from '../../kernels/matmulSubgroupMatrix.js'

/**
 * A matrix unit as plain loops: no adapter at hand has the real one, but all that surrounds it (staging,
 * tiling, epilogue, edges) can be run with this. An operand is its place in workgroup memory; the elements of
 * a sum are dealt out to the lanes.
 */
export function emulatedMatrixUnit({ config, layout, depth, subgroupSize }: MatrixPlan): MatrixUnit {
  const { M, N, K } = config
  const perLane = (M * N) / subgroupSize
  const declarations = /* wgsl */ `
alias Sum = array<f32, ${perLane}>;

// Elements per lane, in words that the compiler cannot see through: unrolled, these loops take minutes to
// compile.
fn elements() -> u32 {
  return min(${perLane}u, params.workgroups * ${perLane}u);
}
// The place of this lane in its subgroup.
fn place() -> u32 {
  return subgroupExclusiveAdd(1u);
}
fn multiplyAdd(left: u32, right: u32, sum: Sum) -> Sum {
  var total = sum;
  let lane = place();
  for (var i = 0u; i < elements(); i++) {
    let row = (i * ${subgroupSize}u + lane) / ${N}u;
    let column = (i * ${subgroupSize}u + lane) % ${N}u;
    for (var k = 0u; k < ${K}u; k++) {
      let l = f32(blockA[left + ${layout === 'TN' ? 'k * 64u + row' : `row * ${depth}u + k`}]);
      let r = f32(blockB[right + ${layout === 'NT' ? `column * ${depth}u + k` : 'k * 64u + column'}]);
      total[i] += l * r;
    }
  }
  return total;
}
fn storeMatrix(offset: u32, sum: Sum) {
  let lane = place();
  for (var i = 0u; i < elements(); i++) {
    let row = (i * ${subgroupSize}u + lane) / ${N}u;
    let column = (i * ${subgroupSize}u + lane) % ${N}u;
    results[offset + row * 32u + column] = sum[i];
  }
}
`
  return {
    directives: config.componentType === 'f16' ? ['enable f16;'] : [],
    declarations,
    loadLeft: (offset) => offset,
    loadRight: (offset) => offset,
    multiplyAdd: (left, right, sum) => `multiplyAdd(${left}, ${right}, ${sum})`,
    store: (offset, sum) => `storeMatrix(${offset}, ${sum});`,
  }
}
