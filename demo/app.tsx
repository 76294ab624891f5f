import './validLanguage.js'
import { type ComponentType, render } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { useHiddenPause } from './hiddenPause.js'
import { useCommands } from './parts/commands.js'
import { stayOnDrop } from './parts/drop.js'
import { Failure, FailureBoundary } from './parts/failure.js'
import { Badge, Notes } from './parts/notices.js'
import { TabBar, useHashTab } from './parts/tabBar.js'
import { ThemeSwitch } from './parts/theme.js'
import { FineTune } from './tabs/fineTune.js'
import { OwnData } from './tabs/ownData.js'
import { Pretrain } from './tabs/pretrain.js'
import { TryIt } from './tabs/tryIt.js'
import { openWorker, useWorker, type WorkerLink, WorkerProvider } from './workerLink.js'

export interface Tab {
  /** Part of the address after #. */
  readonly id: string
  readonly title: string
  readonly view: ComponentType
}

const tabs: readonly Tab[] = [
  { id: 'pretrain', title: 'Pretrain', view: Pretrain },
  { id: 'fineTune', title: 'Fine-tune', view: FineTune },
  { id: 'tryIt', title: 'Try it', view: TryIt },
  { id: 'ownData', title: 'Your own data', view: OwnData },
]

function App() {
  const [link, setLink] = useState<WorkerLink | null>(null)
  const [failure, setFailure] = useState<Error | null>(null)
  useEffect(() => {
    openWorker().then(setLink, setFailure)
  }, [])
  return (
    <>
      <header>
        <div class="bar">
          <p class="brand">FMAE on WebGPU</p>
          {link && <Badge {...link.adapter} />}
          <ThemeSwitch />
        </div>
        <h1>Train on faces in your browser</h1>
        <p class="lead">
          Pretrain a masked autoencoder, fine-tune an action unit classifier, and try both on your own images.
          Everything runs on this device. The page uploads nothing.
        </p>
      </header>
      {failure && <Failure error={failure} />}
      {!link && !failure && <p class="opening">Looking for a WebGPU device …</p>}
      {link && (
        <WorkerProvider value={link}>
          <TabPanels />
        </WorkerProvider>
      )}
    </>
  )
}

/** The tabs; all stay alive, so that nothing is lost by looking at another one. */
function TabPanels() {
  const [current, choose] = useHashTab(tabs)
  const pause = useHiddenPause()
  const { worker } = useWorker()
  const { problem, send } = useCommands()
  // Once everything here listens.
  useEffect(() => {
    send(() => worker.restore())
  }, [])
  return (
    <>
      <TabBar tabs={tabs} current={current} choose={choose} />
      <main>
        <Notes />
        {problem && (
          <p class="problem" role="alert">
            The saved runs cannot be restored: {problem}
          </p>
        )}
        {tabs.map(({ id, title, view: View }) => (
          <section key={id} id={`panel-${id}`} role="tabpanel" aria-label={title} hidden={id !== current}>
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
          Runs are saved in this browser and continue after a reload. Method: Ning, Salah and Ertugrul,{' '}
          <a href="https://arxiv.org/abs/2407.11243">arXiv 2407.11243</a>.
        </p>
      </footer>
    </>
  )
}

stayOnDrop()
const app = document.getElementById('app')!
app.textContent = ''
render(
  <FailureBoundary>
    <App />
  </FailureBoundary>,
  app,
)
// From here on the page tells of failures itself, instead of index.html.
document.documentElement.dataset.started = ''
