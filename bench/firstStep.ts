/** Time from the start of a process to its first finished training step, with and without compiled shaders on disk. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EngineCommand, EngineProcess } from './engineProcess.js'
import { trainingStep } from './peers.js'
import { progress } from './progress.js'
import type { FirstStepRow } from './schema.js'
import { summary } from './timing.js'

/** Of each engine, cold and warm. */
const STARTS = 5

interface Starts {
  readonly command: EngineCommand
  /** The engine's folder of compiled shaders. */
  readonly folder: string
  readonly cold: number[]
  readonly warm: number[]
  reason?: string
}

/** The engines start in turn, `STARTS` times, so that a temporary slowdown of the machine affects all of them. */
export async function measureFirstSteps(commands: readonly EngineCommand[]): Promise<FirstStepRow[]> {
  const folder = await mkdtemp(join(tmpdir(), 'fmae-bench-shaders-'))
  const engines: Starts[] = commands.map((command) => ({
    command,
    folder: join(folder, command.name),
    cold: [],
    warm: [],
  }))
  try {
    for (let round = 1; round <= STARTS; round++) {
      progress(`first step, ${round} of ${STARTS}`)
      for (const engine of engines) if (!engine.reason) await startColdAndWarm(engine)
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
  return engines.map(({ command, cold, warm, reason }) =>
    reason
      ? { engine: command.name, cold: null, warm: null, reason }
      : { engine: command.name, cold: summary(cold), warm: summary(warm) },
  )
}

/** The cache is that of Mesa (lavapipe). Other drivers have other caches, so both times are warm there. */
async function startColdAndWarm(engine: Starts): Promise<void> {
  const cached = { MESA_SHADER_CACHE_DISABLE: 'false', MESA_SHADER_CACHE_DIR: engine.folder }
  try {
    engine.cold.push(await timeToFirstStep(engine.command, { MESA_SHADER_CACHE_DISABLE: 'true' }))
    if (engine.warm.length === 0) await timeToFirstStep(engine.command, cached)
    engine.warm.push(await timeToFirstStep(engine.command, cached))
  } catch (error) {
    engine.reason = (error as Error).message
  }
}

async function timeToFirstStep(command: EngineCommand, env: Record<string, string>): Promise<number> {
  const start = performance.now()
  const engine = await EngineProcess.start(command, env)
  await engine.load(trainingStep)
  await engine.time(1)
  const ms = performance.now() - start
  await engine.quit()
  return ms
}
