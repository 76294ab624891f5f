import { type ComponentType, render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useHiddenPause } from './hiddenPause.js'
import { useCommands } from './parts/commands.js'
import { stayOnDrop } from './parts/drop.js'
import { Badge, Notes, Unavailable } from './parts/notices.js'
import { Tabs, useHashTab } from './parts/tabBar.js'
import { ThemeSwitch } from './parts/theme.js'
import { FineTune } from './tabs/fineTune.js'
import { OwnData } from './tabs/ownData.js'
import { Pretrain } from './tabs/pretrain.js'
import { TryIt } from './tabs/tryIt.js'
import { openWorker, useWorker, type WorkerLink, WorkerProvider } from './workerLink.js'

export interface Act {
  /** Part of the address after #. */
  readonly id: string
  readonly title: string
  readonly view: ComponentType
}

const acts: readonly Act[] = [
  { id: 'pretrain', title: 'Pretrain', view: Pretrain },
  { id: 'fineTune', title: 'Fine-tune', view: FineTune },
  { id: 'tryIt', title: 'Try it', view: TryIt },
  { id: 'ownData', title: 'Your own data', view: OwnData },
]

function App() {
  const [link, setLink] = useState<WorkerLink | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  useEffect(() => {
    openWorker().then(setLink, (error: Error) => setProblem(error.message))
  }, [])
  return (
    <>
      <header>
        <div class="bar">
          <p class="brand">FMAE on WebGPU</p>
          {link && <Badge {...link.adapter} />}
          <ThemeSwitch />
        </div>
        <h1>Watch a network learn faces</h1>
        <p class="lead">
          A masked autoencoder is trained here, in this page, on your device. No picture and no number leaves
          it.
        </p>
      </header>
      {problem && <Unavailable reason={problem} />}
      {!link && !problem && <p class="opening">Looking for a device to compute on …</p>}
      {link && (
        <WorkerProvider value={link}>
          <Stage />
        </WorkerProvider>
      )}
    </>
  )
}

/** The acts; all stay alive, so that nothing is lost by looking at another one. */
function Stage() {
  const [current, choose] = useHashTab(acts)
  const pause = useHiddenPause()
  const { worker } = useWorker()
  const { problem, send } = useCommands()
  // Once everything here listens.
  useEffect(() => {
    send(() => worker.restore())
  }, [])
  return (
    <>
      <Tabs acts={acts} current={current} choose={choose} />
      <main>
        <Notes />
        {problem && (
          <p class="problem" role="alert">
            What this page had saved cannot be taken up: {problem}
          </p>
        )}
        {acts.map(({ id, title, view: View }) => (
          <section key={id} id={`act-${id}`} role="tabpanel" aria-label={title} hidden={id !== current}>
            <View />
          </section>
        ))}
      </main>
      <footer>
        <label class="check">
          <input type="checkbox" checked={pause.wanted} onChange={pause.toggle} /> Pause training while this
          page is hidden
        </label>
        <p>
          Runs are kept in this browser's storage for this page and survive a reload. The method: Ning, Salah
          and Ertugrul, <a href="https://arxiv.org/abs/2407.11243">arXiv 2407.11243</a>.
        </p>
      </footer>
    </>
  )
}

stayOnDrop()
render(<App />, document.getElementById('app')!)
