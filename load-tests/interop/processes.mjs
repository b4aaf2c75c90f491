// The processes of a run. Each ends with its standard input, so none outlives this one, however it
// ends; and each is ended by its own handle.
import { spawn } from 'node:child_process'
import { createWriteStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const STOP_MILLIS = 10_000
const running = []

/** Starts one; `ready` is a promise of the match of `pattern` in a line of its output. */
export function start(name, directory, command, args, pattern, boundMillis = 60_000) {
  const log = join(directory, `${name}.log`)
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const copy = createWriteStream(log)
  child.stderr.pipe(copy, { end: false })
  child.stdin.on('error', () => {})
  const started = { child }
  running.unshift(started)
  started.ready = new Promise((resolve, reject) => {
    const fail = what => reject(new Error(`${name} ${what}. The end of its log:\n${tail(log)}`))
    const timer = setTimeout(() => fail(`was not ready within ${boundMillis} ms`), boundMillis)
    createInterface({ input: child.stdout }).on('line', line => {
      copy.write(`${line}\n`)
      const match = pattern.exec(line)
      if (match) {
        clearTimeout(timer)
        resolve(match)
      }
    })
    child.on('error', error => fail(`could not be started: ${error.message}`))
    child.on('exit', code => {
      clearTimeout(timer)
      fail(`ended with exit code ${code}`)
    })
  })
  // Whoever waits for it sees the failure; a process that ends after it was ready is no failure.
  started.ready.catch(() => {})
  return started
}

/** Ends all, the last first. */
export async function stopAll() {
  for (const { child } of running.splice(0)) {
    if (child.exitCode === null && child.signalCode === null) {
      const ended = new Promise(resolve => child.once('exit', resolve))
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MILLIS)
      child.kill('SIGTERM')
      await ended
      clearTimeout(timer)
    }
  }
}

function tail(file) {
  try {
    return readFileSync(file, 'utf8').split('\n').slice(-15).join('\n')
  } catch (error) {
    return `(no log: ${error.message})`
  }
}
