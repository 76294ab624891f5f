import { useState } from 'preact/hooks'

/** Runs commands of the worker one at a time; what goes wrong is kept to be shown beside the buttons. */
export function useCommands() {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  const run = async (command: () => Promise<unknown>) => {
    setBusy(true)
    setProblem(null)
    try {
      await command()
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    } finally {
      setBusy(false)
    }
  }
  return { busy, problem, run }
}
