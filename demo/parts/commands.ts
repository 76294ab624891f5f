import { useRef, useState } from 'preact/hooks'

export interface Commands {
  readonly busy: boolean
  /** What went wrong with the last one. */
  readonly problem: string | null
  /** Nothing happens while another one is on its way. */
  readonly send: (command: () => Promise<unknown>) => Promise<void>
}

/** Runs commands of the worker one at a time; what goes wrong is kept to be shown beside the buttons. */
export function useCommands(): Commands {
  const [busy, setBusy] = useState(false)
  const [problem, setProblem] = useState<string | null>(null)
  // Two events may come before the page is drawn again, buttons disabled.
  const underWay = useRef(false)
  const send = async (command: () => Promise<unknown>) => {
    if (underWay.current) return
    underWay.current = true
    setBusy(true)
    setProblem(null)
    try {
      await command()
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error))
    } finally {
      underWay.current = false
      setBusy(false)
    }
  }
  return { busy, problem, send }
}
