/** Time from the start of a process to its first finished training step, with and without compiled shaders on disk. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type EngineCommand, EngineProcess } from './engineProcess.js'
import { trainingStep } from './peers.js'
import { progress } from './progress.js'
import type { FirstStepRow } from './schema.js'

/** The cache is Mesa's, which lavapipe has; other drivers have their own ways, so that both times are warm there. */
export async function measureFirstStep(command: EngineCommand): Promise<FirstStepRow> {
  const engine = command.name
  progress(`first step of ${engine}`)
  const folder = await mkdtemp(join(tmpdir(), 'fmae-bench-shaders-'))
  try {
    const cold = await timeToFirstStep(command, { MESA_SHADER_CACHE_DISABLE: 'true' })
    const cached = { MESA_SHADER_CACHE_DISABLE: 'false', MESA_SHADER_CACHE_DIR: folder }
    await timeToFirstStep(command, cached)
    return { engine, coldMs: cold, warmMs: await timeToFirstStep(command, cached) }
  } catch (error) {
    return { engine, coldMs: null, warmMs: null, reason: (error as Error).message }
  } finally {
    await rm(folder, { recursive: true, force: true })
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
