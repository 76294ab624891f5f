import { openDevice } from '../../engine/device.js'
import type { Runtime } from '../../engine/runtime.js'
import { readSafetensors } from '../../train/checkpoint/safetensorsFile.node.js'
import { casesByOp, opTolerances } from '../../verify/cases/all.js'
import type { Check } from '../../verify/check.js'
import { deviceFixtures, vitSmallFixture } from '../../verify/fixtures.js'
import { checkGolden } from '../../verify/goldenCheck.js'
import { parseGoldenFile } from '../../verify/goldenFile.js'
import { hostFixtures } from '../../verify/hostFixtures.js'
import { type KernelVariant, kernelVariants } from '../../verify/poisonedRuntime.js'
import { type OpResult, runOp } from '../../verify/runOpCase.js'
import { checkRows, errorText, passes, textTable } from '../../verify/table.js'

const FOREIGN_NOTE =
  'GPU kernels run on a CPU driver here; attention cases that would take minutes to compile are skipped.'

const fixtureHeading = ['fixture', 'worst', 'checks', 'relative error', 'pass']

/**
 * `verify`: without files, checks every op on both families of kernels and all fixtures; with files, checks those golden files.
 * Prints what was compared and the worst relative errors. Returns the exit code: 1 if any error exceeds its tolerance.
 */
export async function verify(files: string[], { tolerance }: { tolerance: number }): Promise<number> {
  const goldens = []
  for (const file of files) goldens.push(parseGoldenFile(file, await readSafetensors(file)))
  const runtime = await openDevice()
  console.log(runtime.adapterNote)
  try {
    const verdicts = []
    for (const golden of goldens) {
      const { checks, setAside } = await checkGolden(runtime, golden)
      verdicts.push(printChecks(`${golden.file} (${golden.kind})`, checks, tolerance))
      if (setAside > 0) console.log(setAsideNote(setAside))
    }
    if (goldens.length === 0) verdicts.push(...(await verifyAdapter(runtime, tolerance)))
    const passed = verdicts.every(Boolean)
    console.log(passed ? '\nAll within tolerance.' : '\nFAILED: see above.')
    return passed ? 0 : 1
  } finally {
    runtime.close()
  }
}

function setAsideNote(count: number): string {
  return (
    `after.*: ${count} values are excluded. Their gradient is zero up to rounding (key biases, which softmax ignores).\n` +
    'AdamW turns such gradients into full steps of arbitrary sign, in any implementation.'
  )
}

/** Prints one table of checks; true if all pass. */
function printChecks(title: string, checks: readonly Check[], tolerance: number): boolean {
  console.log(`\n${title}`)
  console.log(textTable([['tensor', ...fixtureHeading.slice(1)], ...checkRows(checks, tolerance)], 2))
  return checks.every((check) => passes(check, tolerance))
}

async function verifyAdapter(runtime: Runtime, tolerance: number): Promise<boolean[]> {
  const variants = kernelVariants(runtime)
  return [await verifyOps(variants, tolerance), await verifyFixtures(runtime, variants, tolerance)]
}

async function verifyOps(variants: readonly KernelVariant[], tolerance: number): Promise<boolean> {
  const columns = variants.flatMap(({ name }) => [`${name}: cases`, 'forward', 'gradient'])
  const rows = [['op', ...columns, 'allowed', 'pass']]
  let passed = true
  for (const [op, cases] of casesByOp()) {
    const results = await runOp(variants, cases)
    const allowed = Math.min(opTolerances[op] ?? tolerance, tolerance)
    const good = results.every((result) => isWithin(result, allowed))
    passed &&= good
    const errors = results.flatMap((result) => [
      String(result.cases),
      errorText(result.forward),
      errorText(result.gradient),
    ])
    rows.push([op, ...errors, errorText(allowed), good ? 'ok' : 'FAIL'])
    progress(`${op}: ${good ? 'ok' : 'FAIL'}`)
  }
  progress('')
  console.log(`\nOps against float64 references: worst relative errors\n${textTable(rows, 1)}`)
  if (variants.some(({ foreign }) => foreign)) console.log(FOREIGN_NOTE)
  return passed
}

function isWithin({ forward, gradient }: OpResult, allowed: number): boolean {
  return forward <= allowed && (gradient ?? 0) <= allowed
}

async function verifyFixtures(
  runtime: Runtime,
  variants: readonly KernelVariant[],
  tolerance: number,
): Promise<boolean> {
  const checks = hostFixtures()
  for (const variant of variants) {
    progress(`fixtures on ${variant.name}`)
    const found = await deviceFixtures(variant.runtime)
    checks.push(...found.map((check) => ({ ...check, group: `${check.group}, ${variant.name}` })))
  }
  progress('fixture A6, ViT-S')
  checks.push(...(await vitSmallFixture(runtime, 2)))
  progress('')
  const rows = [fixtureHeading, ...checkRows(checks, tolerance)]
  console.log(`\nFixtures of the method\n${textTable(rows, 2)}`)
  return checks.every((check) => passes(check, tolerance))
}

/** One line that is overwritten, on a terminal only. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`)
}
